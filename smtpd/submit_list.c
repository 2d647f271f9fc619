/* SPDX-License-Identifier: ISC */
/*
 * An address of ours that is a list with members elsewhere, see submit.h:
 *
 *	ROUTE: a list --> ROUTE once more: its members elsewhere, sealed for
 *	queue --> PROBE of those who are here, if any --> 250
 *
 * This process carries the members and cannot read them. At the end queue is
 * told of each list besides the recipients that were named. It takes lists
 * from an mx, too: their copies leave in the name of the owner, whose mailbox
 * is here and has whatever becomes of them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "commands.h"
#include "finish.h"
#include "rcpt.h"
#include "received.h"
#include "sealed.h"
#include "submit.h"

#define INLINE_MAX 12000		/* octets of a sealed list */
#define ROUTE_DEADLINE_MS 10000

static enum step
members_answered(struct session *s, struct answer *a)
{
	const struct route_answer *route = &a->as.route;
	struct transaction *tx = s->tx;

	note_asked("rcpt", slice_of(tx->rcpt.text), a->took_us);
	/* it was one a moment ago; the client comes again */
	if (!a->is_known || route->kind != ROUTE_LIST ||
	    !answer_copy_sealed(a, &tx->rcpt_members)) {
		transaction_drop_rcpt(tx);
		return session_reply(s, REPLY_DIRECTORY_SILENT);
	}
	return tx->after_members(s);
}

enum step
submit_list(struct session *s, session_then_fn *then)
{
	struct question q = { .kind = QUESTION_ROUTE, .fd = -1,
		.deadline_ms = ROUTE_DEADLINE_MS };
	struct route_ask ask = rcpt_question(s);

	ask.wants_list = true;
	q.as.route = &ask;
	s->tx->after_members = then;
	return session_ask(s, &q, members_answered);
}

/* What queue does not hear of it misses, and refuses. */
static void
tell_members(struct session *s, struct slice sealed)
{
	struct queue_members told = { .transaction = s->tx->number,
		.sealed = sealed };
	struct question q = { .kind = QUESTION_QUEUE_MEMBERS, .fd = -1,
		.as.queue_members = &told };

	if (sealed.size > INLINE_MAX) {
		q.fd = sealed_of_text("list", sealed);
		told.sealed = SLICE("");
		told.sealed_size = (uint32_t)sealed.size;
	}
	if (sealed.size <= INLINE_MAX || q.fd >= 0)
		session_tell(s, &q);
	if (q.fd >= 0)
		close(q.fd);
}

/* ---- the message of a stranger ---- */

/* A copy that comes back to the list is a loop (RFC 5321 6.3). */
static int
put_lists(const struct transaction *tx, struct buf *top)
{
	int error = 0;

	for (uint16_t i = 0; i < tx->n_recipients && error == 0; i++)
		if (tx->recipients[i].members.size > 0)
			error = received_write_delivered_to(top,
			    slice_of(tx->recipients[i].address));
	return error;
}

/* By it a bounce is known (DESIGN 8), and the ledger has to have it. */
static int
put_message_id(const struct session *s, struct buf *top)
{
	int error;

	if (s->tx->body.header.has_message_id)
		return 0;
	error = buf_puts(top, "Message-ID: ");
	if (error == 0)
		error = complete_message_id(top, clock_wall_us(), s->id,
		    s->tx->number, s->settings->config->hostname);
	return error == 0 ? buf_puts(top, "\n") : error;
}

/* Local copies have the same octets, as those of our own users have. */
enum step
submit_list_out(struct session *s, session_then_fn *then)
{
	struct transaction *tx = s->tx;
	struct buf top = { 0 };
	bool is_good;

	if (tx->n_lists == 0)
		return then(s);
	if (tx->is_junk)
		return finish_refuse(s, REPLY_LIST_JUNK);
	is_good = put_lists(tx, &top) == 0 &&
	    buf_append_slice(&top, buf_slice(&tx->trace)) == 0 &&
	    put_message_id(s, &top) == 0 &&
	    submit_put_on_top(s, buf_slice(&top));
	buf_free(&top);
	if (!is_good)
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	tx->trace.size = 0;
	return then(s);
}

/* ---- queue ---- */

void
submit_tell_lists(struct session *s)
{
	const struct transaction *tx = s->tx;

	for (uint16_t i = 0; i < tx->n_recipients; i++)
		if (tx->recipients[i].members.size > 0 &&
		    !tx->recipients[i].is_queue_done)
			tell_members(s, tx->recipients[i].members);
}
