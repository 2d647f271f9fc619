/* SPDX-License-Identifier: ISC */
/*
 * lanes.h - who is next: senders, destinations and the lanes between them.
 *
 * The inner half of schedule.c; nobody else includes it.
 *
 *	ring of senders --> sender --> fresh lanes, resumed lanes
 *	destination --> blocked lanes (no free place there)
 *
 * A lane is in exactly one of these lists as long as it has parts, and is
 * gone when it has none. A sender is in the ring as long as it has a lane
 * that is not blocked, and is gone when it has no lane at all.
 */
#ifndef QUEUE_LANES_H
#define QUEUE_LANES_H

#include "schedule.h"

struct lane_list {
	struct lane *first, *last;
};

struct sender {
	struct sender *next;		/* in its bucket */
	struct word *user;
	struct sender *after, *before;	/* in the ring; NULL: not there */
	struct lane_list fresh, resumed;
	uint32_t n_lanes;
	bool was_resumed;		/* the last one was: take turns */
};

struct lane {
	struct lane *next_in_bucket;
	struct sender *sender;
	struct destination *destination;
	struct part *first, *last;
	struct lane_list *list;		/* the one it is in */
	struct lane *next, *prev;
};

struct destination {
	struct destination *next;	/* in its bucket */
	struct word *name;
	struct word *reason;		/* why it is bad */
	struct lane_list blocked;
	struct heap_item probe;
	uint32_t n_parts, n_running;
	uint16_t limit;			/* that may run at once */
	uint16_t n_failures;
	bool is_bad, may_probe;
};

#define SCHEDULE_BUCKETS 65536u		/* of each table; a power of two */

struct schedule {
	struct schedule_settings settings;
	uint64_t random;
	struct heap waiting, probes;
	struct sender **senders;
	struct lane **lanes;
	struct destination **destinations;
	struct sender *turn;		/* the ring */
	uint32_t n_running, n_destinations, n_bad;
};

bool lanes_init(struct schedule *s);
void lanes_free(struct schedule *s);
/* Made when there is none; NULL without memory. */
struct destination *destination_get(struct schedule *s, struct slice name);
void destination_free(struct schedule *s, struct destination *d);
bool destination_is_free(const struct destination *d);
/* name "" is all. fn must not free it. */
void destinations_each(struct schedule *s, struct slice name,
    void (*fn)(struct schedule *s, struct destination *d));
/* At the end of its lane; false without memory. */
bool lane_append(struct schedule *s, struct part *part);
void lane_remove(struct schedule *s, struct part *part);
/* From blocked to its sender's resumed ones. */
void lane_resume(struct schedule *s, struct lane *lane);
/* Whose turn it is; the part stays in its lane until lanes_settle. */
struct part *lanes_next(struct schedule *s);
/* It has been taken: out of its lane, and the turn goes on. */
void lanes_settle(struct schedule *s, struct part *part);

#endif
