/* SPDX-License-Identifier: ISC */
/*
 * intake.c - how a message comes into the queue: the only way.
 *
 *	RECIPIENT ... -> PREPARE (voucher checked) -> PREPARED: in prepared/
 *	    -> COMMIT -> COMMITTED: in active/, runnable
 *	    -> ABORT, or the channel ends: dropped
 *
 * A voucher with a wrong MAC, a recipient that is none, a number that is not
 * known: smtpd does not do that, somebody else does in its name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "address.h"
#include "clock.h"
#include "dsn.h"
#include "fault.h"
#include "header.h"
#include "log.h"
#include "message.h"
#include "messages.h"
#include "queue.h"
#include "sending.h"

#define INTAKES_MAX 4096		/* of one smtpd */
#define HEADER_LOOKED_AT 65536
#define ID_EPOCH_S 1577836800		/* 2020: ten characters until 2055 */

enum intake_state { INTAKE_OPEN, INTAKE_PREPARING, INTAKE_PREPARED,
	INTAKE_COMMITTING };

struct intake {
	struct intake *next;
	struct queue *queue;
	struct peer *peer;		/* NULL: its channel has ended */
	uint64_t transaction;
	uint32_t question;		/* answered when it is durable */
	enum intake_state state;
	bool is_aborted;
	struct envelope *e;		/* recipients of OPEN, then all of it */
	size_t room;
};

/* ---- transactions ---- */

static struct intake *
intake_find(struct peer *peer, uint64_t transaction)
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
	in->room = 1;
	in->e = envelope_new(in->room);
	if (in->e == NULL) {
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
	intake_unlink(in);
	envelope_free(&in->e);
	free(in);
}

/* While the spool has it, it waits for the spool. */
static void
intake_drop(struct queue *q, struct intake *in)
{
	in->is_aborted = true;
	if (in->state == INTAKE_PREPARING || in->state == INTAKE_COMMITTING)
		return;
	if (in->state == INTAKE_PREPARED)
		(void)spool_remove(q->spool, in->e->id, SPOOL_PREPARED);
	intake_free(in);
}

void
intake_forget(struct peer *peer)
{
	while (peer->intakes != NULL) {
		struct intake *in = peer->intakes;

		peer->intakes = in->next;
		in->peer = NULL;
		intake_drop(peer->queue, in);
	}
}

/* ---- recipients ---- */

static bool
room_for_one(struct intake *in)
{
	struct envelope_recipient *grown;
	size_t room = in->room * 2;

	if (in->e->n_recipients < in->room)
		return true;
	grown = reallocarray(in->e->recipients, room, sizeof *grown);
	if (grown == NULL)
		return false;
	memset(grown + in->room, 0, in->room * sizeof *grown);
	in->e->recipients = grown;
	in->room = room;
	return true;
}

static bool
is_address(struct slice text)
{
	static struct address a;

	return address_parse(&a, text, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK;
}

static bool
on_recipient(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct queue_recipient told;
	struct envelope_recipient *r;
	struct intake *in;
	bool failed = false;

	(void)ch;
	if (!get_queue_recipient(&m->body, &told) || !is_address(told.address))
		return false;
	in = intake_find(peer, told.transaction);
	if (in == NULL)
		in = intake_new(peer, told.transaction);
	if (in == NULL)
		return true;	/* PREPARE finds that it is not there */
	if (in->state != INTAKE_OPEN || told.index != in->e->n_recipients)
		return false;
	if (!room_for_one(in))
		return true;	/* PREPARE counts them */
	r = &in->e->recipients[in->e->n_recipients++];
	*r = (struct envelope_recipient){ .notify = told.notify,
		.state = told.is_here ? RECIPIENT_DELIVERED :
		RECIPIENT_WAITING,
		.address = envelope_keep(in->e, told.address,
		told.address.size, &failed),
		.orcpt = envelope_keep(in->e, told.orcpt, told.orcpt.size,
		&failed) };
	if (failed)
		in->e->n_recipients--;
	return true;
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

static void
on_prepared(void *arg, int error)
{
	struct intake *in = arg;
	char id[ENVELOPE_ID_SIZE];
	struct queue_prepared a = { 0 };

	FAULT_STEP("queue.prepared");
	in->state = INTAKE_PREPARED;
	if (error) {
		log_error("not_prepared", LOG_SL("session", in->e->session),
		    LOG_E("error", error), LOG_END);
		if (!in->is_aborted)
			refuse_prepare(in->peer->ch, in->question, error);
		intake_free(in);
		return;
	}
	if (in->is_aborted) {
		intake_drop(in->queue, in);
		return;
	}
	envelope_id_write(id, in->e->id);
	a.queue_id = slice_of(id);
	answer_prepared(in->peer->ch, in->question, &a);
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
			return slice_trim(field.value);
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

static bool
fill_envelope(struct queue *q, struct envelope *e,
    const struct queue_prepare *ask, int fd)
{
	static char room[HEADER_LOOKED_AT];
	bool failed = false;

	e->id = next_id(q);
	e->time_s = queue_now_s(q);
	e->user = envelope_keep(e, ask->voucher.user, VOUCHER_USER_MAX,
	    &failed);
	e->home = envelope_keep(e, ask->voucher.address, VOUCHER_ADDRESS_MAX,
	    &failed);
	e->session = envelope_keep(e, ask->voucher.session,
	    VOUCHER_SESSION_MAX, &failed);
	e->from = envelope_keep(e, ask->reverse_path, ASK_ADDRESS_MAX,
	    &failed);
	e->envid = envelope_keep(e, ask->envid, ask->envid.size, &failed);
	e->message_id = envelope_keep(e, find_message_id(fd, room), 998,
	    &failed);
	e->ret = ask->ret;
	e->is_8bit = ask->is_8bit;
	e->is_utf8 = ask->is_utf8;
	e->requires_tls = ask->requires_tls;
	e->size_bytes = ask->message_size;
	own_success(e);
	return !failed;
}

/* -EACCES: forged. */
static int
prepare(struct peer *peer, struct intake *in,
    const struct queue_prepare *ask, int *fd)
{
	struct queue *q = peer->queue;
	struct message message = { .fd = -1 };
	int error = voucher_check(&ask->voucher, q->c.secrets[SECRET_VOUCH],
	    (uint64_t)clock_wall_s());

	if (error)
		return error;
	error = message_accept(&message, *fd, ask->message_size);
	if (error)
		return -EACCES;
	*fd = -1;
	if (in == NULL || in->e->n_recipients < ask->n_recipients ||
	    !fill_envelope(q, in->e, ask, message.fd))
		error = -ENOMEM;
	if (!error)
		error = FAULT("queue.prepare") ? -EIO : 0;
	if (!error)
		error = spool_prepare(q->spool, in->e, message.fd,
		    on_prepared, in);
	message_close(&message);
	return error;
}

static bool
on_prepare(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct queue_prepare ask;
	struct intake *in;
	int error;

	if (m->id == 0 || !get_queue_prepare(&m->body, &ask))
		return false;
	if (ask.reverse_path.size > 0 && !is_address(ask.reverse_path))
		return false;
	in = intake_find(peer, ask.transaction);
	if (in != NULL && (in->state != INTAKE_OPEN ||
	    in->e->n_recipients > ask.n_recipients))
		return false;
	error = prepare(peer, in, &ask, &m->fd);
	if (error == -EACCES)
		return false;
	if (error == 0) {
		in->state = INTAKE_PREPARING;
		in->question = m->id;
		queue_want_work(peer->queue);
		return true;
	}
	log_error("not_prepared", LOG_SL("session", ask.voucher.session),
	    LOG_E("error", error), LOG_END);
	refuse_prepare(ch, m->id, error);
	if (in != NULL)
		intake_free(in);
	return true;
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

/* It is ours now, whether or not the submitter hears of it. */
static void
take_over(struct queue *q, struct intake *in)
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

/*
 * Who has left before he was answered has told nobody yes: his client comes
 * again, so this one must not be sent.
 */
static void
on_committed(void *arg, int error)
{
	struct intake *in = arg;

	FAULT_STEP("queue.committed");
	if (error)
		log_error("not_committed", LOG_SL("session", in->e->session),
		    LOG_E("error", error), LOG_END);
	if (in->is_aborted)
		(void)spool_remove(in->queue->spool, in->e->id, error ?
		    SPOOL_PREPARED : SPOOL_ACTIVE);
	else
		answer_committed(in->peer->ch, in->question, error);
	if (error && !in->is_aborted)
		(void)spool_remove(in->queue->spool, in->e->id,
		    SPOOL_PREPARED);
	if (!error && !in->is_aborted)
		take_over(in->queue, in);
	intake_free(in);
}

static bool
on_commit(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint64_t transaction = ipc_get_u64(&m->body);
	struct intake *in = intake_find(peer, transaction);
	int error;

	if (m->id == 0 || !ipc_reader_is_done(&m->body) || in == NULL ||
	    in->state != INTAKE_PREPARED)
		return false;
	FAULT_STEP("queue.commit");
	in->state = INTAKE_COMMITTING;
	in->question = m->id;
	error = spool_commit(peer->queue->spool, in->e->id, on_committed, in);
	if (error) {
		answer_committed(ch, m->id, error);
		in->state = INTAKE_PREPARED;
		intake_drop(peer->queue, in);
		return true;
	}
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
		intake_drop(peer->queue, in);
	return true;
}

const struct channel_rule intake_rules[] = {
	{ QUEUE_RECIPIENT, CHANNEL_NO_FD, on_recipient },
	{ QUEUE_PREPARE, CHANNEL_WANTS_FD, on_prepare },
	{ QUEUE_COMMIT, CHANNEL_NO_FD, on_commit },
	{ QUEUE_ABORT, CHANNEL_NO_FD, on_abort },
	{ QUEUE_OWN, CHANNEL_NO_FD, queue_on_own },
};
const size_t intake_n_rules = sizeof intake_rules / sizeof *intake_rules;
