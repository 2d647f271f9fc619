/* SPDX-License-Identifier: ISC */
/*
 * test_loop.c - watches, timers and signals of the event loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "clock.h"
#include "loop.h"

struct world {
	struct loop *loop;
	struct loop_io io[2];
	struct loop_timer timers[64];
	int order[64];
	int n_order, n_events, n_signals, n_rounds;
	int pipes[2][2];
};

static void
on_timer(struct loop_timer *timer, void *arg)
{
	struct world *w = arg;

	w->order[w->n_order++] = (int)(timer - w->timers);
}

static void
on_last(struct loop_timer *timer, void *arg)
{
	struct world *w = arg;

	(void)timer;
	loop_stop(w->loop);
}

static void
open_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->loop = loop_new();
	assert_non_null(w->loop);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pipe(w->pipes[i]), 0);
}

static void
close_world(struct world *w)
{
	loop_free(&w->loop);
	for (int i = 0; i < 4; i++)
		close(w->pipes[i / 2][i % 2]);
}

static void
test_timer_order(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	loop_timer_start(w.loop, &w.timers[0], 30, on_timer, &w);
	loop_timer_start(w.loop, &w.timers[1], 10, on_timer, &w);
	loop_timer_start(w.loop, &w.timers[2], 20, on_timer, &w);
	loop_timer_start(w.loop, &w.timers[3], 10, on_timer, &w);
	loop_timer_start(w.loop, &w.timers[4], 15, on_timer, &w);
	loop_timer_stop(w.loop, &w.timers[4]);
	assert_false(loop_timer_is_running(&w.timers[4]));
	loop_timer_start(w.loop, &w.timers[5], 60, on_last, &w);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.n_order, 4);
	assert_int_equal(w.order[0], 1);
	assert_int_equal(w.order[1], 3);
	assert_int_equal(w.order[2], 2);
	assert_int_equal(w.order[3], 0);
	close_world(&w);
}

/* More durations than the loop has lists for: still each on time. */
static void
test_many_durations(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	for (uint32_t i = 0; i < 60; i++)
		loop_timer_start(w.loop, &w.timers[i], 120 - 2 * i, on_timer,
		    &w);
	loop_timer_start(w.loop, &w.timers[63], 150, on_last, &w);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.n_order, 60);
	assert_int_equal(w.order[59], 0);
	/* those of one list in the order in which they are due */
	for (int i = 0; i < 13; i++)
		assert_int_equal(w.order[i], 59 - i);
	close_world(&w);
}

static void
on_again(struct loop_timer *timer, void *arg)
{
	struct world *w = arg;

	if (++w->n_events == 5)
		loop_stop(w->loop);
	loop_timer_start(w->loop, timer, 0, on_again, w);
}

static void
on_round(void *arg)
{
	struct world *w = arg;

	w->n_rounds++;
}

/* A timer that starts itself anew does not keep the loop to itself. */
static void
test_timer_restarts_itself(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(loop_at_round_end(w.loop, on_round, &w), 0);
	assert_int_equal(loop_at_round_end(w.loop, on_round, &w), 0);
	loop_timer_start(w.loop, &w.timers[0], 0, on_again, &w);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.n_events, 5);
	assert_in_range(w.n_rounds, 5, 12);
	loop_timer_stop(w.loop, &w.timers[0]);
	close_world(&w);
}

/* The first of two ready watches takes the other away: no call for it. */
static void
on_readable(struct loop_io *io, uint32_t events, void *arg)
{
	struct world *w = arg;

	assert_true(events & EPOLLIN);
	w->n_events++;
	loop_unwatch(w->loop, &w->io[0]);
	loop_unwatch(w->loop, &w->io[1]);
	assert_int_equal(io->slot, 0);
	loop_timer_start(w->loop, &w->timers[0], 20, on_last, w);
}

/* Both pipes have something to read. */
static void
open_readable(struct world *w, loop_io_fn *handler)
{
	open_world(w);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(w->pipes[i][1], "x", 1), 1);
		assert_int_equal(loop_watch(w->loop, &w->io[i], w->pipes[i][0],
		    EPOLLIN, handler, w), 0);
	}
}

static void
test_unwatch_in_handler(void **state)
{
	struct world w;

	(void)state;
	open_readable(&w, on_readable);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.n_events, 1);
	close_world(&w);
}

static void
on_signal(int signo, void *arg)
{
	struct world *w = arg;

	assert_int_equal(signo, SIGUSR1);
	w->n_signals++;
	loop_stop(w->loop);
}

static void
test_signal(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(loop_signal(w.loop, SIGUSR1, on_signal, &w), 0);
	assert_int_equal(loop_signal(w.loop, SIGUSR2, on_signal, &w), 0);
	kill(getpid(), SIGUSR1);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.n_signals, 1);
	close_world(&w);
}

/* The wall clock set back moves no deadline: timers know only the other. */
static void
test_wall_clock_set_back(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	loop_timer_start(w.loop, &w.timers[0], 10, on_last, &w);
	clock_set_for_tests(0, 1);
	assert_int_equal(loop_run(w.loop), 0);
	clock_set_for_tests(0, 0);
	close_world(&w);
}

/* Work that a round's end makes for another one. */
static void
on_first_round(void *arg)
{
	struct world *w = arg;

	if (++w->n_rounds == 1)
		loop_again(w->loop);
	else
		loop_stop(w->loop);
}

static void
test_another_round(void **state)
{
	struct world w;
	int64_t began_us = clock_monotonic_us();

	(void)state;
	open_world(&w);
	loop_timer_start(w.loop, &w.timers[0], 5000, on_last, &w);
	assert_int_equal(loop_at_round_end(w.loop, on_first_round, &w), 0);
	assert_int_equal(loop_run(w.loop), 0);
	assert_in_range(w.n_rounds, 2, 3);	/* one more at the end */
	assert_in_range(clock_monotonic_us() - began_us, 0, 2000000);
	close_world(&w);
}

static struct loop_io third;

static void
on_third(struct loop_io *io, uint32_t events, void *arg)
{
	struct world *w = arg;

	(void)io;
	(void)events;
	w->n_signals++;
}

/* Whoever is first ends both, and another takes the place of the second. */
static void
on_either(struct loop_io *io, uint32_t events, void *arg)
{
	struct world *w = arg;
	struct loop_io *other = io == &w->io[0] ? &w->io[1] : &w->io[0];

	(void)events;
	w->n_events++;
	loop_unwatch(w->loop, io);
	loop_unwatch(w->loop, other);
	assert_int_equal(loop_watch(w->loop, &third, other->fd, 0, on_third,
	    w), 0);
}

/* An event of what was there before is not for it. */
static void
test_place_is_taken_again(void **state)
{
	struct world w;

	(void)state;
	open_readable(&w, on_either);
	loop_timer_start(w.loop, &w.timers[0], 5, on_last, &w);
	assert_int_equal(loop_run(w.loop), 0);
	assert_int_equal(w.n_events, 1);
	assert_int_equal(w.n_signals, 0);
	close_world(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timer_order),
		cmocka_unit_test(test_many_durations),
		cmocka_unit_test(test_timer_restarts_itself),
		cmocka_unit_test(test_unwatch_in_handler),
		cmocka_unit_test(test_place_is_taken_again),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_wall_clock_set_back),
		cmocka_unit_test(test_another_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
