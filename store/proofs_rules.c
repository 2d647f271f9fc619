/* SPDX-License-Identifier: ISC */
/*
 * proofs_rules.c - what an smtpd asks about bounces, and control for explain.
 */
#include <errno.h>
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "rules.h"
#include "store.h"

bool
store_on_proof_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct proof_answer answer;
	struct proof_ask q;
	struct ipc_writer w;
	int error;

	if (!get_proof_ask(&m->body, &q) ||
	    (peer->role != ROLE_SMTPD && q.transaction != 0))
		return false;
	error = proofs_ask(peer->store->proofs, peer, &q, &answer);
	if (error < 0)
		log_warning("proof", LOG_E("error", error), LOG_S("effect",
		    "the bounce is refused for now"), LOG_END);
	ipc_writer_init(&w);
	put_proof_answer(&w, &answer);
	(void)channel_answer(ch, m->id, PROOF_ANSWER, &w, -1);
	return true;
}

void
store_say_taken(struct channel *ch, uint32_t question, bool is_durable)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u8(&w, is_durable);
	(void)channel_answer(ch, question, PROOF_TAKEN, &w, -1);
}

/*
 * Durable with the round, and answered then, so that a crash lets no second
 * one in; where the disk is full, as soon as it is not. A store that was
 * started anew knows no claims, so none is asked for.
 */
bool
store_on_proof_take(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct store *s = peer->store;
	struct proof_ask q;
	int error;

	if (!get_proof_ask(&m->body, &q))
		return false;
	FAULT_STEP("store.before-proof");
	error = proofs_take(s->proofs, &q, clock_wall_s());
	if (m->id != 0 && error == 0 && s->n_unanswered < LEDGER_AT_ONCE) {
		s->unanswered[s->n_unanswered++] = (struct unanswered){ peer,
			m->id, PROOF_TAKEN };
		return true;
	}
	if (error < 0)
		log_error("proof", LOG_E("error", error), LOG_S("effect",
		    error == -EBUSY ? "the same bounce may come in once more" :
		    "that it was believed is kept in memory until there is "
		    "room"), LOG_END);
	if (m->id != 0)
		store_say_taken(ch, m->id, false);
	return true;
}

bool
store_on_proof_drop(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint64_t transaction = ipc_get_u64(&m->body);

	(void)ch;
	if (!ipc_reader_is_done(&m->body))
		return false;
	proofs_drop(peer->store->proofs, peer, transaction);
	return true;
}
