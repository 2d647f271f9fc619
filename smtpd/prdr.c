/* SPDX-License-Identifier: ISC */
/*
 * PRDR: one reply for each recipient after the data (DESIGN 7).
 *
 * Where milters have changed who receives the message, all share one reply
 * too: the client waits for one of each recipient that it named, and whom a
 * milter added it could not be told about.
 *
 * So do all where one recipient has a mailbox here and a last participant
 * beside it. Else that one is asked after COMMIT (last.h). So they do with a
 * list whose copies queue prepares for all or for nobody.
 *
 * An outcome names at most OUTCOME_MAX_FAILURES recipients, so with more
 * RCPTs than that all share one reply as without PRDR.
 *
 * Who is named once more in one transaction has one copy, and his reply once
 * more, where that RCPT stands (struct repeat): a client counts its RCPTs.
 */
#include <errno.h>
#include <stdlib.h>
#include "commands.h"
#include "finish.h"
#include "last.h"
#include "prdr.h"
#include "submit.h"

/* One answer could be yes and the other no. */
static bool
has_two_answers(const struct transaction *tx)
{
	const struct recipient *r;

	for (r = tx->recipients; r < tx->recipients + tx->n_recipients; r++)
		if (last_is_wanted(r) && r->route.n_leaves > 0)
			return true;
	return false;
}

int
prdr_repeat(struct transaction *tx, uint16_t of)
{
	struct repeat *grown = reallocarray(tx->repeats,
	    (size_t)tx->n_repeats + 1, sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	tx->repeats = grown;
	grown[tx->n_repeats++] = (struct repeat){ of, tx->n_recipients };
	return 0;
}

bool
prdr_begin(struct transaction *tx)
{
	unsigned n_replies = (unsigned)tx->n_recipients + tx->n_repeats;

	if ((tx->params.given & COMMAND_PRDR) == 0 || n_replies < 2 ||
	    tx->changes.n_recipients > 0 || has_two_answers(tx) ||
	    submit_goes_elsewhere(tx) || n_replies > OUTCOME_MAX_FAILURES)
		return false;
	tx->failures = calloc(tx->n_recipients, sizeof(*tx->failures));
	return tx->failures != NULL;
}

unsigned
prdr_note_failures(struct transaction *tx, const struct outcome *outcome)
{
	unsigned n_left = 0;
	uint16_t i, j;

	for (i = 0; i < tx->n_recipients; i++) {
		for (j = 0; j < outcome->n_failures; j++) {
			if (outcome->failures[j].recipient !=
			    tx->recipients[i].index)
				continue;
			tx->failures[i] = outcome->failures[j].verdict;
			tx->recipients[i].failure = &tx->failures[i];
		}
		if (tx->recipients[i].failure == NULL)
			n_left++;
	}
	return n_left;
}

/* The final reply when nobody has it: 4yz if any may be tried again. */
static enum step
prdr_reply_none(struct session *s)
{
	const struct transaction *tx = s->tx;
	uint16_t i;

	for (i = 0; i < tx->n_recipients; i++)
		if (tx->recipients[i].failure->code < 500)
			return session_reply(s, REPLY_NOT_PREPARED);
	return session_reply(s, REPLY_NOBODY);
}

/* Whether it was 250. */
static bool
prdr_reply_to(struct session *s, const struct recipient *r)
{
	if (r->failure == NULL)
		session_reply_with(s, REPLY_DELIVERED_TO,
		    slice_of(r->address));
	else
		session_reply_verdict(s, r->failure, "delivery",
		    slice_of(r->address));
	return r->failure == NULL;
}

enum step
prdr_reply(struct session *s)
{
	const struct transaction *tx = s->tx;
	unsigned n_delivered = 0;
	uint16_t i, k = 0;

	session_reply(s, REPLY_PRDR_FOLLOWS);
	for (i = 0; i < tx->n_recipients; i++) {
		n_delivered += prdr_reply_to(s, &tx->recipients[i]);
		for (; k < tx->n_repeats && tx->repeats[k].before == i + 1;
		    k++)
			prdr_reply_to(s, &tx->recipients[tx->repeats[k].of]);
	}
	if (n_delivered == 0)
		return prdr_reply_none(s);
	note_delivered(s);
	return session_reply_with_id(s, REPLY_DELIVERED, "");
}
