/* SPDX-License-Identifier: ISC */
/*
 * control.c - the compartment that talks to posternctl.
 *
 * It does: take requests of the postmaster on a local socket, put them to
 * the compartments that know, and say the answers in plain words.
 * It holds: the scoreboards, read-only; nothing that must not be seen.
 * It can never: open a file, connect, become another user. It can ask the
 * supervisor for three things only: its status, a reload, a compilation.
 */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include "control.h"
#include "log.h"
#include "sandbox.h"

/* ---- peers ---- */

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct control *control = arg;

	if (control->store == ch)
		control->store = NULL;
	if (control->resolver == ch)
		control->resolver = NULL;
	if (control->vault == ch)
		control->vault = NULL;
	if (control->queue == ch)
		control->queue = NULL;
	if (control->relay == ch)
		control->relay = NULL;
	for (size_t i = 0; i < CONTROL_POOL_MAX; i++) {
		if (control->directories[i] == ch)
			control->directories[i] = NULL;
		if (control->policies[i] == ch)
			control->policies[i] = NULL;
	}
	if (misbehaved)
		log_error("suspected_break_in", LOG_S("peer",
		    channel_name(ch)), LOG_END);
}

static void
add_worker(struct channel *pool[CONTROL_POOL_MAX], struct channel *ch)
{
	for (size_t i = 0; i < CONTROL_POOL_MAX; i++)
		if (pool[i] == NULL) {
			pool[i] = ch;
			return;
		}
	channel_free(&ch);
}

/* After a reload there are two generations; the old one's ends soon. */
static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct control *control = c->arg;
	struct channel *ch = channel_new(c->loop, fd, role_name(role), NULL,
	    0, on_closed, control);

	if (ch == NULL)
		log_error("peer", LOG_S("peer", role_name(role)),
		    LOG_U("index", index), LOG_E("error", errno), LOG_END);
	else if (role == ROLE_STORE)
		control->store = ch;
	else if (role == ROLE_RESOLVER)
		control->resolver = ch;
	else if (role == ROLE_VAULT)
		control->vault = ch;
	else if (role == ROLE_QUEUE)
		control->queue = ch;
	else if (role == ROLE_RELAY)
		control->relay = ch;
	else if (role == ROLE_POLICY)
		add_worker(control->policies, ch);
	else if (role == ROLE_DIRECTORY)
		add_worker(control->directories, ch);
	else
		channel_free(&ch);
}

static void
on_stop(struct compartment *c)
{
	struct control *control = c->arg;

	clients_stop(control);
	loop_stop(c->loop);
}

int
control_main(void)
{
	static struct control control;
	struct compartment *c = &control.c;
	char empty[4096];
	struct group *group;
	int error;

	compartment_start(c, ROLE_CONTROL);
	if (c->fds[SETUP_FD_CONTROL_SOCKET] < 0)
		fatal("there is no control socket");
	group = getgrnam(c->config->admin_group);
	control.has_admin_gid = group != NULL;
	control.admin_gid = group ? group->gr_gid : 0;
	snprintf(empty, sizeof empty, "%s/empty", c->config->state_dir);
	sandbox_enter(&(struct sandbox){ .name = "control",
	    .is_privileged = c->is_privileged, .uid = c->uid, .gid = c->gid,
	    .root = empty, .allow = SANDBOX_ACCEPT });
	c->arg = &control;
	c->on_peer = on_peer;
	c->on_stop = on_stop;
	error = clients_listen(&control);
	if (error)
		fatal("control socket: %s", strerror(-error));
	compartment_ready(c);
	error = loop_run(c->loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	scoreboards_free(&control.boards);
	log_flush();
	return error ? 1 : 0;
}
