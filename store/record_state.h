/* SPDX-License-Identifier: ISC */
/*
 * record_state.h - what is inside of struct records, for records.c (what an
 * smtpd says) and orphans.c (what becomes of records without a session).
 */
#ifndef STORE_RECORD_STATE_H
#define STORE_RECORD_STATE_H

#include "record_index.h"
#include "records.h"

#define RECORDS_BUCKETS 16384
#define ENTRIES_FEW 2
#define SLOT_MET (SLOT_NONE - 1)	/* an earlier record says DONE */

struct entry {
	uint8_t key[SLOT_KEY_SIZE];
	uint32_t slot;		/* or SLOT_MET, or SLOT_NONE: OPEN */
};

struct transaction {
	struct transaction *next;
	const void *peer;
	uint64_t id;
	int64_t began_us;
	uint32_t n, room;
	uint32_t n_live;	/* records that it owns */
	uint32_t n_met;
	bool is_cut;		/* some entries had no room: all OPEN */
	struct entry *entries;	/* few, or allocated */
	struct entry few[ENTRIES_FEW];
};

struct records {
	struct records_parts parts;
	struct record_index *index;
	struct transaction *buckets[RECORDS_BUCKETS];
	uint32_t n_transactions;
	uint32_t n_entries;
	uint64_t n_refused, n_met;
};

/* Nobody can tell what became of it: it has no file. */
bool record_is_last(struct records *r, uint32_t slot);
/* Forget it: out of the index, its slot free, its owner poorer. */
void record_drop(struct records *r, uint32_t slot);

#endif
