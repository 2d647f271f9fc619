/* SPDX-License-Identifier: ISC */
/*
 * alarm.c - see alarm.h.
 */
#include <errno.h>
#include <stdlib.h>
#include "alarm.h"
#include "clock.h"

struct alarms {
	struct loop *loop;
	struct loop_timer timer;
	int64_t timer_due_us;
	struct alarm **heap;		/* from 1; the first is the next */
	size_t n, room;
	bool is_ringing;
};

/*
 * A thousand that are due together must not keep sockets waiting; the rest
 * follows in the next round.
 */
#define RING_MAX 100
#define SOON_US 100

/* The loop's timer has these durations only, and 0: see loop.c. */
static const uint32_t steps_ms[] = { 3600000, 60000, 10000, 1000, 300, 100,
	30, 10, 3, 1 };

struct alarms *
alarms_new(struct loop *loop)
{
	struct alarms *alarms = calloc(1, sizeof *alarms);

	if (alarms != NULL)
		alarms->loop = loop;
	return alarms;
}

void
alarms_free(struct alarms **alarms)
{
	if (*alarms == NULL)
		return;
	for (size_t i = 1; i <= (*alarms)->n; i++)
		(*alarms)->heap[i]->place = 0;
	loop_timer_stop((*alarms)->loop, &(*alarms)->timer);
	free((*alarms)->heap);
	free(*alarms);
	*alarms = NULL;
}

/* ---- the heap ---- */

static void
put_at(struct alarms *alarms, size_t place, struct alarm *alarm)
{
	alarms->heap[place] = alarm;
	alarm->place = place;
}

static void
sift_up(struct alarms *alarms, struct alarm *alarm)
{
	size_t at = alarm->place;

	for (; at > 1; at /= 2) {
		struct alarm *above = alarms->heap[at / 2];

		if (above->due_us <= alarm->due_us)
			break;
		put_at(alarms, at, above);
	}
	put_at(alarms, at, alarm);
}

static void
sift_down(struct alarms *alarms, struct alarm *alarm)
{
	size_t at = alarm->place, below;

	for (; (below = 2 * at) <= alarms->n; at = below) {
		if (below < alarms->n && alarms->heap[below + 1]->due_us <
		    alarms->heap[below]->due_us)
			below++;
		if (alarm->due_us <= alarms->heap[below]->due_us)
			break;
		put_at(alarms, at, alarms->heap[below]);
	}
	put_at(alarms, at, alarm);
}

static int
make_room(struct alarms *alarms)
{
	size_t room = alarms->room ? alarms->room * 2 : 64;
	struct alarm **heap;

	if (alarms->n + 1 < alarms->room)
		return 0;
	heap = reallocarray(alarms->heap, room, sizeof *heap);
	if (heap == NULL)
		return -ENOMEM;
	alarms->heap = heap;
	alarms->room = room;
	return 0;
}

/* ---- the timer ---- */

static void on_timer(struct loop_timer *timer, void *arg);

/* Sleep for the longest step that does not sleep past the first alarm. */
static void
set_timer(struct alarms *alarms)
{
	int64_t left_us;
	uint32_t step_ms = 0;

	if (alarms->n == 0 || alarms->is_ringing)
		return;
	if (loop_timer_is_running(&alarms->timer) &&
	    alarms->timer_due_us <= alarms->heap[1]->due_us)
		return;
	left_us = alarms->heap[1]->due_us - loop_now_us(alarms->loop);
	for (size_t i = 0; left_us > SOON_US && i < sizeof steps_ms /
	    sizeof *steps_ms; i++) {
		step_ms = steps_ms[i];
		if ((int64_t)step_ms * 1000 <= left_us)
			break;
	}
	alarms->timer_due_us = loop_now_us(alarms->loop) +
	    (int64_t)step_ms * 1000;
	loop_timer_start(alarms->loop, &alarms->timer, step_ms, on_timer,
	    alarms);
}

static void
on_timer(struct loop_timer *timer, void *arg)
{
	struct alarms *alarms = arg;
	int64_t now_us = clock_monotonic_us();

	(void)timer;
	alarms->is_ringing = true;
	for (unsigned n = 0; n < RING_MAX && alarms->n > 0 &&
	    alarms->heap[1]->due_us <= now_us; n++) {
		struct alarm *alarm = alarms->heap[1];

		alarm_stop(alarms, alarm);
		alarm->fn(alarm->arg);
	}
	alarms->is_ringing = false;
	set_timer(alarms);
}

/* ---- alarms ---- */

int
alarm_start(struct alarms *alarms, struct alarm *alarm, int64_t after_us,
    alarm_fn *fn, void *arg)
{
	int error;

	alarm_stop(alarms, alarm);
	error = make_room(alarms);
	if (error)
		return error;
	alarm->due_us = after_us > 0 ? clock_monotonic_us() + after_us : 0;
	alarm->fn = fn;
	alarm->arg = arg;
	alarm->place = ++alarms->n;
	sift_up(alarms, alarm);
	set_timer(alarms);
	return 0;
}

void
alarm_stop(struct alarms *alarms, struct alarm *alarm)
{
	struct alarm *last;

	if (alarm->place == 0)
		return;
	last = alarms->heap[alarms->n--];
	if (last != alarm) {
		last->place = alarm->place;
		sift_up(alarms, last);
		sift_down(alarms, last);
	}
	alarm->place = 0;
}

bool
alarm_is_running(const struct alarm *alarm)
{
	return alarm->place != 0;
}
