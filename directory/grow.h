/* SPDX-License-Identifier: ISC */
/*
 * grow.h - room for one more item in an array that doubles.
 *
 * The capacity is implied: arrays of 0, 1, 2, 4, 8 ... items are full.
 */
#ifndef DIRECTORY_GROW_H
#define DIRECTORY_GROW_H

#include <stddef.h>
#include <stdlib.h>

/* The array, moved if needed, or NULL without memory (then unchanged). */
static inline void *
grow_array(void *items, size_t n, size_t item_size)
{
	if ((n & (n - 1)) != 0)
		return items;
	return reallocarray(items, n ? 2 * n : 1, item_size);
}

#endif
