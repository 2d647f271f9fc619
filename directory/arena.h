/* SPDX-License-Identifier: ISC */
/*
 * arena.h - memory that is given back all at once, and a set of strings.
 *
 * One resolution takes what it needs and resets the arena afterwards; its
 * first block is kept, so that a usual look-up allocates nothing.
 */
#ifndef DIRECTORY_ARENA_H
#define DIRECTORY_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

struct arena_block;

struct arena {			/* zero it before first use */
	struct arena_block *first, *current;
};

/* Aligned for any type. NULL without memory. */
void *arena_take(struct arena *arena, size_t size);
/* A terminated copy; data is NULL without memory. */
struct slice arena_copy(struct arena *arena, struct slice s);
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

struct string_set {		/* zero it before first use */
	struct slice *slots;	/* open addressing; data NULL: free */
	size_t capacity, n;
};

/*
 * Add s, whose memory must last as long as the set. 1 when it is new, 0
 * when it is there already, -ENOMEM.
 */
int string_set_add(struct string_set *set, struct slice s);
void string_set_reset(struct string_set *set);
void string_set_free(struct string_set *set);

#endif
