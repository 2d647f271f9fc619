/* SPDX-License-Identifier: ISC */
/*
 * intake.c - how a message comes into the queue: the only way.
 *
 *	RECIPIENT ..., LIST ... -> PREPARE (voucher checked)
 *	LIST ... -> LISTS (from outside: seals alone)
 *	    -> PREPARED: in prepared/
 *	    -> COMMIT -> COMMITTED: in active/, runnable
 *	... -> PREPARE of one that is alone -> PREPARED: both at once
 *	    -> ABORT, or the channel ends: dropped
 *
 * A voucher with a wrong MAC, a number that is not known: smtpd does not do
 * that, somebody else does in its name. What is told before PREPARE is in
 * intake_told.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "clock.h"
#include "dsn.h"
#include "fault.h"
#include "header.h"
#include "intake.h"
#include "log.h"
#include "message.h"
#include "messages.h"
#include "sending.h"

#define INTAKES_MAX 4096		/* of one smtpd */
#define HEADER_LOOKED_AT 65536
#define ID_EPOCH_S 1577836800		/* 2020: ten characters until 2055 */

/* ---- transactions ---- */

struct intake *
intake_find(const struct peer *peer, uint64_t transaction)
{
	struct intake *in = peer->intakes;

	while (in != NULL && in->transaction != transaction)
		in = in->next;
	return in;
}

static struct intake *
intake_new(struct peer *peer, uint64_t transaction)
{
	struct intake *in;
	size_t n = 0;

	for (in = peer->intakes; in != NULL; in = in->next)
		n++;
	in = n < INTAKES_MAX ? calloc(1, sizeof *in) : NULL;
	if (in == NULL)
		return NULL;
	in->first.in = in;
	in->first.room = 1;
	in->first.e = envelope_new(in->first.room);
	if (in->first.e == NULL) {
		free(in);
		return NULL;
	}
	in->peer = peer;
	in->queue = peer->queue;
	in->transaction = transaction;
	in->next = peer->intakes;
	peer->intakes = in;
	return in;
}

struct intake *
intake_open(struct peer *peer, uint64_t transaction)
{
	struct intake *in = intake_find(peer, transaction);

	return in != NULL ? in : intake_new(peer, transaction);
}

static void
intake_unlink(struct intake *in)
{
	struct intake **at;

	if (in->peer == NULL)
		return;
	at = &in->peer->intakes;
	while (*at != in)
		at = &(*at)->next;
	*at = in->next;
}

static void
intake_free(struct intake *in)
{
	struct intake_message *m = in->first.next;

	intake_unlink(in);
	envelope_free(&in->first.e);
	while (m != NULL) {
		struct intake_message *next = m->next;

		envelope_free(&m->e);
		free(m);
		m = next;
	}
	free(in);
}

/* What of it is in the spool goes, and then it itself. */
static void
intake_remove(struct intake *in)
{
	for (struct intake_message *m = &in->first; m != NULL; m = m->next)
		if (m->is_prepared)
			(void)spool_remove(in->queue->spool, m->e->id,
			    m->is_active ? SPOOL_ACTIVE : SPOOL_PREPARED);
	intake_free(in);
}

/* While the spool has it, it waits for the spool. */
static void
intake_drop(struct intake *in)
{
	in->is_aborted = true;
	if (in->state != INTAKE_PREPARING && in->state != INTAKE_COMMITTING)
		intake_remove(in);
}

void
intake_forget(struct peer *peer)
{
	while (peer->intakes != NULL) {
		struct intake *in = peer->intakes;

		peer->intakes = in->next;
		in->peer = NULL;
		intake_drop(in);
	}
}

/* ---- PREPARE ---- */

static void
answer_prepared(struct channel *ch, uint32_t question,
    const struct queue_prepared *a)
{
	static struct ipc_writer w;	/* large */

	ipc_writer_init(&w);
	put_queue_prepared(&w, a);
	(void)channel_answer(ch, question, QUEUE_PREPARED, &w, -1);
}

static void
refuse_prepare(struct channel *ch, uint32_t question, int error)
{
	struct queue_prepared a = { .queue_id = SLICE("") };

	if (error == -ENOSPC || error == -EDQUOT || error == -EFBIG)
		verdict_set(&a.verdict, 452, 3, 1, "no room in the queue");
	else
		verdict_set(&a.verdict, 451, 3, 0, "the queue cannot be "
		    "written");
	answer_prepared(ch, question, &a);
}

/* The id of its first message, or a refusal: then it is gone. */
static bool
is_answered(struct intake *in)
{
	char id[ENVELOPE_ID_SIZE];
	const struct intake_message *m = &in->first;
	struct queue_prepared a = { 0 };

	if (in->error)
		log_error("not_prepared", LOG_SL("session",
		    in->first.e->session), LOG_E("error", in->error), LOG_END);
	if (in->error && !in->is_aborted)
		refuse_prepare(in->peer->ch, in->question, in->error);
	if (in->error || in->is_aborted) {
		intake_remove(in);
		return false;
	}
	while (!m->is_prepared)
		m = m->next;
	envelope_id_write(id, m->e->id);
	a.queue_id = slice_of(id);
	answer_prepared(in->peer->ch, in->question, &a);
	return true;
}

/* All of its messages are durable, or one is not. */
static void
prepared(struct intake *in)
{
	FAULT_STEP("queue.prepared");
	in->state = INTAKE_PREPARED;
	(void)is_answered(in);
}

/* It is ours now, whether or not the submitter hears of it. */
static void
take_over(struct queue *q, struct intake_message *in)
{
	struct queued *m = queued_add(q, in->e, SPOOL_ACTIVE);
	char id[ENVELOPE_ID_SIZE];

	envelope_id_write(id, in->e->id);
	log_info("queued", LOG_S("queue", id),
	    LOG_SL("session", in->e->session), LOG_SL("user", in->e->user),
	    LOG_SL("from", in->e->from),
	    LOG_U("recipients", in->e->n_recipients),
	    LOG_U("size", in->e->size_bytes), LOG_END);
	q->n_taken++;
	if (m == NULL) {
		log_error("alarm", LOG_S("problem", "no memory for a queued "
		    "message"), LOG_S("queue", id), LOG_S("effect", "it is "
		    "on disk and is sent after the next start"), LOG_END);
		return;
	}
	/* it is needed at once, most likely */
	m->open = in->e;
	in->e = NULL;
	m->next_fresh = q->fresh;
	q->fresh = m;
	if (m->n_parts == 0 && !m->owes_report)
		queued_remove(q, m);
}

/* The same of all of them, in one step. */
static void
taken(struct intake *in)
{
	FAULT_STEP("queue.taken");
	if (!is_answered(in))
		return;
	for (struct intake_message *m = &in->first; m != NULL; m = m->next)
		if (m->is_active)
			take_over(in->queue, m);
	intake_free(in);
}

/* Also once for whoever has asked for all of them. */
static void
note_prepared(struct intake *in, int error)
{
	if (error && in->error == 0)
		in->error = error;
	if (--in->n_waiting > 0)
		return;
	if (in->is_alone)
		taken(in);
	else
		prepared(in);
}

static void
on_prepared(void *arg, int error)
{
	struct intake_message *m = arg;

	m->is_prepared = error == 0;
	m->is_active = m->is_prepared && m->in->is_alone;
	note_prepared(m->in, error);
}

/* Unique for ever, as long as the clock is not set back before a start. */
static uint64_t
next_id(struct queue *q)
{
	int64_t now_us = clock_wall_us() - (int64_t)ID_EPOCH_S * 1000000;
	uint64_t id = now_us > 0 ? (uint64_t)now_us : 0;

	if (id <= q->last_id)
		id = q->last_id + 1;
	q->last_id = id;
	return id;
}

/* Exchange begins a new line before it. */
static struct slice
without_fold(struct slice value)
{
	while (value.size > 0 && (unsigned char)*value.data <= ' ') {
		value.data++;
		value.size--;
	}
	return slice_trim(value);
}

/* The Message-ID of the message, for the ledger and for people. */
static struct slice
find_message_id(int fd, char room[HEADER_LOOKED_AT])
{
	struct header_walk walk;
	struct header_field field;
	ssize_t n = pread(fd, room, HEADER_LOOKED_AT, 0);

	header_walk_start(&walk, (struct slice){ room, n > 0 ? (size_t)n : 0 },
	    n < HEADER_LOOKED_AT);
	while (header_next(&walk, &field) == HEADER_FIELD)
		if (header_is(&field, "Message-ID"))
			return without_fold(field.value);
	return SLICE("");
}

/*
 * Who has it here already is told of at once. Where nobody else is left the
 * header will do: a report of success has no more of the message.
 */
static void
own_success(struct envelope *e)
{
	for (size_t i = 0; i < e->n_recipients; i++) {
		struct envelope_recipient *r = &e->recipients[i];

		if (r->state == RECIPIENT_DELIVERED &&
		    recipient_wants(e, r, REPORT_SUCCESS))
			r->owes = REPORT_SUCCESS;
	}
	if (!envelope_is_waiting(e) && e->size_bytes > DSN_HEADER_MAX + 1)
		e->size_bytes = DSN_HEADER_MAX + 1;
}

/* What a list's envelope has, too. */
static bool
fill_common(struct queue *q, struct envelope *e,
    const struct queue_prepare *ask, int fd)
{
	static char room[HEADER_LOOKED_AT];
	bool failed = false;

	e->id = next_id(q);
	e->time_s = queue_now_s(q);
	e->session = envelope_keep(e, ask->voucher.session,
	    VOUCHER_SESSION_MAX, &failed);
	e->message_id = envelope_keep(e, find_message_id(fd, room), 998,
	    &failed);
	e->is_8bit = ask->is_8bit;
	e->is_utf8 = ask->is_utf8;
	e->requires_tls = ask->requires_tls;
	e->size_bytes = ask->message_size;
	return !failed;
}

static bool
fill_first(struct envelope *e, const struct queue_prepare *ask)
{
	bool failed = false;

	e->user = envelope_keep(e, ask->voucher.user, VOUCHER_USER_MAX,
	    &failed);
	e->home = envelope_keep(e, ask->voucher.address, VOUCHER_ADDRESS_MAX,
	    &failed);
	e->from = envelope_keep(e, ask->reverse_path, ASK_ADDRESS_MAX,
	    &failed);
	e->envid = envelope_keep(e, ask->envid, ask->envid.size, &failed);
	e->ret = ask->ret;
	own_success(e);
	return !failed;
}

static bool
fill(struct intake *in, const struct queue_prepare *ask, int fd)
{
	for (struct intake_message *m = &in->first; m != NULL; m = m->next)
		if (!fill_common(in->queue, m->e, ask, fd))
			return false;
	return fill_first(in->first.e, ask);
}

/* One after the other; the spool may be done with one before the next. */
static void
put_down(struct intake *in, int fd)
{
	int error = FAULT("queue.prepare") ? -EIO : 0;

	in->state = in->is_alone ? INTAKE_COMMITTING : INTAKE_PREPARING;
	in->n_waiting = 1;		/* this function */
	for (struct intake_message *m = &in->first; m != NULL && !error;
	     m = m->next) {
		if (m->e->n_recipients == 0)
			continue;
		in->n_waiting++;
		error = in->is_alone ?
		    spool_take(in->queue->spool, m->e, fd, on_prepared, m) :
		    spool_prepare(in->queue->spool, m->e, fd, on_prepared, m);
		in->n_waiting -= error != 0;
	}
	note_prepared(in, error);
}

/* What was told is all there, and was told to this session. */
static int
check_told(const struct intake *in, const struct queue_prepare *ask)
{
	if (in == NULL || in->first.e->n_recipients < ask->n_recipients ||
	    in->n_lists < ask->n_lists)
		return -ENOMEM;
	for (const struct intake_message *m = in->first.next; m != NULL;
	     m = m->next)
		if (!slice_equals(m->e->session, ask->voucher.session))
			return -EACCES;
	return 0;
}

/* -EACCES: the message may change, or is not what was told of. 0: it answers
 * by itself. */
static int
prepare(struct peer *peer, struct intake *in,
    const struct queue_prepare *ask, struct ipc_message *m)
{
	struct queue *q = peer->queue;
	struct message message = { .fd = -1 };
	int error;

	error = message_accept(&message, m->fd, ask->message_size);
	if (error)
		return -EACCES;
	m->fd = -1;
	error = check_told(in, ask);
	if (!error && !fill(in, ask, message.fd))
		error = -ENOMEM;
	if (!error) {
		in->question = m->id;
		in->is_alone = ask->is_alone;
		put_down(in, message.fd);
		queue_want_work(q);
	}
	message_close(&message);
	return error;
}

/* error: what speaks against it already. False: the peer broke the rules. */
static bool
prepare_begin(struct peer *peer, const struct queue_prepare *ask,
    struct ipc_message *m, int error)
{
	struct intake *in = intake_find(peer, ask->transaction);

	if (in != NULL && (in->state != INTAKE_OPEN ||
	    in->first.e->n_recipients > ask->n_recipients ||
	    in->n_lists > ask->n_lists))
		return false;
	if (!error)
		error = prepare(peer, in, ask, m);
	if (error == 0 || error == -EACCES)
		return error == 0;
	log_error("not_prepared", LOG_SL("session", ask->voucher.session),
	    LOG_E("error", error), LOG_END);
	refuse_prepare(peer->ch, m->id, error);
	if (in != NULL)
		intake_free(in);
	return true;
}

/* Of our own user: auth vouches for him. */
static bool
on_prepare(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct queue_prepare ask;

	(void)ch;
	if (m->id == 0 || !get_queue_prepare(&m->body, &ask))
		return false;
	if (ask.reverse_path.size > 0 &&
	    !intake_is_address(ask.reverse_path))
		return false;
	return prepare_begin(peer, &ask, m, voucher_check(&ask.voucher,
	    peer->queue->c.secrets[SECRET_VOUCH], (uint64_t)clock_wall_s()));
}

/* From outside: directory has sealed each list for this session. */
static bool
on_lists(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct queue_prepare ask;

	(void)ch;
	if (m->id == 0 || !get_queue_lists(&m->body, &ask))
		return false;
	return prepare_begin(arg, &ask, m, 0);
}

/* ---- COMMIT ---- */

static void
answer_committed(struct channel *ch, uint32_t question, int error)
{
	struct verdict v = { .code = 0 };
	static struct ipc_writer w;	/* large */

	if (error)
		verdict_set(&v, error == -ENOSPC ? 452 : 451, 3,
		    error == -ENOSPC ? 1 : 0, "the queue cannot be written");
	ipc_writer_init(&w);
	put_verdict(&w, &v);
	(void)channel_answer(ch, question, QUEUE_COMMITTED, &w, -1);
}

/*
 * Who has left before he was answered has told nobody yes: his client comes
 * again, so this one must not be sent.
 */
static void
committed(struct intake *in)
{
	FAULT_STEP("queue.committed");
	if (in->error)
		log_error("not_committed", LOG_SL("session",
		    in->first.e->session), LOG_E("error", in->error),
		    LOG_END);
	if (!in->is_aborted)
		answer_committed(in->peer->ch, in->question, in->error);
	if (in->error || in->is_aborted) {
		intake_remove(in);
		return;
	}
	for (struct intake_message *m = &in->first; m != NULL; m = m->next)
		if (m->is_active)
			take_over(in->queue, m);
	intake_free(in);
}

static void
note_committed(struct intake *in, int error)
{
	if (error && in->error == 0)
		in->error = error;
	if (--in->n_waiting == 0)
		committed(in);
}

static void
on_committed(void *arg, int error)
{
	struct intake_message *m = arg;

	m->is_active = error == 0;
	note_committed(m->in, error);
}

static bool
on_commit(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint64_t transaction = ipc_get_u64(&m->body);
	struct intake *in = intake_find(peer, transaction);
	int error = 0;

	(void)ch;
	if (m->id == 0 || !ipc_reader_is_done(&m->body) || in == NULL ||
	    in->state != INTAKE_PREPARED)
		return false;
	FAULT_STEP("queue.commit");
	in->state = INTAKE_COMMITTING;
	in->question = m->id;
	in->n_waiting = 1;		/* this function */
	for (struct intake_message *part = &in->first;
	     part != NULL && !error; part = part->next) {
		if (!part->is_prepared)
			continue;
		in->n_waiting++;
		error = spool_commit(peer->queue->spool, part->e->id,
		    on_committed, part);
		in->n_waiting -= error != 0;
	}
	note_committed(in, error);
	queue_want_work(peer->queue);
	return true;
}

static bool
on_abort(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint64_t transaction = ipc_get_u64(&m->body);
	struct intake *in = intake_find(peer, transaction);

	(void)ch;
	if (!ipc_reader_is_done(&m->body))
		return false;
	if (in != NULL)
		intake_drop(in);
	return true;
}

const struct channel_rule intake_rules[] = {
	{ QUEUE_RECIPIENT, CHANNEL_NO_FD, intake_on_recipient },
	{ QUEUE_MEMBERS, CHANNEL_MAY_FD, intake_on_list },
	{ QUEUE_PREPARE, CHANNEL_WANTS_FD, on_prepare },
	{ QUEUE_COMMIT, CHANNEL_NO_FD, on_commit },
	{ QUEUE_ABORT, CHANNEL_NO_FD, on_abort },
	{ QUEUE_OWN, CHANNEL_NO_FD, queue_on_own },
	{ QUEUE_PROBE, CHANNEL_NO_FD, queue_on_probe },
};
const size_t intake_n_rules = sizeof intake_rules / sizeof *intake_rules;

const struct channel_rule list_rules[] = {
	{ QUEUE_MEMBERS, CHANNEL_MAY_FD, intake_on_list },
	{ QUEUE_LISTS, CHANNEL_WANTS_FD, on_lists },
	{ QUEUE_COMMIT, CHANNEL_NO_FD, on_commit },
	{ QUEUE_ABORT, CHANNEL_NO_FD, on_abort },
};
const size_t list_n_rules = sizeof list_rules / sizeof *list_rules;
