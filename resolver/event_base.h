/* SPDX-License-Identifier: ISC */
/*
 * event_base.h - libunbound on our loop, for this folder only.
 *
 * libunbound's pluggable event interface (unbound-event.h) over lib/loop: it
 * works in this process, without a thread, a helper process or an event
 * library that would have to be let through the sandbox.
 */
#ifndef RESOLVER_EVENT_BASE_H
#define RESOLVER_EVENT_BASE_H

#include "alarm.h"
#include "loop.h"

struct ub_event_base;

/* NULL without memory. For the life of the process: contexts use it. */
struct ub_event_base *event_base_new(struct loop *loop,
    struct alarms *alarms);

#endif
