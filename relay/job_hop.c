/* SPDX-License-Identifier: ISC */
/*
 * job_hop.c - see job_hop.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "endpoint.h"
#include "relay.h"

/* ---- where it is ---- */

/* False: no domain has this next hop (any more). */
static bool
find_socket(struct job *job)
{
	const struct config *config = job->relay->c.config;
	struct hosts *h = &job->hosts;
	struct net_address *a = &h->list[0].addresses[0];

	if (job->hop.fronted == NULL)
		return false;
	memset(h, 0, sizeof *h);
	h->settings = &job->relay->settings.hosts;
	h->is_implicit = h->is_secure = true;
	(void)slice_copy(h->list[0].name, sizeof h->list[0].name,
	    slice_of(job->hop.where.name));
	a->family = AF_UNIX;
	a->as.v4.s_addr = (in_addr_t)(job->hop.fronted - config->domains);
	h->list[0].n_addresses = 1;
	h->n = 1;
	return true;
}

static void
unknown_hop(struct job *job)
{
	struct verdict v;

	verdict_set(&v, 451, 3, 5, "%s is no next hop of the configuration",
	    job->destination);
	job_fail(job, RELAY_AT_DNS, &v);
}

static void
on_hosts(void *arg)
{
	job_hosts_known(arg);
}

void
job_look_up_hop(struct job *job)
{
	struct relay *r = job->relay;
	struct next_hop *hop = &job->hop.where;

	job->n_waits = 1;
	if (!next_hop_split(job->destination, hop)) {
		unknown_hop(job);
		return;
	}
	job->port = hop->port;
	job->hop.fronted = config_find_hop(r->c.config, job->destination);
	if (hop->is_unix) {
		if (find_socket(job))
			job_hosts_known(job);
		else
			unknown_hop(job);
	} else if (hosts_of_address(&job->hosts, &r->settings.hosts,
	    hop->name)) {
		job->hosts.port = hop->port;
		hosts_finish(&job->hosts);
		job_hosts_known(job);
	} else {
		hosts_find_one(&job->hosts, &r->settings.hosts, r->resolver,
		    hop->name, hop->port, on_hosts, job);
	}
}

/* "[192.0.2.1]", "[ipv6:2001:db8::1]" (RFC 5321 4.1.3). */
void
job_look_up_literal(struct job *job)
{
	struct slice s = slice_of(job->destination);
	char text[64];

	s = (struct slice){ s.data + 1, s.size - 2 };
	if (slice_starts_nocase(s, SLICE("ipv6:")))
		s = (struct slice){ s.data + 5, s.size - 5 };
	if (!slice_copy(text, sizeof text, s) ||
	    !hosts_of_address(&job->hosts, &job->relay->settings.hosts,
	    text)) {
		job_no_such_destination(job);
		return;
	}
	hosts_finish(&job->hosts);
	job->n_waits = 1;
	job_hosts_known(job);
}

/* ---- a unix socket ---- */

static void
on_opened(int fd, void *arg)
{
	struct job *job = arg;

	job->hop.opening = 0;
	job_local_forget(job);
	job_connected(job, fd, 0);
}

static void
on_limit(struct loop_timer *timer, void *arg)
{
	struct job *job = arg;

	(void)timer;
	job_local_forget(job);
	job_connected(job, -ETIMEDOUT, 0);
}

void
job_open_local(struct job *job)
{
	struct relay *r = job->relay;

	job->hop.opening = endpoint_open(&r->c,
	    job->hosts.list[0].addresses[0].as.v4.s_addr, on_opened, job);
	if (job->hop.opening == 0)
		job_connected(job, -ENOTCONN, 0);
	else
		loop_timer_start(r->c.loop, &job->hop.limit,
		    r->settings.connect_ms, on_limit, job);
}

void
job_local_forget(struct job *job)
{
	if (job->hop.opening != 0)
		endpoint_forget(&job->relay->c, job->hop.opening);
	job->hop.opening = 0;
	loop_timer_stop(job->relay->c.loop, &job->hop.limit);
}
