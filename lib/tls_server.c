/* SPDX-License-Identifier: ISC */
/*
 * tls_server.c - certificates, and which of them a client is shown.
 *
 * One SSL_CTX per name; it may hold a certificate for each type of key, and
 * OpenSSL chooses among them by what the client can verify.
 */
#include <errno.h>
#include <openssl/async.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "tls_provider.h"
#include "tls_server.h"

/*
 * Only key exchanges with forward secrecy, so that vault never decrypts.
 * CBC is last, for old servers that would else send in the clear.
 */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"
#define SIGNATURES "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:" \
	"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:" \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"
/* is_key_exchange in tls_scheme.c knows the same ones */
#define GROUPS "X25519:P-256:P-384"

#define MAX_JOBS 2048		/* handshakes that wait for a signature */

/* ---- start ---- */

int
tls_init(void)
{
	const uint64_t options = OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS;
	static bool is_done;
	unsigned char octet;
	SSL_CTX *ctx;
	SSL *ssl = NULL;

	if (is_done)
		return 0;
	if (OPENSSL_init_ssl(options, NULL) != 1 ||
	    tls_provider_load() < 0 || RAND_bytes(&octet, 1) != 1 ||
	    ASYNC_init_thread(MAX_JOBS, 0) != 1)
		return -EIO;
	/* what is loaded with the first of its kind is loaded now */
	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx != NULL)
		ssl = SSL_new(ctx);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	is_done = ssl != NULL;
	return is_done ? 0 : -EIO;
}

void
tls_error(char *text, size_t size)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (reason != NULL)
		slice_clip(text, size, slice_of(reason));
	else
		snprintf(text, size, code ? "error %lx" : "unknown error",
		    code);
	ERR_clear_error();
}

/* ---- names ---- */

/* "*.example.org" is any one label before .example.org. */
static bool
name_fits(const char *pattern, const char *name)
{
	const char *dot;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, name) == 0;
	dot = strchr(name, '.');
	return dot != NULL && dot != name && strcasecmp(pattern + 1, dot) == 0;
}

/* A name that is written out goes before one with an asterisk. */
static const struct tls_name *
name_find(const struct tls_server *server, const char *name)
{
	const struct tls_name *found = NULL;

	for (size_t i = 0; i < server->n_names; i++)
		if (name_fits(server->names[i].name, name) &&
		    (found == NULL || server->names[i].name[0] != '*'))
			found = &server->names[i];
	return found;
}

/* Who asks for a name that we do not have sees the default. */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_name *found;

	(void)alert;
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	found = name_find(arg, name);
	if (found == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, found->ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* ---- contexts ---- */

static bool
context_set_up(SSL_CTX *ctx, struct tls_server *server)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
	    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ASYNC |
	    SSL_MODE_NO_AUTO_CHAIN |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);	/* a record's head and rest at once */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, server);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
	    SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) == 1;
}

struct tls_server *
tls_server_new(const struct tls_signer *signer)
{
	struct tls_server *server = calloc(1, sizeof *server);

	if (server != NULL)
		server->signer = signer;
	return server;
}

void
tls_server_free(struct tls_server **server)
{
	if (*server == NULL)
		return;
	for (size_t i = 0; i < (*server)->n_names; i++) {
		SSL_CTX_free((*server)->names[i].ctx);
		free((*server)->names[i].name);
	}
	free((*server)->names);
	free(*server);
	*server = NULL;
}

/* The context of that very name, made if there is none. NULL: no memory. */
static SSL_CTX *
context_of(struct tls_server *server, const char *name)
{
	struct tls_name *names, *new;

	for (size_t i = 0; i < server->n_names; i++)
		if (strcasecmp(server->names[i].name, name) == 0)
			return server->names[i].ctx;
	names = reallocarray(server->names, server->n_names + 1,
	    sizeof *names);
	if (names == NULL)
		return NULL;
	server->names = names;
	new = &names[server->n_names];
	new->name = strdup(name);
	new->ctx = SSL_CTX_new(TLS_server_method());
	if (new->name == NULL || new->ctx == NULL ||
	    !context_set_up(new->ctx, server)) {
		free(new->name);
		SSL_CTX_free(new->ctx);
		return NULL;
	}
	server->n_names++;
	return new->ctx;
}

/* The end of the file, and not something that is damaged or cut off. */
static bool
is_end_of_pem(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM &&
	    ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static bool
add_chain(SSL_CTX *ctx, BIO *pem)
{
	X509 *next;
	bool is_ok = true;

	while (is_ok && (next = PEM_read_bio_X509(pem, NULL, NULL, NULL))) {
		is_ok = SSL_CTX_add1_chain_cert(ctx, next) == 1;
		X509_free(next);
	}
	is_ok = is_ok && is_end_of_pem();
	if (is_ok)
		ERR_clear_error();
	return is_ok;
}

static bool
add_certificate(SSL_CTX *ctx, BIO *pem, const struct tls_key *key)
{
	X509 *own = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL);
	EVP_PKEY *remote = NULL;
	bool is_ok;

	if (own != NULL)
		remote = tls_key_new(X509_get0_pubkey(own), key);
	is_ok = remote != NULL && SSL_CTX_use_certificate(ctx, own) == 1 &&
	    SSL_CTX_use_PrivateKey(ctx, remote) == 1 && add_chain(ctx, pem);
	EVP_PKEY_free(remote);
	X509_free(own);
	return is_ok;
}

int
tls_server_add(struct tls_server *server, const char *name, struct slice pem,
    const struct tls_key *key)
{
	SSL_CTX *ctx = context_of(server, name);
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	bool is_ok;

	ERR_clear_error();
	is_ok = ctx != NULL && bio != NULL && add_certificate(ctx, bio, key);
	BIO_free(bio);
	return is_ok ? 0 : -EINVAL;
}
