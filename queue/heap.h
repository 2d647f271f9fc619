/* SPDX-License-Identifier: ISC */
/*
 * heap.h - which of many things is due first.
 *
 * A binary heap of items that stand in their owners' structs and know their
 * place, so that any of them can be taken out. Only queue uses this.
 */
#ifndef QUEUE_HEAP_H
#define QUEUE_HEAP_H

#include <stdint.h>

struct heap_item {
	int64_t due_s;
	uint32_t at;			/* place + 1; 0: in no heap */
};

struct heap {
	struct heap_item **items;
	uint32_t n, room;
};

/* -ENOMEM. An item that is in the heap already is moved. */
int heap_put(struct heap *h, struct heap_item *item, int64_t due_s);
void heap_take(struct heap *h, struct heap_item *item);
/* The first, which stays there; NULL when empty. */
struct heap_item *heap_first(const struct heap *h);
void heap_free(struct heap *h);

#endif
