/* SPDX-License-Identifier: ISC */
/*
 * believed.c - see believed.h.
 */
#include <stdlib.h>
#include <string.h>
#include "believed.h"

#define SLOTS 4096

struct belief {
	uint32_t uid, check;		/* of the mailbox */
	int64_t until_us;
};

struct believed {
	struct belief slots[SLOTS];
};

struct believed *
believed_new(void)
{
	return calloc(1, sizeof(struct believed));
}

void
believed_free(struct believed **believed)
{
	free(*believed);
	*believed = NULL;
}

/* Another hash than slice_hash, from the end: one slot's are told apart. */
static uint32_t
check_of(struct slice path)
{
	uint32_t sum = (uint32_t)path.size;

	for (size_t i = path.size; i > 0; i--)
		sum = (sum ^ (uint8_t)path.data[i - 1]) * 16777619u;
	return sum;
}

/* The slot of a route's only mailbox, and what has to stand there; NULL:
 * it is not such a route. */
static const struct belief *
slot_of(const struct believed *believed, const struct route *route,
    struct belief *key)
{
	const struct route_leaf *leaf = route->leaves;

	if (believed == NULL || route->kind != ROUTE_MAILBOX ||
	    route->n_leaves != 1 || leaf->quota_bytes != 0)
		return NULL;
	key->uid = (uint32_t)leaf->uid;
	key->check = check_of(leaf->maildir);
	return &believed->slots[(slice_hash(leaf->maildir) ^ key->uid) %
	    SLOTS];
}

bool
believed_has(const struct believed *believed, const struct route *route,
    int64_t now_us)
{
	struct belief key;
	const struct belief *b = slot_of(believed, route, &key);

	return b != NULL && b->uid == key.uid && b->check == key.check &&
	    now_us < b->until_us;
}

void
believed_note(struct believed *believed, const struct route *route,
    int64_t now_us, uint32_t for_ms)
{
	struct belief key;
	const struct belief *b;

	if (for_ms == 0)
		return;
	b = slot_of(believed, route, &key);
	if (b == NULL)
		return;
	key.until_us = now_us + for_ms * 1000ll;
	believed->slots[b - believed->slots] = key;
}

void
believed_forget(struct believed *believed)
{
	if (believed != NULL)
		memset(believed, 0, sizeof *believed);
}
