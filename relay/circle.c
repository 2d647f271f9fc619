/* SPDX-License-Identifier: ISC */
/*
 * circle.c - see circle.h.
 */
#include <string.h>
#include "relay.h"

/* The same question, by somebody who came before, and not answered yet. */
static bool
is_same_ask(const struct job *job, const struct job *other)
{
	return other->errand.is_forward && other->errand.is_probe &&
	    other->errand.recipients[0].state != ERRAND_SETTLED &&
	    strcmp(other->destination, job->destination) == 0 &&
	    strcmp(other->errand.recipients[0].address,
	    job->errand.recipients[0].address) == 0 &&
	    strcmp(other->errand.reverse_path, job->errand.reverse_path) == 0;
}

/* How many there are; has_asker: one of them is asked at our client. */
static unsigned
count_open(const struct job *job, bool *has_asker)
{
	unsigned n = 0;

	*has_asker = false;
	for (const struct job *other = job->relay->jobs; other != job;
	    other = other->next) {
		if (!is_same_ask(job, other))
			continue;
		n++;
		*has_asker |= other->connection != NULL &&
		    net_address_equals(&other->connection->address,
		    &job->circle.client);
	}
	return n;
}

static void
on_waited(struct loop_timer *timer, void *arg)
{
	struct job *job = arg;
	uint32_t limit_ms = job->circle.limit_ms;
	struct verdict v;
	bool has_asker;

	(void)timer;
	if (count_open(job, &has_asker) < job->circle.n_open) {
		job_begin(job, limit_ms > 2 * CIRCLE_WAIT_MS ?
		    limit_ms - CIRCLE_WAIT_MS : limit_ms);
		return;
	}
	verdict_set(&v, 554, 4, 6, "mail for this address goes round in "
	    "circles: the next server for it forwards it to us");
	job_fail(job, RELAY_AT_MAIL, &v);
}

void
circle_begin(struct job *job, uint32_t limit_ms)
{
	bool has_asker;

	if (job->errand.is_probe && job->circle.client.family != 0) {
		job->circle.n_open = count_open(job, &has_asker);
		job->circle.limit_ms = limit_ms;
		if (has_asker && job->circle.n_open >= CIRCLE_ASKS) {
			loop_timer_start(job->relay->c.loop,
			    &job->circle.timer, CIRCLE_WAIT_MS, on_waited,
			    job);
			return;
		}
	}
	job_begin(job, limit_ms);
}

void
circle_forget(struct job *job)
{
	loop_timer_stop(job->relay->c.loop, &job->circle.timer);
}
