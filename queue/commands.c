/* SPDX-License-Identifier: ISC */
/*
 * commands.c - what posternctl may do with the queue.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "command_text.h"
#include "file_io.h"
#include "log.h"
#include "messages.h"
#include "queue.h"
#include "sealed.h"
#include "sending.h"

#define TEXT_MAX (256u << 20)	/* of a listing */
#define REASON_MAX 200

struct command {
	struct queue *queue;
	const struct queue_command *ask;
	struct slice word, rest;	/* of its argument */
	struct buf *out;
	int fd;				/* of the answer, before out */
	bool is_good;
	int64_t until_s;		/* hold */
	uint32_t n;			/* messages that it was done to */
	void (*fn)(struct command *c, struct queued *m);
};

static void
say(struct command *c, bool is_good, const char *text)
{
	c->is_good = is_good;
	(void)buf_puts(c->out, text);
	(void)buf_puts(c->out, "\n");
}

/* ---- one message, or all ---- */

static void
each(struct queue *q, struct queued *m, void *arg)
{
	struct command *c = arg;

	(void)q;
	c->fn(c, m);
}

/* The word is a queue id, or "all". */
static void
apply(struct command *c, void (*fn)(struct command *c, struct queued *m))
{
	struct queued *m;
	uint64_t id;

	c->fn = fn;
	if (slice_equals_nocase(c->word, SLICE("all"))) {
		messages_each(c->queue, each, c);
		c->is_good = true;
		(void)buf_printf(c->out, "%u message%s.\n", c->n,
		    c->n == 1 ? "" : "s");
		return;
	}
	m = envelope_id_parse(&id, c->word) ? queued_find(c->queue, id) :
	    NULL;
	if (m == NULL) {
		say(c, false, "There is no such message in the queue; "
		    "`posternctl queue` lists them.");
		return;
	}
	fn(c, m);
	c->is_good = c->n > 0;
	if (c->is_good)
		say(c, true, "Done.");
	else if (c->out->size == 0)
		say(c, false, "Nothing was changed.");
}

static void
log_command(const struct command *c, const char *event, uint64_t id)
{
	char text[ENVELOPE_ID_SIZE];

	envelope_id_write(text, id);
	log_notice(event, LOG_S("queue", text),
	    LOG_SL("by", c->ask->owner), LOG_END);
}

/* ---- hold and release ---- */

static void
hold_one(struct command *c, struct queued *m)
{
	struct envelope *e;
	struct envelope_hold *hold;
	bool failed = false;

	if (m->folder != SPOOL_ACTIVE || m->is_unsaved ||
	    queued_open(c->queue, m) != 0)
		return;
	e = m->open;
	for (hold = e->holds; hold < e->holds + e->n_holds; hold++)
		if (slice_equals(hold->owner, c->ask->owner))
			break;
	if (hold < e->holds + ENVELOPE_HOLDS_MAX) {
		*hold = (struct envelope_hold){
			.since_s = queue_now_s(c->queue),
			.until_s = c->until_s,
			.owner = envelope_keep(e, c->ask->owner, 300, &failed),
			.reason = envelope_keep(e, c->rest, REASON_MAX,
			&failed) };
		if (hold == e->holds + e->n_holds)
			e->n_holds++;
		queued_update_hold(c->queue, m);
		queued_save(c->queue, m);
		log_command(c, "held", m->id);
		c->n++;
	}
	queued_close(c->queue, m);
}

static void
command_hold(struct command *c)
{
	uint32_t seconds = 0;
	struct slice option = c->rest, first;
	size_t n = slice_find(option, ' ');

	first = (struct slice){ option.data, n };
	if (slice_starts_nocase(first, SLICE("for="))) {
		if (!command_duration((struct slice){ first.data + 4,
		    first.size - 4 }, &seconds)) {
			say(c, false, "for= takes a time such as 30m, 2h "
			    "or 3d.");
			return;
		}
		n += n < option.size;
		c->rest = (struct slice){ option.data + n, option.size - n };
	}
	c->until_s = seconds ? queue_now_s(c->queue) + seconds : 0;
	apply(c, hold_one);
}

/* A holder can give back only what is his. */
static void
release_one(struct command *c, struct queued *m)
{
	struct envelope *e;
	size_t kept = 0, n_before;

	if (!m->is_held || m->is_unsaved || queued_open(c->queue, m) != 0)
		return;
	e = m->open;
	n_before = e->n_holds;
	for (size_t i = 0; i < n_before; i++)
		if (!slice_equals(e->holds[i].owner, c->ask->owner))
			e->holds[kept++] = e->holds[i];
	e->n_holds = kept;
	if (kept < n_before) {
		queued_update_hold(c->queue, m);
		queued_save(c->queue, m);
		log_command(c, "released", m->id);
		c->n++;
	}
	if (kept > 0 && !slice_equals_nocase(c->word, SLICE("all")))
		(void)buf_printf(c->out, "It is still held by %.*s.\n",
		    (int)e->holds[0].owner.size, e->holds[0].owner.data);
	queued_close(c->queue, m);
}

static void
command_release(struct command *c)
{
	apply(c, release_one);
	queue_want_work(c->queue);
}

/* ---- retry, remove, flush ---- */

static void
retry_one(struct command *c, struct queued *m)
{
	if (m->is_held) {
		if (!slice_equals_nocase(c->word, SLICE("all")))
			say(c, false, "It is held; release it first.");
		return;
	}
	for (size_t i = 0; i < m->n_parts; i++)
		schedule_retry(c->queue->schedule, &m->parts[i]);
	if (m->owes_report && m->report == NULL && !m->is_unsaved &&
	    queued_open(c->queue, m) == 0) {
		m->open->report_next_s = 0;
		queued_close(c->queue, m);
	}
	c->n++;
}

static void
command_retry(struct command *c)
{
	apply(c, retry_one);
	queue_want_work(c->queue);
}

/* What is under way is let go on; then it goes. No DSN is written. */
static void
remove_one(struct command *c, struct queued *m)
{
	if (m->is_removed || m->is_unsaved || queued_open(c->queue, m) != 0)
		return;
	m->is_removed = true;
	log_command(c, "remove", m->id);
	c->n++;
	queued_close(c->queue, m);
}

static void
command_remove(struct command *c)
{
	apply(c, remove_one);
	queue_want_work(c->queue);
}

static void
flush_one(struct queue *q, struct queued *m, void *arg)
{
	struct command *c = arg;
	bool is_flushed = false;

	for (size_t i = 0; i < m->n_parts; i++) {
		struct part *part = &m->parts[i];

		if (!part_is_for(part, c->word) || (part->state !=
		    PART_WAITING && part->state != PART_READY))
			continue;
		schedule_retry(q->schedule, part);
		is_flushed = true;
	}
	c->n += is_flushed;
}

static void
flush_domain(struct command *c)
{
	messages_each(c->queue, flush_one, c);
	c->is_good = true;
	if (c->n == 0)
		(void)buf_printf(c->out, "Nothing waits for %.*s.\n",
		    (int)c->word.size, c->word.data);
	else
		(void)buf_printf(c->out, "%u message%s tried now.\n", c->n,
		    c->n == 1 ? " is" : "s are");
}

static void
command_flush(struct command *c)
{
	if (c->word.size > 0) {
		flush_domain(c);
	} else {
		schedule_flush(c->queue->schedule, SLICE(""));
		say(c, true, "Everything that waits is tried now.");
	}
	queue_want_work(c->queue);
}

/* ---- list, show, status ---- */

static void
command_list(struct command *c)
{
	c->is_good = listing_write(c->out, c->fd, c->queue,
	    c->word) == 0;
}

static void
show_one(struct command *c, struct queued *m)
{
	if (queued_open(c->queue, m) != 0)
		return;
	if (show_write(c->out, c->queue, m) == 0)
		c->n++;
	queued_close(c->queue, m);
}

static void
command_show(struct command *c)
{
	struct queued *m;
	uint64_t id;

	m = envelope_id_parse(&id, c->word) ? queued_find(c->queue, id) :
	    NULL;
	if (m == NULL) {
		say(c, false, "There is no such message in the queue.");
		return;
	}
	show_one(c, m);
	c->is_good = c->n > 0;
}

/* What is kept for no message by itself. */
struct sums {
	uint64_t n_recipients, size_bytes;
	uint32_t n_deferred, n_owing;
	int64_t oldest_s;		/* when it came; 0: there is none */
};

static bool
is_deferred(const struct queued *m)
{
	for (size_t i = 0; i < m->n_parts; i++)
		if (m->parts[i].destination != NULL && (m->parts[i].tries > 0
		    || part_host_is_bad(&m->parts[i])))
			return !queued_is_running(m);
	return false;
}

static void
sum_up(struct queue *q, struct queued *m, void *arg)
{
	struct sums *sums = arg;

	(void)q;
	for (size_t i = 0; i < m->n_parts; i++) {
		const char *at = m->parts[i].destination != NULL ?
		    m->parts[i].addresses : NULL;

		while (at != NULL && (at = strchr(at, '\n')) != NULL) {
			sums->n_recipients++;
			at++;
		}
	}
	sums->size_bytes += m->size_bytes;
	sums->n_deferred += is_deferred(m);
	sums->n_owing += m->owes_report;
	if (sums->oldest_s == 0 || m->time_s < sums->oldest_s)
		sums->oldest_s = m->time_s;
}

static void
command_status(struct command *c)
{
	struct queue *q = c->queue;
	struct schedule_counts counts = schedule_counts(q->schedule);
	struct sums sums = { 0 };
	int64_t age_s;

	messages_each(q, sum_up, &sums);
	age_s = sums.oldest_s == 0 ? 0 : queue_now_s(q) - sums.oldest_s;
	c->is_good = buf_printf(c->out, "messages=%u recipients=%llu "
	    "active=%u deferred=%u held=%u reports_owed=%u oldest_s=%lld "
	    "size_bytes=%llu waiting=%u destinations=%u bad_hosts=%u "
	    "taken=%llu sent=%llu failed=%llu reports=%llu damaged=%llu\n",
	    q->n_messages, (unsigned long long)sums.n_recipients, q->n_jobs,
	    sums.n_deferred, q->n_held, sums.n_owing,
	    (long long)(age_s > 0 ? age_s : 0),
	    (unsigned long long)sums.size_bytes, counts.n_waiting,
	    counts.n_destinations, counts.n_bad,
	    (unsigned long long)q->n_taken,
	    (unsigned long long)q->n_sent, (unsigned long long)q->n_failed,
	    (unsigned long long)q->n_reports,
	    (unsigned long long)q->n_damaged) == 0;
}

static void (*const handlers[QUEUE_VERB_COUNT])(struct command *c) = {
	[QUEUE_LIST] = command_list,
	[QUEUE_SHOW] = command_show,
	[QUEUE_HOLD] = command_hold,
	[QUEUE_RELEASE] = command_release,
	[QUEUE_RETRY] = command_retry,
	[QUEUE_REMOVE] = command_remove,
	[QUEUE_FLUSH] = command_flush,
	[QUEUE_STATUS] = command_status,
};

/* ---- the answer ---- */

/*
 * What is in fd already, and text; closes fd. Whoever cannot be answered
 * hears nothing: "it does not answer".
 */
static void
answer(struct channel *ch, uint32_t question, int fd, const struct buf *text,
    bool is_good)
{
	static struct ipc_writer w;	/* large */

	if (file_write(fd, buf_slice(text)) == 0 && sealed_finish(fd) == 0) {
		ipc_writer_init(&w);
		ipc_put_u8(&w, is_good);
		(void)channel_answer(ch, question, QUEUE_COMMAND_ANSWER, &w,
		    fd);
	}
	close(fd);
}

bool
queue_on_own(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct buf out = { .maximum = TEXT_MAX };
	struct queue_own own;
	const struct voucher *v = &own.voucher;
	bool is_good;
	int error, fd;

	if (m->id == 0 || !get_queue_own(&m->body, &own))
		return false;
	error = voucher_check(v, peer->queue->c.secrets[SECRET_VOUCH],
	    (uint64_t)clock_wall_s());
	if (error == -EACCES)
		return false;
	if (own.is_sent && error == 0)
		sent_ask(peer, m->id, &own);
	if (own.is_sent)
		return true;
	fd = sealed_create("queue");
	if (fd < 0)
		return true;
	is_good = error == 0 && listing_write_own(&out, fd, peer->queue,
	    slice_equals(v->user, SLICE("root")) ? SLICE("") : v->user) == 0;
	answer(ch, m->id, fd, &out, is_good);
	buf_free(&out);
	return true;
}

static bool
on_command(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct queue_command ask;
	struct buf out = { .maximum = TEXT_MAX };
	struct command c = { .queue = peer->queue, .ask = &ask, .out = &out };
	size_t n;

	if (m->id == 0 || !get_queue_command(&m->body, &ask))
		return false;
	n = slice_find(ask.argument, ' ');
	c.word = (struct slice){ ask.argument.data, n };
	n += n < ask.argument.size;
	c.rest = (struct slice){ ask.argument.data + n,
		ask.argument.size - n };
	c.fd = sealed_create("queue");
	if (c.fd < 0)
		return true;
	handlers[ask.verb](&c);
	answer(ch, m->id, c.fd, &out, c.is_good);
	buf_free(&out);
	return true;
}

const struct channel_rule command_rules[] = {
	{ QUEUE_COMMAND, CHANNEL_NO_FD, on_command },
};
const size_t command_n_rules = sizeof command_rules / sizeof *command_rules;
