/* SPDX-License-Identifier: ISC */
/*
 * See signer.h. A signature that does not come, because vault is slow, dead
 * or lies, is a handshake that fails, and nothing else.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ask.h"
#include "clock.h"
#include "log.h"
#include "signer.h"

#define SIGN_DEADLINE_MS 20000
#define SILENT_DEADLINE_MS 2000	/* it has not answered for long already */
#define SILENT_RETRY_US 10000000

/* ---- questions ---- */

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct signer *signer = arg;

	log_warning(misbehaved ? "peer_misbehaved" : "peer_gone",
	    LOG_S("peer", channel_name(ch)), LOG_END);
	if (ch != signer->vault)
		return;
	signer->vault = NULL;
	if (misbehaved)
		compartment_accuse(ROLE_VAULT, 0);
}

void
signer_connect(struct signer *signer, int fd)
{
	if (signer->vault != NULL)
		channel_free(&signer->vault);
	signer->vault = channel_new(signer->loop, fd, role_name(ROLE_VAULT),
	    NULL, 0, on_closed, signer);
}

bool
signer_is_ready(struct signer *signer)
{
	int64_t now_us = clock_monotonic_us();

	if (signer->vault == NULL)
		return false;
	if (!channel_is_silent(signer->vault))
		return true;
	if (now_us - signer->tried_us < SILENT_RETRY_US)
		return false;
	signer->tried_us = now_us;
	return true;
}

static void
on_signature(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct tls_signing *signing = arg;
	struct slice signature = SLICE("");

	signing->id = 0;
	if (m != NULL && (m->type != VAULT_SIGNATURE || m->fd >= 0 ||
	    !get_vault_signature(&m->body, &signature))) {
		log_error("malformed_answer", LOG_S("peer", channel_name(ch)),
		    LOG_U("type", m->type), LOG_END);
		compartment_accuse(ROLE_VAULT, 0);
		signature = SLICE("");
	}
	tls_signing_answer(signing, signature);
}

static bool
signer_ask(void *arg, struct tls_signing *signing)
{
	static struct ipc_writer w;	/* large */
	struct signer *signer = arg;
	const struct vault_sign q = { .key = signing->key,
		.scheme = signing->scheme,
		.data = { (const char *)signing->data, signing->data_size } };

	if (signer->vault == NULL)
		return false;
	ipc_writer_init(&w);
	put_vault_sign(&w, &q);
	signing->id = channel_ask(signer->vault, VAULT_SIGN, &w, -1,
	    channel_is_silent(signer->vault) ? SILENT_DEADLINE_MS :
	    SIGN_DEADLINE_MS, on_signature, signing);
	return signing->id != 0;
}

static void
signer_forget(void *arg, struct tls_signing *signing)
{
	struct signer *signer = arg;

	if (signer->vault != NULL && signing->id != 0)
		channel_forget(signer->vault, signing->id);
	signing->id = 0;
}

/* ---- certificates ---- */

static void
add_certificate(struct tls_server *server, const struct compartment *c,
    size_t i)
{
	const char *name = c->config->tls[i].name;
	const struct tls_key key = { c->generation, (uint16_t)i };
	struct stat st;
	char why[200] = "it cannot be read";
	struct slice pem = { NULL, 0 };
	char *text = NULL;
	int error = -1;

	if (fstat(c->certificates[i], &st) == 0 && st.st_size <= TLS_PEM_MAX)
		text = malloc((size_t)st.st_size + 1);
	if (text != NULL && pread(c->certificates[i], text,
	    (size_t)st.st_size, 0) == st.st_size) {
		pem = (struct slice){ text, (size_t)st.st_size };
		error = tls_server_add(server, name, pem, &key);
		if (error)
			tls_error(why, sizeof why);
	}
	free(text);
	if (error)	/* the supervisor's check has let it through */
		log_error("certificate", LOG_S("name", name),
		    LOG_S("problem", why), LOG_END);
}

struct tls_server *
signer_open(struct signer *signer, struct compartment *c)
{
	struct tls_server *server;

	signer->loop = c->loop;
	signer->tls = (struct tls_signer){ .ask = signer_ask,
		.forget = signer_forget, .arg = signer };
	if (c->config->n_tls == 0)
		return NULL;
	server = tls_init() == 0 ? tls_server_new(&signer->tls) : NULL;
	if (server == NULL)
		fatal("OpenSSL cannot be loaded");
	for (size_t i = 0; i < c->config->n_tls; i++) {
		if (c->certificates[i] < 0)
			continue;
		add_certificate(server, c, i);
		close(c->certificates[i]);
		c->certificates[i] = -1;
	}
	return server;
}
