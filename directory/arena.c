/* SPDX-License-Identifier: ISC */
/*
 * arena.c - memory given back all at once; see arena.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "arena.h"

#define BLOCK_SIZE 16384
#define ALIGNMENT 16
#define SET_KEPT 64		/* slots that a reset keeps */

struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(ALIGNMENT) char data[];
};

static struct arena_block *
new_block(size_t size)
{
	struct arena_block *block;

	if (size < BLOCK_SIZE)
		size = BLOCK_SIZE;
	block = malloc(sizeof *block + size);
	if (block != NULL)
		*block = (struct arena_block){ .size = size };
	return block;
}

void *
arena_take(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->current;
	void *taken;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (block == NULL || block->size - block->used < size) {
		struct arena_block *more = new_block(size);

		if (more == NULL)
			return NULL;
		if (block == NULL)
			arena->first = more;
		else
			block->next = more;
		arena->current = block = more;
	}
	taken = block->data + block->used;
	block->used += size;
	return taken;
}

struct slice
arena_copy(struct arena *arena, struct slice s)
{
	char *copy = arena_take(arena, s.size + 1);

	if (copy == NULL)
		return (struct slice){ NULL, 0 };
	if (s.size > 0)
		memcpy(copy, s.data, s.size);
	copy[s.size] = '\0';
	return (struct slice){ copy, s.size };
}

static void
free_blocks(struct arena_block *block)
{
	while (block != NULL) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void
arena_reset(struct arena *arena)
{
	if (arena->first == NULL)
		return;
	free_blocks(arena->first->next);
	arena->first->next = NULL;
	arena->first->used = 0;
	arena->current = arena->first;
}

void
arena_free(struct arena *arena)
{
	free_blocks(arena->first);
	*arena = (struct arena){ 0 };
}

/* ---- sets ---- */

static uint64_t
hash(struct slice s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < s.size; i++)
		h = (h ^ (unsigned char)s.data[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

/* The slot that holds s, or the free one where it belongs. */
static struct slice *
find_slot(struct slice *slots, size_t capacity, struct slice s)
{
	size_t i = hash(s) & (capacity - 1);

	while (slots[i].data != NULL && !slice_equals(slots[i], s))
		i = (i + 1) & (capacity - 1);
	return &slots[i];
}

static int
grow_set(struct string_set *set)
{
	size_t capacity = set->capacity ? 2 * set->capacity : SET_KEPT;
	struct slice *slots = calloc(capacity, sizeof *slots);

	if (slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < set->capacity; i++)
		if (set->slots[i].data != NULL)
			*find_slot(slots, capacity, set->slots[i]) =
			    set->slots[i];
	free(set->slots);
	set->slots = slots;
	set->capacity = capacity;
	return 0;
}

int
string_set_add(struct string_set *set, struct slice s)
{
	struct slice *slot;

	if (2 * (set->n + 1) > set->capacity && grow_set(set) < 0)
		return -ENOMEM;
	slot = find_slot(set->slots, set->capacity, s);
	if (slot->data != NULL)
		return 0;
	*slot = s;
	set->n++;
	return 1;
}

void
string_set_reset(struct string_set *set)
{
	if (set->capacity > SET_KEPT) {
		string_set_free(set);
		return;
	}
	if (set->n > 0)
		memset(set->slots, 0, set->capacity * sizeof *set->slots);
	set->n = 0;
}

void
string_set_free(struct string_set *set)
{
	free(set->slots);
	*set = (struct string_set){ 0 };
}
