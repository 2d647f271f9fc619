/* SPDX-License-Identifier: ISC */
/*
 * loop.h - one event loop for a process: descriptors, timers, signals.
 *
 * Built on epoll. Watches and timers are embedded in their owner's struct,
 * so the loop allocates nothing per session. A handler may stop or free any
 * watch or timer, its own included: events that were already fetched for a
 * watch that is gone are dropped. Timers of one duration share one list, so
 * starting and stopping cost the same however many sessions there are.
 * Nothing here logs.
 */
#ifndef POSTERN_LOOP_H
#define POSTERN_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;

/* events: EPOLLIN, EPOLLOUT, EPOLLHUP ... as epoll reports them. */
typedef void loop_io_fn(struct loop_io *io, uint32_t events, void *arg);
typedef void loop_timer_fn(struct loop_timer *timer, void *arg);
typedef void loop_signal_fn(int signo, void *arg);
typedef void loop_round_fn(void *arg);

struct loop_io {		/* zeroed before first use; owner's memory */
	int fd;
	uint32_t events;
	uint32_t slot;		/* the loop's; 0 when not watched */
	loop_io_fn *fn;
	void *arg;
};

struct loop_timer {		/* zeroed before first use; owner's memory */
	struct loop_timer *next, *prev;
	struct loop_class *class;	/* the loop's; NULL when not running */
	int64_t due_us;
	loop_timer_fn *fn;
	void *arg;
};

/* NULL with errno on failure. */
struct loop *loop_new(void);
void loop_free(struct loop **loop);

/* 0 or a negative errno. EPOLLEXCLUSIVE may be given for listeners. */
int loop_watch(struct loop *loop, struct loop_io *io, int fd, uint32_t events,
    loop_io_fn *fn, void *arg);
int loop_change(struct loop *loop, struct loop_io *io, uint32_t events);
/* Does not close the descriptor. A watch that is not there is ignored. */
void loop_unwatch(struct loop *loop, struct loop_io *io);

/* (Re)start; fires once. after_ms 0 fires in the next round. */
void loop_timer_start(struct loop *loop, struct loop_timer *timer,
    uint32_t after_ms, loop_timer_fn *fn, void *arg);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
bool loop_timer_is_running(const struct loop_timer *timer);

/* Blocks signo and calls fn from the loop. 0 or a negative errno. */
int loop_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *arg);

/*
 * Call fn at the end of each round, before the loop sleeps: for what is
 * written once for many events (log, trail, queued IPC). At most 8; the
 * same fn and arg again are ignored.
 */
int loop_at_round_end(struct loop *loop, loop_round_fn *fn, void *arg);
/*
 * At the end of a round: something was left for the end of another one, so
 * that the loop must not sleep before it. Elsewhere it has no effect.
 */
void loop_again(struct loop *loop);

/* Runs until loop_stop. 0 or a negative errno of epoll_wait. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Time at the start of this round, microseconds, monotonic. */
int64_t loop_now_us(const struct loop *loop);

#endif
