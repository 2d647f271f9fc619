/* SPDX-License-Identifier: ISC */
/*
 * record_index.h - the live records in memory: by key, and in work lists.
 *
 * A record is known by the number of its slot. It is in the index while its
 * slot is taken, and in at most one list. Only records.c uses this.
 */
#ifndef STORE_RECORD_INDEX_H
#define STORE_RECORD_INDEX_H

#include <stdint.h>
#include "slots.h"

struct transaction;

enum record_list_name {
	LIST_NONE,
	LIST_UNRESOLVED,	/* to be asked about */
	LIST_ASKED,		/* deliver's answer is awaited */
	LIST_WAITING,		/* deliver did not know; again later */
	LIST_UNSTORED,		/* DONE, to be put on disk */
	LIST_STORING,		/* put, not yet committed */
	LIST_COUNT
};

struct record {
	uint8_t key[SLOT_KEY_SIZE];
	struct transaction *owner;	/* NULL: its session is over */
	int64_t wake_us;		/* in LIST_WAITING */
	uint32_t next_in_bucket;
	uint32_t next, prev;		/* in its list */
	uint8_t list;
	uint8_t n_tries;
};

struct record_index;

/* NULL without memory. */
struct record_index *record_index_new(void);
void record_index_free(struct record_index **ix);
struct record *record_at(struct record_index *ix, uint32_t slot);
void record_index_add(struct record_index *ix, uint32_t slot,
    const uint8_t key[SLOT_KEY_SIZE]);
/* Out of its list, too. */
void record_index_remove(struct record_index *ix, uint32_t slot);
/* The first of this key (after SLOT_NONE) or the next; or SLOT_NONE. */
uint32_t record_index_find(struct record_index *ix,
    const uint8_t key[SLOT_KEY_SIZE], uint32_t after);

/* To the end of a list (or LIST_NONE: out of the one it is in). */
void record_move(struct record_index *ix, uint32_t slot,
    enum record_list_name to);
/* SLOT_NONE at the end; the next must be fetched before a move. */
uint32_t record_first(const struct record_index *ix,
    enum record_list_name list);
uint32_t record_next(const struct record_index *ix, uint32_t slot);
uint32_t record_list_count(const struct record_index *ix,
    enum record_list_name list);

#endif
