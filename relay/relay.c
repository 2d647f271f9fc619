/* SPDX-License-Identifier: ISC */
/*
 * relay.c - the compartment that speaks SMTP to other hosts.
 *
 * It does: carry queue's messages to the next hop, and report what it said.
 * It holds: outgoing TCP connections, and the message under way.
 * It can never: open a file, listen, reach a unix socket, start a program,
 * become another user. A relay that is taken over can read and change mail
 * that leaves, as any hop on the way can, and nothing that stays here.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "ask.h"
#include "log.h"
#include "sandbox.h"

struct relay {
	struct compartment c;
	struct channel *queue, *resolver;
};

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct relay *r = arg;
	bool is_queue = ch == r->queue;

	if (is_queue)
		r->queue = NULL;
	else if (ch == r->resolver)
		r->resolver = NULL;
	if (misbehaved)
		compartment_accuse(is_queue ? ROLE_QUEUE : ROLE_RESOLVER, 0);
}

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct relay *r = c->arg;
	struct channel **slot = role == ROLE_QUEUE ? &r->queue :
	    role == ROLE_RESOLVER ? &r->resolver : NULL;

	(void)index;
	if (slot == NULL) {
		close(fd);
		return;
	}
	channel_free(slot);
	*slot = channel_new(c->loop, fd, role_name(role), NULL, 0, on_closed,
	    r);
	if (*slot == NULL)
		log_error("peer", LOG_E("error", errno), LOG_END);
}

static void
enter_sandbox(const struct relay *r)
{
	char root[PATH_MAX];
	const struct sandbox sandbox = { .name = "relay",
		.is_privileged = r->c.is_privileged, .uid = r->c.uid,
		.gid = r->c.gid, .root = root,
		.allow = SANDBOX_TCP_SOCKETS };

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_ADD_ALL_CIPHERS |
	    OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
	snprintf(root, sizeof root, "%s/empty", r->c.config->state_dir);
	sandbox_enter(&sandbox);
}

int
relay_main(void)
{
	static struct relay r;
	int error;

	compartment_start(&r.c, ROLE_RELAY);
	r.c.arg = &r;
	r.c.on_peer = on_peer;
	enter_sandbox(&r);
	compartment_ready(&r.c);
	error = loop_run(r.c.loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	log_flush();
	return error ? 1 : 0;
}
