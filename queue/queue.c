/* SPDX-License-Identifier: ISC */
/*
 * queue.c - the compartment that keeps our users' mail until it has left.
 *
 * It does: write what submissions bring into the spool, hand it to relay
 * when it is due, and bring home what cannot be delivered.
 * It holds: state_dir/spool, as its root when the server runs as root, and
 * the key that auth's vouchers are checked with.
 * It can never: reach the network or any other file, become another user,
 * start a program. It takes nothing that auth has not vouched for, and what
 * it writes itself (a DSN) it can give to deliver only.
 *
 *	smtpd --PREPARE, COMMIT--> intake.c --> spool.c
 *	control --COMMAND--> commands.c          |
 *	        schedule.c --> jobs.c --> store, vault, relay
 *	                       reports.c --> vault, directory, deliver
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clock.h"
#include "log.h"
#include "messages.h"
#include "queue.h"
#include "sandbox.h"
#include "sending.h"

#define REMOVALS_MS 200		/* until removed names are durable */
#define TRIM_MS 1000		/* spare files that nobody needed go then */
#define SLEEP_MOST_S 600
#define STOP_MS 15000		/* for what relay has under way */

int64_t
queue_now_s(const struct queue *q)
{
	return clock_monotonic_us() / 1000000 + q->clock_offset_s;
}

/* ---- work ---- */

static void on_work(struct loop_timer *timer, void *arg);

void
queue_want_work(struct queue *q)
{
	if (!loop_timer_is_running(&q->work))
		loop_timer_start(q->c.loop, &q->work, 0, on_work, q);
}

static void
on_trim(struct loop_timer *timer, void *arg)
{
	struct queue *q = arg;

	if (spool_trim(q->spool))
		loop_timer_start(q->c.loop, timer, TRIM_MS, on_trim, q);
}

static void
on_removals(struct loop_timer *timer, void *arg)
{
	struct queue *q = arg;

	(void)timer;
	if (!spool_has_removed(q->spool))
		return;
	spool_flush(q->spool);
	/* what was just committed with it may be sent */
	queue_want_work(q);
}

static void
on_sleep(struct loop_timer *timer, void *arg)
{
	(void)timer;
	queue_want_work(arg);
}

/* Until something is due; timers of one length share one list. */
static void
sleep_on(struct queue *q)
{
	const struct heap_item *item = heap_first(&q->deadlines);
	int64_t next_s = schedule_next_s(q->schedule), left_s;

	if (item != NULL && item->due_s < next_s)
		next_s = item->due_s;
	left_s = next_s == INT64_MAX ? SLEEP_MOST_S : next_s - queue_now_s(q);
	if (left_s > SLEEP_MOST_S)
		left_s = SLEEP_MOST_S;
	loop_timer_start(q->c.loop, &q->sleep, left_s < 1 ? 1000 :
	    (uint32_t)left_s * 1000, on_sleep, q);
}

static void
flush_all_changes(struct queue *q)
{
	messages_write(q);
	while (spool_is_waiting(q->spool)) {
		spool_flush(q->spool);
		messages_write(q);
	}
}

static void
stop_now(struct queue *q)
{
	flush_all_changes(q);
	spool_flush(q->spool);
	spool_drop_spares(q->spool);
	loop_stop(q->c.loop);
}

/* What came in this round becomes durable together, then it may be sent. */
static void
on_work(struct loop_timer *timer, void *arg)
{
	struct queue *q = arg;

	(void)timer;
	messages_tick(q);
	if (spool_has_removed(q->spool) && !loop_timer_is_running(&q->trim))
		loop_timer_start(q->c.loop, &q->trim, TRIM_MS, on_trim, q);
	flush_all_changes(q);
	if (!q->is_stopping)
		jobs_start(q);
	messages_round_end(q);
	if (q->is_stopping && q->n_jobs == 0) {
		stop_now(q);
		return;
	}
	if (q->to_save != NULL || spool_is_waiting(q->spool))
		queue_want_work(q);
	else if (spool_has_removed(q->spool) &&
	    !loop_timer_is_running(&q->removals))
		loop_timer_start(q->c.loop, &q->removals, REMOVALS_MS,
		    on_removals, q);
	sleep_on(q);
}

/* ---- configuration, start and end ---- */

static struct schedule_settings
schedule_from(const struct config *config)
{
	struct schedule_settings settings = {
		.per_destination = config->queue.per_destination,
		.most = QUEUE_JOBS_MAX,
		.retry_first_s = config->queue.retry_first_s,
		.retry_longest_s = config->queue.retry_longest_s };

	if (getrandom(&settings.seed, sizeof settings.seed, 0) < 0)
		settings.seed = (uint64_t)clock_monotonic_us();
	return settings;
}

static bool
is_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool
is_same_domain(const struct config_domain *a, const struct config_domain *b)
{
	if (!is_same(a->name, b->name) || a->same_as.n != b->same_as.n ||
	    !is_same(config_domain_hop(a), config_domain_hop(b)))
		return false;
	for (size_t i = 0; i < a->same_as.n; i++)
		if (!is_same(a->same_as.items[i], b->same_as.items[i]))
			return false;
	return true;
}

/* By both configurations all mail goes to the same hosts. */
static bool
goes_the_same_way(const struct config *a, const struct config *b)
{
	if (!is_same(a->relay.smart_host, b->relay.smart_host) ||
	    a->n_domains != b->n_domains)
		return false;
	for (size_t i = 0; i < a->n_domains; i++)
		if (!is_same_domain(&a->domains[i], &b->domains[i]))
			return false;
	return true;
}

static void
on_config(struct compartment *c, const struct config *old)
{
	struct queue *q = c->arg;
	struct schedule_settings settings = schedule_from(c->config);

	schedule_set(q->schedule, &settings);
	if (!goes_the_same_way(old, c->config))
		messages_rebuild(q);
	queue_want_work(q);
}

static void
on_stop_limit(struct loop_timer *timer, void *arg)
{
	struct queue *q = arg;

	(void)timer;
	log_warning("stopped_with_work", LOG_U("jobs", q->n_jobs), LOG_END);
	stop_now(q);
}

/*
 * Nothing new is sent, but what relay has under way is waited for: a result
 * that nobody notes would be sent once more.
 */
static void
on_stop(struct compartment *c)
{
	struct queue *q = c->arg;

	if (q->is_stopping)
		return;
	q->is_stopping = true;
	loop_timer_start(c->loop, &q->stop_limit, STOP_MS, on_stop_limit, q);
	queue_want_work(q);
}

/* From here on every path is relative to the spool. */
static void
enter_sandbox(const struct queue *q)
{
	const struct sandbox who = { .name = "queue",
		.is_privileged = q->c.is_privileged, .uid = q->c.uid,
		.gid = q->c.gid };

	sandbox_enter_folder(&who, q->c.config->state_dir, "spool");
}

static void
queue_open(struct queue *q)
{
	struct schedule_settings settings = schedule_from(q->c.config);
	int error = spool_open(&q->spool);

	if (error)
		fatal("spool: %s", strerror(-error));
	q->clock_offset_s = clock_wall_s() - clock_monotonic_us() / 1000000;
	q->schedule = schedule_new(&settings);
	if (q->schedule == NULL || messages_init(q) != 0)
		fatal("no memory");
	messages_load(q);
	queue_want_work(q);
}

int
queue_main(void)
{
	static struct queue q;
	int error;

	compartment_start(&q.c, ROLE_QUEUE);
	q.c.arg = &q;
	q.c.on_peer = queue_on_peer;
	q.c.on_config = on_config;
	q.c.on_stop = on_stop;
	if (!q.c.has_secret[SECRET_VOUCH] || !q.c.has_secret[SECRET_LIST])
		fatal("the secret for vouchers or for lists is missing");
	enter_sandbox(&q);
	queue_open(&q);
	compartment_ready(&q.c);
	error = loop_run(q.c.loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	log_flush();
	return error ? 1 : 0;
}
