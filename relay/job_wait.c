/* SPDX-License-Identifier: ISC */
/*
 * job_wait.c - see job_wait.h.
 */
#include <string.h>
#include "job_wait.h"
#include "log.h"
#include "relay.h"

#define SHORTAGE_MS 1000

/* Those that are being connected count too. Probes leave half of the places
 * to messages. */
bool
job_is_full(const struct job *job, const struct net_address *address)
{
	const struct relay *r = job->relay;
	size_t n = connection_count(r, address, job->port), n_all = 0;
	size_t share = job->errand.is_probe ? 2 : 1;

	for (const struct job *other = r->jobs; other != NULL;
	    other = other->next) {
		if (!other->is_connecting)
			continue;
		n_all++;
		n += other->port == job->port && net_address_equals(address,
		    &other->connector.addresses[0]);
	}
	return r->n_connections + n_all >= RELAY_CONNECTIONS_MAX / share ||
	    n >= RELAY_CONNECTIONS_PER_HOST / share;
}

/* A message waits for its turn, and so does a client; a probe does not get in
 * its way. */
static void
wait_unless_probe(struct job *job, const struct verdict *v)
{
	job->is_waiting = true;
	if (job->errand.is_probe && !job->errand.is_forward)
		job_fail(job, RELAY_AT_CONNECT, v);
}

void
job_wait_for_place(struct job *job)
{
	struct verdict v;

	verdict_set(&v, 451, 4, 5, "no connection is free for a question");
	wait_unless_probe(job, &v);
}

/* ---- a shortage ---- */

static void
on_shortage(struct loop_timer *timer, void *arg)
{
	(void)timer;
	jobs_wake(arg);
}

bool
job_is_short(const struct job *job)
{
	return connector_is_shortage(job->connector.error);
}

void
job_say_shortage(const struct job *job, struct verdict *v)
{
	verdict_set(v, 451, 3, 0, "no connection to %s can be opened here "
	    "now: %s", job->remote, strerror(-job->connector.error));
}

/*
 * It says nothing of the host, which may be reached in a moment. Who waits is
 * not woken by it: they would wake each other for ever.
 */
void
job_wait_out_shortage(struct job *job, int error)
{
	struct relay *r = job->relay;
	struct verdict v;

	job->connector.error = error;
	job->next_target = job->connecting;
	if (!loop_timer_is_running(&r->shortage)) {
		log_warning("connections_short", LOG_E("error", error),
		    LOG_END);
		loop_timer_start(r->c.loop, &r->shortage, SHORTAGE_MS,
		    on_shortage, r);
	}
	job_say_shortage(job, &v);
	wait_unless_probe(job, &v);
}

/* ---- their turn ---- */

static void
on_wake(struct loop_timer *timer, void *arg)
{
	struct relay *r = arg;
	struct job *next;

	(void)timer;
	for (struct job *job = r->jobs; job != NULL; job = next) {
		next = job->next;
		if (job->is_waiting)
			job_next_target(job);
	}
}

void
jobs_wake(struct relay *r)
{
	if (!loop_timer_is_running(&r->wake))
		loop_timer_start(r->c.loop, &r->wake, 0, on_wake, r);
}
