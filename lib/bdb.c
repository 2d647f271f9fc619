/* SPDX-License-Identifier: ISC */
/*
 * bdb.c - see bdb.h.
 */
#include <db.h>
#include <sched.h>
#include "bdb.h"

static int
yield(u_long seconds, u_long useconds)
{
	(void)seconds;
	(void)useconds;
	return sched_yield();
}

void
bdb_stay_awake(void)
{
	(void)db_env_set_func_yield(yield);
}
