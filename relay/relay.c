/* SPDX-License-Identifier: ISC */
/*
 * relay.c - the compartment that speaks SMTP and LMTP to other hosts.
 *
 * It does: carry queue's messages to the next hop, and report what it said;
 * ask there, for somebody who waits, whether a recipient would be taken, and
 * bring mail from outside to those next hops that directory has sealed, or
 * vault, for bounces to senders of forwards.
 * It holds: outgoing TCP connections, those to unix sockets of LMTP servers
 * that the supervisor opens for it, and the message under way.
 * It can never: open a file, listen, reach any other unix socket, start a
 * program, become another user. A relay that is taken over can read and
 * change mail that leaves, as any hop on the way can, and nothing that stays
 * here.
 */
#include <limits.h>
#include <stdio.h>
#include "log.h"
#include "relay.h"
#include "sandbox.h"
#include "tls.h"

#define REST_MS 1000		/* from the last answer to the end */

static void
enter_sandbox(const struct relay *r)
{
	char root[PATH_MAX];
	const struct sandbox sandbox = { .name = "relay",
		.is_privileged = r->c.is_privileged, .uid = r->c.uid,
		.gid = r->c.gid, .root = root,
		.allow = SANDBOX_TCP_SOCKETS };

	snprintf(root, sizeof root, "%s/empty", r->c.config->state_dir);
	sandbox_enter(&sandbox);
}

/*
 * The queue ends before us and says what it still wants by closing its
 * channel: what is under way then is sent again by the next one.
 */
static void
on_stop(struct compartment *c)
{
	struct relay *r = c->arg;

	r->is_stopping = true;
	if (r->queue == NULL)
		loop_stop(c->loop);
}

static void
on_rest(struct loop_timer *timer, void *arg)
{
	struct relay *r = arg;

	(void)timer;
	if (r->n_jobs == 0)
		loop_stop(r->c.loop);
}

/* The queue may have asked for one more before it knew the successor. */
void
relay_job_gone(struct relay *r)
{
	if (r->is_draining && r->n_jobs == 0)
		loop_timer_start(r->c.loop, &r->rest, REST_MS, on_rest, r);
}

/* A relay with other settings has started: end what has begun. */
static void
on_drain(struct compartment *c)
{
	struct relay *r = c->arg;

	r->is_draining = true;
	relay_job_gone(r);
}

int
relay_main(void)
{
	static struct relay relay;
	struct relay *r = &relay;
	int error;

	compartment_start(&r->c, ROLE_RELAY);
	r->c.arg = r;
	r->c.on_peer = relay_on_peer;
	r->c.on_stop = on_stop;
	r->c.on_drain = on_drain;
	if (tls_init() < 0)
		fatal("relay: OpenSSL does not start");
	if (!r->c.has_secret[SECRET_HOP] || !r->c.has_secret[SECRET_RETURN])
		fatal("relay: the secret for next hops is missing");
	relay_settings_read(r);
	r->penalties = penalties_new();
	r->report = tls_report_new();
	r->probe_cache = probe_cache_new();
	r->probe_limits = probe_limits_new();
	if (r->penalties == NULL || r->report == NULL ||
	    r->probe_cache == NULL || r->probe_limits == NULL)
		fatal("no memory");
	enter_sandbox(r);
	compartment_ready(&r->c);
	error = loop_run(r->c.loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	log_flush();
	return error ? 1 : 0;
}
