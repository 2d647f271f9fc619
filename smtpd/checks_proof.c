/* SPDX-License-Identifier: ISC */
/*
 * checks_proof.c - the proofs of bounces: asked for policy, claimed at store
 * while the transaction lasts, taken when its bounce was delivered.
 */
#include "checks_run.h"
#include "commands.h"
#include "fault.h"

#define TAKE_DEADLINE_MS 10000

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
	struct proof_ask ask;
	struct question q = { .kind = QUESTION_PROOF, .fd = -1,
		.deadline_ms = deadline_ms, .as.proof = &ask };

	if (wanted->kind == FACT_TRACE)
		return ask_trace(s, wanted->key, deadline_ms);
	/* at EHLO nobody but a policy that lies wants to know that */
	if (s->tx == NULL || !proof_ask_read(wanted->key, &ask))
		return 0;
	ask.transaction = s->tx->number;
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

/* The next key of those that policy went by, NUL between them. */
static bool
next_key(struct slice *rest, struct proof_ask *ask)
{
	struct slice key = { rest->data, slice_find(*rest, '\0') };
	size_t size = key.size + (key.size < rest->size);

	rest->data += size;
	rest->size -= size;
	return proof_ask_read(key, ask);
}

static enum step
proof_taken(struct session *s, struct answer *a)
{
	FAULT_STEP("smtpd.after-take");
	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
	return s->checks->after_take(s, a->is_known);
}

enum step
checks_take_proof(struct session *s, proof_taken_fn *then)
{
	struct slice rest = checks_result(s, "bounce");
	struct proof_ask ask = { .transaction = s->tx->number };
	struct question q = { .kind = QUESTION_PROOF_TAKE, .fd = -1,
		.deadline_ms = TAKE_DEADLINE_MS, .as.proof = &ask };

	while (rest.size > 0 && s->checks->claimed_for != 0) {
		if (!next_key(&rest, &ask))
			break;
		if (rest.size == 0) {
			s->checks->after_take = then;
			return session_ask(s, &q, proof_taken);
		}
		session_tell(s, &q);
	}
	return then(s, true);
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
