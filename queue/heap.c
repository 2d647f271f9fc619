/* SPDX-License-Identifier: ISC */
/*
 * heap.c - which is due first; see heap.h.
 */
#include <errno.h>
#include <stdlib.h>
#include "heap.h"

static void
place(struct heap *h, uint32_t at, struct heap_item *item)
{
	h->items[at] = item;
	item->at = at + 1;
}

static void
move_up(struct heap *h, struct heap_item *item)
{
	uint32_t at = item->at - 1;

	while (at > 0 && h->items[(at - 1) / 2]->due_s > item->due_s) {
		place(h, at, h->items[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(h, at, item);
}

static void
move_down(struct heap *h, struct heap_item *item)
{
	uint32_t at = item->at - 1;

	for (;;) {
		uint32_t child = at * 2 + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n &&
		    h->items[child + 1]->due_s < h->items[child]->due_s)
			child++;
		if (h->items[child]->due_s >= item->due_s)
			break;
		place(h, at, h->items[child]);
		at = child;
	}
	place(h, at, item);
}

int
heap_put(struct heap *h, struct heap_item *item, int64_t due_s)
{
	struct heap_item **grown;

	if (item->at == 0 && h->n == h->room) {
		uint32_t room = h->room ? h->room * 2 : 256;

		grown = reallocarray(h->items, room, sizeof *grown);
		if (grown == NULL)
			return -ENOMEM;
		h->items = grown;
		h->room = room;
	}
	item->due_s = due_s;
	if (item->at == 0)
		place(h, h->n++, item);
	move_up(h, item);
	move_down(h, item);
	return 0;
}

void
heap_take(struct heap *h, struct heap_item *item)
{
	struct heap_item *last;

	if (item->at == 0)
		return;
	last = h->items[--h->n];
	if (last != item) {
		place(h, item->at - 1, last);
		move_up(h, last);
		move_down(h, last);
	}
	item->at = 0;
}

struct heap_item *
heap_first(const struct heap *h)
{
	return h->n > 0 ? h->items[0] : NULL;
}

void
heap_free(struct heap *h)
{
	free(h->items);
	*h = (struct heap){ 0 };
}
