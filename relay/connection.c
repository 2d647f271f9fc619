/* SPDX-License-Identifier: ISC */
/*
 * connection.c - see connection.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "clock.h"
#include "job_wait.h"
#include "log.h"
#include "relay.h"
#include "tls.h"

#define READ_SIZE 16384
#define DANE_OFF ", DANE is off"

static void step(struct connection *c);

/* ---- coming and going ---- */

void
connection_close(struct connection *c)
{
	struct relay *r = c->relay;

	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		r->connections = c->next;
	if (c->next != NULL)
		c->next->previous = c->previous;
	r->n_connections--;
	loop_timer_stop(r->c.loop, &c->timer);
	stream_close(&c->stream);
	dialogue_free(&c->dialogue);
	free(c);
	jobs_wake(r);
}

/* For RFC 8460. */
static void
report(struct connection *c, enum tls_result result)
{
	const struct tls_report_key key = { c->security.policy,
		c->destination, c->host };

	if (c->security.result != TLS_RESULT_OK)
		result = c->security.result;
	tls_report_add(c->relay->report, &key, result, clock_wall_s());
}

static enum tls_result
result_of(enum tls_fault fault)
{
	static const enum tls_result results[TLS_FAULT_COUNT] = {
		[TLS_FAULT_NONE] = TLS_RESULT_VALIDATION,
		[TLS_FAULT_HANDSHAKE] = TLS_RESULT_VALIDATION,
		[TLS_FAULT_NAME] = TLS_RESULT_HOST_MISMATCH,
		[TLS_FAULT_EXPIRED] = TLS_RESULT_EXPIRED,
		[TLS_FAULT_UNTRUSTED] = TLS_RESULT_NOT_TRUSTED,
		[TLS_FAULT_TLSA] = TLS_RESULT_VALIDATION,
	};

	return results[fault];
}

/* Without it, where it is not required, the host can be tried once more. */
static void
fail_tls(struct connection *c)
{
	report(c, result_of(stream_tls_fault(&c->stream)));
	c->end.has_tls_failed = true;
}

/* Its socket is of no use any more. c is gone after this. */
static void
over(struct connection *c)
{
	struct job *job = c->job;
	struct connection_end end = c->end;

	if (c->dialogue.failure_stage == RELAY_AT_TLS && !c->has_begun_tls &&
	    c->dialogue.failure.code != 0)
		report(c, TLS_RESULT_NO_STARTTLS);
	end.why = c->dialogue.failure;
	end.stage = c->dialogue.failure_stage;
	end.address = c->address;
	end.was_reused = c->is_reused && !c->dialogue.has_answered &&
	    c->is_delivering;
	connection_close(c);
	if (job != NULL)
		job_connection_over(job, &end);
}

/* ---- octets ---- */

/* A handshake that is cut off, or has no end, has failed; so has a STARTTLS
 * that was not even answered. */
static void
lost(struct connection *c, const char *why)
{
	if (c->dialogue.phase == DIALOGUE_STARTTLS)
		c->end.has_tls_failed = true;
	if (c->dialogue.phase == DIALOGUE_HANDSHAKE && c->has_begun_tls &&
	    !c->end.has_tls_failed)
		fail_tls(c);
	dialogue_lost(&c->dialogue, why);
}

static void
flush(struct connection *c)
{
	struct dialogue *d = &c->dialogue;
	int error = 0;

	if (d->out.size > 0)
		error = stream_write(&c->stream, buf_slice(&d->out));
	buf_consume(&d->out, d->out.size);
	if (error < 0 && d->phase != DIALOGUE_OVER)
		lost(c, "the connection broke");
}

/* As much of the message as the socket takes now. */
static void
pump(struct connection *c)
{
	struct dialogue *d = &c->dialogue;

	while (d->phase == DIALOGUE_BODY && !stream_has_output(&c->stream) &&
	    dialogue_pump(d))
		flush(c);
	flush(c);
}

static void
read_input(struct connection *c)
{
	static char data[READ_SIZE];
	ssize_t n = stream_read(&c->stream, data, sizeof data);

	if (n > 0)
		dialogue_input(&c->dialogue, (struct slice){ data,
		    (size_t)n });
	else if (n == 0)
		lost(c, "it closed the connection");
	else if (n != -EAGAIN)
		lost(c, "the connection broke");
}

/* ---- TLS ---- */

static void
begin_tls(struct connection *c)
{
	c->has_begun_tls = true;
	if (stream_start_tls_client(&c->stream, c->relay->tls,
	    &c->security.tls) == 0)
		return;
	lost(c, "TLS could not be begun");
}

/* A policy in mode testing would have forbidden it (RFC 8461 5). */
static void
note_unproved(struct connection *c)
{
	report(c, result_of(stream_tls_fault(&c->stream)));
	log_notice("tls_unproved", LOG_S("domain", c->destination),
	    LOG_S("host", c->host), LOG_S("why",
	    stream_tls_failure(&c->stream)), LOG_S("effect",
	    "none: the MTA-STS policy is in mode testing"), LOG_END);
}

static void
secured(struct connection *c)
{
	static const char *const proved[] = { [TLS_CHECK_NOTHING] = "",
		[TLS_CHECK_NAMES] = " verified", [TLS_CHECK_DANE] = " dane" };
	const struct tls_facts *facts = stream_tls_facts(&c->stream);
	enum tls_check check = c->security.tls.check;

	if (c->security.tls.may_fail &&
	    stream_tls_fault(&c->stream) != TLS_FAULT_NONE) {
		note_unproved(c);
		check = TLS_CHECK_NOTHING;
	} else {
		report(c, TLS_RESULT_OK);
	}
	c->is_authenticated = check != TLS_CHECK_NOTHING &&
	    !c->security.tls.may_fail;
	snprintf(c->tls, sizeof c->tls, "%s %s%s%s", facts->version,
	    facts->cipher, proved[check],
	    c->security.is_dane_off ? DANE_OFF : "");
	dialogue_secured(&c->dialogue);
}

static void
insecure(struct connection *c)
{
	char why[300];

	fail_tls(c);
	snprintf(why, sizeof why, "the TLS handshake failed: %s",
	    stream_tls_failure(&c->stream));
	stream_end_tls(&c->stream);
	lost(c, why);
	buf_consume(&c->dialogue.out, c->dialogue.out.size);
}

/* ---- steps ---- */

static void
on_timer(struct loop_timer *timer, void *arg)
{
	struct connection *c = arg;

	(void)timer;
	c->timed = TIMED_NOT;
	if (c->dialogue.phase == DIALOGUE_READY && c->job == NULL)
		dialogue_quit(&c->dialogue);
	else
		lost(c, "the time limit passed");
	step(c);
}

/* Without a job, octets that come now and then earn no more time. */
static void
wait_on(struct connection *c)
{
	bool is_idle = c->dialogue.phase == DIALOGUE_READY && c->job == NULL;
	bool is_ending = c->dialogue.phase == DIALOGUE_QUIT;

	if ((is_idle && c->timed == TIMED_IDLE) ||
	    (is_ending && c->timed == TIMED_QUIT))
		return;
	c->timed = is_idle ? TIMED_IDLE : is_ending ? TIMED_QUIT : TIMED_JOB;
	loop_timer_start(c->relay->c.loop, &c->timer, is_idle ?
	    RELAY_IDLE_MS : dialogue_timeout_ms(&c->dialogue), on_timer, c);
}

/* Servers count faults of a connection, and get slow, or close it. */
static bool
is_spoiled(const struct errand *errand)
{
	return errand->is_probe && errand->recipients[0].is_said &&
	    errand->recipients[0].verdict.code != 250;
}

/* Back in READY: the job has its answers. Last thing that is done with c. */
static void
delivered(struct connection *c)
{
	struct job *job = c->job;
	struct verdict why = c->dialogue.failure;
	enum relay_stage stage = c->dialogue.failure_stage;

	c->job = NULL;
	c->is_delivering = false;
	if (c->dialogue.n_deliveries >= RELAY_MESSAGES_PER_CONNECTION ||
	    is_spoiled(job_errand(job)) || c->relay->is_stopping ||
	    c->relay->is_draining)
		dialogue_quit(&c->dialogue);
	flush(c);
	if (c->dialogue.phase == DIALOGUE_OVER)
		connection_close(c);
	else
		wait_on(c);
	jobs_wake(job->relay);
	job_delivered(job, stage, &why);
}

/*
 * A host that calls itself as we do is us (RFC 5321 6.3). We speak no LMTP:
 * its servers may stand on this host, and have its name.
 */
static bool
is_us(const struct connection *c)
{
	return !c->settings.is_lmtp && strcasecmp(c->dialogue.peer_name,
	    c->settings.hostname) == 0;
}

static void
begin_delivery(struct connection *c)
{
	if (!c->is_reused && is_us(c)) {
		struct verdict v;

		verdict_set(&v, 554, 4, 6, "mail for %s loops back to this "
		    "host", c->destination);
		c->end.is_loop = true;
		dialogue_fail(&c->dialogue, RELAY_AT_HELLO, &v);
		return;
	}
	if (!c->is_reused)
		job_host_is_good(c->job);
	if (!c->is_reused && c->security.wants_tls &&
	    !c->dialogue.is_secured)
		report(c, TLS_RESULT_NO_STARTTLS);
	c->is_delivering = true;
	dialogue_deliver(&c->dialogue, job_errand(c->job));
}

/* Whatever has happened: go on as far as it goes. */
static void
step(struct connection *c)
{
	struct dialogue *d = &c->dialogue;

	for (;;) {
		pump(c);
		if (c->job != NULL)
			job_report(c->job, c);
		if (d->phase == DIALOGUE_HANDSHAKE && !c->has_begun_tls) {
			begin_tls(c);
		} else if (d->phase == DIALOGUE_READY && c->job != NULL &&
		    !c->is_delivering) {
			begin_delivery(c);
		} else {
			break;
		}
	}
	if (d->phase == DIALOGUE_OVER)
		over(c);
	else if (d->phase == DIALOGUE_READY && c->job != NULL)
		delivered(c);
	else
		wait_on(c);
}

static void
on_event(struct stream *stream, enum stream_event event, void *arg)
{
	struct connection *c = arg;

	(void)stream;
	switch (event) {
	case STREAM_INPUT:
		read_input(c);
		break;
	case STREAM_BROKEN:
		lost(c, "the connection broke");
		break;
	case STREAM_SECURED:
		secured(c);
		break;
	case STREAM_INSECURE:
		insecure(c);
		break;
	case STREAM_WRITTEN:
	case STREAM_HELD:
		break;
	}
	step(c);
}

/* ---- for jobs ---- */

struct connection *
connection_new(struct relay *r, int fd,
    const struct connection_target *target, struct job *job)
{
	struct connection *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->relay = r;
	c->job = job;
	c->address = *target->address;
	c->port = target->port;
	c->security = *target->security;
	c->is_authenticated = target->address->family == AF_UNIX;
	c->settings = (struct dialogue_settings){
		.hostname = r->settings.hostname,
		.is_lmtp = target->is_lmtp,
		.is_local = target->address->family == AF_UNIX,
		.wants_tls = target->security->wants_tls,
		.requires_tls = target->security->requires_tls,
		.user = target->uses_auth ? r->settings.smart_host_user :
		    NULL,
		.password = r->settings.smart_host_password,
		.command_ms = r->settings.command_ms,
		.data_ms = r->settings.data_ms,
		.end_ms = r->settings.end_ms };
	(void)slice_copy(c->destination, sizeof c->destination,
	    slice_of(target->destination));
	(void)slice_copy(c->host, sizeof c->host, slice_of(target->host));
	if (c->security.is_dane_off)
		snprintf(c->tls, sizeof c->tls, "none" DANE_OFF);
	dialogue_start(&c->dialogue, &c->settings);
	if (stream_open(&c->stream, r->c.loop, fd, on_event, c) < 0) {
		free(c);
		return NULL;
	}
	c->next = r->connections;
	if (c->next != NULL)
		c->next->previous = c;
	r->connections = c;
	r->n_connections++;
	r->counts.connections++;
	wait_on(c);
	return c;
}

void
connection_deliver(struct connection *c, struct job *job)
{
	c->job = job;
	c->timed = TIMED_NOT;
	c->is_reused = true;
	c->relay->counts.reused++;
	step(c);
}

/* Part of a reply is none to what would be sent next. */
static bool
is_idle(const struct connection *c)
{
	return c->job == NULL && c->dialogue.phase == DIALOGUE_READY &&
	    c->dialogue.response.is_whole &&
	    stream_look(&c->stream) == STREAM_QUIET;
}

struct connection *
connection_find_destination(struct relay *r, const char *destination,
    bool requires_tls, bool uses_auth)
{
	for (struct connection *c = r->connections; c != NULL; c = c->next)
		if (strcmp(c->destination, destination) == 0 &&
		    (!requires_tls || c->is_authenticated) &&
		    (c->settings.user != NULL) == uses_auth && is_idle(c))
			return c;
	return NULL;
}

struct connection *
connection_find_address(struct relay *r,
    const struct connection_target *target)
{
	if (target->security->requires_tls || target->uses_auth)
		return NULL;
	for (struct connection *c = r->connections; c != NULL; c = c->next)
		if (c->port == target->port && c->settings.user == NULL &&
		    c->settings.is_lmtp == target->is_lmtp &&
		    net_address_equals(&c->address, target->address) &&
		    strcmp(c->host, target->host) == 0 && is_idle(c))
			return c;
	return NULL;
}

size_t
connection_count(const struct relay *r, const struct net_address *address,
    uint16_t port)
{
	size_t n = 0;

	for (const struct connection *c = r->connections; c != NULL;
	    c = c->next)
		n += c->port == port &&
		    net_address_equals(&c->address, address);
	return n;
}
