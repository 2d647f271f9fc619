/* SPDX-License-Identifier: ISC */
/*
 * ask_store.c - questions to store; see ask.h.
 */
#include <inttypes.h>
#include "ask.h"

static void
put_record_entry(struct ipc_writer *w, const struct record_entry *e)
{
	ipc_put_slice(w, e->recipient);
	ipc_put_u32(w, e->uid);
	ipc_put_u32(w, e->gid);
	ipc_put_slice(w, e->maildir);
	ipc_put_slice(w, e->file);
}

static void
get_record_entry(struct ipc_reader *r, struct record_entry *e)
{
	e->recipient = ipc_get_slice(r);
	e->uid = ipc_get_u32(r);
	e->gid = ipc_get_u32(r);
	e->maildir = ipc_get_slice(r);
	e->file = ipc_get_slice(r);
}

void
put_record_begin(struct ipc_writer *w, const struct record_begin *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_u8(w, q->is_intent);
	ipc_put_u64(w, q->clearance);
	ipc_put_slice(w, q->reverse_path);
	ipc_put_bytes(w, q->digest, sizeof q->digest);
	ipc_put_u16(w, q->first);
	ipc_put_u16(w, q->n_entries);
	for (size_t i = 0; i < q->n_entries; i++)
		put_record_entry(w, &q->entries[i]);
}

bool
get_record_begin(struct ipc_reader *r, struct record_begin *q)
{
	q->transaction = ipc_get_u64(r);
	q->is_intent = ipc_get_u8(r) != 0;
	q->clearance = ipc_get_u64(r);
	q->reverse_path = ipc_get_slice(r);
	ipc_get_bytes(r, q->digest, sizeof q->digest);
	q->first = ipc_get_u16(r);
	q->n_entries = ipc_get_u16(r);
	if (q->n_entries == 0 || q->n_entries > RECORD_BEGIN_MAX)
		r->failed = true;
	for (size_t i = 0; !r->failed && i < q->n_entries; i++)
		get_record_entry(r, &q->entries[i]);
	return ipc_reader_is_done(r);
}

void
put_record_states(struct ipc_writer *w, const struct record_states *a)
{
	ipc_put_u16(w, a->first);
	ipc_put_u16(w, a->n_entries);
	for (size_t i = 0; i < a->n_entries; i++)
		ipc_put_u8(w, a->states[i]);
}

bool
get_record_states(struct ipc_reader *r, struct record_states *a)
{
	a->first = ipc_get_u16(r);
	a->n_entries = ipc_get_u16(r);
	if (a->n_entries == 0 || a->n_entries > RECORD_BEGIN_MAX)
		r->failed = true;
	for (size_t i = 0; !r->failed && i < a->n_entries; i++) {
		a->states[i] = ipc_get_u8(r);
		if (a->states[i] > RECORD_IS_OPEN)
			r->failed = true;
	}
	return ipc_reader_is_done(r);
}

void
put_failure(struct ipc_writer *w, const struct failure *f)
{
	ipc_put_slice(w, f->client_network);
	ipc_put_slice(w, f->reverse_path);
	ipc_put_slice(w, f->recipient);
	put_verdict(w, &f->verdict);
}

bool
get_failure(struct ipc_reader *r, struct failure *f)
{
	f->client_network = ipc_get_slice(r);
	f->reverse_path = ipc_get_slice(r);
	f->recipient = ipc_get_slice(r);
	get_verdict(r, &f->verdict);
	return ipc_reader_is_done(r);
}

/* ---- greylist, first contacts ---- */

static void
put_bool(struct ipc_writer *w, bool value)
{
	ipc_put_u8(w, value);
}

/* A slice of at most this size. */
static struct slice
get_bounded(struct ipc_reader *r, size_t most)
{
	struct slice s = ipc_get_slice(r);

	if (s.size > most)
		r->failed = true;
	return s;
}

static uint32_t
get_time(struct ipc_reader *r)
{
	uint32_t seconds = ipc_get_u32(r);

	if (seconds > GREY_TIME_MAX_S)
		r->failed = true;
	return seconds;
}

void
put_grey_ask(struct ipc_writer *w, const struct grey_ask *q)
{
	ipc_put_slice(w, q->network);
	ipc_put_slice(w, q->sender);
	ipc_put_slice(w, q->recipient);
	ipc_put_u32(w, q->delay_s);
	ipc_put_u32(w, q->window_s);
	ipc_put_u32(w, q->lifetime_s);
	put_bool(w, q->notes);
}

bool
get_grey_ask(struct ipc_reader *r, struct grey_ask *q)
{
	q->network = get_bounded(r, GREY_NETWORK_MAX);
	q->sender = get_bounded(r, GREY_ADDRESS_MAX);
	q->recipient = get_bounded(r, GREY_ADDRESS_MAX);
	q->delay_s = get_time(r);
	q->window_s = get_time(r);
	q->lifetime_s = get_time(r);
	q->notes = ipc_get_bool(r);
	return ipc_reader_is_done(r);
}

void
put_grey_answer(struct ipc_writer *w, const struct grey_answer *a)
{
	ipc_put_u8(w, (uint8_t)a->state);
	ipc_put_u32(w, a->wait_s);
}

bool
get_grey_answer(struct ipc_reader *r, struct grey_answer *a)
{
	uint8_t state = ipc_get_u8(r);

	if (state > GREY_KNOWN)
		r->failed = true;
	a->state = r->failed ? GREY_UNKNOWN : (enum grey_state)state;
	a->wait_s = get_time(r);
	return ipc_reader_is_done(r);
}

void
put_seen_ask(struct ipc_writer *w, const struct seen_ask *q)
{
	ipc_put_slice(w, q->key);
	ipc_put_u32(w, q->lifetime_s);
	put_bool(w, q->notes);
}

bool
get_seen_ask(struct ipc_reader *r, struct seen_ask *q)
{
	q->key = get_bounded(r, SEEN_KEY_MAX);
	q->lifetime_s = get_time(r);
	q->notes = ipc_get_bool(r);
	return ipc_reader_is_done(r);
}

void
put_seen_answer(struct ipc_writer *w, const struct seen_answer *a)
{
	ipc_put_u8(w, (uint8_t)a->state);
	ipc_put_u64(w, a->age_s);
}

bool
get_seen_answer(struct ipc_reader *r, struct seen_answer *a)
{
	uint8_t state = ipc_get_u8(r);

	if (state > SEEN_BEFORE)
		r->failed = true;
	a->state = r->failed ? SEEN_UNKNOWN : (enum seen_state)state;
	a->age_s = ipc_get_u64(r);
	return ipc_reader_is_done(r);
}

/* ---- ledger ---- */

void
put_ledger_entry(struct ipc_writer *w, const struct ledger_entry *e)
{
	ipc_put_slice(w, e->message_id);
	ipc_put_slice(w, e->recipient);
	ipc_put_slice(w, e->sender);
	ipc_put_u64(w, e->time_s);
	ipc_put_slice(w, e->queue_id);
	ipc_put_slice(w, e->user);
}

bool
get_ledger_entry(struct ipc_reader *r, struct ledger_entry *e)
{
	e->message_id = ipc_get_slice(r);
	e->recipient = ipc_get_slice(r);
	e->sender = ipc_get_slice(r);
	e->time_s = ipc_get_u64(r);
	e->queue_id = ipc_get_slice(r);
	e->user = ipc_get_slice(r);
	if (e->message_id.size == 0 ||
	    e->message_id.size > LEDGER_MESSAGE_ID_MAX ||
	    e->recipient.size == 0 || e->recipient.size >= ASK_ADDRESS_MAX ||
	    e->sender.size >= ASK_ADDRESS_MAX || e->queue_id.size == 0 ||
	    e->queue_id.size >= QUEUE_ID_MAX ||
	    e->user.size >= VOUCHER_USER_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_sent_ask(struct ipc_writer *w, const struct sent_ask *q)
{
	ipc_put_slice(w, q->word);
	ipc_put_slice(w, q->user);
}

bool
get_sent_ask(struct ipc_reader *r, struct sent_ask *q)
{
	q->word = ipc_get_slice(r);
	q->user = ipc_get_slice(r);
	if (q->word.size > SENT_WORD_MAX || q->user.size >= VOUCHER_USER_MAX ||
	    slice_has_control(q->word) || slice_has_control(q->user))
		r->failed = true;
	return ipc_reader_is_done(r);
}

/* ---- MTA-STS policies ---- */

void
put_sts_kept(struct ipc_writer *w, const struct sts_kept *p)
{
	ipc_put_slice(w, p->domain);
	ipc_put_slice(w, p->id);
	ipc_put_u64(w, p->fetched_s);
	ipc_put_u64(w, p->expires_s);
	ipc_put_slice(w, p->text);
}

bool
get_sts_kept(struct ipc_reader *r, struct sts_kept *p)
{
	char name[DNS_NAME_MAX + 1];

	p->domain = ipc_get_slice(r);
	p->id = ipc_get_slice(r);
	p->fetched_s = ipc_get_u64(r);
	p->expires_s = ipc_get_u64(r);
	p->text = ipc_get_slice(r);
	/* one that dns_name would change is not as it made it */
	if (!r->failed && (!dns_name(name, p->domain) ||
	    !slice_equals(p->domain, slice_of(name))))
		r->failed = true;
	if (p->id.size > STS_KEPT_ID_MAX || p->text.size > STS_KEPT_TEXT_MAX ||
	    p->expires_s > INT64_MAX || p->fetched_s > p->expires_s ||
	    (p->domain.size == 0 && p->text.size > 0))
		r->failed = true;
	return ipc_reader_is_done(r);
}

/* ---- proofs of bounces ---- */

static bool
is_proof(const struct proof_ask *q)
{
	return q->sender.size < ASK_ADDRESS_MAX &&
	    q->message_id.size < PROOF_ID_MAX &&
	    q->recipient.size < ASK_ADDRESS_MAX &&
	    q->trace.size < PROOF_TRACE_MAX &&
	    (q->message_id.size > 0) != (q->trace.size > 0);
}

bool
proof_ask_read(struct slice key, struct proof_ask *q)
{
	static const char *const actions[PROOF_ACTION_COUNT] = {
		[PROOF_FAILED] = "failed", [PROOF_DELAYED] = "delayed",
		[PROOF_DELIVERED] = "delivered",
	};
	struct slice action = slice_next_line(&key);
	unsigned i = 0;

	while (i < PROOF_ACTION_COUNT &&
	    !slice_equals(action, slice_of(actions[i])))
		i++;
	q->action = (enum proof_action)i;
	q->sender = slice_next_line(&key);
	q->message_id = slice_next_line(&key);
	q->recipient = slice_next_line(&key);
	q->trace = key;
	return i < PROOF_ACTION_COUNT && is_proof(q);
}

int
proof_answer_write(struct buf *value, const struct proof_answer *a)
{
	static const char *const words[PROOF_STATE_COUNT] = {
		[PROOF_UNKNOWN] = "unknown", [PROOF_NONE] = "none",
		[PROOF_GOOD] = "good", [PROOF_USED] = "used",
		[PROOF_BUSY] = "busy",
	};

	return a->state == PROOF_GOOD ? buf_printf(value, "good %" PRIu64,
	    a->time_s) : buf_puts(value, words[a->state]);
}

void
put_proof_ask(struct ipc_writer *w, const struct proof_ask *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_u8(w, (uint8_t)q->action);
	ipc_put_slice(w, q->sender);
	ipc_put_slice(w, q->message_id);
	ipc_put_slice(w, q->recipient);
	ipc_put_slice(w, q->trace);
}

bool
get_proof_ask(struct ipc_reader *r, struct proof_ask *q)
{
	uint8_t action;

	q->transaction = ipc_get_u64(r);
	action = ipc_get_u8(r);
	q->sender = ipc_get_slice(r);
	q->message_id = ipc_get_slice(r);
	q->recipient = ipc_get_slice(r);
	q->trace = ipc_get_slice(r);
	if (action >= PROOF_ACTION_COUNT || !is_proof(q))
		r->failed = true;
	q->action = (enum proof_action)action;
	return ipc_reader_is_done(r);
}

void
put_proof_answer(struct ipc_writer *w, const struct proof_answer *a)
{
	ipc_put_u8(w, (uint8_t)a->state);
	ipc_put_u64(w, a->time_s);
}

bool
get_proof_answer(struct ipc_reader *r, struct proof_answer *a)
{
	uint8_t state = ipc_get_u8(r);

	a->time_s = ipc_get_u64(r);
	if (state >= PROOF_STATE_COUNT)
		r->failed = true;
	a->state = (enum proof_state)state;
	return ipc_reader_is_done(r);
}
