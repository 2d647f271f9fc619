/* SPDX-License-Identifier: ISC */
/*
 * event_base.c - see event_base.h.
 *
 * The rules are libevent's: an event without UB_EV_PERSIST is taken off
 * before its call-back, one with it stays and its time limit begins anew.
 * A call-back may free its event, so nothing is done with it afterwards.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unbound.h>
#include <unbound-event.h>
#include "event_base.h"

#define IO_BITS (UB_EV_READ | UB_EV_WRITE)

struct event_base {
	struct ub_event_base ub;	/* first: what libunbound sees */
	struct loop *loop;
	struct alarms *alarms;
};

struct event {
	struct ub_event ub;		/* first */
	struct event_base *base;
	int fd;
	short bits;
	void (*fn)(int, short, void *);
	void *arg;
	struct loop_io io;
	struct alarm alarm;
	int64_t limit_us;		/* of one that persists; 0: none */
};

/* ---- events ---- */

static int
del(struct ub_event *ub)
{
	struct event *event = (struct event *)ub;

	loop_unwatch(event->base->loop, &event->io);
	alarm_stop(event->base->alarms, &event->alarm);
	return 0;
}

static void
on_alarm(void *arg)
{
	struct event *event = arg;

	if (!(event->bits & UB_EV_PERSIST))
		loop_unwatch(event->base->loop, &event->io);
	event->fn(event->fd, UB_EV_TIMEOUT, event->arg);
}

static int
set_limit(struct event *event)
{
	return alarm_start(event->base->alarms, &event->alarm,
	    event->limit_us, on_alarm, event) ? -1 : 0;
}

static void
on_io(struct loop_io *io, uint32_t events, void *arg)
{
	struct event *event = arg;
	short bits = 0;

	(void)io;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		bits |= UB_EV_READ;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		bits |= UB_EV_WRITE;
	bits &= event->bits;
	if (bits == 0)
		return;
	if (!(event->bits & UB_EV_PERSIST))
		(void)del(&event->ub);
	else if (event->limit_us > 0)
		(void)set_limit(event);
	event->fn(event->fd, bits, event->arg);
}

static int
add(struct ub_event *ub, struct timeval *limit)
{
	struct event *event = (struct event *)ub;
	uint32_t events = (event->bits & UB_EV_READ ? EPOLLIN : 0u) |
	    (event->bits & UB_EV_WRITE ? EPOLLOUT : 0u);

	loop_unwatch(event->base->loop, &event->io);
	if ((event->bits & IO_BITS) && event->fd >= 0 &&
	    loop_watch(event->base->loop, &event->io, event->fd, events,
	    on_io, event) != 0)
		return -1;
	event->limit_us = limit ? (int64_t)limit->tv_sec * 1000000 +
	    limit->tv_usec : 0;
	if (event->limit_us > 0)
		return set_limit(event);
	alarm_stop(event->base->alarms, &event->alarm);
	return 0;
}

static void
add_bits(struct ub_event *ub, short bits)
{
	struct event *event = (struct event *)ub;

	event->bits = (short)(event->bits | bits);
}

static void
del_bits(struct ub_event *ub, short bits)
{
	struct event *event = (struct event *)ub;

	event->bits = (short)(event->bits & ~bits);
}

static void
set_fd(struct ub_event *ub, int fd)
{
	struct event *event = (struct event *)ub;

	event->fd = fd;
}

static void
event_free(struct ub_event *ub)
{
	(void)del(ub);
	free(ub);
}

static int
add_timer(struct ub_event *ub, struct ub_event_base *base,
    void (*fn)(int, short, void *), void *arg, struct timeval *after)
{
	struct event *event = (struct event *)ub;

	(void)base;
	event->fn = fn;
	event->arg = arg;
	event->limit_us = (int64_t)after->tv_sec * 1000000 + after->tv_usec;
	return set_limit(event);
}

static int
del_timer(struct ub_event *ub)
{
	struct event *event = (struct event *)ub;

	alarm_stop(event->base->alarms, &event->alarm);
	return 0;
}

/* libunbound has no signals of its own, and this is not Windows. */
static int
add_signal(struct ub_event *ub, struct timeval *limit)
{
	(void)ub;
	(void)limit;
	return -1;
}

static int
del_signal(struct ub_event *ub)
{
	(void)ub;
	return -1;
}

static void
unregister_wsaevent(struct ub_event *ub)
{
	(void)ub;
}

static void
would_block(struct ub_event *ub, int bits)
{
	(void)ub;
	(void)bits;
}

/* ---- the base ---- */

static struct ub_event *
new_event(struct ub_event_base *ub, int fd, short bits,
    void (*fn)(int, short, void *), void *arg)
{
	static struct ub_event_vmt methods = { .add_bits = add_bits,
		.del_bits = del_bits, .set_fd = set_fd, .free = event_free,
		.add = add, .del = del, .add_timer = add_timer,
		.del_timer = del_timer, .add_signal = add_signal,
		.del_signal = del_signal,
		.winsock_unregister_wsaevent = unregister_wsaevent,
		.winsock_tcp_wouldblock = would_block };
	struct event *event = calloc(1, sizeof *event);

	if (event == NULL)
		return NULL;
	event->ub = (struct ub_event){ UB_EVENT_MAGIC, &methods };
	event->base = (struct event_base *)ub;
	event->fd = fd;
	event->bits = bits;
	event->fn = fn;
	event->arg = arg;
	return &event->ub;
}

static struct ub_event *
new_signal(struct ub_event_base *ub, int signo,
    void (*fn)(int, short, void *), void *arg)
{
	(void)ub;
	(void)signo;
	(void)fn;
	(void)arg;
	return NULL;
}

static struct ub_event *
register_wsaevent(struct ub_event_base *ub, void *wsaevent,
    void (*fn)(int, short, void *), void *arg)
{
	(void)ub;
	(void)wsaevent;
	(void)fn;
	(void)arg;
	return NULL;
}

static void
base_free(struct ub_event_base *ub)
{
	(void)ub;	/* it is the process's */
}

static int
dispatch(struct ub_event_base *ub)
{
	(void)ub;
	return -1;
}

static int
loopexit(struct ub_event_base *ub, struct timeval *after)
{
	(void)ub;
	(void)after;
	return 0;
}

struct ub_event_base *
event_base_new(struct loop *loop, struct alarms *alarms)
{
	static struct ub_event_base_vmt methods = { .free = base_free,
		.dispatch = dispatch, .loopexit = loopexit,
		.new_event = new_event, .new_signal = new_signal,
		.winsock_register_wsaevent = register_wsaevent };
	struct event_base *base = calloc(1, sizeof *base);

	if (base == NULL)
		return NULL;
	base->ub = (struct ub_event_base){ UB_EVENT_MAGIC, &methods };
	base->loop = loop;
	base->alarms = alarms;
	return &base->ub;
}
