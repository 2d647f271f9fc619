/* SPDX-License-Identifier: ISC */
/*
 * job.c - see job.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "job_wait.h"
#include "log.h"
#include "relay.h"
#include "rewrite.h"
#include "sts.h"

static void look_up(struct job *job);

/* ---- coming and going ---- */

static void
job_free(struct job *job)
{
	struct relay *r = job->relay;

	if (job->previous != NULL)
		job->previous->next = job->next;
	else
		r->jobs = job->next;
	if (job->next != NULL)
		job->next->previous = job->previous;
	r->n_jobs--;
	hosts_forget(&job->hosts);
	rewrite_forget(job);
	circle_forget(job);
	if (job->waits_for_sts)
		sts_forget(r->sts, job);
	sts_release(&job->sts);
	connector_stop(&job->connector);
	job_local_forget(job);
	loop_timer_stop(r->c.loop, &job->deadline);
	recipient_list_free(job->list);
	free(job->errand.reverse_path);
	free(job->errand.envid);
	if (job->fd >= 0)
		close(job->fd);
	if (job->asker->gone != NULL)
		job->asker->gone(job);
	free(job);
	relay_job_gone(r);
}

static void
add_last(struct relay *r, struct job *job)
{
	struct job *last = r->jobs;

	while (last != NULL && last->next != NULL)
		last = last->next;
	job->previous = last;
	if (last != NULL)
		last->next = job;
	else
		r->jobs = job;
	r->n_jobs++;
}

struct job *
job_new(struct relay *r, const struct relay_send *send,
    struct recipient_list *list, int fd, const struct job_asker *asker)
{
	struct job *job = calloc(1, sizeof *job);
	struct errand *d;

	if (job == NULL) {
		recipient_list_free(list);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	job->relay = r;
	job->asker = asker;
	job->number = send->job;
	job->fd = fd;
	job->list = list;
	job->is_asked_for = send->is_asked_for;
	job->port = r->settings.hosts.port;
	add_last(r, job);
	d = &job->errand;
	d->reverse_path = slice_strdup(send->reverse_path);
	d->envid = slice_strdup(send->envid);
	d->ret = send->ret;
	d->is_8bit = send->is_8bit;
	d->requires_tls = send->requires_tls;
	d->is_for_smart_host = send->is_smart_host;
	d->source = (struct encoder_source){ .fd = fd,
		.offset = send->message_offset,
		.size = send->message_size };
	d->recipients = list->recipients;
	d->n_recipients = list->n;
	d->is_utf8 = send->is_utf8 || errand_has_utf8_address(d);
	if (d->reverse_path == NULL || d->envid == NULL ||
	    !slice_copy(job->destination, sizeof job->destination,
	    send->domain)) {
		job_free(job);
		return NULL;
	}
	return job;
}

void
job_abandon(struct job *job)
{
	if (job->connection != NULL)
		connection_close(job->connection);
	job_free(job);
}

/* ---- results ---- */

void
job_report(struct job *job, const struct connection *c)
{
	struct errand *d = &job->errand;

	if (c != NULL)
		(void)slice_copy(job->tls, sizeof job->tls,
		    slice_of(c->tls));
	for (uint16_t i = 0; i < d->n_recipients; i++) {
		struct errand_recipient *to = &d->recipients[i];

		if (to->state != ERRAND_SETTLED || to->is_told)
			continue;
		to->is_told = true;
		to->passes_dsn = c != NULL &&
		    (c->dialogue.features.has & FEATURE_DSN) != 0;
		job->asker->told(job, to);
	}
}

static void
answer(struct job *job)
{
	bool is_host_bad = !job->has_reached_host && !job_is_short(job) &&
	    job->failure.code / 100 == 4 &&
	    job->failure_stage != RELAY_AT_DNS;

	errand_settle_all(&job->errand, ERRAND_OPEN,
	    job->failure_stage, &job->failure);
	job_report(job, NULL);
	if (job->asker->answered != NULL)
		job->asker->answered(job, is_host_bad);
	job_free(job);
}

/* What OPEN recipients are told if nothing better comes. */
static void
note_failure(struct job *job, enum relay_stage stage,
    const struct verdict *why)
{
	if (why->code == 0 || (job->failure.code / 100 == 4 &&
	    why->code / 100 == 5))
		return;
	job->failure = *why;
	job->failure_stage = stage;
}

static bool
has_sent_end(const struct job *job)
{
	return job->connection != NULL &&
	    job->connection->dialogue.has_sent_end;
}

static void
on_deadline(struct loop_timer *timer, void *arg)
{
	struct job *job = arg;
	enum relay_stage stage = RELAY_AT_CONNECT;
	struct verdict v;

	/* the limit is of what comes before; then nothing else counts than
	 * what the other side says */
	if (job->errand.is_forward && has_sent_end(job) &&
	    !job->has_more_time) {
		job->has_more_time = true;
		loop_timer_start(job->relay->c.loop, timer,
		    job->relay->settings.end_ms, on_deadline, job);
		return;
	}
	verdict_set(&v, 451, 4, 7, "the time for this try is over");
	if (job_is_short(job))
		job_say_shortage(job, &v);
	if (job->connection != NULL) {
		struct connection *c = job->connection;

		/* settles who may have it already */
		dialogue_lost(&c->dialogue, "the time for this try was over");
		v = c->dialogue.failure;
		stage = c->dialogue.failure_stage;
		job_report(job, c);
		connection_close(c);
		job->connection = NULL;
	}
	note_failure(job, stage, &v);
	answer(job);
}

void
job_cancel(struct job *job, const struct verdict *why)
{
	if (has_sent_end(job))
		return;
	if (job->connection != NULL)
		connection_close(job->connection);
	job->connection = NULL;
	errand_reopen(&job->errand);
	job->failure = *why;
	job->failure_stage = RELAY_AT_DATA;
	answer(job);
}

/* ---- targets ---- */

static const struct job_target *
target(const struct job *job, unsigned i)
{
	return &job->targets[i];
}

static struct host *
host_of(struct job *job, unsigned i)
{
	return &job->hosts.list[target(job, i)->host];
}

static const struct net_address *
address_at(struct job *job, unsigned i)
{
	return &host_of(job, i)->addresses[target(job, i)->address];
}

/* "mx.example.net[192.0.2.1]", "/run/lmtp" */
static void
write_remote(struct job *job, const char *host,
    const struct net_address *address)
{
	if (address->family == AF_UNIX)
		snprintf(job->remote, sizeof job->remote, "%s", host);
	else
		snprintf(job->remote, sizeof job->remote, "%s[%s]", host,
		    net_address_text(address).text);
}

/* IPv6 and IPv4 in turn, so that a connector has one of each. */
static void
add_host_targets(struct job *job, uint8_t h)
{
	const struct host *host = &job->hosts.list[h];
	bool is_local = host->addresses[0].family == AF_UNIX;
	int families[2] = { is_local ? AF_UNIX : AF_INET6, AF_INET };
	unsigned at[2] = { 0, 0 }, turn = 0, done = 0;

	while (done < host->n_addresses &&
	    job->n_targets < JOB_TARGETS_MAX) {
		unsigned k = turn++ & 1;

		while (at[k] < host->n_addresses &&
		    host->addresses[at[k]].family != families[k])
			at[k]++;
		if (at[k] == host->n_addresses)
			continue;
		job->targets[job->n_targets++] = (struct job_target){
			h, (uint8_t)at[k]++, false };
		done++;
	}
}

void
job_hosts_known(struct job *job)
{
	if (--job->n_waits > 0)
		return;
	if (job->hosts.verdict.code != 0 || job->sts_unknown.code != 0) {
		note_failure(job, RELAY_AT_DNS, job->hosts.verdict.code != 0 ?
		    &job->hosts.verdict : &job->sts_unknown);
		answer(job);
		return;
	}
	job_note_dane(job);
	note_failure(job, RELAY_AT_DNS, &job->hosts.missing);
	for (uint8_t i = 0; i < job->hosts.n; i++)
		add_host_targets(job, i);
	job_next_target(job);
}

static void
on_hosts(void *arg)
{
	job_hosts_known(arg);
}

static void
on_sts(void *arg, struct sts_policy *policy, bool is_known)
{
	struct job *job = arg;

	job->waits_for_sts = false;
	if (!is_known)
		verdict_set(&job->sts_unknown, 451, 4, 3, "it cannot be told "
		    "now whether %s has an MTA-STS policy",
		    job->destination);
	sts_release(&job->sts);
	job->sts = policy;
	job_hosts_known(job);
}

void
job_fail(struct job *job, enum relay_stage stage, const struct verdict *why)
{
	note_failure(job, stage, why);
	answer(job);
}

void
job_no_such_destination(struct job *job)
{
	struct verdict v;

	verdict_set(&v, 550, 1, 2, "%s is no domain that mail can be sent "
	    "to", job->destination);
	job_fail(job, RELAY_AT_DNS, &v);
}

static void
look_up(struct job *job)
{
	struct relay *r = job->relay;
	char name[DNS_NAME_MAX + 1];
	size_t size = strlen(job->destination);

	if (next_hop_is_named(job->destination)) {
		job_look_up_hop(job);
	} else if (job->destination[0] == '[' &&
	    job->destination[size - 1] == ']') {
		job_look_up_literal(job);
	} else if (!dns_name(name, slice_of(job->destination)) ||
	    *name == '\0') {
		job_no_such_destination(job);
	} else {
		/* both may answer from within, and the last one may free */
		job->n_waits = 2;
		job->waits_for_sts = true;
		sts_find(r->sts, name, job, on_sts);
		hosts_find(&job->hosts, &r->settings.hosts, r->resolver,
		    name, on_hosts, job);
	}
}

static bool
uses_auth(const struct job *job)
{
	return job->errand.is_for_smart_host &&
	    job->relay->settings.smart_host_user != NULL;
}

void
job_begin(struct job *job, uint32_t limit_ms)
{
	struct relay *r = job->relay;
	struct connection *c = connection_find_destination(r,
	    job->destination, job->errand.requires_tls, uses_auth(job));

	loop_timer_start(r->c.loop, &job->deadline, limit_ms, on_deadline,
	    job);
	if (c == NULL) {
		look_up(job);
		return;
	}
	job->connection = c;
	job->idle_at = c->address;
	write_remote(job, c->host, &c->address);
	job->has_reached_host = true;
	connection_deliver(c, job);
}

/* ---- one target ---- */

static void
set_remote(struct job *job, unsigned i)
{
	write_remote(job, host_of(job, i)->name, address_at(job, i));
}

static void
target_of(struct job *job, unsigned i, struct connection_target *to)
{
	*to = (struct connection_target){ .destination = job->destination,
		.host = host_of(job, i)->name,
		.address = address_at(job, i), .port = job->port,
		.security = &job->security, .is_lmtp = job->hop.where.is_lmtp,
		.uses_auth = uses_auth(job) };
}

/*
 * A probe has no say in that: what it meets may be about probes. Nor has who
 * waits, whose next hop is asked anew each time, or who alone requires TLS.
 * A unix socket says at once that nobody serves it, and when he is back.
 */
static void
penalise(struct job *job, const struct net_address *address,
    const struct verdict *why)
{
	if (!job->errand.is_probe && !job->errand.is_forward &&
	    address->family != AF_UNIX)
		penalties_add(job->relay->penalties, address, job->port, why,
		    loop_now_us(job->relay->c.loop));
}

void
job_connected(void *arg, int fd, unsigned which)
{
	struct job *job = arg;
	struct relay *r = job->relay;
	unsigned i = job->connecting + which;
	struct connection_target to;
	struct verdict v;

	job->is_connecting = false;
	set_remote(job, i);
	if (fd >= 0) {
		/* what has failed beside it is not tried after it */
		target_of(job, i, &to);
		job->connection = connection_new(r, fd, &to, job);
		if (job->connection != NULL)
			return;
		fd = -ENOMEM;
	}
	if (connector_is_shortage(fd)) {
		job_wait_out_shortage(job, fd);
		return;
	}
	verdict_set(&v, 451, 4, 1, "cannot connect to %s: %s", job->remote,
	    strerror(-fd));
	for (i = 0; i < job->connector.n; i++)
		penalise(job, address_at(job, job->connecting + i), &v);
	note_failure(job, RELAY_AT_CONNECT, &v);
	jobs_wake(r);
	job_next_target(job);
}

static void
connect_to(struct job *job, unsigned i)
{
	struct relay *r = job->relay;
	struct connector *c = &job->connector;

	*c = (struct connector){ .loop = r->c.loop, .n = 1,
		.port = job->port, .source_v4 = r->settings.source_v4,
		.source_v6 = r->settings.source_v6, .done = job_connected,
		.arg = job };
	c->addresses[0] = *address_at(job, i);
	set_remote(job, i);
	job->connecting = i;
	if (i + 1 < job->n_targets && !target(job, i)->is_plain &&
	    target(job, i + 1)->host == target(job, i)->host &&
	    address_at(job, i + 1)->family != c->addresses[0].family) {
		c->addresses[1] = *address_at(job, i + 1);
		c->n = 2;
	}
	job->next_target = i + c->n;
	job->is_connecting = true;
	if (c->addresses[0].family == AF_UNIX)
		job_open_local(job);
	else
		connector_start(c, r->settings.connect_ms);
}

/* It was bad a while ago: not now. */
static bool
is_skipped(struct job *job, unsigned i)
{
	struct relay *r = job->relay;
	const struct verdict *why;
	struct verdict v;
	uint32_t left = penalties_find(r->penalties, address_at(job, i),
	    job->port, loop_now_us(r->c.loop), &why);

	if (left == 0 || job->is_asked_for)
		return false;
	verdict_set(&v, 451, 4, 1, "not tried again for %u s: %s",
	    (unsigned)left, why->text);
	set_remote(job, i);
	note_failure(job, RELAY_AT_CONNECT, &v);
	if (job->delay_s == 0 || left < job->delay_s)
		job->delay_s = left;
	r->counts.hosts_skipped++;
	return true;
}

/* False: it is not for this job, or not now. */
static bool
may_try(struct job *job, unsigned i)
{
	struct verdict why;

	/* it said no on a connection that was idle */
	if (job->was_refused && net_address_equals(address_at(job, i),
	    &job->idle_at))
		return false;
	if (is_skipped(job, i))
		return false;
	if (!job_secure(job, host_of(job, i), &job->security, &why)) {
		set_remote(job, i);
		note_failure(job, RELAY_AT_TLS, &why);
		job->has_reached_host = true;	/* not down */
		return false;
	}
	if (target(job, i)->is_plain)
		job->security.wants_tls = false;
	return true;
}

void
job_next_target(struct job *job)
{
	struct connection_target to;
	struct connection *c;
	unsigned i = job->next_target;

	job->is_waiting = false;
	while (i < job->n_targets && !may_try(job, i))
		i++;
	job->next_target = i;
	if (i == job->n_targets) {
		answer(job);
		return;
	}
	target_of(job, i, &to);
	c = connection_find_address(job->relay, &to);
	if (c != NULL) {
		set_remote(job, i);
		job->connecting = i;
		job->next_target = i + 1;
		job->connection = c;
		job->has_reached_host = true;
		connection_deliver(c, job);
	} else if (job_is_full(job, address_at(job, i))) {
		set_remote(job, i);
		job_wait_for_place(job);
	} else {
		connect_to(job, i);
	}
}

/* ---- what connections say ---- */

struct errand *
job_errand(struct job *job)
{
	return &job->errand;
}

void
job_host_is_good(struct job *job)
{
	job->has_reached_host = true;
	penalties_remove(job->relay->penalties, &job->connection->address,
	    job->port);
}

void
job_delivered(struct job *job, enum relay_stage stage,
    const struct verdict *why)
{
	job->connection = NULL;
	note_failure(job, stage, why);
	if (errand_count(&job->errand, ERRAND_OPEN) == 0) {
		answer(job);
	} else if (job->n_targets == 0) {
		job->was_refused = true;	/* on an idle connection */
		look_up(job);
	} else {
		job_next_target(job);
	}
}

/* Opportunistic TLS that failed is no reason not to send (RFC 7435). */
static bool
retries_plain(struct job *job, const struct connection_end *end,
    const struct net_address *address)
{
	if (!end->has_tls_failed || job->security.requires_tls)
		return false;
	for (unsigned i = 0; i < job->n_targets; i++) {
		if (!net_address_equals(address_at(job, i), address))
			continue;
		job->targets[i].is_plain = true;
		job->next_target = i;
		return true;
	}
	return false;
}

void
job_connection_over(struct job *job, const struct connection_end *end)
{
	bool is_early = end->stage <= RELAY_AT_HELLO && !end->is_loop &&
	    !(end->stage == RELAY_AT_TLS && job->errand.requires_tls);

	job->connection = NULL;
	if (errand_count(&job->errand, ERRAND_OPEN) == 0) {
		answer(job);
		return;
	}
	if (end->was_reused || job->n_targets == 0) {
		if (!end->was_reused)
			note_failure(job, end->stage, &end->why);
		if (job->n_targets == 0) {
			look_up(job);
			return;
		}
		job->next_target = job->connecting;	/* once more, anew */
		job_next_target(job);
		return;
	}
	if (retries_plain(job, end, &end->address)) {
		job_next_target(job);
		return;
	}
	if (is_early && !end->has_tls_failed)
		penalise(job, &end->address, &end->why);
	note_failure(job, end->stage, &end->why);
	job_next_target(job);
}
