/* SPDX-License-Identifier: ISC */
/*
 * smtpd - the SMTP server, one process per core.
 *
 * Speaks with strangers. Holds their sessions, a message under way in a
 * memfd, and channels to directory (who is that?), deliver (prepare,
 * commit) and store (delivery records, trail). It can open no file and no
 * socket, and routes are sealed: taken over, it can forge inbound mail into
 * routes that exist, and nothing else.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "body.h"
#include "compartment.h"
#include "connection.h"
#include "limits.h"
#include "log.h"
#include "peers.h"
#include "sandbox.h"
#include "scoreboard.h"
#include "trail.h"

#define BOARDS_LOOK_MS 5000
#define DRAIN_MS 600000		/* a reload waits so long for old sessions */

struct smtpd {
	struct compartment c;
	struct server server;
	struct trail *trail;
	struct scoreboard *board;
	struct scoreboards *boards;	/* of the other smtpd processes */
	struct loop_timer boards_timer, drain_timer;
};

/* ---- start ---- */

static void
settings_init(struct smtpd *d)
{
	struct session_settings *settings = &d->server.settings;
	const struct config *config = d->c.config;
	struct limits_setup setup = { .config = config,
		.own = d->board, .others = &d->boards,
		.memory_bytes = limits_memory_bytes(config) };

	settings->config = config;
	settings->host = &connection_host;
	settings->trail = d->trail = trail_new();
	settings->limits = limits_new(&setup);
	settings->memory_bytes = setup.memory_bytes;
	settings->max_recipients = session_max_recipients(config);
	d->server.peers = peers_new(d->c.loop, connection_answered,
	    &settings->n_remembered_failures);
	if (d->trail == NULL || settings->limits == NULL ||
	    d->server.peers == NULL)
		fatal("out of memory");
}

static void
boards_open(struct smtpd *d)
{
	d->board = scoreboard_map_own(d->c.fds[SETUP_FD_SCOREBOARD]);
	if (d->board == NULL)
		fatal("the scoreboard cannot be mapped: %s", strerror(errno));
}

/* Others come and go with restarts and reloads. */
static void
boards_look(struct loop_timer *timer, void *arg)
{
	struct smtpd *d = arg;
	unsigned n_lost = trail_take_lost(d->trail);

	(void)scoreboards_update(&d->boards, d->c.scoreboards,
	    d->c.n_scoreboards);
	if (n_lost > 0)
		scoreboard_add(d->board, SCOREBOARD_TRAIL_LOST, n_lost);
	loop_timer_start(d->c.loop, timer, BOARDS_LOOK_MS, boards_look, d);
}

/* Sessions cost one descriptor, and one more while a message comes in. */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
enter_sandbox(const struct smtpd *d)
{
	char root[PATH_MAX];
	const struct sandbox sandbox = {
		.name = "smtpd", .is_privileged = d->c.is_privileged,
		.uid = d->c.uid, .gid = d->c.gid, .root = root,
		.allow = SANDBOX_ACCEPT };

	snprintf(root, sizeof(root), "%s/empty", d->c.config->state_dir);
	sandbox_enter(&sandbox);
}

static void
listen_all(struct smtpd *d)
{
	size_t i;

	for (i = 0; i < d->c.n_listeners; i++)
		if (server_listen(&d->server, d->c.listeners[i].fd) < 0)
			fatal("cannot watch a listening socket");
}

/* ---- while it runs ---- */

static void
on_round_end(void *arg)
{
	struct smtpd *d = arg;

	trail_flush(d->trail);
	if (trail_wants_segment(d->trail))
		peers_want_segment(d->server.peers, d->trail);
}

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct smtpd *d = c->arg;

	peers_add(d->server.peers, role, index, fd);
}

static void
on_ended(struct server *server)
{
	loop_stop(server->loop);
}

static void
on_drained_too_long(struct loop_timer *timer, void *arg)
{
	struct smtpd *d = arg;

	(void)timer;
	server_stop(&d->server);
}

static void
on_drain(struct compartment *c)
{
	struct smtpd *d = c->arg;

	loop_timer_start(c->loop, &d->drain_timer, DRAIN_MS,
	    on_drained_too_long, d);
	server_drain(&d->server);
}

static void
on_stop(struct compartment *c)
{
	struct smtpd *d = c->arg;

	server_stop(&d->server);
}

int
smtpd_main(void)
{
	static struct smtpd d;
	int error;

	compartment_start(&d.c, ROLE_SMTPD);
	d.c.arg = &d;
	d.c.on_peer = on_peer;
	d.c.on_drain = on_drain;
	d.c.on_stop = on_stop;
	d.server.loop = d.c.loop;
	d.server.ended = on_ended;
	boards_open(&d);
	settings_init(&d);
	raise_descriptors();
	body_warm_up();
	enter_sandbox(&d);
	boards_look(&d.boards_timer, &d);
	loop_at_round_end(d.c.loop, on_round_end, &d);
	compartment_ready(&d.c);
	listen_all(&d);
	error = loop_run(d.c.loop);
	if (error < 0)
		fatal("event loop: %s", strerror(-error));
	trail_free(&d.trail);
	log_flush();
	return 0;
}
