/* SPDX-License-Identifier: ISC */
/*
 * orphans.c - delivery records whose session is over; see records.h.
 *
 *	UNRESOLVED -> ASKED -> dropped | UNSTORED | WAITING -> UNRESOLVED
 *	UNSTORED -> STORING -> dropped, on disk | UNSTORED (the disk failed)
 *
 * A record stays in its slot until it is safe elsewhere, so a crash between
 * any two of these finds it again at the next start.
 */
#include <assert.h>
#include "record_state.h"

#define STORE_AT_ONCE 512	/* records in one commit */
#define PAUSE_MAX_US 60000000

void
record_drop(struct records *r, uint32_t slot)
{
	struct record *record = record_at(r->index, slot);

	if (record->owner != NULL)
		record->owner->n_live--;
	record->owner = NULL;
	record_index_remove(r->index, slot);
	slots_release(r->parts.slots, slot);
}

bool
record_is_last(struct records *r, uint32_t slot)
{
	struct slot_content content;

	slots_read(r->parts.slots, slot, &content);
	return slice_starts_nocase(content.maildir, SLICE(RECORD_LAST));
}

/* ---- unresolved records ---- */

uint32_t
records_next_unresolved(struct records *r, struct resolve_ask *ask)
{
	uint32_t slot = record_first(r->index, LIST_UNRESOLVED);
	struct slot_content content;

	while (slot != SLOT_NONE && record_is_last(r, slot)) {
		record_drop(r, slot);
		slot = record_first(r->index, LIST_UNRESOLVED);
	}
	if (slot == SLOT_NONE)
		return SLOT_NONE;
	slots_read(r->parts.slots, slot, &content);
	*ask = (struct resolve_ask){ .uid = content.uid, .gid = content.gid,
		.maildir = content.maildir, .file = content.file };
	record_move(r->index, slot, LIST_ASKED);
	return slot;
}

void
records_resolved(struct records *r, uint32_t slot,
    enum resolution resolution, int64_t now_us)
{
	struct record *record = record_at(r->index, slot);
	int64_t pause_us = PAUSE_MAX_US;

	assert(record->list == LIST_ASKED);
	if (slots_state(r->parts.slots, slot) == SLOT_BEGUN ||
	    resolution == RESOLVED_NOT_DELIVERED) {
		record_drop(r, slot);
	} else if (resolution == RESOLVED_DELIVERED) {
		slots_set_state(r->parts.slots, slot, SLOT_DONE);
		record_move(r->index, slot, LIST_UNSTORED);
	} else {
		if (record->n_tries < 6)
			pause_us = (int64_t)1000000 << record->n_tries++;
		record->wake_us = now_us + pause_us;
		record_move(r->index, slot, LIST_WAITING);
	}
}

void
records_wake(struct records *r, int64_t now_us)
{
	uint32_t next, slot = record_first(r->index, LIST_WAITING);

	for (; slot != SLOT_NONE; slot = next) {
		next = record_next(r->index, slot);
		if (record_at(r->index, slot)->wake_us <= now_us)
			record_move(r->index, slot, LIST_UNRESOLVED);
	}
}

/* ---- to disk ---- */

bool
records_have_unstored(const struct records *r)
{
	return record_first(r->index, LIST_UNSTORED) != SLOT_NONE;
}

int
records_store(struct records *r)
{
	struct slot_content content;
	uint32_t slot;
	int error;

	for (unsigned n = 0; n < STORE_AT_ONCE; n++) {
		slot = record_first(r->index, LIST_UNSTORED);
		if (slot == SLOT_NONE)
			break;
		slots_read(r->parts.slots, slot, &content);
		error = ended_put(r->parts.ended, content.key,
		    content.at_s + RECORDS_LIFE_S);
		if (error)
			return error;
		record_move(r->index, slot, LIST_STORING);
	}
	return 0;
}

void
records_stored(struct records *r, int error)
{
	uint32_t slot;

	while ((slot = record_first(r->index, LIST_STORING)) != SLOT_NONE)
		if (error)
			record_move(r->index, slot, LIST_UNSTORED);
		else
			record_drop(r, slot);
	if (error)
		(void)ended_recount(r->parts.ended);
}
