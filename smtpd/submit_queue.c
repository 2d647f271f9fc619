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
 * delivery records see to it that the retry brings no second ones.
 */
#include <string.h>
#include "commands.h"
#include "fault.h"
#include "finish.h"
#include "submit.h"

#define COMMIT_DEADLINE_MS 60000

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

static void
tell_recipients(struct session *s)
{
	const struct transaction *tx = s->tx;
	struct queue_recipient told = { .transaction = tx->number };
	struct question q = { .kind = QUESTION_QUEUE_RECIPIENT, .fd = -1,
		.as.queue_recipient = &told };

	for (uint16_t i = 0; i < tx->n_recipients; i++) {
		const struct recipient *r = &tx->recipients[i];

		if (!r->is_remote)
			continue;
		told.address = slice_of(r->address);
		told.notify = r->notify;
		told.orcpt = slice_of(r->orcpt != NULL ? r->orcpt : "");
		session_tell(s, &q);
		told.index++;
	}
}

static enum step
queue_answered(struct session *s, struct answer *a)
{
	const struct queue_prepared *p = &a->as.queued;

	FAULT_STEP("smtpd.after-queue");
	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
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
	if (a->is_known && a->as.queued.verdict.code == 0)
		s->tx->is_at_queue = false;
	return queue_answered(s, a);
}

static enum step
queue_ask(struct session *s, bool is_alone)
{
	const struct transaction *tx = s->tx;
	struct queue_prepare ask = {
		.transaction = tx->number,
		.voucher = s->user->voucher,
		.reverse_path = slice_of(tx->reverse_path),
		.ret = (enum dsn_ret)tx->params.ret,
		.envid = slice_of(tx->envid != NULL ? tx->envid : ""),
		.is_8bit = tx->params.body == COMMAND_BODY_8BITMIME,
		.is_utf8 = (tx->params.given & COMMAND_SMTPUTF8) != 0,
		.requires_tls = (tx->params.given & COMMAND_REQUIRETLS) != 0,
		.is_alone = is_alone,
		.message_size = tx->message_bytes,
		.n_recipients = tx->n_remote,
	};
	struct question q = { .kind = QUESTION_QUEUE, .fd = tx->message_fd,
		.deadline_ms = is_alone ? COMMIT_DEADLINE_MS :
		transaction_time_left_ms(tx), .as.queue = &ask };

	if (transaction_time_left_ms(tx) == 0)
		return finish_refuse(s, REPLY_CHECKS_TOO_LONG);
	return session_ask(s, &q, is_alone ? queue_taken : queue_answered);
}

enum step
submit_prepare(struct session *s, session_then_fn *then)
{
	if (s->tx->n_remote == 0)
		return then(s);
	FAULT_STEP("smtpd.before-queue");
	s->tx->then = then;
	s->tx->is_at_queue = true;
	tell_recipients(s);
	return queue_ask(s, false);
}

enum step
submit_take(struct session *s, session_then_fn *then)
{
	FAULT_STEP("smtpd.before-queue");
	s->tx->then = then;
	s->tx->is_at_queue = true;
	tell_recipients(s);
	return queue_ask(s, true);
}

/* ---- commit ---- */

/* The client will come again: store must know then what is in new/. */
static enum step
queue_not_committed(struct session *s)
{
	struct question q = { .kind = QUESTION_END, .fd = -1,
		.as.transaction = s->tx->number };
	enum step step;

	if (s->tx->is_committed && s->tx->n_entries > 0)
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
	if (!a->is_known || a->as.verdict.code != 0) {
		note_told("%s", a->is_known ? a->as.verdict.text : "nothing");
		return queue_not_committed(s);
	}
	s->tx->is_at_queue = false;
	return s->tx->then(s);
}

enum step
submit_commit(struct session *s, session_then_fn *then)
{
	struct question q = { .kind = QUESTION_QUEUE_COMMIT, .fd = -1,
		.deadline_ms = COMMIT_DEADLINE_MS,
		.as.transaction = s->tx->number };

	if (s->tx->n_remote == 0)
		return then(s);
	FAULT_STEP("smtpd.before-queue-commit");
	s->tx->then = then;
	return session_ask(s, &q, queue_committed);
}
