/* SPDX-License-Identifier: ISC */
/*
 * lanes.c - who is next; see lanes.h.
 */
#include <stdlib.h>
#include "lanes.h"

#define LIMIT_FIRST 5		/* parts at a destination that is new */

bool
lanes_init(struct schedule *s)
{
	s->senders = calloc(SCHEDULE_BUCKETS, sizeof(*s->senders));
	s->lanes = calloc(SCHEDULE_BUCKETS, sizeof(*s->lanes));
	s->destinations = calloc(SCHEDULE_BUCKETS, sizeof(*s->destinations));
	return s->senders != NULL && s->lanes != NULL &&
	    s->destinations != NULL;
}

/* Words are unique, so their addresses are as good as their text. */
static uint32_t
bucket_of(const void *a, const void *b)
{
	uint64_t h = (uint64_t)(uintptr_t)a * 0x9e3779b97f4a7c15u ^
	    (uint64_t)(uintptr_t)b * 0xc2b2ae3d27d4eb4fu;

	return (uint32_t)(h >> 40) & (SCHEDULE_BUCKETS - 1);
}

/* ---- lists of lanes ---- */

static void
list_append(struct lane_list *list, struct lane *lane)
{
	lane->list = list;
	lane->next = NULL;
	lane->prev = list->last;
	if (list->last != NULL)
		list->last->next = lane;
	else
		list->first = lane;
	list->last = lane;
}

static void
list_remove(struct lane *lane)
{
	struct lane_list *list = lane->list;

	if (lane->prev != NULL)
		lane->prev->next = lane->next;
	else
		list->first = lane->next;
	if (lane->next != NULL)
		lane->next->prev = lane->prev;
	else
		list->last = lane->prev;
	lane->list = NULL;
}

/* ---- the ring of senders ---- */

static void
ring_enter(struct schedule *s, struct sender *sender)
{
	if (sender->after != NULL)
		return;
	if (s->turn == NULL) {
		sender->after = sender->before = sender;
		s->turn = sender;
		return;
	}
	/* last: right before the one whose turn it is */
	sender->after = s->turn;
	sender->before = s->turn->before;
	sender->before->after = sender;
	s->turn->before = sender;
}

static void
ring_leave(struct schedule *s, struct sender *sender)
{
	if (sender->after == NULL)
		return;
	if (s->turn == sender)
		s->turn = sender->after == sender ? NULL : sender->after;
	sender->before->after = sender->after;
	sender->after->before = sender->before;
	sender->after = sender->before = NULL;
}

static void
ring_update(struct schedule *s, struct sender *sender)
{
	if (sender->fresh.first != NULL || sender->resumed.first != NULL)
		ring_enter(s, sender);
	else
		ring_leave(s, sender);
}

/* ---- senders ---- */

static struct sender *
sender_get(struct schedule *s, struct word *user)
{
	struct sender **bucket = &s->senders[bucket_of(user, NULL)];
	struct sender *sender = *bucket;

	while (sender != NULL && sender->user != user)
		sender = sender->next;
	if (sender != NULL)
		return sender;
	sender = calloc(1, sizeof *sender);
	if (sender == NULL)
		return NULL;
	sender->user = word_share(user);
	sender->next = *bucket;
	*bucket = sender;
	return sender;
}

static void
sender_free(struct schedule *s, struct sender *sender)
{
	struct sender **at = &s->senders[bucket_of(sender->user, NULL)];

	ring_leave(s, sender);
	while (*at != sender)
		at = &(*at)->next;
	*at = sender->next;
	word_drop(&sender->user);
	free(sender);
}

/* ---- lanes ---- */

static struct lane *
lane_get(struct schedule *s, struct sender *sender, struct destination *d)
{
	struct lane **bucket = &s->lanes[bucket_of(sender, d)];
	struct lane *lane = *bucket;

	while (lane != NULL && (lane->sender != sender ||
	    lane->destination != d))
		lane = lane->next_in_bucket;
	if (lane != NULL)
		return lane;
	lane = calloc(1, sizeof *lane);
	if (lane == NULL)
		return NULL;
	lane->sender = sender;
	lane->destination = d;
	lane->next_in_bucket = *bucket;
	*bucket = lane;
	sender->n_lanes++;
	return lane;
}

/* It has no part left; its sender goes with its last lane. */
static void
lane_free(struct schedule *s, struct lane *lane)
{
	struct sender *sender = lane->sender;
	struct lane **at = &s->lanes[bucket_of(sender, lane->destination)];

	if (lane->list != NULL)
		list_remove(lane);
	while (*at != lane)
		at = &(*at)->next_in_bucket;
	*at = lane->next_in_bucket;
	free(lane);
	if (--sender->n_lanes == 0)
		sender_free(s, sender);
	else
		ring_update(s, sender);
}

/* Into the list where it belongs now, at the end. */
static void
lane_place(struct schedule *s, struct lane *lane)
{
	if (lane->list != NULL)
		list_remove(lane);
	list_append(destination_is_free(lane->destination) ?
	    &lane->sender->fresh : &lane->destination->blocked, lane);
	ring_update(s, lane->sender);
}

void
lane_resume(struct schedule *s, struct lane *lane)
{
	list_remove(lane);
	list_append(&lane->sender->resumed, lane);
	ring_update(s, lane->sender);
}

bool
lane_append(struct schedule *s, struct part *part)
{
	struct sender *sender = sender_get(s, part->user);
	struct lane *lane = sender == NULL ? NULL :
	    lane_get(s, sender, part->destination);

	if (lane == NULL) {
		if (sender != NULL && sender->n_lanes == 0)
			sender_free(s, sender);
		return false;
	}
	part->lane = lane;
	part->next = NULL;
	part->prev = lane->last;
	if (lane->last != NULL)
		lane->last->next = part;
	else
		lane->first = part;
	lane->last = part;
	if (lane->list == NULL)
		lane_place(s, lane);
	return true;
}

static void
lane_unlink(struct part *part)
{
	struct lane *lane = part->lane;

	if (part->prev != NULL)
		part->prev->next = part->next;
	else
		lane->first = part->next;
	if (part->next != NULL)
		part->next->prev = part->prev;
	else
		lane->last = part->prev;
	part->lane = NULL;
	part->next = part->prev = NULL;
}

void
lane_remove(struct schedule *s, struct part *part)
{
	struct lane *lane = part->lane;

	lane_unlink(part);
	if (lane->first == NULL)
		lane_free(s, lane);
}

/* ---- turns ---- */

/* New lanes and those that waited for a place take turns. */
static struct lane *
sender_choose(struct sender *sender)
{
	bool wants_resumed = sender->fresh.first == NULL ||
	    (!sender->was_resumed && sender->resumed.first != NULL);

	sender->was_resumed = wants_resumed;
	return wants_resumed ? sender->resumed.first : sender->fresh.first;
}

struct part *
lanes_next(struct schedule *s)
{
	while (s->turn != NULL) {
		struct lane *lane = sender_choose(s->turn);

		if (destination_is_free(lane->destination))
			return lane->first;
		lane_place(s, lane);	/* to the blocked ones */
	}
	return NULL;
}

void
lanes_settle(struct schedule *s, struct part *part)
{
	struct lane *lane = part->lane;
	struct sender *sender = lane->sender;

	if (s->turn == sender)
		s->turn = sender->after;
	lane_unlink(part);
	if (lane->first == NULL)
		lane_free(s, lane);
	else
		lane_place(s, lane);
}

/* ---- destinations ---- */

struct destination *
destination_get(struct schedule *s, struct slice text)
{
	struct word *name = word_get(text);
	struct destination *d, **bucket;

	if (name == NULL)
		return NULL;
	bucket = &s->destinations[bucket_of(name, NULL)];
	for (d = *bucket; d != NULL; d = d->next)
		if (d->name == name) {
			word_drop(&name);
			return d;
		}
	d = calloc(1, sizeof *d);
	if (d == NULL) {
		word_drop(&name);
		return NULL;
	}
	d->name = name;
	d->limit = s->settings.per_destination < LIMIT_FIRST ?
	    (uint16_t)s->settings.per_destination : LIMIT_FIRST;
	d->next = *bucket;
	*bucket = d;
	s->n_destinations++;
	return d;
}

void
destination_free(struct schedule *s, struct destination *d)
{
	struct destination **at = &s->destinations[bucket_of(d->name, NULL)];

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	s->n_destinations--;
	heap_take(&s->probes, &d->probe);
	word_drop(&d->name);
	word_drop(&d->reason);
	free(d);
}

void
destinations_each(struct schedule *s, struct slice name,
    void (*fn)(struct schedule *s, struct destination *d))
{
	for (uint32_t i = 0; i < SCHEDULE_BUCKETS; i++)
		for (struct destination *d = s->destinations[i]; d != NULL;
		     d = d->next)
			if (name.size == 0 || slice_equals_nocase(name,
			    word_slice(d->name)))
				fn(s, d);
}

/* Parts have left before; what remains are bad hosts without mail. */
void
lanes_free(struct schedule *s)
{
	for (uint32_t i = 0; s->destinations != NULL && i < SCHEDULE_BUCKETS;
	     i++)
		while (s->destinations[i] != NULL)
			destination_free(s, s->destinations[i]);
	free(s->senders);
	free(s->lanes);
	free(s->destinations);
}
