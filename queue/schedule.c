/* SPDX-License-Identifier: ISC */
/*
 * schedule.c - turns of senders and destinations; see schedule.h.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include "lanes.h"


#define PART_OF(item) \
	((struct part *)(void *)((char *)(item) - offsetof(struct part, due)))
#define DESTINATION_OF(item) \
	((struct destination *)(void *)((char *)(item) - \
	offsetof(struct destination, probe)))

struct schedule *
schedule_new(const struct schedule_settings *settings)
{
	struct schedule *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	schedule_set(s, settings);
	s->random = settings->seed | 1;
	if (lanes_init(s))
		return s;
	schedule_free(&s);
	return NULL;
}

void
schedule_set(struct schedule *s, const struct schedule_settings *settings)
{
	s->settings = *settings;
	if (s->settings.per_destination == 0)
		s->settings.per_destination = 1;
	if (s->settings.most == 0)
		s->settings.most = 1;
}

void
schedule_free(struct schedule **s)
{
	if (*s == NULL)
		return;
	lanes_free(*s);
	heap_free(&(*s)->waiting);
	heap_free(&(*s)->probes);
	free(*s);
	*s = NULL;
}

/* ---- time ---- */

static uint64_t
next_random(struct schedule *s)
{
	s->random ^= s->random << 13;	/* xorshift: fine for jitter */
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

uint32_t
schedule_delay_s(struct schedule *s, unsigned tries)
{
	uint64_t delay = s->settings.retry_first_s;
	uint64_t most = s->settings.retry_longest_s;

	if (most < delay)
		most = delay;
	while (tries-- > 1 && delay < most)
		delay *= 2;
	if (delay > most)
		delay = most;
	/* up to a tenth more or less */
	delay += next_random(s) % (delay / 5 + 1);
	delay -= delay / 11;
	return delay < 1 ? 1 : (uint32_t)delay;
}

/* ---- destinations ---- */

/* How many more may run there now. */
static unsigned
free_places(const struct destination *d)
{
	unsigned limit = d->is_bad ? d->may_probe : d->limit;

	return d->n_running < limit ? limit - d->n_running : 0;
}

bool
destination_is_free(const struct destination *d)
{
	return free_places(d) > 0;
}

/* Let as many lanes go on as there are places. */
static void
resume(struct schedule *s, struct destination *d)
{
	for (unsigned n = free_places(d); n > 0 && d->blocked.first != NULL;
	     n--)
		lane_resume(s, d->blocked.first);
}

static void
destination_maybe_free(struct schedule *s, struct destination *d)
{
	if (d->n_parts > 0 || d->n_running > 0 || d->is_bad)
		return;
	destination_free(s, d);
}

static void
become_good(struct schedule *s, struct destination *d)
{
	unsigned most = s->settings.per_destination;

	if (d->is_bad) {
		d->is_bad = d->may_probe = false;
		heap_take(&s->probes, &d->probe);
		word_drop(&d->reason);
		s->n_bad--;
		d->n_failures = 0;
		d->limit = 1;
	} else {
		d->limit = d->limit * 2;
	}
	if (d->limit > most)
		d->limit = (uint16_t)most;
}

static void
become_bad(struct schedule *s, struct destination *d, struct slice reason,
    int64_t now_s)
{
	/* those that ran beside the first failure say nothing new */
	if (d->is_bad && !d->may_probe)
		return;
	if (!d->is_bad)
		s->n_bad++;
	d->is_bad = true;
	d->may_probe = false;
	if (d->n_failures < UINT16_MAX)
		d->n_failures++;
	if (reason.size > 0) {
		word_drop(&d->reason);
		d->reason = word_get(reason);
	}
	if (heap_put(&s->probes, &d->probe, now_s +
	    schedule_delay_s(s, d->n_failures)) != 0)
		d->may_probe = true;	/* without memory: at once */
}

/* ---- parts ---- */

int
schedule_join(struct schedule *s, struct part *part, struct slice name)
{
	part->destination = destination_get(s, name);
	if (part->destination == NULL)
		return -ENOMEM;
	part->destination->n_parts++;
	part->state = PART_IDLE;
	return 0;
}

void
schedule_rest(struct schedule *s, struct part *part)
{
	if (part->state == PART_WAITING) {
		heap_take(&s->waiting, &part->due);
		part->state = PART_IDLE;
	} else if (part->state == PART_READY) {
		lane_remove(s, part);
		part->state = PART_IDLE;
	}
}

void
schedule_leave(struct schedule *s, struct part *part)
{
	struct destination *d = part->destination;

	schedule_rest(s, part);
	word_drop(&part->reason);
	if (d == NULL)
		return;
	if (part->state == PART_RUNNING) {
		d->n_running--;
		s->n_running--;
		resume(s, d);
	}
	part->destination = NULL;
	d->n_parts--;
	destination_maybe_free(s, d);
}

int
schedule_wait(struct schedule *s, struct part *part, int64_t due_s)
{
	int error = heap_put(&s->waiting, &part->due, due_s);

	if (error == 0)
		part->state = PART_WAITING;
	return error;
}

static void
make_ready(struct schedule *s, struct part *part)
{
	heap_take(&s->waiting, &part->due);
	part->state = PART_IDLE;
	if (lane_append(s, part))
		part->state = PART_READY;
	else			/* no memory: a little later */
		(void)schedule_wait(s, part, part->due.due_s + 10);
}

static void
take_due(struct schedule *s, int64_t now_s)
{
	struct heap_item *item;

	while ((item = heap_first(&s->probes)) != NULL &&
	    item->due_s <= now_s) {
		struct destination *d = DESTINATION_OF(item);

		heap_take(&s->probes, item);
		d->may_probe = true;
		resume(s, d);
		if (d->n_parts == 0 && d->n_running == 0) {
			s->n_bad--;
			destination_free(s, d);
		}
	}
	while ((item = heap_first(&s->waiting)) != NULL &&
	    item->due_s <= now_s)
		make_ready(s, PART_OF(item));
}

struct part *
schedule_take(struct schedule *s, int64_t now_s)
{
	struct part *part;

	take_due(s, now_s);
	if (s->n_running >= s->settings.most)
		return NULL;
	part = lanes_next(s);
	if (part == NULL)
		return NULL;
	part->state = PART_RUNNING;
	part->destination->n_running++;
	s->n_running++;
	lanes_settle(s, part);
	return part;
}

int64_t
schedule_next_s(const struct schedule *s)
{
	const struct heap_item *a = heap_first(&s->waiting);
	const struct heap_item *b = heap_first(&s->probes);
	int64_t next = a != NULL ? a->due_s : INT64_MAX;

	return b != NULL && b->due_s < next ? b->due_s : next;
}

void
schedule_done(struct schedule *s, struct part *part, enum host_state host,
    struct slice reason, int64_t now_s)
{
	struct destination *d = part->destination;

	d->n_running--;
	s->n_running--;
	part->state = PART_IDLE;
	if (host == HOST_IS_GOOD)
		become_good(s, d);
	else if (host == HOST_IS_BAD)
		become_bad(s, d, reason, now_s);
	resume(s, d);
}

static void
flush_destination(struct schedule *s, struct destination *d)
{
	if (!d->is_bad)
		return;
	heap_take(&s->probes, &d->probe);
	d->may_probe = true;
	resume(s, d);
}

void
schedule_retry(struct schedule *s, struct part *part)
{
	if (part->destination == NULL || (part->state != PART_WAITING &&
	    part->state != PART_READY))
		return;
	part->is_asked_for = true;
	if (part->state == PART_WAITING)
		make_ready(s, part);
	flush_destination(s, part->destination);
}

/*
 * Those that wait in their lanes, too: for a free place, or because their
 * host is bad. One of them probes it, and relay must not spare it then.
 */
static void
ask_for_ready(struct schedule *s, struct slice name)
{
	for (uint32_t i = 0; i < SCHEDULE_BUCKETS; i++)
		for (struct lane *lane = s->lanes[i]; lane != NULL;
		     lane = lane->next_in_bucket) {
			if (name.size > 0 && !slice_equals_nocase(name,
			    word_slice(lane->destination->name)))
				continue;
			for (struct part *part = lane->first; part != NULL;
			     part = part->next)
				part->is_asked_for = true;
		}
}

/* A copy of the list, since the heap moves what is in it. */
void
schedule_flush(struct schedule *s, struct slice name)
{
	uint32_t n = s->waiting.n;
	struct heap_item **items = reallocarray(NULL, n + 1, sizeof *items);

	for (uint32_t i = 0; items != NULL && i < n; i++)
		items[i] = s->waiting.items[i];
	for (uint32_t i = 0; items != NULL && i < n; i++)
		if (name.size == 0 || slice_equals_nocase(name,
		    part_destination(PART_OF(items[i]))))
			make_ready(s, PART_OF(items[i]));
	free(items);
	ask_for_ready(s, name);
	destinations_each(s, name, flush_destination);
}

/* ---- what there is ---- */

struct slice
part_destination(const struct part *part)
{
	return word_slice(part->destination->name);
}

struct slice
part_reason(const struct part *part)
{
	if (part->destination->is_bad || part->reason == NULL)
		return word_slice(part->destination->reason);
	return word_slice(part->reason);
}

bool
part_host_is_bad(const struct part *part)
{
	return part->destination->is_bad;
}

struct schedule_counts
schedule_counts(const struct schedule *s)
{
	return (struct schedule_counts){ .n_running = s->n_running,
		.n_waiting = s->waiting.n, .n_bad = s->n_bad,
		.n_destinations = s->n_destinations };
}
