/* SPDX-License-Identifier: ISC */
/*
 * resolver.c - the compartment that asks the DNS, for everybody.
 *
 * It does: look up names with libunbound, in this process and on this loop,
 * with one cache. It holds: UDP and TCP sockets, what it was asked.
 * It can never: open a file (its settings are read before), reach a unix
 * socket, start a program, become another user. A resolver that is taken
 * over can lie about the DNS, as any name server on the way can.
 */
#include <stdio.h>
#include "event_base.h"
#include "log.h"
#include "resolver.h"
#include "sandbox.h"

#define STOP_LIMIT_MS 60000

static void
open_engines(struct resolver *r)
{
	r->alarms = alarms_new(r->c.loop);
	r->base = r->alarms ? event_base_new(r->c.loop, r->alarms) : NULL;
	if (r->base == NULL)
		fatal("no memory");
	settings_read(&r->settings, r->c.config);
	r->plain = engine_new(r->base, &r->settings, false);
	if (r->plain == NULL)
		fatal("libunbound does not start: see above");
	if (r->settings.n_anchors == 0)
		return;
	r->validating = engine_new(r->base, &r->settings, true);
	if (r->validating == NULL)
		log_warning("dnssec_off", LOG_S("why", "the trust anchor "
		    "cannot be used"), LOG_S("effect", "answers are not "
		    "validated"), LOG_END);
}

/* For each socket that it may have open there may be as many questions. */
static void
open_questions(struct resolver *r)
{
	struct questions_limits limits = { .most = QUESTIONS_MAX,
		.per_network = QUESTIONS_PER_NETWORK,
		.timeout_ms = r->settings.timeout_ms };
	unsigned room = r->settings.n_sockets / 5 * 4;

	if (room < QUESTIONS_MAX) {
		limits.most = room;
		if (limits.per_network > room / 4)
			limits.per_network = room / 4;
		log_warning("few_descriptors", LOG_U("questions", room),
		    LOG_S("hint", "raise the limit of open files"), LOG_END);
	}
	r->questions = questions_new(r->alarms, &limits, resolver_answer);
	r->probe = r->questions ? probe_new(r->alarms, r->questions,
	    r->plain, r->validating, &r->settings) : NULL;
	if (r->probe == NULL)
		fatal("no memory");
}

/* ---- the end ---- */

static void
stop_now(struct loop_timer *timer, void *arg)
{
	struct resolver *r = arg;

	(void)timer;
	loop_stop(r->c.loop);
}

/*
 * SIGTERM comes when all smtpd have ended. A supervisor that died leaves
 * them behind, with transactions that are still being judged.
 */
static void
on_stop(struct compartment *c)
{
	struct resolver *r = c->arg;

	if (r->is_stopping)
		return;
	r->is_stopping = true;
	if (resolver_has_smtpd(r))
		loop_timer_start(c->loop, &r->stop_limit, STOP_LIMIT_MS,
		    stop_now, r);
	else
		loop_stop(c->loop);
}

int
resolver_main(void)
{
	static struct resolver resolver;
	struct resolver *r = &resolver;
	struct compartment *c = &r->c;
	char empty[4096];
	int error;

	compartment_start(c, ROLE_RESOLVER);
	c->arg = r;
	c->on_peer = resolver_on_peer;
	c->on_stop = on_stop;
	open_engines(r);
	snprintf(empty, sizeof empty, "%s/empty", c->config->state_dir);
	sandbox_enter(&(struct sandbox){ .name = "resolver",
	    .is_privileged = c->is_privileged, .uid = c->uid, .gid = c->gid,
	    .root = empty, .allow = SANDBOX_INET_SOCKETS });
	open_questions(r);
	compartment_ready(c);
	error = loop_run(c->loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	log_flush();
	return error ? 1 : 0;
}
