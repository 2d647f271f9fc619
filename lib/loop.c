/* SPDX-License-Identifier: ISC */
/*
 * loop.c - the event loop; see loop.h.
 *
 * epoll's data holds {slot, serial}. A slot is freed by loop_unwatch and its
 * serial raised, so an event that was fetched before the watch went away, or
 * that belongs to a descriptor number that was used again, finds no match.
 *
 * Timers of one duration wait in one list in the order of their start: the
 * first of each list is the next of that duration.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "clock.h"
#include "loop.h"

#define MAX_EVENTS 256
#define MAX_CLASSES 48
#define MAX_ROUND_FNS 8
#define MAX_SIGNALS 8

struct slot {
	struct loop_io *io;
	uint32_t serial;
	uint32_t next_free;
};

/* Every timer of one duration; the last class takes what does not fit. */
struct loop_class {
	uint32_t after_ms;
	struct loop_timer *first, *last;
};

struct loop {
	int epoll_fd;
	bool is_stopped;
	int64_t now_us;
	struct slot *slots;
	uint32_t n_slots, free_slot;
	struct loop_class classes[MAX_CLASSES];
	unsigned n_classes;
	struct { loop_round_fn *fn; void *arg; } rounds[MAX_ROUND_FNS];
	unsigned n_rounds;
	bool is_again;			/* loop_again */
	int signal_fd;
	sigset_t signals;
	struct loop_io signal_io;
	struct { int signo; loop_signal_fn *fn; void *arg; }
	    handlers[MAX_SIGNALS];
	unsigned n_handlers;
};

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL)
		return NULL;
	loop->signal_fd = -1;
	loop->n_slots = 1;	/* slot 0 means "not watched" */
	loop->slots = calloc(1, sizeof *loop->slots);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->slots == NULL || loop->epoll_fd < 0) {
		loop_free(&loop);
		return NULL;
	}
	sigemptyset(&loop->signals);
	loop->now_us = clock_monotonic_us();
	return loop;
}

void
loop_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	if ((*loop)->epoll_fd >= 0)
		close((*loop)->epoll_fd);
	if ((*loop)->signal_fd >= 0)
		close((*loop)->signal_fd);
	free((*loop)->slots);
	free(*loop);
	*loop = NULL;
}

static int
slot_take(struct loop *loop, struct loop_io *io)
{
	uint32_t slot = loop->free_slot;

	if (slot != 0) {
		loop->free_slot = loop->slots[slot].next_free;
	} else {
		uint32_t wanted = loop->n_slots < 32 ? 64 : loop->n_slots * 2;
		struct slot *slots = reallocarray(loop->slots, wanted,
		    sizeof *slots);

		if (slots == NULL)
			return -ENOMEM;
		memset(slots + loop->n_slots, 0,
		    (wanted - loop->n_slots) * sizeof *slots);
		for (uint32_t i = wanted - 1; i > loop->n_slots; i--) {
			slots[i].next_free = loop->free_slot;
			loop->free_slot = i;
		}
		slot = loop->n_slots;
		loop->slots = slots;
		loop->n_slots = wanted;
	}
	loop->slots[slot].io = io;
	io->slot = slot;
	return 0;
}

static void
slot_give_back(struct loop *loop, struct loop_io *io)
{
	struct slot *slot = &loop->slots[io->slot];

	slot->io = NULL;
	slot->serial++;
	slot->next_free = loop->free_slot;
	loop->free_slot = io->slot;
	io->slot = 0;
}

static int
control(struct loop *loop, int op, struct loop_io *io)
{
	struct epoll_event event = { .events = io->events };

	event.data.u64 = (uint64_t)loop->slots[io->slot].serial << 32 |
	    io->slot;
	return epoll_ctl(loop->epoll_fd, op, io->fd, &event) < 0 ? -errno : 0;
}

int
loop_watch(struct loop *loop, struct loop_io *io, int fd, uint32_t events,
    loop_io_fn *fn, void *arg)
{
	int error = slot_take(loop, io);

	if (error)
		return error;
	io->fd = fd;
	io->events = events;
	io->fn = fn;
	io->arg = arg;
	error = control(loop, EPOLL_CTL_ADD, io);
	if (error)
		slot_give_back(loop, io);
	return error;
}

int
loop_change(struct loop *loop, struct loop_io *io, uint32_t events)
{
	if (io->slot == 0)
		return -ENOENT;
	if (io->events == events)
		return 0;
	io->events = events;
	return control(loop, EPOLL_CTL_MOD, io);
}

void
loop_unwatch(struct loop *loop, struct loop_io *io)
{
	if (io->slot == 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	slot_give_back(loop, io);
}

/* ---- timers ---- */

static struct loop_class *
class_of(struct loop *loop, uint32_t after_ms)
{
	for (unsigned i = 0; i < loop->n_classes; i++)
		if (loop->classes[i].after_ms == after_ms)
			return &loop->classes[i];
	if (loop->n_classes < MAX_CLASSES - 1) {
		struct loop_class *class = &loop->classes[loop->n_classes++];

		class->after_ms = after_ms;
		return class;
	}
	loop->n_classes = MAX_CLASSES;
	return &loop->classes[MAX_CLASSES - 1];
}

void
loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	struct loop_class *class = timer->class;

	(void)loop;
	if (class == NULL)
		return;
	if (timer->prev)
		timer->prev->next = timer->next;
	else
		class->first = timer->next;
	if (timer->next)
		timer->next->prev = timer->prev;
	else
		class->last = timer->prev;
	timer->class = NULL;
	timer->next = timer->prev = NULL;
}

void
loop_timer_start(struct loop *loop, struct loop_timer *timer,
    uint32_t after_ms, loop_timer_fn *fn, void *arg)
{
	struct loop_class *class = class_of(loop, after_ms);
	struct loop_timer *after;

	loop_timer_stop(loop, timer);
	/* never due in the round that starts it, so a handler that starts
	 * its own timer again cannot keep the loop to itself */
	timer->due_us = loop->now_us + (int64_t)after_ms * 1000 + 1;
	timer->fn = fn;
	timer->arg = arg;
	timer->class = class;
	/* the newest is the last one, but for the class of mixed durations */
	after = class->last;
	while (after != NULL && after->due_us > timer->due_us)
		after = after->prev;
	timer->prev = after;
	timer->next = after ? after->next : class->first;
	if (timer->next)
		timer->next->prev = timer;
	else
		class->last = timer;
	if (after)
		after->next = timer;
	else
		class->first = timer;
}

bool
loop_timer_is_running(const struct loop_timer *timer)
{
	return timer->class != NULL;
}

static void
run_timers(struct loop *loop)
{
	for (unsigned i = 0; i < loop->n_classes; i++) {
		struct loop_class *class = &loop->classes[i];
		struct loop_timer *timer;

		while ((timer = class->first) != NULL &&
		    timer->due_us <= loop->now_us && !loop->is_stopped) {
			loop_timer_stop(loop, timer);
			timer->fn(timer, timer->arg);
		}
	}
}

/* Milliseconds that epoll may sleep, rounded up; -1 for ever. */
static int
sleep_ms(const struct loop *loop)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < loop->n_classes; i++) {
		const struct loop_timer *timer = loop->classes[i].first;

		if (timer != NULL && timer->due_us < next)
			next = timer->due_us;
	}
	if (next == INT64_MAX)
		return -1;
	next -= clock_monotonic_us();
	if (next <= 0)
		return 0;
	return next > 3600000000 ? 3600000 : (int)((next + 999) / 1000);
}

/* ---- signals ---- */

static void
on_signal_fd(struct loop_io *io, uint32_t events, void *arg)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(io->fd, &info, sizeof info) == (ssize_t)sizeof info)
		for (unsigned i = 0; i < loop->n_handlers; i++)
			if (loop->handlers[i].signo == (int)info.ssi_signo)
				loop->handlers[i].fn(loop->handlers[i].signo,
				    loop->handlers[i].arg);
}

int
loop_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *arg)
{
	int fd;

	if (loop->n_handlers == MAX_SIGNALS)
		return -ENOSPC;
	sigaddset(&loop->signals, signo);
	if (sigprocmask(SIG_BLOCK, &loop->signals, NULL) < 0)
		return -errno;
	fd = signalfd(loop->signal_fd, &loop->signals,
	    SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	loop->handlers[loop->n_handlers].signo = signo;
	loop->handlers[loop->n_handlers].fn = fn;
	loop->handlers[loop->n_handlers++].arg = arg;
	if (loop->signal_fd >= 0)
		return 0;
	loop->signal_fd = fd;
	return loop_watch(loop, &loop->signal_io, fd, EPOLLIN, on_signal_fd,
	    loop);
}

/* ---- rounds ---- */

int
loop_at_round_end(struct loop *loop, loop_round_fn *fn, void *arg)
{
	for (unsigned i = 0; i < loop->n_rounds; i++)
		if (loop->rounds[i].fn == fn && loop->rounds[i].arg == arg)
			return 0;
	if (loop->n_rounds == MAX_ROUND_FNS)
		return -ENOSPC;
	loop->rounds[loop->n_rounds].fn = fn;
	loop->rounds[loop->n_rounds++].arg = arg;
	return 0;
}

static void
run_events(struct loop *loop, struct epoll_event *events, int n)
{
	for (int i = 0; i < n && !loop->is_stopped; i++) {
		uint32_t slot = (uint32_t)events[i].data.u64;
		uint32_t serial = (uint32_t)(events[i].data.u64 >> 32);
		struct loop_io *io = loop->slots[slot].io;

		if (io != NULL && loop->slots[slot].serial == serial)
			io->fn(io, events[i].events, io->arg);
	}
}

void
loop_again(struct loop *loop)
{
	loop->is_again = true;
}

static void
end_round(struct loop *loop)
{
	loop->is_again = false;
	for (unsigned i = 0; i < loop->n_rounds; i++)
		loop->rounds[i].fn(loop->rounds[i].arg);
}

int
loop_run(struct loop *loop)
{
	struct epoll_event events[MAX_EVENTS];

	loop->is_stopped = false;
	while (!loop->is_stopped) {
		int n;

		end_round(loop);
		if (loop->is_stopped)
			break;
		n = epoll_wait(loop->epoll_fd, events, MAX_EVENTS,
		    loop->is_again ? 0 : sleep_ms(loop));
		if (n < 0 && errno != EINTR)
			return -errno;
		loop->now_us = clock_monotonic_us();
		run_events(loop, events, n);
		run_timers(loop);
	}
	end_round(loop);
	return 0;
}

void
loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

int64_t
loop_now_us(const struct loop *loop)
{
	return loop->now_us;
}
