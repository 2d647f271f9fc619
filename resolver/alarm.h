/* SPDX-License-Identifier: ISC */
/*
 * alarm.h - timers of any duration, for this folder only.
 *
 * A timer of lib/loop is cheap when many share one duration. libunbound's
 * are each measured for one server, and deadlines come from elsewhere: here
 * all wait in one heap, and one timer of the loop wakes for the first.
 */
#ifndef RESOLVER_ALARM_H
#define RESOLVER_ALARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "loop.h"

struct alarm;
struct alarms;

typedef void alarm_fn(void *arg);

struct alarm {			/* zeroed before first use; owner's memory */
	int64_t due_us;
	size_t place;		/* in the heap, from 1; 0: not running */
	alarm_fn *fn;
	void *arg;
};

/* NULL without memory. */
struct alarms *alarms_new(struct loop *loop);
/* Those that run are forgotten. */
void alarms_free(struct alarms **alarms);
/*
 * (Re)start; fires once, never before its time and never from within. after_us
 * 0 goes before all others: libunbound sends a first query by such a timer,
 * and repeats thousands when a server is dead. 0 or -ENOMEM.
 */
int alarm_start(struct alarms *alarms, struct alarm *alarm, int64_t after_us,
    alarm_fn *fn, void *arg);
void alarm_stop(struct alarms *alarms, struct alarm *alarm);
bool alarm_is_running(const struct alarm *alarm);

#endif
