/* SPDX-License-Identifier: ISC */
/*
 * pool_choose.c - which worker gets a job; see pool.h.
 *
 * That of the mailbox, so that what it has open is used again, unless it has
 * much more to do than others or stands still.
 */
#include "pool_state.h"

#define LOAD_MAX 64		/* jobs that one worker holds */
#define LOAD_SPREAD 8		/* over this, affinity gives way */
#define LOAD_SPAWN 8		/* over this, another worker is worth it */
#define SLOW_US 1000000		/* without an answer: who can goes elsewhere */

/* Another uid's worker that has been idle longest gives up its place. */
static bool
make_place(struct pools *pools)
{
	struct pool_worker *idle = NULL;

	if (pools->n_workers < POOL_WORKERS_TOTAL)
		return true;
	for (struct pool_worker *w = pools->workers; w != NULL; w = w->next)
		if (w->load == 0 && !w->is_ended && !w->is_condemned &&
		    (idle == NULL || w->used_us < idle->used_us))
			idle = w;
	if (idle == NULL)
		return false;
	pool_worker_end(idle);
	return true;
}

/* A disk that stands still, perhaps: one mailbox must not stop the others
 * that have the same owner. */
static bool
is_slow(const struct pool_worker *w)
{
	return w->load > 0 && loop_now_us(w->pools->settings.loop) -
	    w->owes_us > SLOW_US;
}

static struct pool_worker *
least_loaded(const struct pool *pool)
{
	struct pool_worker *best = NULL;

	for (unsigned i = 0; i < pool->n_workers; i++)
		if (!is_slow(pool->workers[i]) && (best == NULL ||
		    pool->workers[i]->load < best->load))
			best = pool->workers[i];
	return best;
}

/* What it stands still in, most likely. Others only wait behind it: they may
 * be given to who is well. */
static bool
is_first_of_worker(const struct pools *pools, const struct job *job)
{
	const struct job *j = pools->oldest;

	while (j != job && j->worker != job->worker)
		j = j->later;
	return j == job;
}

/* The slow one that has a job of this mailbox: what another worker were
 * given of it could make that one slow, too. */
static struct pool_worker *
slow_with(const struct pool *pool, uint32_t affinity)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pool->n_workers; i++)
		n += is_slow(pool->workers[i]);
	if (n == 0)
		return NULL;
	for (struct job *j = pool->pools->oldest; j != NULL; j = j->later)
		if (j->worker != NULL && j->worker->pool == pool &&
		    j->affinity == affinity && is_slow(j->worker) &&
		    j->worker->load < LOAD_MAX && !j->worker->is_condemned &&
		    is_first_of_worker(pool->pools, j))
			return j->worker;
	return NULL;
}

static bool
may_spawn(struct pool *pool)
{
	return pool->n_workers < pool->pools->settings.max_per_uid &&
	    loop_now_us(pool->pools->settings.loop) >= pool->retry_us &&
	    make_place(pool->pools);
}

struct pool_worker *
pool_choose(struct pool *pool, uint32_t affinity)
{
	struct pool_worker *best, *own = slow_with(pool, affinity);

	if (own != NULL)
		return own;
	best = least_loaded(pool);
	if (best == NULL || best->load >= LOAD_SPAWN) {
		if (may_spawn(pool) && (own = pool_worker_spawn(pool)) != NULL)
			return own;
		best = least_loaded(pool);
	}
	if (best == NULL || best->load >= LOAD_MAX)
		return NULL;
	own = pool->workers[affinity % pool->n_workers];
	return own->load < best->load + LOAD_SPREAD &&
	    own->load < LOAD_MAX && !is_slow(own) ? own : best;
}
