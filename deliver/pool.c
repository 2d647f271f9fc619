/* SPDX-License-Identifier: ISC */
/*
 * pool.c - workers by uid; see pool.h.
 *
 * A worker's life:
 *
 *	spawned -> working <-> idle -> ended (socket closed, it exits)
 *	              |                   \
 *	              \-> condemned -------> reaped -> lost jobs reported
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "file_io.h"
#include "ipc.h"
#include "log.h"
#include "pool_state.h"
#include "renames.h"
#include "worker.h"

#define TICK_MS 1000
#define RETRY_MS 100
#define IDLE_US 60000000
#define REAP_US 10000000	/* then it is stuck in the kernel */
#define BACKOFF_FIRST_US 100000
#define BACKOFF_MAX_US 30000000

static void pump(struct pool *pool);

/* ---- jobs ---- */

static void
job_finish(struct pools *pools, struct job *job,
    const struct work_answer *answer)
{
	*(job->earlier ? &job->earlier->later : &pools->oldest) = job->later;
	*(job->later ? &job->later->earlier : &pools->youngest) = job->earlier;
	pools->n_jobs--;
	job->done(job, answer);
	if (pools->settings.on_progress != NULL)
		pools->settings.on_progress(pools->settings.arg);
}

static void
waiting_remove(struct pool *pool, struct job *job)
{
	*(job->prev ? &job->prev->next : &pool->first) = job->next;
	*(job->next ? &job->next->prev : &pool->last) = job->prev;
	job->next = job->prev = NULL;
}

static void
waiting_append(struct pool *pool, struct job *job)
{
	job->next = NULL;
	job->prev = pool->last;
	*(pool->last ? &pool->last->next : &pool->first) = job;
	pool->last = job;
}

/* ---- the end of a worker ---- */

static void
leave_pool(struct pool_worker *w)
{
	struct pool *pool = w->pool;

	for (unsigned i = 0; i < pool->n_workers; i++)
		if (pool->workers[i] == w) {
			pool->workers[i] = pool->workers[--pool->n_workers];
			w->pools->n_workers--;
			return;
		}
}

static void
worker_free(struct pool_worker *w)
{
	struct pool_worker **at = &w->pools->workers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->pool->n_references--;
	free(w);
}

/* Its questions came back and it is really gone. */
static void
maybe_bury(struct pool_worker *w)
{
	struct pools *pools = w->pools;
	struct job *job;
	bool is_gone = w->is_reaped;

	if (w->load > 0 || !(w->is_condemned || w->is_ended))
		return;
	if (!is_gone && w->is_condemned &&
	    loop_now_us(pools->settings.loop) - w->condemned_us > REAP_US) {
		if (w->lost != NULL)
			log_error("worker_stuck", LOG_D("pid", w->pid),
			    LOG_U("uid", w->pool->uid), LOG_END);
		is_gone = true;
	}
	if (!is_gone)
		return;
	while ((job = w->lost) != NULL) {
		w->lost = job->next;
		job_finish(pools, job, NULL);
	}
	if (w->is_reaped)
		worker_free(w);
}

static void
back_off(struct pool *pool)
{
	int64_t delay_us = BACKOFF_FIRST_US;

	for (unsigned i = 0; i < pool->n_deaths && delay_us < BACKOFF_MAX_US;
	     i++)
		delay_us *= 2;
	if (delay_us > BACKOFF_MAX_US)
		delay_us = BACKOFF_MAX_US;
	/* the first death costs no wait: its jobs are undone at once */
	if (pool->n_deaths > 0)
		pool->retry_us = loop_now_us(pool->pools->settings.loop) +
		    delay_us;
	pool->n_deaths++;
}

/*
 * Only a process of its own uid may kill a worker, and CAP_KILL, which could
 * kill anything, is not held: so a child becomes that uid to do it.
 */
static void
kill_worker(const struct pool_worker *w)
{
	const struct pool *pool = w->pool;
	pid_t pid;

	if (!w->pools->settings.is_privileged) {
		kill(w->pid, SIGKILL);
		return;
	}
	pid = fork();
	if (pid == 0) {
		if (setresgid(pool->gid, pool->gid, pool->gid) == 0 &&
		    setresuid(pool->uid, pool->uid, pool->uid) == 0)
			kill(w->pid, SIGKILL);
		_exit(0);
	}
	/* reaped like any child; if it could not be made, the worker still
	 * ends when it next looks at its socket */
}

static void
condemn(struct pool_worker *w, const char *why)
{
	if (w->is_condemned || w->is_ended)
		return;
	w->is_condemned = true;
	w->condemned_us = loop_now_us(w->pools->settings.loop);
	leave_pool(w);
	back_off(w->pool);
	log_warning("worker_lost", LOG_S("why", why), LOG_D("pid", w->pid),
	    LOG_U("uid", w->pool->uid), LOG_U("jobs", w->load), LOG_END);
	if (!w->is_reaped)
		kill_worker(w);
	channel_free(&w->channel);	/* unknown, to what is still out */
}

void
pool_worker_end(struct pool_worker *w)
{
	w->is_ended = true;
	leave_pool(w);
	channel_free(&w->channel);
}

static void
on_worker_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct pool_worker *w = arg;

	(void)ch;
	w->channel = NULL;
	condemn(w, misbehaved ? "misbehaved" : "died");
	maybe_bury(w);
}

static void
on_sigchld(int signo, void *arg)
{
	struct pools *pools = arg;
	int status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct pool_worker *w = pools->workers;

		while (w != NULL && (w->pid != pid || w->is_reaped))
			w = w->next;
		if (w == NULL)
			continue;
		w->is_reaped = true;
		/* a signal is negative here, as it is to a shell's user */
		if (!w->is_ended)
			log_warning("worker_died", LOG_D("pid", pid),
			    LOG_U("uid", w->pool->uid), LOG_D("status",
			    WIFSIGNALED(status) ? -WTERMSIG(status) :
			    WEXITSTATUS(status)), LOG_END);
		condemn(w, "died");
		maybe_bury(w);
	}
}

/* ---- the start of a worker ---- */

static void child(const struct pool_worker *w, int fd)
    __attribute__((noreturn));

static void
child(const struct pool_worker *w, int fd)
{
	const struct pool *pool = w->pool;
	const int socket = 3;

	/* everything else here belongs to others: peers' channels, their
	 * messages, the event loop */
	if (fd != socket && dup2(fd, socket) < 0)
		_exit(1);
	file_close_from(socket + 1);
	log_open("worker", STDERR_FILENO, LOG_TARGET_STDERR,
	    LOG_FORMAT_LOGFMT);
	renames_keep(w->ring);
	worker_main(socket, pool->pools->settings.is_privileged, pool->uid,
	    pool->gid);
}

static struct pool_worker *
spawn_failed(struct pool *pool, struct pool_worker *w, int error)
{
	log_error("worker_not_started", LOG_U("uid", pool->uid),
	    LOG_E("error", error), LOG_END);
	free(w);
	if (pool->n_deaths == 0)
		pool->n_deaths = 1;
	back_off(pool);
	return NULL;
}

/* One that no worker writes to; the number of workers is bounded by them. */
static unsigned
ring_choose(const struct pools *pools)
{
	uint64_t used = 0;
	const struct pool_worker *w;

	for (w = pools->workers; w != NULL; w = w->next)
		used |= (uint64_t)1 << (w->ring % POOL_WORKERS_TOTAL);
	return used == UINT64_MAX ? 0 : (unsigned)__builtin_ctzll(~used);
}

struct pool_worker *
pool_worker_spawn(struct pool *pool)
{
	struct pools *pools = pool->pools;
	struct pool_worker *w = calloc(1, sizeof *w);
	int fds[2], error = w == NULL ? -ENOMEM : ipc_pair(fds);

	if (error)
		return spawn_failed(pool, w, error);
	log_flush();		/* or the child would say it again */
	w->pool = pool;
	w->pools = pools;
	w->ring = pools->settings.first_ring + ring_choose(pools);
	w->pid = fork();
	if (w->pid == 0) {
		close(fds[0]);
		child(w, fds[1]);
	}
	error = errno;
	close(fds[1]);
	if (w->pid < 0) {
		close(fds[0]);
		return spawn_failed(pool, w, error);
	}
	w->next = pools->workers;
	pools->workers = w;
	pool->n_references++;
	w->channel = channel_new(pools->settings.loop, fds[0], "worker", NULL,
	    0, on_worker_closed, w);
	pool->workers[pool->n_workers++] = w;
	pools->n_workers++;
	if (w->channel == NULL) {
		condemn(w, "no channel");
		return NULL;
	}
	return w;
}

/* ---- giving out work ---- */

static void on_retry(struct loop_timer *timer, void *arg);

static void
lose(struct pool_worker *w, struct job *job)
{
	job->next = w->lost;
	w->lost = job;
	condemn(w, "no answer");
	maybe_bury(w);
}

static void
on_answer(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct job *job = arg;
	struct pool_worker *w = job->worker;
	struct pool *pool = w->pool;
	struct work_answer answer;

	(void)ch;
	w->load--;
	w->used_us = w->owes_us = loop_now_us(w->pools->settings.loop);
	if (m == NULL || m->type != WORK_ANSWER ||
	    !get_work_answer(&m->body, &answer)) {
		lose(w, job);
		return;
	}
	pool->n_deaths = 0;
	job_finish(w->pools, job, &answer);
	if (pool->first != NULL)
		pump(pool);
}

static bool
give(struct pool_worker *w, struct job *job)
{
	/* too large for the stack, and there is one loop */
	static struct work work;
	static struct ipc_writer out;
	int64_t now_us = loop_now_us(w->pools->settings.loop);
	int64_t left_ms = (job->due_us - now_us) / 1000;

	job->encode(job, &work);
	ipc_writer_init(&out);
	put_work(&out, &work);
	if (out.failed) {	/* not the worker's fault */
		job_finish(w->pools, job, NULL);
		return true;
	}
	job->worker = w;
	w->used_us = now_us;
	if (w->load == 0)
		w->owes_us = now_us;
	if (channel_ask(w->channel, WORK_ASK, &out, job->fd,
	    left_ms > 1000 ? (uint32_t)left_ms : 1000, on_answer, job) == 0)
		return false;
	if (job->spent_fd != NULL && *job->spent_fd >= 0) {
		close(*job->spent_fd);
		*job->spent_fd = -1;
	}
	w->load++;
	return true;
}

static void
pump(struct pool *pool)
{
	struct pool_worker *w;
	struct job *job;

	while ((job = pool->first) != NULL &&
	    (w = pool_choose(pool, job->affinity)) != NULL) {
		waiting_remove(pool, job);
		if (!give(w, job))
			lose(w, job);
	}
	if (pool->first != NULL &&
	    !loop_timer_is_running(&pool->pools->retry))
		loop_timer_start(pool->pools->settings.loop,
		    &pool->pools->retry, RETRY_MS, on_retry, pool->pools);
}

/* ---- time ---- */

static void
on_retry(struct loop_timer *timer, void *arg)
{
	struct pools *pools = arg;

	(void)timer;
	for (size_t i = 0; i < POOL_BUCKETS; i++)
		for (struct pool *p = pools->buckets[i]; p; p = p->next)
			if (p->first != NULL)
				pump(p);
}

static void
expire_waiting(struct pool *pool, int64_t now_us)
{
	struct job *job;

	while ((job = pool->first) != NULL && job->due_us <= now_us) {
		waiting_remove(pool, job);
		job_finish(pool->pools, job, NULL);
	}
}

/* The end of a job may bring others, and pools for them. */
static void
expire_all(struct pools *pools, int64_t now_us)
{
	for (size_t i = 0; i < POOL_BUCKETS; i++)
		for (struct pool *p = pools->buckets[i]; p; p = p->next)
			expire_waiting(p, now_us);
}

static void
free_unused(struct pools *pools, int64_t now_us)
{
	for (size_t i = 0; i < POOL_BUCKETS; i++)
		for (struct pool **at = &pools->buckets[i], *p; (p = *at); ) {
			if (p->n_references > 0 || p->first != NULL ||
			    p->retry_us > now_us) {
				at = &p->next;
				continue;
			}
			*at = p->next;
			free(p->workers);
			free(p);
		}
}

static void
tend_workers(struct pools *pools, int64_t now_us)
{
	struct pool_worker *next;

	for (struct pool_worker *w = pools->workers; w != NULL; w = next) {
		next = w->next;
		if (w->is_condemned)
			maybe_bury(w);
		else if (!w->is_ended && w->load == 0 &&
		    now_us - w->used_us > IDLE_US)
			pool_worker_end(w);
	}
}

static void
on_tick(struct loop_timer *timer, void *arg)
{
	struct pools *pools = arg;
	int64_t now_us = loop_now_us(pools->settings.loop);

	tend_workers(pools, now_us);
	expire_all(pools, now_us);
	free_unused(pools, now_us);
	loop_timer_start(pools->settings.loop, timer, TICK_MS, on_tick, pools);
}

/* ---- public ---- */

static struct pool *
pool_new(struct pools *pools, uid_t uid, gid_t gid)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (pool == NULL)
		return NULL;
	pool->workers = calloc(pools->settings.max_per_uid,
	    sizeof(struct pool_worker *));
	if (pool->workers == NULL) {
		free(pool);
		return NULL;
	}
	pool->pools = pools;
	pool->uid = uid;
	pool->gid = gid;
	pool->next = pools->buckets[uid % POOL_BUCKETS];
	pools->buckets[uid % POOL_BUCKETS] = pool;
	return pool;
}

static struct pool *
pool_find(const struct pools *pools, uid_t uid, gid_t gid)
{
	struct pool *pool = pools->buckets[uid % POOL_BUCKETS];

	while (pool != NULL && (pool->uid != uid || pool->gid != gid))
		pool = pool->next;
	return pool;
}

void
pools_submit(struct pools *pools, struct job *job)
{
	struct pool *pool = pool_find(pools, job->uid, job->gid);

	job->worker = NULL;
	job->number = pools->next_number++;
	job->due_us = loop_now_us(pools->settings.loop) +
	    POOL_JOB_DEADLINE_MS * 1000ll;
	job->later = NULL;
	job->earlier = pools->youngest;
	*(job->earlier ? &job->earlier->later : &pools->oldest) = job;
	pools->youngest = job;
	pools->n_jobs++;
	if (pool == NULL)
		pool = pool_new(pools, job->uid, job->gid);
	if (pool == NULL) {
		job_finish(pools, job, NULL);
		return;
	}
	waiting_append(pool, job);
	pump(pool);
}

size_t
pools_n_jobs(const struct pools *pools)
{
	return pools->n_jobs;
}

bool
pools_is_quiet(const struct pools *pools, uid_t uid, gid_t gid)
{
	const struct pool *pool = pool_find(pools, uid, gid);

	for (unsigned i = 0; pool != NULL && i < pool->n_workers; i++)
		if (pool->workers[i]->load > 0)
			return false;
	return pool == NULL || pool->first == NULL;
}

uint64_t
pools_next_number(const struct pools *pools)
{
	return pools->next_number;
}

uint64_t
pools_oldest_number(const struct pools *pools)
{
	return pools->oldest ? pools->oldest->number : pools->next_number;
}

struct pools *
pools_new(const struct pools_settings *settings)
{
	struct pools *pools = calloc(1, sizeof *pools);

	if (pools == NULL)
		return NULL;
	pools->settings = *settings;
	if (settings->max_per_uid == 0)
		pools->settings.max_per_uid = POOL_WORKERS_DEFAULT;
	if (loop_signal(settings->loop, SIGCHLD, on_sigchld, pools) != 0) {
		free(pools);
		return NULL;
	}
	loop_timer_start(settings->loop, &pools->tick, TICK_MS, on_tick,
	    pools);
	return pools;
}

void
pools_free(struct pools **poolsp)
{
	struct pools *pools = *poolsp;
	struct pool_worker *w, *next;

	*poolsp = NULL;
	if (pools == NULL)
		return;
	loop_timer_stop(pools->settings.loop, &pools->tick);
	loop_timer_stop(pools->settings.loop, &pools->retry);
	for (w = pools->workers; w != NULL; w = next) {
		next = w->next;
		channel_free(&w->channel);
		free(w);
	}
	for (size_t i = 0; i < POOL_BUCKETS; i++)
		for (struct pool *p; (p = pools->buckets[i]) != NULL; ) {
			pools->buckets[i] = p->next;
			free(p->workers);
			free(p);
		}
	free(pools);
}
