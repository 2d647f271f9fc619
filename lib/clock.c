/* SPDX-License-Identifier: ISC */
/*
 * clock.c - the two clocks; see clock.h.
 */
#include <time.h>
#include "clock.h"
#include "fault.h"

static int64_t test_monotonic_us, test_wall_us;

static int64_t
read_us(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_monotonic_us(void)
{
	int64_t now_us = test_monotonic_us ? test_monotonic_us :
	    read_us(CLOCK_MONOTONIC);

	/* not an errno here: how many seconds have passed at once */
	return now_us + (int64_t)FAULT("clock.monotonic") * 1000000;
}

int64_t
clock_wall_us(void)
{
	int64_t now_us = test_wall_us ? test_wall_us :
	    read_us(CLOCK_REALTIME);

	/* not an errno here: by how many seconds somebody has set it */
	return now_us + (int64_t)FAULT("clock.wall") * 1000000;
}

int64_t
clock_wall_s(void)
{
	return clock_wall_us() / 1000000;
}

void
clock_set_for_tests(int64_t monotonic_us, int64_t wall_us)
{
	test_monotonic_us = monotonic_us;
	test_wall_us = wall_us;
}
