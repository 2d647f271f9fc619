/* SPDX-License-Identifier: ISC */
/*
 * clock.h - the two clocks, read in one place so that tests can set them.
 *
 * Monotonic time is for deadlines, wall time is for what people read and
 * for names of files. A wall clock that is set back never makes a deadline
 * or an expiry move. The unit is in each name.
 */
#ifndef POSTERN_CLOCK_H
#define POSTERN_CLOCK_H

#include <stdint.h>

int64_t clock_monotonic_us(void);
int64_t clock_wall_s(void);	/* seconds since 1970, UTC */
int64_t clock_wall_us(void);
/* Replaces both clocks for tests; 0, 0 restores the real ones. */
void clock_set_for_tests(int64_t monotonic_us, int64_t wall_us);

#endif
