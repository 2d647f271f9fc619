/* SPDX-License-Identifier: ISC */
/*
 * queue as a participant of the transaction, see submit.h and finish.h:
 *
 *	PREPARE --> QUEUE --> INTENT --> client still there? --> COMMIT
 *	(deliver)   (queue)                                     (deliver)
 *	              |                                            |
 *	              +--ABORT <-- any failure <-------------------+
 *	                                                     QUEUE_COMMIT
 *	                                                     (queue) 250
 *
 * A message without local copies has nobody to agree with:
 *
 *	client still there? --> QUEUE, which commits it, too --> 250
 *
 * A crash here, or at queue, before QUEUE_COMMIT has reached the disk leaves
 * nothing to send: the end of the channel aborts. Between COMMIT and
 * QUEUE_COMMIT local copies are in new/ and the client hears 451: their
 * delivery records see to it that the retry brings no second ones. What queue
 * has committed is on record, too, once it has said so: until then a crash
 * means that the retry is queued again, since a record that says it is there
 * must not be wrong.
 *
 * With nobody elsewhere queue has nothing but a DSN of success to bring. That
 * is no part of what a 250 promises: whatever becomes of it, the message is
 * delivered as if it had not been asked for, and the log says so.
 */
#include <string.h>
#include "commands.h"
#include "fault.h"
#include "finish.h"
#include "last.h"
#include "log.h"
#include "submit.h"

#define COMMIT_DEADLINE_MS 60000
#define REPORT_DEADLINE_MS 5000

void
submit_abort(struct session *s)
{
	struct question q = { .kind = QUESTION_QUEUE_ABORT, .fd = -1,
		.as.transaction = s->tx->number };

	if (!s->tx->is_at_queue)
		return;
	s->tx->is_at_queue = false;
	session_tell(s, &q);
}

/* ---- prepare ---- */

/* A null reverse-path has nobody to be told (RFC 3461 6.1). Of a list it goes
 * with the copies. */
static bool
is_told_of_success(const struct transaction *tx, const struct recipient *r)
{
	return (recipient_is_mailbox(r) || r->members.size > 0) &&
	    !r->is_queue_done &&
	    (r->notify & NOTIFY_SUCCESS) != 0 && *tx->reverse_path != '\0';
}

bool
submit_goes_elsewhere(const struct transaction *tx)
{
	return tx->n_remote > 0 || tx->n_lists > 0;
}

bool
submit_is_for_queue(const struct transaction *tx)
{
	for (uint16_t i = 0; i < tx->n_recipients; i++)
		if (is_told_of_success(tx, &tx->recipients[i]))
			return true;
	return submit_goes_elsewhere(tx);
}

/* How many there were. */
static uint16_t
tell_recipients(struct session *s)
{
	const struct transaction *tx = s->tx;
	struct queue_recipient told = { .transaction = tx->number };
	struct question q = { .kind = QUESTION_QUEUE_RECIPIENT, .fd = -1,
		.as.queue_recipient = &told };

	for (uint16_t i = 0; i < tx->n_recipients; i++) {
		const struct recipient *r = &tx->recipients[i];

		told.is_here = is_told_of_success(tx, r);
		if (!r->is_remote && !told.is_here)
			continue;
		told.address = slice_of(r->address);
		told.notify = r->notify;
		told.orcpt = slice_of(r->orcpt != NULL ? r->orcpt : "");
		session_tell(s, &q);
		told.index++;
	}
	return told.index;
}

/* The DSN of success is lost, and nothing else. */
static enum step
go_on_without(struct session *s, const struct verdict *v)
{
	log_warning("not_reported", LOG_S("session", s->id),
	    LOG_S("what", "success"), LOG_S("why", v != NULL ? v->text :
	    "the queue did not answer"), LOG_END);
	submit_abort(s);
	return s->tx->then(s);
}

static enum step
queue_answered(struct session *s, struct answer *a)
{
	const struct queue_prepared *p = &a->as.queued;

	FAULT_STEP("smtpd.after-queue");
	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
	if (!submit_goes_elsewhere(s->tx) &&
	    (!a->is_known || p->verdict.code != 0))
		return go_on_without(s, a->is_known ? &p->verdict : NULL);
	if (!a->is_known)
		return finish_refuse(s, REPLY_QUEUE_SILENT);
	if (p->verdict.code != 0)
		return finish_refuse_with(s, &p->verdict, "queue");
	slice_copy(s->tx->queue_id, sizeof(s->tx->queue_id), p->queue_id);
	return s->tx->then(s);
}

/* After it nothing can fail, as after COMMIT. */
static enum step
queue_taken(struct session *s, struct answer *a)
{
	if (a->is_known && a->as.queued.verdict.code == 0) {
		s->tx->is_at_queue = false;
		copies_queued(s);
	}
	return queue_answered(s, a);
}

/* Who waits for his 250 waits for a DSN of success only so long. */
static uint32_t
queue_deadline_ms(const struct transaction *tx, bool is_alone)
{
	uint32_t left_ms = is_alone ? COMMIT_DEADLINE_MS :
	    transaction_time_left_ms(tx);

	return submit_goes_elsewhere(tx) || left_ms < REPORT_DEADLINE_MS ?
	    left_ms : REPORT_DEADLINE_MS;
}

/* A stranger has no voucher: the lists' seals say who may. */
static enum step
queue_ask(struct session *s, uint16_t n_recipients, bool is_alone)
{
	const struct transaction *tx = s->tx;
	struct queue_prepare ask = {
		.transaction = tx->number,
		.voucher = { .session = slice_of(s->id) },
		.reverse_path = slice_of(tx->reverse_path),
		.ret = (enum dsn_ret)tx->params.ret,
		.envid = slice_of(tx->envid != NULL ? tx->envid : ""),
		.is_8bit = tx->params.body == COMMAND_BODY_8BITMIME,
		.is_utf8 = (tx->params.given & COMMAND_SMTPUTF8) != 0,
		.requires_tls = (tx->params.given & COMMAND_REQUIRETLS) != 0,
		.is_alone = is_alone,
		.message_size = tx->message_bytes,
		.n_recipients = n_recipients, .n_lists = tx->n_lists,
	};
	struct question q = { .kind = QUESTION_QUEUE, .fd = tx->message_fd,
		.deadline_ms = queue_deadline_ms(tx, is_alone),
		.as.queue = &ask };

	if (session_is_own(s))
		ask.voucher = s->user->voucher;
	else
		q.kind = QUESTION_QUEUE_LISTS;
	if (transaction_time_left_ms(tx) == 0)
		return finish_refuse(s, REPLY_CHECKS_TOO_LONG);
	return session_ask(s, &q, is_alone ? queue_taken : queue_answered);
}

static enum step
queue_begin(struct session *s, session_then_fn *then, bool is_alone)
{
	FAULT_STEP("smtpd.before-queue");
	s->tx->then = then;
	s->tx->is_at_queue = true;
	submit_tell_lists(s);
	return queue_ask(s, tell_recipients(s), is_alone);
}

enum step
submit_prepare(struct session *s, session_then_fn *then)
{
	return submit_is_for_queue(s->tx) ? queue_begin(s, then, false) :
	    then(s);
}

enum step
submit_take(struct session *s, session_then_fn *then)
{
	return queue_begin(s, then, true);
}

/* ---- commit ---- */

/* The client will come again: store must know then what is in new/. */
static enum step
queue_not_committed(struct session *s)
{
	struct question q = { .kind = QUESTION_END, .fd = -1,
		.as.transaction = s->tx->number };
	enum step step;

	if ((s->tx->is_committed || last_has_taken(s->tx)) &&
	    s->tx->n_entries > 0)
		session_tell(s, &q);
	step = session_reply(s, REPLY_QUEUE_SILENT);
	transaction_end(s);
	return step;
}

static enum step
queue_committed(struct session *s, struct answer *a)
{
	FAULT_STEP("smtpd.after-queue-commit");
	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
	if (!submit_goes_elsewhere(s->tx) &&
	    (!a->is_known || a->as.verdict.code != 0))
		return go_on_without(s, a->is_known ? &a->as.verdict : NULL);
	if (!a->is_known || a->as.verdict.code != 0) {
		note_told("%s", a->is_known ? a->as.verdict.text : "nothing");
		return queue_not_committed(s);
	}
	s->tx->is_at_queue = false;
	copies_queued(s);
	return s->tx->then(s);
}

enum step
submit_commit(struct session *s, session_then_fn *then)
{
	struct question q = { .kind = QUESTION_QUEUE_COMMIT, .fd = -1,
		.deadline_ms = submit_goes_elsewhere(s->tx) ?
		COMMIT_DEADLINE_MS : REPORT_DEADLINE_MS,
		.as.transaction = s->tx->number };

	if (!s->tx->is_at_queue)
		return then(s);
	FAULT_STEP("smtpd.before-queue-commit");
	s->tx->then = then;
	return session_ask(s, &q, queue_committed);
}
