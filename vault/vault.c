/* SPDX-License-Identifier: ISC */
/*
 * vault.c - the compartment that keeps private keys.
 *
 * It does: signatures for the TLS handshakes of smtpd, DKIM signatures and
 * trace MACs for the smtpd of our own users, BATV tags for queue; it tells
 * any smtpd whether a tag or a trace is one of them.
 * It holds: the private keys of all certificates, of this and of the
 * previous configuration, those of DKIM, and the secrets of tags and traces;
 * they come as sealed memfds from the supervisor.
 * It can never: open a file or a socket, start a program, or give a key out.
 * It signs only what a TLS server and a signer of mail sign. A hostile smtpd
 * that serves strangers can have handshakes signed as long as it lives, and
 * nothing that lasts.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ask.h"
#include "fault.h"
#include "forwards.h"
#include "keys.h"
#include "log.h"
#include "outbound.h"
#include "sandbox.h"

struct vault {
	struct compartment c;
	struct keys *keys;
	struct outbound outbound;
};

/* One smtpd, queue, or relay. */
struct peer {
	struct vault *vault;
	struct channel *ch;
	enum role role;
	uint16_t index;
};

/* ---- questions ---- */

static bool
on_sign(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct ipc_writer w;	/* large */
	uint8_t room[TLS_SIGNATURE_MAX];
	struct peer *peer = arg;
	struct vault_sign q;
	struct slice signature = SLICE("");
	int error;

	if (!get_vault_sign(&m->body, &q))
		return false;
	error = FAULT("vault.sign");
	if (error == 0)
		error = keys_sign(peer->vault->keys, &q.key, q.scheme, q.data,
		    &signature, room);
	else
		error = -error;
	if (error)
		log_warning("not_signed", LOG_S("peer", role_name(peer->role)),
		    LOG_U("index", peer->index),
		    LOG_U("generation", q.key.generation),
		    LOG_U("key", q.key.index), LOG_U("scheme", q.scheme),
		    LOG_E("error", error), LOG_END);
	if (error == -EPERM)
		return false;	/* no TLS library asks for that */
	ipc_writer_init(&w);
	put_vault_signature(&w, signature);
	(void)channel_answer(ch, m->id, VAULT_SIGNATURE, &w, -1);
	return true;
}

static bool
on_tag(struct channel *ch, struct ipc_message *m, void *arg)
{
	return outbound_on_tag(&((struct peer *)arg)->vault->outbound, ch, m);
}

static bool
on_trace(struct channel *ch, struct ipc_message *m, void *arg)
{
	return outbound_on_trace(&((struct peer *)arg)->vault->outbound, ch,
	    m);
}

static bool
on_dkim(struct channel *ch, struct ipc_message *m, void *arg)
{
	return outbound_on_dkim(&((struct peer *)arg)->vault->outbound, ch,
	    m);
}

static bool
on_tag_check(struct channel *ch, struct ipc_message *m, void *arg)
{
	return outbound_on_tag_check(&((struct peer *)arg)->vault->outbound,
	    ch, m);
}

static bool
on_trace_check(struct channel *ch, struct ipc_message *m, void *arg)
{
	return outbound_on_trace_check(&((struct peer *)arg)->vault->outbound,
	    ch, m);
}

static struct forwards
forwards_of(const struct peer *peer)
{
	return (struct forwards){ .secrets = &peer->vault->outbound.secrets,
		.config = peer->vault->c.config,
		.secret = peer->vault->c.secrets[SECRET_RETURN] };
}

static bool
on_srs(struct channel *ch, struct ipc_message *m, void *arg)
{
	const struct forwards f = forwards_of(arg);

	return forwards_on_make(&f, ch, m);
}

static bool
on_srs_check(struct channel *ch, struct ipc_message *m, void *arg)
{
	const struct forwards f = forwards_of(arg);

	return forwards_on_check(&f, ch, m);
}

/* Who has no business with it and asks has been taken over. */
static bool
on_forbidden(struct channel *ch, struct ipc_message *m, void *arg)
{
	(void)ch;
	(void)m;
	(void)arg;
	return false;
}

/* Those that speak with strangers get what strangers may ask for. */
static const struct channel_rule mx_rules[] = {
	{ VAULT_SIGN, CHANNEL_NO_FD, on_sign },
	{ VAULT_TRACE, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_DKIM, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TAG, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TAG_CHECK, CHANNEL_NO_FD, on_tag_check },
	{ VAULT_TRACE_CHECK, CHANNEL_NO_FD, on_trace_check },
	{ VAULT_SRS, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_SRS_CHECK, CHANNEL_NO_FD, on_srs_check },
};

static const struct channel_rule own_rules[] = {
	{ VAULT_SIGN, CHANNEL_NO_FD, on_sign },
	{ VAULT_TRACE, CHANNEL_NO_FD, on_trace },
	{ VAULT_DKIM, CHANNEL_NO_FD, on_dkim },
	{ VAULT_TAG, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TAG_CHECK, CHANNEL_NO_FD, on_tag_check },
	{ VAULT_TRACE_CHECK, CHANNEL_NO_FD, on_trace_check },
	{ VAULT_SRS, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_SRS_CHECK, CHANNEL_NO_FD, on_srs_check },
};

static const struct channel_rule queue_rules[] = {
	{ VAULT_SIGN, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TRACE, CHANNEL_NO_FD, on_trace },
	{ VAULT_DKIM, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TAG, CHANNEL_NO_FD, on_tag },
	{ VAULT_TAG_CHECK, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TRACE_CHECK, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_SRS, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_SRS_CHECK, CHANNEL_NO_FD, on_forbidden },
};

static const struct channel_rule relay_rules[] = {
	{ VAULT_SIGN, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TRACE, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_DKIM, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TAG, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TAG_CHECK, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TRACE_CHECK, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_SRS, CHANNEL_NO_FD, on_srs },
	{ VAULT_SRS_CHECK, CHANNEL_NO_FD, on_forbidden },
};
static const struct channel_rule control_rules[] = {
	{ VAULT_SIGN, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TRACE, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_DKIM, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TAG, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TAG_CHECK, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_TRACE_CHECK, CHANNEL_NO_FD, on_trace_check },
	{ VAULT_SRS, CHANNEL_NO_FD, on_forbidden },
	{ VAULT_SRS_CHECK, CHANNEL_NO_FD, on_forbidden },
};
#define N_RULES (sizeof mx_rules / sizeof *mx_rules)

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

static const struct channel_rule *
rules_of(enum role role, enum config_listen_role kind)
{
	if (role == ROLE_QUEUE)
		return queue_rules;
	if (role == ROLE_RELAY)
		return relay_rules;
	if (role == ROLE_CONTROL)
		return control_rules;
	return kind == LISTEN_MX ? mx_rules : own_rules;
}

static void
on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct peer *peer = calloc(1, sizeof *peer);

	if (peer == NULL || (role != ROLE_SMTPD && role != ROLE_QUEUE &&
	    role != ROLE_RELAY && role != ROLE_CONTROL)) {
		free(peer);
		close(fd);
		return;
	}
	*peer = (struct peer){ .vault = c->arg, .role = role, .index = index };
	peer->ch = channel_new(c->loop, fd, role_name(role),
	    rules_of(role, c->peer_kind), N_RULES, on_closed, peer);
	if (peer->ch != NULL)
		return;
	log_error("peer", LOG_E("error", errno), LOG_END);
	free(peer);
}

/* ---- keys ---- */

static void
on_key(struct compartment *c, const struct tls_key *name, int fd)
{
	struct vault *v = c->arg;
	int error = keys_add(v->keys, name, fd);

	close(fd);
	if (error)
		log_error("key", LOG_U("generation", name->generation),
		    LOG_U("key", name->index), LOG_E("error", error),
		    LOG_S("effect", "handshakes with this certificate fail"),
		    LOG_END);
}

static void
on_keys_forget(struct compartment *c, uint16_t generation)
{
	struct vault *v = c->arg;

	if (generation == 0)
		return;
	keys_forget(v->keys, generation);
	dkim_keys_forget(v->outbound.keys, generation);
}

static void
on_dkim_key(struct compartment *c, const struct tls_key *name, int fd)
{
	struct vault *v = c->arg;
	int error = -ENOENT;

	if (name->index < c->config->n_dkims)
		error = dkim_keys_add(v->outbound.keys, name->generation,
		    &c->config->dkims[name->index], fd);
	close(fd);
	if (error)
		log_error("dkim_key", LOG_U("generation", name->generation),
		    LOG_U("key", name->index), LOG_E("error", error),
		    LOG_S("effect", "mail of this domain is not signed"),
		    LOG_END);
}

static void
on_secrets(struct compartment *c, int fd)
{
	struct vault *v = c->arg;
	int error = tags_read(&v->outbound.secrets, fd);

	close(fd);
	if (error)
		log_error("secrets", LOG_E("error", error), LOG_S("effect",
		    "nothing leaves without a tag"), LOG_END);
}

/* Nothing is kept of it: each key is named by the one that came last. */
static void
on_config(struct compartment *c, const struct config *old)
{
	(void)c;
	(void)old;
}

/* ---- start ---- */

/* Everything that OpenSSL loads with the first use of a kind. */
static void
warm_up(void)
{
	unsigned char octet;
	EVP_PKEY *key;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_ADD_ALL_CIPHERS |
	    OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
	key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	if (key == NULL || RAND_bytes(&octet, 1) != 1)
		fatal("OpenSSL cannot be loaded");
	EVP_PKEY_free(key);
}

static void
enter_sandbox(const struct vault *v)
{
	char root[PATH_MAX];
	const struct sandbox sandbox = { .name = "vault",
		.is_privileged = v->c.is_privileged, .uid = v->c.uid,
		.gid = v->c.gid, .root = root };

	snprintf(root, sizeof root, "%s/empty", v->c.config->state_dir);
	sandbox_enter(&sandbox);
}

int
vault_main(void)
{
	static struct vault v;
	int error;

	compartment_start(&v.c, ROLE_VAULT);
	v.c.arg = &v;
	v.c.on_peer = on_peer;
	v.c.on_key = on_key;
	v.c.on_dkim_key = on_dkim_key;
	v.c.on_secrets = on_secrets;
	v.c.on_config = on_config;
	v.c.on_keys_forget = on_keys_forget;
	v.keys = keys_new();
	v.outbound.keys = dkim_keys_new();
	if (v.keys == NULL || v.outbound.keys == NULL)
		fatal("no memory");
	if (!v.c.has_secret[SECRET_RETURN])
		fatal("vault: the secret for bounces is missing");
	warm_up();
	enter_sandbox(&v);
	compartment_ready(&v.c);
	error = loop_run(v.c.loop);
	if (error)
		log_error("loop", LOG_E("error", error), LOG_END);
	keys_free(&v.keys);
	dkim_keys_free(&v.outbound.keys);
	explicit_bzero(&v.outbound.secrets, sizeof v.outbound.secrets);
	log_flush();
	return error ? 1 : 0;
}
