/* SPDX-License-Identifier: ISC */
/*
 * See question_wire.h. Each kind is one line of the table; the encoders and
 * decoders of what they carry are those of ask.h.
 */
#include "question_wire.h"

static void
put_list(struct ipc_writer *w, const struct entry_list *list)
{
	uint16_t i;

	ipc_put_u64(w, list->transaction);
	ipc_put_u16(w, list->n);
	for (i = 0; i < list->n; i++)
		ipc_put_u16(w, list->entries[i]);
}

/* The last part; the others have gone ahead. */
static void
put_judge(struct ipc_writer *w, const struct judge_question *q)
{
	struct judge_ask ask = { .stage = q->stage, .set = q->set,
		.message_bytes = q->message_bytes,
		.facts = q->parts[q->n_parts - 1] };

	put_judge_ask(w, &ask);
}

/* Those to queue. */
static bool
put_to_queue(struct ipc_writer *w, const struct question *q)
{
	switch (q->kind) {
	case QUESTION_QUEUE:
		put_queue_prepare(w, q->as.queue);
		break;
	case QUESTION_QUEUE_LISTS:
		put_queue_lists(w, q->as.queue);
		break;
	case QUESTION_QUEUE_RECIPIENT:
		put_queue_recipient(w, q->as.queue_recipient);
		break;
	case QUESTION_QUEUE_MEMBERS:
		put_queue_members(w, q->as.queue_members);
		break;
	case QUESTION_QUEUE_OWN:
		put_queue_own(w, q->as.own);
		break;
	default:
		return false;
	}
	return true;
}

/* Those to relay. */
static bool
put_to_relay(struct ipc_writer *w, const struct question *q)
{
	switch (q->kind) {
	case QUESTION_HOP_RCPT:
		put_hop_rcpt(w, q->as.hop_rcpt);
		break;
	case QUESTION_HOP_RECIPIENT:
		put_hop_recipient(w, q->as.hop_recipient);
		break;
	case QUESTION_HOP_SEND:
		put_hop_send(w, q->as.hop_send);
		break;
	default:
		return false;
	}
	return true;
}

/* Those to deliver. */
static bool
put_to_deliver(struct ipc_writer *w, const struct question *q)
{
	switch (q->kind) {
	case QUESTION_PROBE:
	case QUESTION_FREEZE:
		put_probe_ask(w, q->as.probe);
		break;
	case QUESTION_PREPARE:
	case QUESTION_DELIVER:
		put_prepare_ask(w, q->as.prepare);
		break;
	case QUESTION_PROGRAM:
		put_program_ask(w, q->as.program);
		break;
	case QUESTION_RELEASE:
		put_release_ask(w, &q->as.release);
		break;
	default:
		return false;
	}
	return true;
}

void
question_put(struct ipc_writer *w, const struct question *q)
{
	if (put_to_queue(w, q) || put_to_relay(w, q) || put_to_deliver(w, q))
		return;
	switch (q->kind) {
	case QUESTION_ROUTE:
		put_route_ask(w, q->as.route);
		break;
	case QUESTION_FAILURE:
	case QUESTION_FAILED:
		put_failure(w, q->as.failure);
		break;
	case QUESTION_RECORDS:
	case QUESTION_BEGIN:
		put_record_begin(w, q->as.records);
		break;
	case QUESTION_WITHDRAW:
	case QUESTION_DONE:
	case QUESTION_DONE_NOW:
		put_list(w, &q->as.list);
		break;
	case QUESTION_JUDGE:
		put_judge(w, q->as.judge);
		break;
	case QUESTION_DNS:
		put_dns_ask(w, q->as.dns);
		break;
	case QUESTION_GREY:
		put_grey_ask(w, q->as.grey);
		break;
	case QUESTION_SEEN:
		put_seen_ask(w, q->as.seen);
		break;
	case QUESTION_MAY:
		put_may_ask(w, q->as.may);
		break;
	case QUESTION_HOP:
		put_queue_probe(w, q->as.hop);
		break;
	case QUESTION_TRACE:
	case QUESTION_TAG_CHECK:
		ipc_put_slice(w, q->as.octets);
		break;
	case QUESTION_SRS_CHECK:
		put_vault_srs_check(w, q->as.srs_check);
		break;
	case QUESTION_TRACE_CHECK:
		put_vault_trace(w, q->as.trace_check);
		break;
	case QUESTION_PROOF:
	case QUESTION_PROOF_TAKE:
		put_proof_ask(w, q->as.proof);
		break;
	case QUESTION_DKIM:
		put_vault_dkim(w, q->as.dkim);
		break;
	case QUESTION_AUTH_STEP:
		put_auth_step(w, &q->as.auth_step->step);
		break;
	case QUESTION_AUTH_PEER:
		put_auth_peer(w, q->as.auth_peer);
		break;
	case QUESTION_AUTH_FORGET:
		ipc_put_u32(w, q->as.auth_step->step.exchange);
		break;
	default:
		ipc_put_u64(w, q->as.transaction);
		break;
	}
}

static bool
get_route(struct ipc_reader *r, struct answer *a)
{
	return get_route_answer(r, &a->as.route);
}

static bool
get_code(struct ipc_reader *r, struct answer *a)
{
	return get_verdict(r, &a->as.verdict) && ipc_reader_is_done(r);
}

static bool
get_probe(struct ipc_reader *r, struct answer *a)
{
	return get_probe_answer(r, &a->as.probe);
}

static bool
get_result(struct ipc_reader *r, struct answer *a)
{
	return get_outcome(r, &a->as.outcome);
}

static bool
get_states(struct ipc_reader *r, struct answer *a)
{
	return get_record_states(r, &a->as.states);
}

static bool
get_judgement_of(struct ipc_reader *r, struct answer *a)
{
	return get_judge_answer(r, &a->as.judge);
}

static bool
get_dns(struct ipc_reader *r, struct answer *a)
{
	struct dns_answer answer;

	a->as.octets = ipc_get_slice(r);
	return ipc_reader_is_done(r) &&
	    get_dns_answer(a->as.octets, &answer);
}

static bool
get_grey(struct ipc_reader *r, struct answer *a)
{
	return get_grey_answer(r, &a->as.grey);
}

static bool
get_seen(struct ipc_reader *r, struct answer *a)
{
	return get_seen_answer(r, &a->as.seen);
}

static bool
get_auth(struct ipc_reader *r, struct answer *a)
{
	return get_auth_answer(r, &a->as.auth);
}

static bool
get_may(struct ipc_reader *r, struct answer *a)
{
	return get_may_answer(r, &a->as.may);
}

static bool
get_queued(struct ipc_reader *r, struct answer *a)
{
	return get_queue_prepared(r, &a->as.queued);
}

static bool
get_hop(struct ipc_reader *r, struct answer *a)
{
	return get_hop_reply(r, &a->as.hop);
}

static bool
get_sent(struct ipc_reader *r, struct answer *a)
{
	return get_hop_sent(r, &a->as.hop_sent);
}

static bool
get_program(struct ipc_reader *r, struct answer *a)
{
	return get_program_answer(r, &a->as.program);
}

static bool
get_yes_or_no(struct ipc_reader *r, struct answer *a)
{
	uint8_t is_ok = ipc_get_u8(r);

	a->as.is_ok = is_ok == 1;
	return is_ok <= 1 && ipc_reader_is_done(r);
}

static bool
get_trace(struct ipc_reader *r, struct answer *a)
{
	a->as.octets = ipc_get_slice(r);
	return a->as.octets.size > 0 && ipc_reader_is_done(r);
}

static bool
get_dkim(struct ipc_reader *r, struct answer *a)
{
	return get_vault_dkim_signed(r, &a->as.dkim);
}

static bool
get_tag(struct ipc_reader *r, struct answer *a)
{
	return get_vault_tag_checked(r, &a->as.tag);
}

static bool
get_srs(struct ipc_reader *r, struct answer *a)
{
	return get_vault_srs_checked(r, &a->as.srs);
}

static bool
get_proof(struct ipc_reader *r, struct answer *a)
{
	return get_proof_answer(r, &a->as.proof);
}

static bool
get_nothing(struct ipc_reader *r, struct answer *a)
{
	(void)a;
	return ipc_reader_is_done(r);
}

const struct question_wire question_wires[QUESTION_COUNT] = {
	[QUESTION_ROUTE] = { ROLE_DIRECTORY, ROUTE_ASK, ROUTE_ANSWER,
	    get_route },
	[QUESTION_PROBE] = { ROLE_DELIVER, PROBE_ASK, PROBE_ANSWER,
	    get_probe },
	[QUESTION_FREEZE] = { ROLE_DELIVER, PROBE_ASK, 0, NULL },
	[QUESTION_PREPARE] = { ROLE_DELIVER, PREPARE_ASK, PREPARE_ANSWER,
	    get_result },
	[QUESTION_COMMIT] = { ROLE_DELIVER, COMMIT_ASK, COMMIT_ANSWER,
	    get_result },
	[QUESTION_DELIVER] = { ROLE_DELIVER, DELIVER_ASK, COMMIT_ANSWER,
	    get_result },
	[QUESTION_CANCEL] = { ROLE_DELIVER, DELIVER_CANCEL, 0, NULL },
	[QUESTION_RELEASE] = { ROLE_DELIVER, RELEASE_ASK, 0, NULL },
	[QUESTION_FAILURE] = { ROLE_STORE, FAILURE_ASK, FAILURE_ANSWER,
	    get_code },
	[QUESTION_RECORDS] = { ROLE_STORE, RECORD_BEGIN, RECORD_STATES,
	    get_states },
	[QUESTION_BEGIN] = { ROLE_STORE, RECORD_BEGIN, 0, NULL },
	[QUESTION_LOOK] = { ROLE_STORE, RECORD_LOOK, RECORD_STATES,
	    get_states },
	[QUESTION_INTENT] = { ROLE_STORE, RECORD_INTENT, RECORD_OK,
	    get_nothing },
	[QUESTION_WITHDRAW] = { ROLE_STORE, RECORD_WITHDRAW, RECORD_OK,
	    get_nothing },
	[QUESTION_JUDGE] = { ROLE_POLICY, JUDGE_ASK, JUDGE_ANSWER,
	    get_judgement_of },
	[QUESTION_DNS] = { ROLE_RESOLVER, DNS_ASK, DNS_ANSWER, get_dns },
	[QUESTION_GREY] = { ROLE_STORE, GREY_ASK, GREY_ANSWER, get_grey },
	[QUESTION_SEEN] = { ROLE_STORE, SEEN_ASK, SEEN_ANSWER, get_seen },
	[QUESTION_MAY] = { ROLE_DIRECTORY, MAY_ASK, MAY_ANSWER, get_may },
	[QUESTION_QUEUE] = { ROLE_QUEUE, QUEUE_PREPARE, QUEUE_PREPARED,
	    get_queued },
	[QUESTION_QUEUE_LISTS] = { ROLE_QUEUE, QUEUE_LISTS, QUEUE_PREPARED,
	    get_queued },
	[QUESTION_QUEUE_COMMIT] = { ROLE_QUEUE, QUEUE_COMMIT, QUEUE_COMMITTED,
	    get_code },
	[QUESTION_QUEUE_OWN] = { ROLE_QUEUE, QUEUE_OWN, QUEUE_COMMAND_ANSWER,
	    get_yes_or_no },
	[QUESTION_HOP] = { ROLE_QUEUE, QUEUE_PROBE, QUEUE_PROBED, get_hop },
	[QUESTION_PROGRAM] = { ROLE_DELIVER, PROGRAM_ASK, PROGRAM_ANSWER,
	    get_program },
	[QUESTION_HOP_RCPT] = { ROLE_RELAY, HOP_RCPT, HOP_REPLIED, get_hop },
	[QUESTION_HOP_SEND] = { ROLE_RELAY, HOP_SEND, HOP_SENT, get_sent },
	[QUESTION_HOP_RECIPIENT] = { ROLE_RELAY, HOP_RECIPIENT, 0, NULL },
	[QUESTION_HOP_CANCEL] = { ROLE_RELAY, HOP_CANCEL, 0, NULL },
	[QUESTION_QUEUE_RECIPIENT] = { ROLE_QUEUE, QUEUE_RECIPIENT, 0, NULL },
	[QUESTION_QUEUE_MEMBERS] = { ROLE_QUEUE, QUEUE_MEMBERS, 0, NULL },
	[QUESTION_AUTH_STEP] = { ROLE_AUTH, AUTH_STEP, AUTH_ANSWER, get_auth },
	[QUESTION_AUTH_PEER] = { ROLE_AUTH, AUTH_PEER, AUTH_ANSWER, get_auth },
	[QUESTION_AUTH_FORGET] = { ROLE_AUTH, AUTH_FORGET, 0, NULL },
	[QUESTION_QUEUE_ABORT] = { ROLE_QUEUE, QUEUE_ABORT, 0, NULL },
	[QUESTION_TRACE] = { ROLE_VAULT, VAULT_TRACE, VAULT_TRACED,
	    get_trace },
	[QUESTION_DKIM] = { ROLE_VAULT, VAULT_DKIM, VAULT_DKIM_SIGNED,
	    get_dkim },
	[QUESTION_TAG_CHECK] = { ROLE_VAULT, VAULT_TAG_CHECK,
	    VAULT_TAG_CHECKED, get_tag },
	[QUESTION_SRS_CHECK] = { ROLE_VAULT, VAULT_SRS_CHECK,
	    VAULT_SRS_CHECKED, get_srs },
	[QUESTION_TRACE_CHECK] = { ROLE_VAULT, VAULT_TRACE_CHECK,
	    VAULT_TRACE_CHECKED, get_yes_or_no },
	[QUESTION_PROOF] = { ROLE_STORE, PROOF_ASK, PROOF_ANSWER, get_proof },
	[QUESTION_PROOF_TAKE] = { ROLE_STORE, PROOF_TAKE, PROOF_TAKEN,
	    get_yes_or_no },
	[QUESTION_PROOF_DROP] = { ROLE_STORE, PROOF_DROP, 0, NULL },
	[QUESTION_DONE] = { ROLE_STORE, RECORD_DONE, 0, NULL },
	[QUESTION_DONE_NOW] = { ROLE_STORE, RECORD_DONE, 0, NULL },
	[QUESTION_SETTLE] = { ROLE_STORE, RECORD_SETTLE, 0, NULL },
	[QUESTION_CONFIRM] = { ROLE_STORE, RECORD_CONFIRM, 0, NULL },
	[QUESTION_END] = { ROLE_STORE, RECORD_END, 0, NULL },
	[QUESTION_FAILED] = { ROLE_STORE, FAILURE_PUT, 0, NULL },
};

uint64_t
question_transaction(const struct question *q)
{
	switch (q->kind) {
	case QUESTION_PROBE:
	case QUESTION_FREEZE:
		return q->as.probe->transaction;
	case QUESTION_PREPARE:
	case QUESTION_DELIVER:
		return q->as.prepare->transaction;
	case QUESTION_PROGRAM:
		return q->as.program->transaction;
	case QUESTION_PROOF:
	case QUESTION_PROOF_TAKE:
		return q->as.proof->transaction;
	case QUESTION_RECORDS:
	case QUESTION_BEGIN:
		return q->as.records->transaction;
	case QUESTION_WITHDRAW:
	case QUESTION_DONE:
	case QUESTION_DONE_NOW:
		return q->as.list.transaction;
	case QUESTION_RELEASE:
		return q->as.release.transaction;
	case QUESTION_QUEUE:
	case QUESTION_QUEUE_LISTS:
		return q->as.queue->transaction;
	case QUESTION_QUEUE_RECIPIENT:
		return q->as.queue_recipient->transaction;
	case QUESTION_QUEUE_MEMBERS:
		return q->as.queue_members->transaction;
	case QUESTION_AUTH_PEER:
	case QUESTION_MAY:
	case QUESTION_AUTH_STEP:
	case QUESTION_AUTH_FORGET:
	case QUESTION_QUEUE_OWN:
	case QUESTION_HOP:
	case QUESTION_HOP_RCPT:
	case QUESTION_HOP_RECIPIENT:
	case QUESTION_HOP_SEND:
	case QUESTION_TRACE:
	case QUESTION_TAG_CHECK:
	case QUESTION_SRS_CHECK:
	case QUESTION_TRACE_CHECK:
	case QUESTION_DKIM:
	case QUESTION_ROUTE:
	case QUESTION_FAILURE:
	case QUESTION_FAILED:
	case QUESTION_JUDGE:
	case QUESTION_DNS:
	case QUESTION_GREY:
	case QUESTION_SEEN:
		return UINT64_MAX;
	default:
		return q->as.transaction;
	}
}

bool
answer_get(struct answer *a, enum question_kind kind, struct ipc_message *m)
{
	const struct question_wire *wire = &question_wires[kind];
	bool wants_fd;

	if (m->type != wire->answer || !wire->get(&m->body, a))
		return false;
	wants_fd = (wire->answer == ROUTE_ANSWER &&
	    a->as.route.sealed_size > 0) || (wire->answer == JUDGE_ANSWER &&
	    a->as.judge.sealed_size > 0) ||
	    wire->answer == QUEUE_COMMAND_ANSWER;
	if (wants_fd != (m->fd >= 0))
		return false;
	a->fd = m->fd;
	m->fd = -1;
	return true;
}
