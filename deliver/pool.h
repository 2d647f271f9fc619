/* SPDX-License-Identifier: ISC */
/*
 * pool.h - the workers of deliver, and the jobs that wait for one.
 *
 *	pools_submit --> waiting --> a worker of that uid --> job->done
 *	                    \-> too long, or the worker died -> done(NULL)
 *
 * A worker is forked when work for its uid comes, a second one (up to
 * max_per_uid) when the first has more than it should or has not answered for
 * a second, and ends after a minute without work or when another uid needs
 * its place. When a worker dies or does not answer in time it is killed, and
 * its jobs are reported only when it is really gone, so that whoever undoes
 * them is alone. A uid whose workers keep dying gets new ones ever more
 * slowly.
 */
#ifndef DELIVER_POOL_H
#define DELIVER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "loop.h"
#include "work.h"

#define POOL_WORKERS_TOTAL 64
#define POOL_WORKERS_DEFAULT 8		/* for one uid */
#define POOL_JOB_DEADLINE_MS 45000

struct pools;
struct job;
struct pool_worker;

/* Fill in what the worker is asked. Slices stay valid until it returns and
 * the question was sent; called once. */
typedef void job_encode_fn(struct job *job, struct work *work);
/* answer NULL: unknown. Called exactly once; the job is the owner's again. */
typedef void job_done_fn(struct job *job, const struct work_answer *answer);

struct job {			/* owner's memory; the owner sets: */
	uid_t uid;
	gid_t gid;
	uint32_t affinity;	/* equal ones prefer the same worker */
	int fd;			/* sent along, or -1; stays the owner's */
	int *spent_fd;		/* NULL, or where fd stands: it is closed once
				 * it was sent, and -1 then */
	job_encode_fn *encode;
	job_done_fn *done;
	void *arg;		/* for both */
	/* pool.c's own: */
	struct job *next, *prev;	/* waiting, or lost with a worker */
	struct job *later, *earlier;	/* of all that are not done */
	struct pool_worker *worker;
	int64_t due_us;
	uint64_t number;
};

struct pools_settings {
	struct loop *loop;
	bool is_privileged;
	unsigned first_ring;	/* of POOL_WORKERS_TOTAL in renames.h */
	unsigned max_per_uid;	/* 0: the default */
	/* called after every finished job */
	void (*on_progress)(void *arg);
	void *arg;
};

/* NULL without memory. Takes SIGCHLD of the loop. */
struct pools *pools_new(const struct pools_settings *settings);
/* No job may be out. Workers end when their sockets do, with us. */
void pools_free(struct pools **pools);

void pools_submit(struct pools *pools, struct job *job);
size_t pools_n_jobs(const struct pools *pools);
/* No worker of this uid has anything to do. */
bool pools_is_quiet(const struct pools *pools, uid_t uid, gid_t gid);
/* Jobs are numbered as they come: the next one's number, and the oldest
 * that is not done (the next one's when there is none). */
uint64_t pools_next_number(const struct pools *pools);
uint64_t pools_oldest_number(const struct pools *pools);

#endif
