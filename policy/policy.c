/* SPDX-License-Identifier: ISC */
/*
 * policy.c - the compartment that judges clients and messages.
 *
 * A worker answers one question at a time, in plain code: it gets facts and
 * maybe a message, and says what it makes of them or which facts it still
 * needs. It holds that one message and the configuration, and has no file,
 * no socket and no secret: taken over by what it reads, it can judge that
 * message wrongly, and the next ones until it is restarted.
 *
 * A crash here loses the questions that it was asked: 451.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "answer.h"
#include "compartment.h"
#include "log.h"
#include "policy.h"
#include "sandbox.h"

#define STOP_MS 5000

struct policy {
	struct compartment c;
	struct judge_desk desk;
	struct loop_timer stop_limit;
};

static void
enter_sandbox(const struct policy *p)
{
	char root[PATH_MAX];
	const struct sandbox sandbox = {
		.name = "policy", .is_privileged = p->c.is_privileged,
		.uid = p->c.uid, .gid = p->c.gid, .root = root };

	snprintf(root, sizeof root, "%s/empty", p->c.config->state_dir);
	sandbox_enter(&sandbox);
}

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct policy *p = c->arg;

	policy_peer(&p->desk, role, index, fd);
}

static void
on_stop_limit(struct loop_timer *timer, void *arg)
{
	struct policy *p = arg;

	(void)timer;
	loop_stop(p->c.loop);
}

/* SIGTERM comes when all smtpd have ended, unless the supervisor died. */
static void
on_stop(struct compartment *c)
{
	struct policy *p = c->arg;

	p->desk.is_stopping = true;
	if (p->desk.n_smtpd == 0)
		loop_stop(c->loop);
	else if (!loop_timer_is_running(&p->stop_limit))
		loop_timer_start(c->loop, &p->stop_limit, STOP_MS,
		    on_stop_limit, p);
}

int
policy_main(void)
{
	static struct policy p;
	int error;

	compartment_start(&p.c, ROLE_POLICY);
	p.c.arg = &p;
	p.c.on_peer = on_peer;
	p.c.on_stop = on_stop;
	p.desk.loop = p.c.loop;
	p.desk.config = p.c.config;
	policy_warm_up();
	enter_sandbox(&p);
	compartment_ready(&p.c);
	error = loop_run(p.c.loop);
	if (error)
		fatal("event loop: %s", strerror(-error));
	log_flush();
	return 0;
}
