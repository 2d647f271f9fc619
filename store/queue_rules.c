/* SPDX-License-Identifier: ISC */
/*
 * queue_rules.c - what queue asks the store: to note what is about to leave,
 * and what has left.
 *
 * All that comes in one round of the loop shares one flush of the disk and
 * is answered after it. What cannot be made durable is not answered: queue
 * waits, and nothing leaves that is not noted.
 */
#include <errno.h>
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "rules.h"
#include "store.h"

#define TIME_OFF_S 86400	/* an asker's clock is this host's */

static bool
on_ledger_put(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct store *s = peer->store;
	struct ledger_entry entry;
	int64_t now_s = clock_wall_s();
	int error;

	(void)ch;
	if (!get_ledger_entry(&m->body, &entry) ||
	    entry.time_s > (uint64_t)now_s + TIME_OFF_S)
		return false;
	FAULT_STEP("store.before-ledger");
	error = s->n_unanswered < LEDGER_AT_ONCE ?
	    ledger_put(s->ledger, &entry) : -EBUSY;
	if (error == 0)
		s->unanswered[s->n_unanswered++] = (struct unanswered){ peer,
			m->id, LEDGER_OK };
	else
		log_error("ledger", LOG_SL("queue_id", entry.queue_id),
		    LOG_E("error", error), LOG_S("effect",
		    "the message waits"), LOG_END);
	return true;
}

/* A bounce whose proof could not be spent is in its mailbox all the same. */
static void
say_committed(const struct unanswered *u, int error)
{
	if (u->peer == NULL)
		return;
	if (u->answer == PROOF_TAKEN)
		store_say_taken(u->peer->ch, u->id, error == 0);
	else if (error == 0)
		(void)channel_answer(u->peer->ch, u->id, u->answer, NULL, -1);
}

void
store_ledger_committed(struct store *s, int error)
{
	for (size_t i = 0; i < s->n_unanswered; i++)
		s->n_noted += error == 0 &&
		    s->unanswered[i].answer == LEDGER_OK;
	for (size_t i = 0; i < s->n_unanswered; i++)
		say_committed(&s->unanswered[i], error);
	s->n_unanswered = 0;
	proofs_committed(s->proofs, error);
}

void
store_ledger_peer_gone(struct store *s, const struct peer *peer)
{
	for (size_t i = 0; i < s->n_unanswered; i++)
		if (s->unanswered[i].peer == peer)
			s->unanswered[i].peer = NULL;
}

const struct channel_rule store_queue_rules[] = {
	{ LEDGER_PUT, CHANNEL_NO_FD, on_ledger_put },
	{ SENT_ASK, CHANNEL_NO_FD, store_on_sent_ask },
};
const size_t store_n_queue_rules =
    sizeof store_queue_rules / sizeof *store_queue_rules;
