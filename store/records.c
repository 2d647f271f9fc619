/* SPDX-License-Identifier: ISC */
/*
 * records.c - delivery records; see records.h.
 *
 * A crash of store at any point leaves each slot in the state of the last
 * message that was handled, or of the one before: answers leave only after
 * the slots were written. BEGUN ones that were found at a start are as good
 * as gone: smtpd gets no RECORD_OK for them any more and sends no COMMIT.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "record_state.h"

#define ENTRIES_MAX 262144	/* of all transactions together */
#define FILE_NAME_MAX 255

typedef void own_fn(struct records *r, uint32_t slot);

/* ---- one record ---- */

/* Its session is over, or does not know: what remains to be done? */
static void
record_orphan(struct records *r, uint32_t slot)
{
	struct record *record = record_at(r->index, slot);
	bool is_done = slots_state(r->parts.slots, slot) == SLOT_DONE;

	if (record->owner != NULL)
		record->owner->n_live--;
	record->owner = NULL;
	record_move(r->index, slot, is_done ? LIST_UNSTORED :
	    LIST_UNRESOLVED);
}

static void
record_settle(struct records *r, uint32_t slot)
{
	if (slots_state(r->parts.slots, slot) != SLOT_DONE)
		record_orphan(r, slot);
}

static void
record_set_done(struct records *r, uint32_t slot)
{
	slots_set_state(r->parts.slots, slot, SLOT_DONE);
}

static void
record_set_intent(struct records *r, uint32_t slot)
{
	if (slots_state(r->parts.slots, slot) == SLOT_BEGUN &&
	    !record_is_last(r, slot))
		slots_set_state(r->parts.slots, slot, SLOT_INTENT);
}

static void
record_confirm(struct records *r, uint32_t slot)
{
	if (slots_state(r->parts.slots, slot) == SLOT_DONE)
		record_drop(r, slot);
	else
		record_orphan(r, slot);
}

/* ---- start ---- */

static void
adopt(struct records *r, uint32_t slot)
{
	enum slot_state state = slots_state(r->parts.slots, slot);
	struct slot_content content;

	if (state == SLOT_FREE)
		return;
	slots_read(r->parts.slots, slot, &content);
	if (state != SLOT_DONE &&
	    memcmp(content.boot, r->parts.boot, SLOT_BOOT_SIZE) != 0) {
		slots_release(r->parts.slots, slot);
		return;
	}
	record_index_add(r->index, slot, content.key);
	record_at(r->index, slot)->wake_us =
	    clock_monotonic_us() + RECORDS_GRACE_US;
	record_move(r->index, slot, state == SLOT_DONE ? LIST_UNSTORED :
	    LIST_WAITING);
}

int
records_open(struct records **rp, const struct records_parts *parts)
{
	struct records *r = calloc(1, sizeof *r);

	*rp = NULL;
	if (r == NULL)
		return -ENOMEM;
	r->parts = *parts;
	r->index = record_index_new();
	if (r->index == NULL) {
		free(r);
		return -ENOMEM;
	}
	for (uint32_t i = slots_count(parts->slots); i-- > 0;)
		adopt(r, i);
	*rp = r;
	return 0;
}

/* ---- transactions ---- */

static struct transaction **
bucket_of(struct records *r, const void *peer, uint64_t id)
{
	uint64_t hash = (id ^ (uintptr_t)peer) * 0x9e3779b97f4a7c15u;

	return &r->buckets[(hash >> 40) % RECORDS_BUCKETS];
}

static struct transaction *
transaction_find(struct records *r, const void *peer, uint64_t id)
{
	struct transaction *tx = *bucket_of(r, peer, id);

	while (tx != NULL && (tx->id != id || tx->peer != peer))
		tx = tx->next;
	return tx;
}

static struct transaction *
transaction_new(struct records *r, const void *peer, uint64_t id)
{
	struct transaction **bucket = bucket_of(r, peer, id);
	struct transaction *tx = calloc(1, sizeof *tx);

	if (tx == NULL)
		return NULL;
	tx->peer = peer;
	tx->id = id;
	tx->began_us = clock_monotonic_us();
	tx->entries = tx->few;
	tx->room = ENTRIES_FEW;
	tx->next = *bucket;
	*bucket = tx;
	r->n_transactions++;
	return tx;
}

static void
transaction_free(struct records *r, struct transaction **txp)
{
	struct transaction *tx = *txp;
	struct transaction **at = bucket_of(r, tx->peer, tx->id);

	assert(tx->n_live == 0);
	*txp = NULL;
	while (*at != tx)
		at = &(*at)->next;
	*at = tx->next;
	r->n_transactions--;
	r->n_entries -= tx->n;
	if (tx->entries != tx->few)
		free(tx->entries);
	free(tx);
}

static bool
transaction_reserve(struct records *r, struct transaction *tx, uint32_t more)
{
	uint32_t room = tx->room * 2;
	struct entry *entries;

	if (tx->n + more > UINT16_MAX || r->n_entries + more > ENTRIES_MAX)
		return false;
	if (tx->n + more <= tx->room)
		return true;
	if (room < tx->n + more)
		room = tx->n + more;
	entries = reallocarray(tx->entries == tx->few ? NULL : tx->entries,
	    room, sizeof *entries);
	if (entries == NULL)
		return false;
	if (tx->entries == tx->few)
		memcpy(entries, tx->few, sizeof tx->few);
	tx->entries = entries;
	tx->room = room;
	return true;
}

/*
 * The slot of an entry whose record it (still) owns, or SLOT_NONE: another
 * transaction's CONFIRM may have removed it and the slot be used again.
 */
static uint32_t
own_slot(struct records *r, const struct transaction *tx, uint32_t i)
{
	const struct entry *entry = &tx->entries[i];
	const struct record *record;

	if (entry->slot >= SLOTS_MAX)
		return SLOT_NONE;
	record = record_at(r->index, entry->slot);
	return record->owner == tx &&
	    memcmp(record->key, entry->key, SLOT_KEY_SIZE) == 0 ?
	    entry->slot : SLOT_NONE;
}

static void
for_all(struct records *r, struct transaction *tx, own_fn *fn)
{
	for (uint32_t i = 0; i < tx->n && tx->n_live > 0; i++) {
		uint32_t slot = own_slot(r, tx, i);

		if (slot != SLOT_NONE)
			fn(r, slot);
	}
}

static enum records_outcome
for_listed(struct records *r, struct transaction *tx,
    const struct record_list *list, own_fn *fn)
{
	if (tx == NULL)
		return RECORDS_UNKNOWN;
	for (uint32_t i = 0; i < list->n; i++)
		if (list->entries[i] >= tx->n && !tx->is_cut)
			return RECORDS_MALFORMED;
	for (uint32_t i = 0; i < list->n; i++) {
		uint32_t slot = list->entries[i] < tx->n ?
		    own_slot(r, tx, list->entries[i]) : SLOT_NONE;

		if (slot != SLOT_NONE)
			fn(r, slot);
	}
	if (list->n == 0)
		for_all(r, tx, fn);
	return RECORDS_OK;
}

/* ---- BEGIN ---- */

static bool
entry_is_valid(const struct record_entry *e)
{
	return (slice_starts_nocase(e->maildir, SLICE(RECORD_LAST)) ||
	    (e->maildir.size > 0 && e->maildir.data[0] == '/')) &&
	    e->file.size > 0 && e->file.size <= FILE_NAME_MAX &&
	    slice_find(e->file, '/') == e->file.size &&
	    slice_find(e->file, '\0') == e->file.size &&
	    slice_find(e->maildir, '\0') == e->maildir.size;
}

static bool
make_key(struct records *r, const struct record_begin *begin,
    const struct record_entry *e, uint8_t *key)
{
	const struct slice fields[] = { begin->reverse_path, e->recipient,
		e->maildir, { (const char *)begin->digest,
		sizeof begin->digest } };

	return hmac_fields(r->parts.hmac, fields, 4, key) == 0;
}

/* Of a session that is over and never said INTENT: it delivered nothing. */
static bool
is_void(struct records *r, uint32_t slot)
{
	return slots_state(r->parts.slots, slot) == SLOT_BEGUN &&
	    record_at(r->index, slot)->owner == NULL;
}

/* What earlier attempts say; one transaction may have a key twice. */
static enum record_state
state_of_key(struct records *r, const struct transaction *tx,
    const uint8_t *key)
{
	uint32_t slot = record_index_find(r->index, key, SLOT_NONE);
	bool is_done = false;
	int found;

	for (; slot != SLOT_NONE;
	     slot = record_index_find(r->index, key, slot)) {
		if (record_at(r->index, slot)->owner == tx || is_void(r, slot))
			continue;
		if (slots_state(r->parts.slots, slot) != SLOT_DONE)
			return RECORD_IS_OPEN;
		is_done = true;
	}
	if (is_done)
		return RECORD_IS_DONE;
	found = ended_find(r->parts.ended, key);
	return found == 0 ? RECORD_IS_NEW : found > 0 ? RECORD_IS_DONE :
	    RECORD_IS_OPEN;
}

static uint32_t
take_slot(struct records *r, struct transaction *tx,
    const struct record_entry *e, const uint8_t *key)
{
	struct slot_content content = { .at_s = clock_wall_s(), .uid = e->uid,
		.gid = e->gid, .maildir = e->maildir, .file = e->file };
	uint32_t slot;
	int error;

	memcpy(content.key, key, sizeof content.key);
	memcpy(content.boot, r->parts.boot, sizeof content.boot);
	slot = slots_take(r->parts.slots, &content, &error);
	if (slot == SLOT_NONE)
		return SLOT_NONE;
	record_index_add(r->index, slot, key);
	record_at(r->index, slot)->owner = tx;
	tx->n_live++;
	return slot;
}

static enum record_state
begin_entry(struct records *r, struct transaction *tx,
    const struct record_begin *begin, const struct record_entry *e)
{
	struct entry *entry = &tx->entries[tx->n];
	enum record_state state = RECORD_IS_OPEN;

	entry->slot = SLOT_NONE;
	if (make_key(r, begin, e, entry->key))
		state = state_of_key(r, tx, entry->key);
	if (state == RECORD_IS_NEW) {
		entry->slot = take_slot(r, tx, e, entry->key);
		if (entry->slot == SLOT_NONE) {
			r->n_refused++;
			state = RECORD_IS_OPEN;
		}
	} else if (state == RECORD_IS_DONE) {
		entry->slot = SLOT_MET;
		tx->n_met++;
		r->n_met++;
	}
	tx->n++;
	r->n_entries++;
	return state;
}

/*
 * The transaction that these entries belong to, with room for them. One
 * that withdrew all may begin again. NULL: there is none, or it was cut
 * short (store was restarted in the middle of a list, or all room is used
 * up); they are OPEN then.
 */
static struct transaction *
transaction_for(struct records *r, const void *peer,
    const struct record_begin *begin)
{
	struct transaction *tx = transaction_find(r, peer,
	    begin->transaction);

	if (tx != NULL && begin->first == 0 && tx->n_live == 0)
		transaction_free(r, &tx);
	if (tx == NULL && begin->first == 0)
		tx = transaction_new(r, peer, begin->transaction);
	if (tx == NULL)
		return NULL;
	if (begin->first > tx->n ||
	    !transaction_reserve(r, tx, begin->n_entries))
		tx->is_cut = true;
	return tx->is_cut ? NULL : tx;
}

bool
records_begin(struct records *r, const void *peer,
    const struct record_begin *begin, struct record_states *states)
{
	struct transaction *tx = transaction_for(r, peer, begin);

	for (uint32_t i = 0; i < begin->n_entries; i++)
		if (!entry_is_valid(&begin->entries[i]))
			return false;
	states->first = begin->first;
	states->n_entries = begin->n_entries;
	memset(states->states, RECORD_IS_OPEN, sizeof states->states);
	if (tx == NULL) {
		r->n_refused += begin->n_entries;
		return true;
	}
	if (begin->first != tx->n)
		return false;
	for (uint32_t i = 0; i < begin->n_entries; i++)
		states->states[i] = (uint8_t)begin_entry(r, tx, begin,
		    &begin->entries[i]);
	if (begin->is_intent && tx->n_live == tx->n)
		for_all(r, tx, record_set_intent);
	return true;
}

void
records_look(struct records *r, const void *peer, uint64_t transaction,
    struct record_states *states)
{
	const struct transaction *tx = transaction_find(r, peer, transaction);
	uint32_t i;

	*states = (struct record_states){ .n_entries = 1,
		.states = { RECORD_IS_OPEN } };
	for (i = 0; tx != NULL && i < tx->n && i < RECORD_BEGIN_MAX; i++) {
		states->n_entries = (uint16_t)(i + 1);
		states->states[i] = own_slot(r, tx, i) != SLOT_NONE ?
		    RECORD_IS_NEW : tx->entries[i].slot == SLOT_MET ?
		    RECORD_IS_DONE : RECORD_IS_OPEN;
	}
}

/* ---- what becomes of a transaction ---- */

enum records_outcome
records_intent(struct records *r, const void *peer, uint64_t transaction)
{
	const struct record_list all = { .transaction = transaction };

	return for_listed(r, transaction_find(r, peer, transaction), &all,
	    record_set_intent);
}

enum records_outcome
records_done(struct records *r, const void *peer,
    const struct record_list *list)
{
	return for_listed(r, transaction_find(r, peer, list->transaction),
	    list, record_set_done);
}

enum records_outcome
records_withdraw(struct records *r, const void *peer,
    const struct record_list *list)
{
	struct transaction *tx = transaction_find(r, peer,
	    list->transaction);
	enum records_outcome outcome = for_listed(r, tx, list, record_drop);

	if (outcome == RECORDS_OK && tx->n_live == 0 &&
	    (list->n == 0 || tx->n_met == 0))
		transaction_free(r, &tx);
	return outcome;
}

void
records_settle(struct records *r, const void *peer, uint64_t transaction)
{
	struct transaction *tx = transaction_find(r, peer, transaction);

	if (tx == NULL)
		return;
	for_all(r, tx, record_settle);
	if (tx->n_live == 0 && tx->n_met == 0)
		transaction_free(r, &tx);
}

/* The client knows: no record of this key that says DONE is of use. */
static void
forget_met(struct records *r, const uint8_t *key)
{
	uint32_t next, slot = record_index_find(r->index, key, SLOT_NONE);

	for (; slot != SLOT_NONE; slot = next) {
		next = record_index_find(r->index, key, slot);
		if (slots_state(r->parts.slots, slot) == SLOT_DONE)
			record_drop(r, slot);
	}
	/* if that fails it stays until it expires */
	(void)ended_delete(r->parts.ended, key);
}

void
records_confirm(struct records *r, const void *peer, uint64_t transaction)
{
	struct transaction *tx = transaction_find(r, peer, transaction);

	if (tx == NULL)
		return;
	for_all(r, tx, record_confirm);
	for (uint32_t i = 0; i < tx->n && tx->n_met > 0; i++)
		if (tx->entries[i].slot == SLOT_MET)
			forget_met(r, tx->entries[i].key);
	transaction_free(r, &tx);
}

static void
transaction_end(struct records *r, struct transaction *tx)
{
	for_all(r, tx, record_orphan);
	transaction_free(r, &tx);
}

void
records_end(struct records *r, const void *peer, uint64_t transaction)
{
	struct transaction *tx = transaction_find(r, peer, transaction);

	if (tx != NULL)
		transaction_end(r, tx);
}

/* End those of this peer, or those that began before a time. */
static void
end_some(struct records *r, const void *peer, int64_t before_us)
{
	for (size_t i = 0; i < RECORDS_BUCKETS; i++) {
		struct transaction *next, *tx = r->buckets[i];

		for (; tx != NULL; tx = next) {
			next = tx->next;
			if ((peer != NULL && tx->peer == peer) ||
			    tx->began_us < before_us)
				transaction_end(r, tx);
		}
	}
}

void
records_peer_gone(struct records *r, const void *peer)
{
	end_some(r, peer, INT64_MIN);
}

/* ---- age ---- */

void
records_expire(struct records *r, int64_t now_us, int64_t now_s)
{
	uint32_t next, slot = record_first(r->index, LIST_WAITING);
	struct slot_content content;

	for (; slot != SLOT_NONE; slot = next) {
		next = record_next(r->index, slot);
		slots_read(r->parts.slots, slot, &content);
		if (content.at_s + RECORDS_LIFE_S < now_s)
			record_drop(r, slot);
	}
	end_some(r, NULL, now_us - (int64_t)RECORDS_TRANSACTION_LIFE_S *
	    1000000);
}

void
records_get_counts(const struct records *r, struct records_counts *counts)
{
	uint32_t n_unresolved =
	    record_list_count(r->index, LIST_UNRESOLVED) +
	    record_list_count(r->index, LIST_ASKED) +
	    record_list_count(r->index, LIST_WAITING);

	*counts = (struct records_counts){
		.n_live = slots_in_use(r->parts.slots),
		.n_unresolved = n_unresolved,
		.n_transactions = r->n_transactions,
		.n_unstored = record_list_count(r->index, LIST_UNSTORED),
		.n_refused = r->n_refused,
		.n_met = r->n_met,
	};
}

void
records_close(struct records **rp)
{
	struct records *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	/* owners go, records stay in their slots for the next start */
	for (size_t i = 0; i < RECORDS_BUCKETS; i++)
		while (r->buckets[i] != NULL) {
			struct transaction *tx = r->buckets[i];

			tx->n_live = 0;
			transaction_free(r, &tx);
		}
	record_index_free(&r->index);
	free(r);
}
