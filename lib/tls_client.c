/* SPDX-License-Identifier: ISC */
/*
 * tls_client.c - see tls_client.h.
 */
#include <errno.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include "stream_tls.h"
#include "tls_client.h"

struct tls_client {
	SSL_CTX *ctx;
};

/* Each certificate of the text; false: there is one that is none. */
static bool
add_authorities(X509_STORE *store, struct slice pem, unsigned *n)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	X509 *x;
	bool is_ok = bio != NULL;

	while (is_ok && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		is_ok = X509_STORE_add_cert(store, x) == 1;
		X509_free(x);
		++*n;
	}
	/* the end of the text is an error too, but one that is wanted */
	is_ok = is_ok && ERR_GET_REASON(ERR_peek_last_error()) ==
	    PEM_R_NO_START_LINE;
	BIO_free(bio);
	ERR_clear_error();
	return is_ok;
}

const char *
tls_client_ca_problem(struct slice ca)
{
	X509_STORE *store = X509_STORE_new();
	unsigned n = 0;
	bool is_ok;

	ERR_clear_error();
	is_ok = store != NULL && (ca.size == 0 ||
	    add_authorities(store, ca, &n));
	X509_STORE_free(store);
	return !is_ok ? "a certificate in it is damaged or cut off" :
	    n == 0 ? "there is no certificate in it" : NULL;
}

struct tls_client *
tls_client_new(struct slice ca)
{
	struct tls_client *client = calloc(1, sizeof *client);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned n = 0;

	ERR_clear_error();
	if (client == NULL || ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_dane_enable(ctx) != 1 ||
	    (ca.size > 0 && !add_authorities(SSL_CTX_get_cert_store(ctx), ca,
	    &n))) {
		SSL_CTX_free(ctx);
		free(client);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
	    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* whoever refuses a weak key here sends in the clear instead */
	SSL_CTX_set_security_level(ctx, 1);
	client->ctx = ctx;
	return client;
}

/* ---- what it has to prove ---- */

bool
tls_tlsa_is_usable(const struct tls_tlsa *tlsa)
{
	static const size_t sizes[] = { 0, 32, 64 };

	if ((tlsa->usage != 2 && tlsa->usage != 3) || tlsa->selector > 1 ||
	    tlsa->matching_type > 2 || tlsa->data.size == 0)
		return false;
	return tlsa->matching_type == 0 ||
	    tlsa->data.size == sizes[tlsa->matching_type];
}

static bool
add_names(SSL *ssl, const struct tls_wanted *wanted, size_t first)
{
	unsigned char address[16];

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = first; i < wanted->n_names; i++) {
		const char *name = wanted->names[i];
		bool is_address = inet_pton(AF_INET, name, address) == 1 ||
		    inet_pton(AF_INET6, name, address) == 1;

		if (is_address ? X509_VERIFY_PARAM_set1_ip_asc(
		    SSL_get0_param(ssl), name) != 1 :
		    SSL_add1_host(ssl, name) != 1)
			return false;
	}
	return true;
}

/* RFC 7672 3.1.1: with usage 3 neither name nor expiry matter. */
static bool
want_dane(SSL *ssl, const struct tls_wanted *wanted)
{
	unsigned n = 0;

	if (wanted->n_names == 0 ||
	    SSL_dane_enable(ssl, wanted->names[0]) != 1 ||
	    !add_names(ssl, wanted, 1))
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < wanted->n_tlsa; i++) {
		const struct tls_tlsa *t = &wanted->tlsa[i];

		if (tls_tlsa_is_usable(t) && SSL_dane_tlsa_add(ssl, t->usage,
		    t->selector, t->matching_type,
		    (const unsigned char *)t->data.data, t->data.size) == 1)
			n++;
	}
	ERR_clear_error();	/* those that OpenSSL cannot use */
	return n > 0;
}

static bool
want(SSL *ssl, const struct tls_wanted *wanted)
{
	/* what SSL_set_tlsext_host_name is, but for a name that stays */
	if (wanted->sni != NULL && SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
	    TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)wanted->sni) != 1)
		return false;
	if (wanted->check == TLS_CHECK_NOTHING) {
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
		return true;
	}
	/* without SSL_VERIFY_PEER all is checked too, and only noted */
	SSL_set_verify(ssl, wanted->may_fail ? SSL_VERIFY_NONE :
	    SSL_VERIFY_PEER, NULL);
	if (wanted->check == TLS_CHECK_DANE)
		return want_dane(ssl, wanted);
	return wanted->n_names > 0 && add_names(ssl, wanted, 0);
}

int
stream_start_tls_client(struct stream *stream,
    const struct tls_client *client, const struct tls_wanted *wanted)
{
	SSL *ssl = SSL_new(client->ctx);

	if (ssl == NULL)
		return -ENOMEM;
	if (!want(ssl, wanted)) {
		ERR_clear_error();
		SSL_free(ssl);
		return -EINVAL;
	}
	SSL_set_connect_state(ssl);
	return stream_tls_begin(stream, ssl, NULL);
}

/* ---- why not ---- */

enum tls_fault
tls_fault_of(long verify_result)
{
	switch (verify_result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_FAULT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return TLS_FAULT_EXPIRED;
	case X509_V_ERR_DANE_NO_MATCH:
		return TLS_FAULT_TLSA;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
		return TLS_FAULT_UNTRUSTED;
	default:
		return TLS_FAULT_HANDSHAKE;
	}
}
