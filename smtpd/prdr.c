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
 * recipients than that all share one reply as without PRDR.
 */
#include <stdlib.h>
#include "commands.h"
#include "finish.h"
#include "last.h"
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

bool
prdr_begin(struct transaction *tx)
{
	if ((tx->params.given & COMMAND_PRDR) == 0 || tx->n_recipients < 2 ||
	    tx->changes.n_recipients > 0 || has_two_answers(tx) ||
	    submit_goes_elsewhere(tx) ||
	    tx->n_recipients > OUTCOME_MAX_FAILURES)
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

enum step
prdr_reply(struct session *s)
{
	const struct transaction *tx = s->tx;
	const struct recipient *r;
	unsigned n_delivered = 0;

	session_reply(s, REPLY_PRDR_FOLLOWS);
	for (r = tx->recipients; r < tx->recipients + tx->n_recipients; r++) {
		if (r->failure != NULL) {
			session_reply_verdict(s, r->failure, "delivery",
			    slice_of(r->address));
			continue;
		}
		session_reply_with(s, REPLY_DELIVERED_TO,
		    slice_of(r->address));
		n_delivered++;
	}
	if (n_delivered == 0)
		return prdr_reply_none(s);
	note_delivered(s);
	return session_reply_with_id(s, REPLY_DELIVERED, "");
}
