/* SPDX-License-Identifier: ISC */
/*
 * auth.c - the compartment that knows whether somebody is who he says.
 *
 * It does: check passwords, and ask the kernel who is at the other end of a
 * local socket; it vouches for the user with a MAC (voucher.h).
 * It holds: the compiled table of passwords, read-only, and the key that
 * only queue has too. One question at a time, blocking, in a pool.
 * It can never: write a file, reach the network, start a program, become
 * another user.
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

struct auth {
	struct compartment c;
};

/* One smtpd. */
struct peer {
	struct auth *auth;
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

	if (peer == NULL || role != ROLE_SMTPD) {
		free(peer);
		close(fd);
		return;
	}
	*peer = (struct peer){ .auth = c->arg, .role = role, .index = index };
	peer->ch = channel_new(c->loop, fd, role_name(role), NULL, 0,
	    on_closed, peer);
	if (peer->ch != NULL)
		return;
	log_error("peer", LOG_E("error", errno), LOG_END);
	free(peer);
}

static void
enter_sandbox(const struct auth *a)
{
	char passwords[PATH_MAX];
	/* beside the table: what NSS reads, and where its modules are */
	const struct sandbox_path paths[] = { { passwords, false },
		{ "/etc", false }, { "/run", false }, { "/var/run", false },
		{ "/lib", false }, { "/lib64", false }, { "/usr/lib", false },
		{ "/var/lib/sss", false }, { "/var/lib/extrausers", false } };
	const struct sandbox sandbox = { .name = "auth",
		.is_privileged = a->c.is_privileged, .uid = a->c.uid,
		.gid = a->c.gid,
		.allow = SANDBOX_FILES_READ | SANDBOX_UNIX_SOCKETS,
		.paths = paths, .n_paths = sizeof paths / sizeof *paths };

	snprintf(passwords, sizeof passwords, "%s/passwords",
	    a->c.config->state_dir);
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
	    NULL);
	sandbox_enter(&sandbox);
}

int
auth_main(void)
{
	static struct auth a;
	int error;

	compartment_start(&a.c, ROLE_AUTH);
	a.c.arg = &a;
	a.c.on_peer = on_peer;
	if (!a.c.has_secret[SECRET_VOUCH])
		fatal("the secret for vouchers is missing");
	enter_sandbox(&a);
	compartment_ready(&a.c);
	error = loop_run(a.c.loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	log_flush();
	return error ? 1 : 0;
}
