/* SPDX-License-Identifier: ISC */
/*
 * smtpd - the SMTP server, one process per core and kind: those that listen
 * for other mail servers have no way to auth and queue, which those of our
 * own users have.
 *
 * Speaks with strangers. Holds their sessions, a message under way in a
 * memfd, and channels to directory (who is that?), deliver (prepare,
 * commit) and store (delivery records, trail). It can open no file and no
 * socket, and routes are sealed: taken over, it can forge inbound mail into
 * routes that exist, and nothing else.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "believed.h"
#include "boards.h"
#include "clock.h"
#include "compartment.h"
#include "connection.h"
#include "digest.h"
#include "fault.h"
#include "limits.h"
#include "log.h"
#include "peers.h"
#include "sandbox.h"
#include "self_test.h"
#include "signer.h"
#include "trail.h"

#define TRAIL_WAIT_MS 5		/* for more records to write with one */
#define TRAIL_START_MS 2000	/* then sessions begin without a trail */
#define LOST_LOG_EVERY_US 60000000
#define DRAIN_MS 600000		/* a reload waits so long for old sessions */

struct smtpd {
	struct compartment c;
	struct server server;
	struct signer signer;
	struct trail *trail;
	struct boards boards;
	struct loop_timer drain_timer;
	struct loop_timer trail_timer;
	struct loop_timer listen_timer;	/* runs: a segment of the trail is
					 * waited for */
	int64_t lost_logged_us;		/* 0: never */
};

/* ---- start ---- */

/* What programs here may call this host, unless it is a domain of ours. */
static void
name_host(struct session_settings *settings)
{
	static char node[256];
	const char *const names[] = { "localhost", node,
		settings->config->hostname };
	size_t n = 0;

	if (settings->kind != LISTEN_LOCAL ||
	    gethostname(node, sizeof(node) - 1) < 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i][0] != '\0' && config_find_domain(settings->config,
		    slice_of(names[i])) == NULL)
			settings->host_names[n++] = names[i];
}

static void
settings_init(struct smtpd *d)
{
	struct session_settings *settings = &d->server.settings;
	const struct config *config = d->c.config;
	struct limits_setup setup = { .config = config,
		.own = d->boards.own, .others = &d->boards.others,
		.memory_bytes = config_memory_bytes(config) };

	if (d->c.kind == LISTEN_MX)
		setup.trusted = &config->checks.relay_peer;
	settings->config = config;
	settings->kind = d->c.kind;
	name_host(settings);
	settings->host = &connection_host;
	settings->trail = d->trail = trail_new();
	settings->limits = limits_new(&setup);
	settings->believed = believed_new();
	settings->memory_bytes = setup.memory_bytes;
	settings->has_scanner = (config->n_clamds > 0 &&
	    config->checks.actions[CHECK_VIRUS] == ACTION_REFUSE) ||
	    FAULT_ENV("POSTERN_SELF_TEST_SCANNER");
	settings->auth_offers = 1u << AUTH_PLAIN | 1u << AUTH_LOGIN;
	settings->max_recipients = session_max_recipients(config);
	d->server.peers = peers_new(d->c.loop, connection_answered,
	    &settings->n_remembered_failures);
	if (d->trail == NULL || settings->limits == NULL ||
	    d->server.peers == NULL)
		fatal("out of memory");
}

static void
enter_sandbox(const struct smtpd *d)
{
	char root[PATH_MAX];
	const struct sandbox sandbox = {
		.name = "smtpd", .is_privileged = d->c.is_privileged,
		.uid = d->c.uid, .gid = d->c.gid, .root = root,
		.allow = SANDBOX_ACCEPT | SANDBOX_PAIRS };

	snprintf(root, sizeof(root), "%s/empty", d->c.config->state_dir);
	sandbox_enter(&sandbox);
}

static void
listen_all(struct smtpd *d)
{
	size_t i;

	loop_timer_stop(d->c.loop, &d->listen_timer);
	if (d->server.is_ending)
		return;
	for (i = 0; i < d->c.n_listeners; i++) {
		const struct compartment_listener *l = &d->c.listeners[i];

		if (l->config_index >= d->c.config->n_listens ||
		    server_listen(&d->server, l->fd,
		    d->c.config->listens[l->config_index].tls) < 0)
			fatal("cannot watch a listening socket");
	}
}

static void
on_listen_timer(struct loop_timer *timer, void *arg)
{
	(void)timer;
	listen_all(arg);
}

/*
 * The first self-test is over: whoever connected meanwhile has waited. A
 * session's id is its place in the trail, so the first ones wait for that.
 */
static void
listen_soon(void *arg)
{
	struct smtpd *d = arg;

	if (!trail_wants_segment(d->trail))
		listen_all(d);
	else
		loop_timer_start(d->c.loop, &d->listen_timer, TRAIL_START_MS,
		    on_listen_timer, d);
}

/* Fault tests count what passes their points: there it is asked for. */
static void
begin(struct smtpd *d)
{
#ifdef POSTERN_FAULTS
	if (!FAULT_ENV("POSTERN_SELF_TEST_OFTEN")) {
		listen_soon(d);
		return;
	}
#endif
	if (self_test_start(&d->server, listen_soon, d) == NULL)
		fatal("out of memory");
}

/* ---- while it runs ---- */

static void
on_trail_timer(struct loop_timer *timer, void *arg)
{
	struct smtpd *d = arg;

	(void)timer;
	trail_flush(d->trail);
}

/* Refusals that will not explain themselves: the state folder may be full. */
static void
count_lost(struct smtpd *d, uint64_t n)
{
	int64_t now = clock_monotonic_us();
	int error = trail_error(d->trail);
	char problem[400];

	if (n == 0)
		return;
	scoreboard_add(d->boards.own, SCOREBOARD_TRAIL_LOST, (int64_t)n);
	if (d->lost_logged_us != 0 &&
	    now - d->lost_logged_us < LOST_LOG_EVERY_US)
		return;
	d->lost_logged_us = now;
	snprintf(problem, sizeof problem, "the trail in %s/store/trail cannot "
	    "be written (%s); posternctl why knows nothing of these sessions",
	    d->c.config->state_dir, error ? strerror(error) :
	    "store has no file for it");
	log_error("alarm", LOG_S("problem", problem), LOG_END);
}

static void
on_round_end(void *arg)
{
	struct smtpd *d = arg;
	enum trail_need need = trail_need(d->trail);

	boards_update(&d->boards);
	if (need == TRAIL_NEEDS_FLUSH)
		trail_flush(d->trail);
	else if (need == TRAIL_MAY_WAIT &&
	    !loop_timer_is_running(&d->trail_timer))
		loop_timer_start(d->c.loop, &d->trail_timer, TRAIL_WAIT_MS,
		    on_trail_timer, d);
	count_lost(d, trail_take_lost(d->trail));
	if (trail_wants_segment(d->trail))
		peers_want_segment(d->server.peers, d->trail);
	else if (loop_timer_is_running(&d->listen_timer))
		listen_all(d);
}

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct smtpd *d = c->arg;

	if (role == ROLE_VAULT)
		signer_connect(&d->signer, fd);
	else
		peers_add(d->server.peers, role, index, fd);
}

static void
on_ended(struct server *server)
{
	peers_flush(server->peers);
	loop_stop(server->loop);
}

static void
on_drained_too_long(struct loop_timer *timer, void *arg)
{
	(void)timer;
	server_stop(arg);
}

static void
on_drain(struct compartment *c)
{
	struct smtpd *d = c->arg;

	loop_timer_start(c->loop, &d->drain_timer, DRAIN_MS,
	    on_drained_too_long, &d->server);
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
	d.server.compartment = &d.c;
	d.server.ended = on_ended;
	boards_open(&d.boards, &d.c);
	settings_init(&d);
	digest_warm_up();
	d.server.tls = signer_open(&d.signer, &d.c);
	peers_share_vault(d.server.peers, &d.signer.vault);
	peers_share_offers(d.server.peers,
	    &d.server.settings.auth_offers);
	d.server.signer = &d.signer;
	enter_sandbox(&d);
	boards_watch(&d.boards);
	loop_at_round_end(d.c.loop, on_round_end, &d);
	compartment_ready(&d.c);
	begin(&d);
	error = loop_run(d.c.loop);
	if (error < 0)
		fatal("event loop: %s", strerror(-error));
	trail_free(&d.trail);
	believed_free(&d.server.settings.believed);
	log_flush();
	return 0;
}
