/* SPDX-License-Identifier: ISC */
/*
 * The step between PREPARE and COMMIT, see last.h: what any kind of last
 * participant has in common, and what its answer means for everybody else.
 *
 * A crash here while it has the message: nobody knows whether it was taken,
 * and the retry is given to it again (RFC 1047).
 */
#include <stdio.h>
#include <stdlib.h>
#include "commands.h"
#include "fault.h"
#include "finish.h"
#include "last.h"
#include "submit.h"

#define COMMAND_SHOWN 200		/* the same, of records */
#define WHO_SHOWN 100			/* octets; the words matter more */

struct last {
	enum last_kind kind;
	bool is_out;			/* it has the message, or gets it */
	bool is_cancelled;
	bool has_taken;
	finish_fn *then;
	char words[WHO_SHOWN + VERDICT_TEXT_MAX + 20];	/* of its 250 */
};

static const struct {
	enum step (*deliver)(struct session *s);
	void (*cancel)(struct session *s);	/* NULL: it cannot be */
} kinds[LAST_KIND_COUNT] = {
	[LAST_HOP] = { hop_deliver, hop_cancel },
	[LAST_PROGRAM] = { program_deliver, NULL },
};

void
last_free(struct last **last)
{
	free(*last);
	*last = NULL;
}

/* ---- whose it is ---- */

static const struct recipient *
first_with_hop(const struct transaction *tx)
{
	const struct recipient *r;

	for (r = tx->recipients; r < tx->recipients + tx->n_recipients; r++)
		if (recipient_has_hop(r))
			return r;
	return NULL;
}

bool
last_is_wanted(const struct recipient *r)
{
	return r->hop.size > 0 || r->route.program.size > 0;
}

/* Only its beginning where it is long: the sum tells two apart. */
static int
put_program_name(struct buf *to, struct slice command)
{
	int shown = command.size < COMMAND_SHOWN ? (int)command.size :
	    COMMAND_SHOWN;

	return buf_printf(to, RECORD_LAST "|%08x %.*s", slice_hash(command),
	    shown, command.data);
}

int
last_put_name(struct buf *to, const struct recipient *r)
{
	if (r->route.program.size > 0)
		return put_program_name(to, r->route.program);
	return buf_printf(to, RECORD_LAST "%.*s/%.*s",
	    (int)r->hop_route.destination.size,
	    r->hop_route.destination.data, (int)r->hop_route.address.size,
	    r->hop_route.address.data);
}

static bool
has_program(const struct transaction *tx)
{
	const struct recipient *r;

	for (r = tx->recipients; r < tx->recipients + tx->n_recipients; r++)
		if (recipient_has_program(r))
			return true;
	return false;
}

enum last_kind
last_kind_of(const struct transaction *tx)
{
	if (first_with_hop(tx) != NULL)
		return LAST_HOP;
	return has_program(tx) ? LAST_PROGRAM : LAST_NONE;
}

bool
last_joins(const struct transaction *tx, const struct hop_route *hop)
{
	const struct recipient *first = first_with_hop(tx), *r;
	unsigned n = 0;

	if (first == NULL)
		return !has_program(tx);
	for (r = tx->recipients; r < tx->recipients + tx->n_recipients; r++)
		n += recipient_has_hop(r);
	return n < HOP_RECIPIENTS_MAX &&
	    hop_route_is_same_hop(&first->hop_route, hop);
}

/* ---- the message ---- */

struct slice
last_top(const struct transaction *tx)
{
	static struct buf top;		/* kept for its memory */

	if (!tx->is_junk)
		return buf_slice(&tx->trace);
	top.size = 0;
	if (buf_append_slice(&top, buf_slice(&tx->trace)) < 0 ||
	    buf_puts(&top, "X-Spam-Flag: YES\n") < 0)
		return buf_slice(&tx->trace);
	return buf_slice(&top);
}

enum step
last_deliver(struct session *s, finish_fn *then)
{
	struct transaction *tx = s->tx;
	enum last_kind kind = last_kind_of(tx);

	if (kind == LAST_NONE)
		return then(s);
	tx->last = calloc(1, sizeof(*tx->last));
	if (tx->last == NULL)
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	tx->last->kind = kind;
	tx->last->then = then;
	tx->last->is_out = true;
	FAULT_STEP("smtpd.before-last");
	return kinds[kind].deliver(s);
}

/* Queue has its part ready. */
static enum step
queue_commit(struct session *s)
{
	return submit_commit(s, finish_delivered);
}

static enum step
deliver_after_queue(struct session *s)
{
	return last_deliver(s, queue_commit);
}

enum step
last_deliver_alone(struct session *s)
{
	return submit_prepare(s, deliver_after_queue);
}

void
last_cancel(struct session *s)
{
	struct last *last = s->tx->last;

	if (last == NULL || !last->is_out || last->is_cancelled ||
	    kinds[last->kind].cancel == NULL)
		return;
	last->is_cancelled = true;
	kinds[last->kind].cancel(s);
}

bool
last_has_taken(const struct transaction *tx)
{
	return tx->last != NULL && tx->last->has_taken;
}

const char *
last_words(const struct transaction *tx)
{
	return tx->last != NULL ? tx->last->words : "";
}

/* ---- its answer ---- */

void
last_note_refusal(const struct session *s, const char *check,
    const struct verdict *v, const char *detail)
{
	if (s->tx->is_each)
		note_finding(s, check, v->code < 500 ? FINDING_TEMPORARY :
		    FINDING_REFUSE, detail);
	else
		note_told("%s", detail);
}

static bool
have_all_taken(const struct last_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (results[i].verdict.code != 250)
			return false;
	return n > 0;
}

struct refused {
	size_t n;
	struct outcome_failure items[HOP_RECIPIENTS_MAX];
};

/*
 * What it says to the message, and what it says of one recipient that is not
 * about his mailbox (RFC 3463: x.1.z; x.2.z, but for its room), is true of
 * this message alone.
 */
static bool
is_of_message(const struct last_result *r)
{
	const struct verdict *v = &r->verdict;

	return r->is_of_all || (v->code >= 500 && v->subject != 1 &&
	    (v->subject != 2 || v->detail == 2 || v->detail == 3));
}

static void
add_failures(struct refused *refused, const struct last_result *results,
    size_t n, bool is_own, bool is_of_all)
{
	for (size_t i = 0; i < n; i++)
		if (results[i].verdict.code != 250 &&
		    results[i].is_own == is_own &&
		    results[i].is_of_all == is_of_all)
			refused->items[refused->n++] =
			    (struct outcome_failure){ results[i].recipient,
			    is_own || is_of_all, is_of_message(&results[i]),
			    results[i].verdict };
}

/* All that the client has named are refused alike: that is the reply. */
static bool
is_for_all(const struct transaction *tx, const struct last_result *results,
    size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!results[i].is_of_all)
			return false;
	for (uint16_t i = 0; i < tx->n_recipients; i++)
		if (tx->recipients[i].is_added)
			return false;
	return n == tx->n_recipients;
}

/* One reply for all of them: where the classes differ, or some have it, it
 * is a temporary one, and the retry tells each his own. Each: one who is not
 * told so would refuse it to the others once more. */
static enum step
last_refused(struct session *s, const struct last_result *results, size_t n)
{
	static struct refused refused;	/* large */

	if (is_for_all(s->tx, results, n))
		return finish_refuse_with(s, &results[0].verdict, "next_hop");
	refused.n = 0;
	/* what it said of one says more than that another was spared */
	add_failures(&refused, results, n, true, false);
	add_failures(&refused, results, n, false, true);
	add_failures(&refused, results, n, false, false);
	return finish_failed(s, refused.items, refused.n, REPLY_HOP_SILENT);
}

/* Whatever becomes of the others, he has it. */
static void
note_taken(struct session *s, const struct last_result *results, size_t n)
{
	struct transaction *tx = s->tx;

	for (size_t i = 0; i < n; i++)
		for (uint16_t k = 0; k < tx->n_recipients; k++)
			if (tx->recipients[k].index == results[i].recipient &&
			    results[i].verdict.code == 250)
				tx->recipients[k].is_last_done = true;
	copies_taken(s);
}

/* PRDR: each of them has his own reply, and mailboxes are committed. */
static enum step
last_each(struct session *s, const struct last_result *results, size_t n)
{
	struct transaction *tx = s->tx;
	uint16_t i;
	size_t k;

	for (i = 0; i < tx->n_recipients; i++) {
		struct recipient *r = &tx->recipients[i];

		if (!last_is_wanted(r) || r->failure != NULL ||
		    r->is_last_done)
			continue;
		verdict_set(&tx->failures[i], 451, 4, 1, "the next server for "
		    "this address cannot be asked now, try again later");
		for (k = 0; k < n; k++)
			if (results[k].recipient == r->index)
				tx->failures[i] = results[k].verdict;
		r->failure = &tx->failures[i];
	}
	return tx->last->then(s);
}

enum step
last_answered(struct session *s, const struct last_result *results, size_t n,
    struct slice who)
{
	struct transaction *tx = s->tx;
	struct last *last = tx->last;

	last->is_out = false;
	last->has_taken = have_all_taken(results, n);
	note_taken(s, results, n);
	FAULT_STEP("smtpd.after-last");
	if (tx->is_each)
		return last_each(s, results, n);
	if (last->has_taken) {
		if (who.size > WHO_SHOWN)
			who.size = WHO_SHOWN;
		if (who.size > 0)
			(void)snprintf(last->words, sizeof(last->words),
			    "%.*s said: %s", (int)who.size, who.data,
			    results[0].verdict.text);
		return last->then(s);
	}
	if (last->is_cancelled)
		return copies_undo(s, finish_gone);
	if (n == 0)
		return finish_refuse(s, REPLY_HOP_SILENT);
	return last_refused(s, results, n);
}
