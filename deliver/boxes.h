/* SPDX-License-Identifier: ISC */
/*
 * boxes.h - what deliver's supervisor knows of each mailbox for a while.
 *
 * Whether it can be delivered to (asked of a worker, believed for five
 * seconds), and for those with a quota how much is in it and how much is
 * promised to deliveries under way. A reservation is held from RCPT until
 * the copy is committed or gone, so that parallel deliveries to the last
 * free octets cannot both have them.
 */
#ifndef DELIVER_BOXES_H
#define DELIVER_BOXES_H

#include <stdbool.h>
#include <stdint.h>
#include "loop.h"
#include "pool.h"
#include "route.h"

struct boxes;
struct box;

/* NULL without memory. */
struct boxes *boxes_new(struct loop *loop, struct pools *pools);

/* The leaf's mailbox, referenced; NULL without memory. */
struct box *box_get(struct boxes *boxes, const struct route_leaf *leaf);
void box_put(struct box **box);

struct box_waiter;
/* error: 0 or why nothing can be delivered there (negative errno). */
typedef void box_known_fn(struct box_waiter *waiter, int error);
struct box_waiter {		/* owner's memory, until fn was called */
	struct box_waiter *next;
	box_known_fn *fn;
};

/*
 * Calls waiter->fn once, now or later, with what is known; asks a worker
 * first when nothing is, or when size_bytes would not fit into what was
 * known a second ago (the owner may have made room).
 */
void box_probe(struct box *box, uint64_t size_bytes,
    struct box_waiter *waiter);
/* For how long it will be found deliverable without asking anybody; 0 for
 * one with a quota. */
uint32_t box_believed_ms(const struct box *box);
/* A delivery failed: believe nothing, ask again next time. */
void box_forget(struct box *box);

/*
 * Change a reservation from *held to size_bytes. 0, -EDQUOT, or -EFBIG when
 * so much would not even fit into an empty mailbox. Without quota: 0.
 */
int box_reserve(struct box *box, uint64_t size_bytes, uint64_t *held);
/* It went away, or (committed) became part of the mailbox. */
void box_release(struct box *box, uint64_t *held);
void box_committed(struct box *box, uint64_t *held);

/* What a worker needs to know of it. Valid while referenced. */
struct slice box_maildir(const struct box *box);
struct slice box_home(const struct box *box);
uint64_t box_quota(const struct box *box);
uint32_t box_hash(const struct box *box);

#endif
