/* SPDX-License-Identifier: ISC */
/*
 * smtpd_rules.c - what an smtpd asks and tells the store.
 *
 * A handler returns false for a message that breaks the rules of ask.h; the
 * channel is then closed and the records of that smtpd are resolved.
 */
#include <unistd.h>
#include "clearances.h"
#include "fault.h"
#include "log.h"
#include "rules.h"
#include "store.h"
#include "trail.h"

#define LIST_MAX (IPC_PAYLOAD_MAX / 2)

/* ---- delivery records ---- */

/* Nobody waits for an answer: the worker may go on, or smtpd will LOOK. */
static void
clear_all_new(const struct record_begin *begin,
    const struct record_states *states)
{
	for (size_t i = 0; i < states->n_entries; i++)
		if (states->states[i] != RECORD_IS_NEW)
			return;
	clearances_give(begin->clearance);
}

static void
answer_states(struct channel *ch, const struct ipc_message *m,
    const struct record_states *states)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_record_states(&w, states);
	(void)channel_answer(ch, m->id, RECORD_STATES, &w, -1);
}

static bool
on_record_begin(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct record_begin begin;	/* large */
	struct peer *peer = arg;
	struct record_states states;

	FAULT_STEP("store.before-begin");
	if (!get_record_begin(&m->body, &begin) ||
	    !records_begin(peer->store->records, peer, &begin, &states))
		return false;
	FAULT_STEP("store.after-begin");
	if (m->id == 0)
		clear_all_new(&begin, &states);
	else
		answer_states(ch, m, &states);
	return true;
}

/* Payload of those that name a transaction and nothing else. */
static bool
get_transaction(struct ipc_message *m, uint64_t *transaction)
{
	*transaction = ipc_get_u64(&m->body);
	return ipc_reader_is_done(&m->body);
}

static bool
get_list(struct ipc_message *m, struct record_list *list)
{
	static uint16_t entries[LIST_MAX];

	list->transaction = ipc_get_u64(&m->body);
	list->n = ipc_get_u16(&m->body);
	list->entries = entries;
	if (list->n > LIST_MAX)
		return false;
	for (size_t i = 0; i < list->n; i++)
		entries[i] = ipc_get_u16(&m->body);
	return ipc_reader_is_done(&m->body);
}

/* An unknown transaction gets no answer: see records.h. */
static bool
acknowledge(struct channel *ch, const struct ipc_message *m,
    enum records_outcome outcome)
{
	FAULT_STEP("store.before-ok");
	if (outcome == RECORDS_OK)
		(void)channel_answer(ch, m->id, RECORD_OK, NULL, -1);
	return outcome != RECORDS_MALFORMED;
}

static bool
on_record_look(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct record_states states;
	uint64_t transaction;

	if (!get_transaction(m, &transaction))
		return false;
	FAULT_STEP("store.before-look");
	records_look(peer->store->records, peer, transaction, &states);
	answer_states(ch, m, &states);
	return true;
}

static bool
on_record_intent(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint64_t transaction;

	FAULT_STEP("store.before-intent");
	return get_transaction(m, &transaction) && acknowledge(ch, m,
	    records_intent(peer->store->records, peer, transaction));
}

static bool
on_record_withdraw(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct record_list list;

	FAULT_STEP("store.before-withdraw");
	return get_list(m, &list) && acknowledge(ch, m,
	    records_withdraw(peer->store->records, peer, &list));
}

static bool
on_record_done(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct record_list list;

	(void)ch;
	FAULT_STEP("store.before-done");
	return get_list(m, &list) && records_done(peer->store->records, peer,
	    &list) != RECORDS_MALFORMED;
}

static bool
on_record_settle(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint64_t transaction;

	(void)ch;
	if (!get_transaction(m, &transaction))
		return false;
	FAULT_STEP("store.before-settle");
	records_settle(peer->store->records, peer, transaction);
	store_resolve(peer->store);
	return true;
}

static bool
on_record_confirm(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint64_t transaction;

	(void)ch;
	if (!get_transaction(m, &transaction))
		return false;
	FAULT_STEP("store.before-confirm");
	records_confirm(peer->store->records, peer, transaction);
	return true;
}

static bool
on_record_end(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	uint64_t transaction;

	(void)ch;
	if (!get_transaction(m, &transaction))
		return false;
	FAULT_STEP("store.before-end");
	records_end(peer->store->records, peer, transaction);
	store_resolve(peer->store);
	return true;
}

/* ---- failures ---- */

static bool
on_failure_put(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct failure failure;

	(void)ch;
	if (!get_failure(&m->body, &failure) || failure.verdict.code < 400 ||
	    failure.verdict.code > 599)
		return false;
	failures_put(peer->store->failures, &failure,
	    loop_now_us(peer->store->c.loop));
	store_tell_failures(peer->store);
	return true;
}

static bool
on_failure_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct failure question;
	struct verdict verdict;
	struct ipc_writer w;

	if (!get_failure(&m->body, &question))
		return false;
	failures_ask(peer->store->failures, &question,
	    loop_now_us(peer->store->c.loop), &verdict);
	ipc_writer_init(&w);
	put_verdict(&w, &verdict);
	(void)channel_answer(ch, m->id, FAILURE_ANSWER, &w, -1);
	store_tell_failures(peer->store);
	return true;
}

/* ---- trail ---- */

/* Without an answer smtpd goes on without a trail, and asks again later. */
static bool
on_trail_segment_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct segments *segments = peer->store->segments;
	struct ipc_writer w;
	uint16_t number;
	int fd;

	if (!ipc_reader_is_done(&m->body))
		return false;
	fd = segments_begin(segments, &number);
	if (fd < 0) {
		log_warning("trail_segment", LOG_S("folder",
		    peer->store->trail), LOG_E("error", fd), LOG_S("effect",
		    "posternctl why knows nothing of new sessions"), LOG_END);
		return true;
	}
	ipc_writer_init(&w);
	ipc_put_u16(&w, number);
	ipc_put_u32(&w, 0);
	(void)channel_answer(ch, m->id, TRAIL_SEGMENT_ANSWER, &w, fd);
	close(fd);
	if (peer->segment != TRAIL_SEGMENT_NONE)
		segments_end(segments, peer->segment);
	peer->segment = number;
	return true;
}

const struct channel_rule store_smtpd_rules[] = {
	{ RECORD_BEGIN, CHANNEL_NO_FD, on_record_begin },
	{ RECORD_INTENT, CHANNEL_NO_FD, on_record_intent },
	{ RECORD_DONE, CHANNEL_NO_FD, on_record_done },
	{ RECORD_CONFIRM, CHANNEL_NO_FD, on_record_confirm },
	{ RECORD_LOOK, CHANNEL_NO_FD, on_record_look },
	{ RECORD_WITHDRAW, CHANNEL_NO_FD, on_record_withdraw },
	{ RECORD_SETTLE, CHANNEL_NO_FD, on_record_settle },
	{ RECORD_END, CHANNEL_NO_FD, on_record_end },
	{ FAILURE_PUT, CHANNEL_NO_FD, on_failure_put },
	{ FAILURE_ASK, CHANNEL_NO_FD, on_failure_ask },
	{ TRAIL_SEGMENT_ASK, CHANNEL_NO_FD, on_trail_segment_ask },
	{ GREY_ASK, CHANNEL_NO_FD, store_on_grey_ask },
	{ SEEN_ASK, CHANNEL_NO_FD, store_on_seen_ask },
	{ PROOF_ASK, CHANNEL_NO_FD, store_on_proof_ask },
	{ PROOF_TAKE, CHANNEL_NO_FD, store_on_proof_take },
	{ PROOF_DROP, CHANNEL_NO_FD, store_on_proof_drop },
};
const size_t store_n_smtpd_rules =
    sizeof store_smtpd_rules / sizeof *store_smtpd_rules;
