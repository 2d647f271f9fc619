/* SPDX-License-Identifier: ISC */
/*
 * checks_proof.c - the proofs of bounces: asked for policy, claimed at store
 * while the transaction lasts, taken when its bounce was delivered.
 */
#include <string.h>
#include "checks_run.h"
#include "commands.h"

static uint32_t
ask_trace(struct session *s, struct slice key, uint32_t deadline_ms)
{
	struct vault_trace trace = { .id = slice_next_line(&key),
		.sender = key };
	struct question q = { .kind = QUESTION_TRACE_CHECK, .fd = -1,
		.deadline_ms = deadline_ms, .as.trace_check = &trace };

	if (trace.id.size == 0 || trace.id.size >= PROOF_TRACE_MAX ||
	    trace.sender.size >= ASK_ADDRESS_MAX)
		return 0;
	return s->settings->host->ask(s, &q);
}

uint32_t
checks_ask_proof(struct session *s, const struct fact *wanted,
    uint32_t deadline_ms)
{
	struct proof_ask ask = { .transaction = s->tx->number };
	struct question q = { .kind = QUESTION_PROOF, .fd = -1,
		.deadline_ms = deadline_ms, .as.proof = &ask };

	if (wanted->kind == FACT_TRACE)
		return ask_trace(s, wanted->key, deadline_ms);
	if (!proof_ask_read(wanted->key, &ask))
		return 0;
	s->checks->claimed_for = s->tx->number;
	return s->settings->host->ask(s, &q);
}

void
checks_write_proof(struct buf *value, const struct fact *wanted,
    const struct answer *a)
{
	if (!a->is_known)
		(void)buf_puts(value, "unknown");
	else if (wanted->kind == FACT_TRACE)
		(void)buf_puts(value, a->as.is_ok ? "good" : "wrong");
	else
		(void)proof_answer_write(value, &a->as.proof);
}

/* Policy hands on the keys of those that it went by, NUL between them. */
void
checks_take_proof(struct session *s)
{
	struct slice rest = checks_result(s, "bounce"), key;
	struct proof_ask ask = { .transaction = s->tx->number };
	struct question q = { .kind = QUESTION_PROOF_TAKE, .fd = -1,
		.as.proof = &ask };

	while (rest.size > 0 && s->checks->claimed_for != 0) {
		key = (struct slice){ rest.data, slice_find(rest, '\0') };
		rest.data += key.size;
		rest.size -= key.size;
		if (rest.size > 0) {
			rest.data++;
			rest.size--;
		}
		if (proof_ask_read(key, &ask))
			session_tell(s, &q);
	}
}

/* The transaction itself may be gone by now. */
void
checks_drop_claims(struct session *s)
{
	struct question q = { .kind = QUESTION_PROOF_DROP, .fd = -1,
		.as.transaction = s->checks->claimed_for };

	if (s->checks->claimed_for == 0)
		return;
	s->checks->claimed_for = 0;
	session_tell(s, &q);
}
