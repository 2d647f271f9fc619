/* SPDX-License-Identifier: ISC */
/*
 * jobs.c - one part is sent: up to 50 recipients at one destination.
 *
 *	envelope read -> LEDGER for each, TAG -> RELAY_SEND -> RESULT ...
 *	    -> RESULTS: waits, or is done
 *
 * Whoever does not answer leaves the part where it was, to be tried again.
 * A crash before RELAY_SEND leaves a line in the ledger; after it the
 * recipients whose results are not in the envelope yet are sent to once more:
 * that is the window that SMTP has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "config.h"
#include "fault.h"
#include "log.h"
#include "message_id.h"
#include "messages.h"
#include "queue.h"
#include "sending.h"

#define LEDGER_MS 20000
#define SEND_MS (3600 * 1000)
#define SOON_S 10			/* a compartment was not there */
#define UNREADABLE_S 60

struct job {
	struct job *next;
	struct queue *queue;
	struct queued *message;
	struct part *part;
	uint32_t number;
	unsigned n_outstanding;		/* ledger and tag */
	bool has_failed;		/* one of these */
	bool is_untagged;		/* the destination is exempt */
	uint16_t n;
	uint16_t recipients[RELAY_JOB_RECIPIENTS];	/* of the envelope */
	bool has_result[RELAY_JOB_RECIPIENTS];
	uint8_t stage;			/* where it ended, of a bad host */
	char reason[256];		/* why the host is bad */
};

static struct envelope_recipient *
job_recipient(const struct job *job, uint16_t index)
{
	return &job->message->open->recipients[job->recipients[index]];
}

/* ---- its end ---- */

static void
job_free(struct job *job)
{
	struct job **at = &job->queue->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job->queue->n_jobs--;
	free(job);
}

/*
 * When the first of the part's recipients who are left is due, perhaps one
 * after these 50; INT64_MAX: nobody is.
 */
static int64_t
part_due_s(const struct job *job)
{
	const struct envelope *e = job->message->open;
	int64_t due_s = INT64_MAX;

	for (size_t i = 0; i < e->n_recipients && due_s > 0; i++) {
		const struct envelope_recipient *r = &e->recipients[i];

		if (r->state == RECIPIENT_WAITING && r->next_s < due_s &&
		    part_has(job->part, r->address))
			due_s = r->next_s;
	}
	return due_s;
}

/* Only those who still wait, for mailq. */
static void
part_update(const struct job *job)
{
	const struct envelope *e = job->message->open;
	struct slice line, rest = slice_of(job->part->addresses);
	char *to = job->part->addresses;

	while (rest.size > 0) {
		bool waits = false;

		line = slice_next_line(&rest);
		for (size_t i = 0; i < e->n_recipients && !waits; i++)
			waits = e->recipients[i].state == RECIPIENT_WAITING &&
			    slice_equals(line, e->recipients[i].address);
		if (!waits)
			continue;
		memmove(to, line.data, line.size);
		to[line.size] = '\n';
		to += line.size + 1;
	}
	*to = '\0';
}

/* The part has run: it waits for those who are left, and at least until
 * due_s, or is done. */
static void
job_end(struct job *job, enum host_state host, int64_t due_s)
{
	struct queue *q = job->queue;
	struct queued *m = job->message;
	struct part *part = job->part;
	int64_t first_s = part_due_s(job);
	bool has_more = first_s != INT64_MAX;

	if (first_s > queued_latest_s(q))
		first_s = queued_latest_s(q);
	if (due_s < first_s)
		due_s = first_s;
	schedule_done(q->schedule, part, host, slice_of(job->reason),
	    queue_now_s(q));
	if (!has_more)
		schedule_leave(q->schedule, part);
	else if (!m->is_held && !m->is_removed)
		(void)schedule_wait(q->schedule, part, due_s);
	if (has_more)
		part_update(job);
	job_free(job);
	queued_close(q, m);
	queue_want_work(q);
}

/* Nothing was sent: somebody here was not there. */
static void
job_put_off(struct job *job, const char *why)
{
	struct queue *q = job->queue;
	char id[ENVELOPE_ID_SIZE];

	envelope_id_write(id, job->message->id);
	log_warning("put_off", LOG_S("queue", id), LOG_S("why", why),
	    LOG_END);
	word_drop(&job->part->reason);
	job->part->reason = word_get(slice_of(why));
	job_end(job, HOST_UNKNOWN, queue_now_s(q) + SOON_S);
}

/* ---- results ---- */

static struct job *
job_find(const struct queue *q, uint32_t number)
{
	struct job *job = q->jobs;

	while (job != NULL && job->number != number)
		job = job->next;
	return job;
}

static void
log_result(const struct job *job, const struct envelope_recipient *r,
    const struct relay_result *result)
{
	char id[ENVELOPE_ID_SIZE];
	uint16_t code = result->verdict.code;

	envelope_id_write(id, job->message->id);
	log_info(code == 250 ? "sent" : code >= 500 ? "failed" : "deferred",
	    LOG_S("queue", id), LOG_SL("session", job->message->open->session),
	    LOG_SL("to", r->address), LOG_SL("host", result->remote_host),
	    LOG_U("code", code), LOG_S("said", result->verdict.text),
	    LOG_END);
}

/*
 * Before MAIL the host was told nothing of the message, so what refuses it
 * for good is relay's word about that host: a report must not quote him.
 */
static void
note_refusal(struct envelope *e, struct envelope_recipient *r,
    const struct relay_result *result, int64_t now_s)
{
	const struct verdict *v = &result->verdict;
	struct slice host = result->remote_host;
	struct verdict ours;

	if (v->code < 500 || result->stage >= RELAY_AT_MAIL ||
	    host.size == 0) {
		recipient_answered(e, r, v, host, now_s);
		return;
	}
	verdict_set(&ours, v->code, v->subject, v->detail, "%.*s: %s",
	    (int)host.size, host.data, v->text);
	recipient_answered(e, r, &ours, SLICE(""), now_s);
}

static void
take_result(struct job *job, const struct relay_result *result)
{
	struct queue *q = job->queue;
	struct envelope *e = job->message->open;
	struct envelope_recipient *r = job_recipient(job, result->index);
	int64_t now_s = queue_now_s(q);

	job->has_result[result->index] = true;
	log_result(job, r, result);
	if (result->verdict.code == 250) {
		/* the reply of LMTP is the mailbox's own (RFC 2033 1) */
		recipient_sent(e, r, result, slice_starts_nocase(
		    part_destination(job->part), SLICE("lmtp:")), now_s);
		q->n_sent++;
	} else {
		note_refusal(e, r, result, now_s);
	}
	if (result->verdict.code >= 500) {
		recipient_failed(e, r);
		q->n_failed++;
	}
	(void)snprintf(job->reason, sizeof job->reason, "%.200s",
	    result->verdict.text);
	/* the last one of a message needs no line: the file goes */
	if (envelope_is_waiting(e) || envelope_owes(e))
		queued_save(q, job->message);
}

static bool
on_result(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct queue *q = arg;
	struct relay_result result;
	struct job *job;

	(void)ch;
	if (!get_relay_result(&m->body, &result))
		return false;
	FAULT_STEP("queue.result");
	job = job_find(q, result.job);
	if (job == NULL)	/* it took too long and was given up */
		return true;
	if (result.index >= job->n || job->has_result[result.index])
		return false;
	take_result(job, &result);
	return true;
}

const struct channel_rule relay_rules[] = {
	{ RELAY_RESULT, CHANNEL_NO_FD, on_result },
};
const size_t relay_n_rules = sizeof relay_rules / sizeof *relay_rules;

/* How often the one of them who still waits was tried the most. */
static uint16_t
most_tries(const struct job *job)
{
	uint16_t most = 0;

	for (uint16_t i = 0; i < job->n; i++) {
		const struct envelope_recipient *r = job_recipient(job, i);

		if (r->state == RECIPIENT_WAITING && r->tries > most)
			most = r->tries;
	}
	return most;
}

static bool
has_sent(const struct job *job)
{
	for (uint16_t i = 0; i < job->n; i++)
		if (job_recipient(job, i)->state != RECIPIENT_WAITING &&
		    job_recipient(job, i)->last.code == 250)
			return true;
	return false;
}

/* "Not in this transaction" (RFC 5321 4.5.3.1.10): the next one may be now,
 * as long as each brings somebody further. */
static bool
is_for_next(const struct envelope_recipient *r)
{
	return r->last.code == 452 && r->last.subject == 5 &&
	    r->last.detail == 3;
}

/*
 * When those of them who still wait are tried again. The others of the part
 * have a time of their own, and do not wait for these.
 */
static void
put_off_rest(struct job *job, uint32_t hint_s)
{
	struct queue *q = job->queue;
	uint16_t tries = most_tries(job);
	bool may_go_on = has_sent(job);
	uint32_t delay_s;
	int64_t next_s;

	if (tries < UINT16_MAX)
		tries++;
	if (tries > job->part->tries)
		job->part->tries = tries;
	delay_s = schedule_delay_s(q->schedule, tries);
	if (hint_s > delay_s &&
	    hint_s <= q->c.config->queue.retry_longest_s)
		delay_s = hint_s;
	next_s = queue_now_s(q) + delay_s;
	for (uint16_t i = 0; i < job->n; i++) {
		struct envelope_recipient *r = job_recipient(job, i);

		if (r->state != RECIPIENT_WAITING ||
		    (may_go_on && is_for_next(r)))
			continue;
		r->tries = tries;
		r->next_s = next_s;
	}
	queued_save(q, job->message);
}

static bool
all_have_results(const struct job *job)
{
	for (uint16_t i = 0; i < job->n; i++)
		if (!job->has_result[i])
			return false;
	return true;
}

/* Of those that the job was for. */
static bool
has_deferred(const struct job *job)
{
	for (uint16_t i = 0; i < job->n; i++)
		if (job_recipient(job, i)->state == RECIPIENT_WAITING)
			return true;
	return false;
}

static void
keep_reason(struct job *job, const char *text)
{
	word_drop(&job->part->reason);
	job->part->reason = word_get(slice_of(text));
}

static void
on_results(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct job *job = arg;
	struct relay_results results = { .tls = SLICE("") };
	enum host_state host = HOST_IS_GOOD;

	(void)ch;
	FAULT_STEP("queue.results");
	if (m == NULL || m->type != RELAY_RESULTS ||
	    !get_relay_results(&m->body, &results) ||
	    (!results.is_host_bad && !all_have_results(job))) {
		/* it may have been sent: wait as after a refusal */
		keep_reason(job, "relay did not say what became of it");
		put_off_rest(job, 0);
		job_end(job, HOST_UNKNOWN, 0);
		return;
	}
	if (results.is_host_bad)
		host = HOST_IS_BAD;
	else if (has_deferred(job))
		put_off_rest(job, results.delay_s);
	if (job->reason[0] == '\0')
		(void)snprintf(job->reason, sizeof job->reason,
		    "the host cannot be reached");
	keep_reason(job, job->reason);
	job_end(job, host, 0);
}

/* ---- sending ---- */

static bool
tell_recipients(struct job *job, struct ipc_writer *w)
{
	for (uint16_t i = 0; i < job->n; i++) {
		const struct envelope_recipient *r = job_recipient(job, i);
		const struct relay_recipient told = { .job = job->number,
			.index = i, .address = r->address,
			.notify = r->notify, .orcpt = r->orcpt };

		ipc_writer_init(w);
		put_relay_recipient(w, &told);
		if (channel_tell(job->queue->relay, RELAY_RECIPIENT, w,
		    -1) != 0)
			return false;
	}
	return true;
}

static uint32_t
ask_relay(struct job *job, int fd)
{
	static struct ipc_writer w;	/* large */
	struct queue *q = job->queue;
	const struct envelope *e = job->message->open;
	const struct relay_send send = { .job = job->number,
		.domain = part_destination(job->part),
		.is_smart_host = queue_is_smart_host(q,
		    part_destination(job->part)),
		.reverse_path = e->tag_day != 0 && !job->is_untagged ?
		e->tag : e->from,
		.ret = e->ret, .envid = e->envid, .is_8bit = e->is_8bit,
		.is_utf8 = e->is_utf8, .requires_tls = e->requires_tls,
		.message_offset = 0, .message_size = e->size_bytes,
		.is_asked_for = job->part->is_asked_for,
		.n_recipients = job->n };

	if (q->relay == NULL || !tell_recipients(job, &w))
		return 0;
	ipc_writer_init(&w);
	put_relay_send(&w, &send);
	job->part->is_asked_for = false;
	return channel_ask(q->relay, RELAY_SEND, &w, fd, SEND_MS, on_results,
	    job);
}

static void
job_send(struct job *job)
{
	int fd;

	if (job->queue->is_stopping) {
		job_put_off(job, "the server is stopped");
		return;
	}
	if (job->has_failed) {
		job_put_off(job, "the ledger or the vault did not answer");
		return;
	}
	fd = spool_open_body(job->queue->spool, job->message->id);
	if (fd < 0) {
		job_put_off(job, "its body cannot be read");
		return;
	}
	FAULT_STEP("queue.send");
	if (ask_relay(job, fd) == 0)
		job_put_off(job, "relay is not there");
	close(fd);
}

/* ---- ledger and tag first ---- */

static void
one_is_done(struct job *job, bool is_good)
{
	if (!is_good)
		job->has_failed = true;
	if (--job->n_outstanding == 0)
		job_send(job);
}

static void
on_ledger(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	one_is_done(arg, m != NULL && m->type == LEDGER_OK);
}

static void
on_tag(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct job *job = arg;
	bool is_good = tag_take(job->message->open, m);

	(void)ch;
	one_is_done(job, is_good);
}

/* As a bounce's is read. One that cannot be is noted all the same, for who
 * asks what has left. */
static struct slice
message_id_of(const struct envelope *e, char room[MESSAGE_ID_MAX])
{
	return message_id_read(room, e->message_id) ? slice_of(room) :
	    e->message_id;
}

static void
ask_ledger(struct job *job, const struct envelope_recipient *r)
{
	static struct ipc_writer w;	/* large */
	struct queue *q = job->queue;
	const struct envelope *e = job->message->open;
	char id[ENVELOPE_ID_SIZE], message_id[MESSAGE_ID_MAX];
	struct ledger_entry entry = { .recipient = r->address,
		.message_id = message_id_of(e, message_id),
		.sender = e->from, .time_s = (uint64_t)queue_now_s(q),
		.user = e->user };

	/* it was noted before the first try */
	if (r->tries > 0 || entry.message_id.size == 0)
		return;
	envelope_id_write(id, e->id);
	entry.queue_id = slice_of(id);
	ipc_writer_init(&w);
	put_ledger_entry(&w, &entry);
	if (q->store != NULL && channel_ask(q->store, LEDGER_PUT, &w, -1,
	    LEDGER_MS, on_ledger, job) != 0)
		job->n_outstanding++;
	else
		job->has_failed = true;
}

static void
job_ask(struct job *job)
{
	struct queue *q = job->queue;

	job->n_outstanding = 1;		/* this function */
	job->is_untagged = false;
	for (uint16_t i = 0; i < job->n; i++) {
		ask_ledger(job, job_recipient(job, i));
		/* by a smart host mail of many domains goes in one job */
		if (tag_is_exempt(q, job_recipient(job, i)->address))
			job->is_untagged = true;
	}
	if (!job->is_untagged && tag_is_wanted(q, job->message->open)) {
		if (tag_ask(q, job->message->open->from, TAG_MS, on_tag,
		    job) != 0)
			job->n_outstanding++;
		else
			job->has_failed = true;
	}
	one_is_done(job, true);
}

/* ---- start ---- */

/*
 * Those with NOTIFY=NEVER go by themselves (RFC 3461 5.2.2 d): relay may have
 * to leave their sender out.
 */
static bool
may_go_together(const struct job *job, const struct envelope_recipient *r)
{
	return job->n == 0 || (job_recipient(job, 0)->notify == NOTIFY_NEVER)
	    == (r->notify == NOTIFY_NEVER);
}

/* By hand: all of the part are due, also those who do not fit into this job.
 * They have the next ones. */
static void
make_all_due(const struct job *job)
{
	const struct envelope *e = job->message->open;

	for (size_t i = 0; i < e->n_recipients; i++)
		if (e->recipients[i].state == RECIPIENT_WAITING &&
		    part_has(job->part, e->recipients[i].address))
			e->recipients[i].next_s = 0;
}

/*
 * Who is due, so that those who are put off keep nobody back; with nobody due
 * (a clock that was set) those who would be first.
 */
static int64_t
due_until_s(const struct job *job)
{
	int64_t first_s = part_due_s(job), now_s = queue_now_s(job->queue);

	return first_s > now_s ? first_s : now_s;
}

static void
choose_recipients(struct job *job)
{
	const struct envelope *e = job->message->open;
	int64_t until_s;

	if (job->part->is_asked_for)
		make_all_due(job);
	until_s = due_until_s(job);
	for (size_t i = 0; i < e->n_recipients &&
	     job->n < RELAY_JOB_RECIPIENTS; i++) {
		const struct envelope_recipient *r = &e->recipients[i];

		if (r->state == RECIPIENT_WAITING && r->next_s <= until_s &&
		    part_has(job->part, r->address) &&
		    may_go_together(job, r))
			job->recipients[job->n++] = (uint16_t)i;
	}
}

static void
part_put_off(struct queue *q, struct part *part, int64_t seconds)
{
	schedule_done(q->schedule, part, HOST_UNKNOWN, SLICE(""),
	    queue_now_s(q));
	(void)schedule_wait(q->schedule, part, queue_now_s(q) + seconds);
}

static void
job_start(struct queue *q, struct part *part)
{
	struct queued *m = part->message;
	struct job *job;
	int error;

	if (q->relay == NULL || m->is_unsaved || m->is_removed) {
		part_put_off(q, part, SOON_S);
		return;
	}
	error = queued_open(q, m);
	if (error) {
		if (error != -EBADMSG)	/* then it is gone */
			part_put_off(q, part, UNREADABLE_S);
		return;
	}
	job = calloc(1, sizeof *job);
	if (job == NULL) {
		part_put_off(q, part, UNREADABLE_S);
		queued_close(q, m);
		return;
	}
	*job = (struct job){ .next = q->jobs, .queue = q, .message = m,
		.part = part, .number = ++q->last_job };
	q->jobs = job;
	q->n_jobs++;
	choose_recipients(job);
	if (job->n == 0)
		job_end(job, HOST_UNKNOWN, queue_now_s(q));
	else
		job_ask(job);
}

void
jobs_start(struct queue *q)
{
	struct part *part;

	/* the rest when relay is there */
	while (q->relay != NULL && (part = schedule_take(q->schedule,
	    queue_now_s(q))) != NULL)
		job_start(q, part);
}
