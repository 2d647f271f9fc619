/* SPDX-License-Identifier: ISC */
/*
 * pool_state.h - what pool.c and pool_choose.c know of workers.
 */
#ifndef DELIVER_POOL_STATE_H
#define DELIVER_POOL_STATE_H

#include <stdbool.h>
#include "pool.h"

#define POOL_BUCKETS 256		/* by uid */

struct pool_worker {
	struct pool *pool;
	struct pools *pools;
	struct pool_worker *next;	/* of all */
	struct channel *channel;
	pid_t pid;
	unsigned load;			/* questions that are out */
	unsigned ring;			/* its own in renames.h */
	int64_t used_us;
	int64_t owes_us;		/* with a load: since when no answer */
	int64_t condemned_us;
	bool is_ended, is_condemned, is_reaped;
	struct job *lost;
};

struct pool {				/* one uid and gid */
	struct pools *pools;
	struct pool *next;
	uid_t uid;
	gid_t gid;
	unsigned n_workers, n_deaths;
	unsigned n_references;		/* of workers, dead ones too */
	struct pool_worker **workers;	/* max_per_uid of them */
	int64_t retry_us;		/* spawn nothing before */
	struct job *first, *last;	/* waiting */
};

struct pools {
	struct pools_settings settings;
	struct pool *buckets[POOL_BUCKETS];
	struct pool_worker *workers;
	unsigned n_workers;		/* that can take work */
	size_t n_jobs;
	struct job *oldest, *youngest;
	uint64_t next_number;
	struct loop_timer tick, retry;
};

/* ---- pool.c ---- */

/* NULL after logging; no other is tried for a while then. */
struct pool_worker *pool_worker_spawn(struct pool *pool);
/* One without a job leaves. */
void pool_worker_end(struct pool_worker *w);

/* ---- pool_choose.c ---- */

/* Perhaps a new one. NULL: the job has to wait. */
struct pool_worker *pool_choose(struct pool *pool, uint32_t affinity);

#endif
