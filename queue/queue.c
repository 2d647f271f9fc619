/* SPDX-License-Identifier: ISC */
/*
 * queue.c - the compartment that keeps our users' mail until it has left.
 *
 * It does: write what submissions bring into the spool, hand it to relay
 * when it is due, and bring home what cannot be delivered.
 * It holds: state_dir/spool, as its root when the server runs as root, and
 * the key that auth's vouchers are checked with.
 * It can never: reach the network or any other file, become another user,
 * start a program. It takes nothing that auth has not vouched for.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ask.h"
#include "log.h"
#include "sandbox.h"

struct queue {
	struct compartment c;
};

/* One channel: to smtpd and control, who ask, or to one that is asked. */
struct peer {
	struct queue *queue;
	struct channel *ch;
	enum role role;
	uint16_t index;
};

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct peer *peer = arg;

	(void)ch;
	if (misbehaved) {
		log_error("suspected_break_in", LOG_S("peer",
		    role_name(peer->role)), LOG_U("index", peer->index),
		    LOG_S("effect", "its channel is closed"), LOG_END);
		compartment_accuse(peer->role, peer->index);
	}
	free(peer);
}

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct peer *peer = calloc(1, sizeof *peer);

	if (peer == NULL) {
		close(fd);
		return;
	}
	*peer = (struct peer){ .queue = c->arg, .role = role, .index = index };
	peer->ch = channel_new(c->loop, fd, role_name(role), NULL, 0,
	    on_closed, peer);
	if (peer->ch != NULL)
		return;
	log_error("peer", LOG_E("error", errno), LOG_END);
	free(peer);
}

/* From here on every path is relative to the spool. */
static void
enter_sandbox(const struct queue *q)
{
	char folder[4096];
	const struct sandbox_path here = { ".", true };
	const struct sandbox sandbox = { .name = "queue",
		.is_privileged = q->c.is_privileged, .uid = q->c.uid,
		.gid = q->c.gid, .root = ".", .allow = SANDBOX_FILES_WRITE,
		.paths = &here, .n_paths = 1 };

	snprintf(folder, sizeof folder, "%s/spool", q->c.config->state_dir);
	if (chdir(folder) < 0)
		fatal("%s: %s", folder, strerror(errno));
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
	umask(077);
	sandbox_enter(&sandbox);
}

int
queue_main(void)
{
	static struct queue q;
	int error;

	compartment_start(&q.c, ROLE_QUEUE);
	q.c.arg = &q;
	q.c.on_peer = on_peer;
	if (!q.c.has_secret[SECRET_VOUCH])
		fatal("the secret for vouchers is missing");
	enter_sandbox(&q);
	compartment_ready(&q.c);
	error = loop_run(q.c.loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	log_flush();
	return error ? 1 : 0;
}
