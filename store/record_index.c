/* SPDX-License-Identifier: ISC */
/*
 * record_index.c - see record_index.h.
 *
 * Everything is allocated once, as the number of slots is fixed; the memory
 * of slots that are never used is never touched.
 */
#include <stdlib.h>
#include <string.h>
#include "record_index.h"

#define N_BUCKETS (SLOTS_MAX * 2)

struct list {
	uint32_t first, last, n;
};

struct record_index {
	struct record records[SLOTS_MAX];
	uint32_t buckets[N_BUCKETS];	/* slot + 1; 0: empty */
	struct list lists[LIST_COUNT];
};

struct record_index *
record_index_new(void)
{
	struct record_index *ix = calloc(1, sizeof *ix);

	for (size_t i = 0; ix != NULL && i < LIST_COUNT; i++)
		ix->lists[i].first = ix->lists[i].last = SLOT_NONE;
	return ix;
}

void
record_index_free(struct record_index **ix)
{
	free(*ix);
	*ix = NULL;
}

struct record *
record_at(struct record_index *ix, uint32_t slot)
{
	return &ix->records[slot];
}

/* Keys are MACs: any of their bits do. */
static uint32_t *
bucket_of(struct record_index *ix, const uint8_t *key)
{
	uint32_t hash;

	memcpy(&hash, key + 4, sizeof hash);
	return &ix->buckets[hash % N_BUCKETS];
}

void
record_index_add(struct record_index *ix, uint32_t slot,
    const uint8_t key[SLOT_KEY_SIZE])
{
	struct record *record = &ix->records[slot];
	uint32_t *bucket = bucket_of(ix, key);

	memset(record, 0, sizeof *record);
	memcpy(record->key, key, SLOT_KEY_SIZE);
	record->next_in_bucket = *bucket;
	*bucket = slot + 1;
}

void
record_index_remove(struct record_index *ix, uint32_t slot)
{
	uint32_t *at = bucket_of(ix, ix->records[slot].key);

	record_move(ix, slot, LIST_NONE);
	while (*at != slot + 1)
		at = &ix->records[*at - 1].next_in_bucket;
	*at = ix->records[slot].next_in_bucket;
}

uint32_t
record_index_find(struct record_index *ix, const uint8_t key[SLOT_KEY_SIZE],
    uint32_t after)
{
	uint32_t at = after == SLOT_NONE ? *bucket_of(ix, key) :
	    ix->records[after].next_in_bucket;

	while (at != 0 &&
	    memcmp(ix->records[at - 1].key, key, SLOT_KEY_SIZE) != 0)
		at = ix->records[at - 1].next_in_bucket;
	return at == 0 ? SLOT_NONE : at - 1;
}

static void
list_take_out(struct record_index *ix, uint32_t slot)
{
	struct record *record = &ix->records[slot];
	struct list *list = &ix->lists[record->list];

	if (record->prev == SLOT_NONE)
		list->first = record->next;
	else
		ix->records[record->prev].next = record->next;
	if (record->next == SLOT_NONE)
		list->last = record->prev;
	else
		ix->records[record->next].prev = record->prev;
	list->n--;
}

static void
list_append(struct record_index *ix, uint32_t slot, struct list *list)
{
	struct record *record = &ix->records[slot];

	record->next = SLOT_NONE;
	record->prev = list->last;
	if (list->last == SLOT_NONE)
		list->first = slot;
	else
		ix->records[list->last].next = slot;
	list->last = slot;
	list->n++;
}

void
record_move(struct record_index *ix, uint32_t slot, enum record_list_name to)
{
	struct record *record = &ix->records[slot];

	if (record->list != LIST_NONE)
		list_take_out(ix, slot);
	record->list = (uint8_t)to;
	if (to != LIST_NONE)
		list_append(ix, slot, &ix->lists[to]);
}

uint32_t
record_first(const struct record_index *ix, enum record_list_name list)
{
	return ix->lists[list].first;
}

uint32_t
record_next(const struct record_index *ix, uint32_t slot)
{
	return ix->records[slot].next;
}

uint32_t
record_list_count(const struct record_index *ix, enum record_list_name list)
{
	return ix->lists[list].n;
}
