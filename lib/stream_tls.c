/* SPDX-License-Identifier: ISC */
/*
 * stream_tls.c - see stream_tls.h and tls.h.
 *
 *	start -> HANDSHAKING -> secured
 *	          |   ^   \---> failed: the stream is plain again
 *	          v   |
 *	          PAUSED in an ASYNC job, until the signer answers
 *
 * The job is left only by going on with it: a stream that is closed while
 * its handshake is paused lets it run to its end first, without signature.
 * Within the job no more is done than OpenSSL does: its stack is small, so
 * the signer is asked when the job has paused.
 */
#include <errno.h>
#include <openssl/async.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "stream_tls.h"
#include "tls_provider.h"
#include "tls_server.h"

#define FAILURE_MAX 200
#define RECORD_MAX 16384		/* octets of one, RFC 8446 5.1 */

enum signing_state { SIGNING_WANTED, SIGNING_ASKED, SIGNING_DONE,
	SIGNING_FAILED };

/* What only a handshake needs. */
struct handshake {
	struct stream *stream;
	const struct tls_signer *signer;
	struct tls_signing signing;
	bool is_paused;
};

struct stream_tls {
	SSL *ssl;
	struct handshake *handshake;	/* NULL when it is over */
	struct loop_timer again;	/* input that the socket knows not of */
	bool is_broken;			/* no more calls but SSL_free */
	struct tls_facts facts;
	char failure[FAILURE_MAX];
	enum tls_fault fault;
};

/* The one that SSL_do_handshake runs for now. */
static struct handshake *current;

/* ---- input that has left the socket ---- */

static void
on_again(struct loop_timer *timer, void *arg)
{
	struct stream *stream = arg;

	(void)timer;
	if (stream->is_open && stream->wants_input)
		stream->fn(stream, STREAM_INPUT, stream->arg);
}

static bool
has_more(const struct stream_tls *tls)
{
	return tls->is_broken || SSL_has_pending(tls->ssl) ||
	    (SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void
stream_tls_wake(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	if (tls->handshake == NULL && has_more(tls))
		loop_timer_start(stream->loop, &tls->again, 0, on_again,
		    stream);
}

/* ---- octets ---- */

/* 0: wait for the socket. -EPIPE: the peer is gone or broke the rules. */
static int
tls_result(struct stream_tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return -EPIPE;
	default:
		tls->is_broken = true;
		ERR_clear_error();
		return -EPIPE;
	}
}

/* Whole records, as long as there is room for another one. */
ssize_t
stream_tls_read(struct stream *stream, void *data, size_t size)
{
	struct stream_tls *tls = stream->tls;
	size_t done = 0, n = 0;
	int result = 1;

	if (tls->is_broken || tls->handshake != NULL)
		return tls->is_broken ? -ECONNRESET : -EAGAIN;
	do {
		result = SSL_read_ex(tls->ssl, (char *)data + done,
		    size - done, &n);
		if (result == 1)
			done += n;
	} while (result == 1 && n == RECORD_MAX &&
	    size - done >= RECORD_MAX);
	if (done > 0) {
		if (result != 1)
			(void)tls_result(tls, result);
		if (stream->wants_input)
			stream_tls_wake(stream);
		return (ssize_t)done;
	}
	if (tls_result(tls, result) == 0)
		return -EAGAIN;
	return tls->is_broken ? -ECONNRESET : 0;
}

ssize_t
stream_tls_send(struct stream *stream, const char *data, size_t size)
{
	struct stream_tls *tls = stream->tls;
	size_t done = 0, n = 0;

	if (tls->is_broken)
		return -EPIPE;
	if (tls->handshake != NULL)
		return 0;
	while (done < size) {
		int result = SSL_write_ex(tls->ssl, data + done, size - done,
		    &n);

		if (result == 1) {
			done += n;
			continue;
		}
		if (tls_result(tls, result) < 0)
			return -EPIPE;
		break;
	}
	return (ssize_t)done;
}

/* A record that says goodbye is no input: so it must be looked into. */
enum stream_presence
stream_tls_look(const struct stream *stream)
{
	struct stream_tls *tls = stream->tls;
	char octet;
	size_t n;
	int result;

	if (tls->handshake != NULL)
		return STREAM_QUIET;
	if (tls->is_broken)
		return STREAM_GONE;
	result = SSL_peek_ex(tls->ssl, &octet, 1, &n);
	if (result == 1)
		return STREAM_HAS_INPUT;
	return tls_result(tls, result) == 0 ? STREAM_QUIET : STREAM_GONE;
}

void
stream_tls_shut(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	if (tls->handshake != NULL || tls->is_broken ||
	    (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) != 0)
		return;
	if (SSL_shutdown(tls->ssl) < 0)
		ERR_clear_error();
}

/* ---- the handshake ---- */

bool
stream_tls_is_handshaking(const struct stream *stream)
{
	return stream->tls->handshake != NULL;
}

/* Runs within the job. */
bool
tls_handshake_sign(const struct tls_key *key, enum tls_scheme scheme,
    struct slice data, uint8_t *signature, size_t *size)
{
	struct handshake *h = current;
	struct tls_signing *signing;

	if (h == NULL || ASYNC_get_current_job() == NULL ||
	    data.size > TLS_SIGNED_MAX)
		return false;
	signing = &h->signing;
	signing->key = *key;
	signing->scheme = scheme;
	signing->data_size = data.size;
	memcpy(signing->data, data.data, data.size);
	signing->state = SIGNING_WANTED;
	while (signing->state == SIGNING_WANTED ||
	    signing->state == SIGNING_ASKED)
		if (ASYNC_pause_job() != 1)
			return false;
	if (signing->state != SIGNING_DONE || signing->signature_size > *size)
		return false;
	memcpy(signature, signing->signature, signing->signature_size);
	*size = signing->signature_size;
	return true;
}

static int
run(struct stream_tls *tls)
{
	struct handshake *h = tls->handshake;
	int result;

	current = h;
	ERR_clear_error();
	result = SSL_do_handshake(tls->ssl);
	current = NULL;
	h->is_paused = result != 1 &&
	    SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_ASYNC;
	return result;
}

/* Ask; who cannot be asked has no signature, and the job goes on. */
static int
run_and_ask(struct stream_tls *tls)
{
	struct handshake *h = tls->handshake;
	int result = run(tls);

	while (h->is_paused && h->signing.state == SIGNING_WANTED) {
		h->signing.state = SIGNING_ASKED;
		if (h->signer->ask(h->signer->arg, &h->signing))
			break;
		h->signing.state = SIGNING_FAILED;
		result = run(tls);
	}
	return result;
}

/* A job that waits must come to its end before its SSL may be freed. */
static void
handshake_free(struct stream_tls *tls)
{
	struct handshake *h = tls->handshake;

	if (h == NULL)
		return;
	if (h->is_paused && h->signing.state == SIGNING_ASKED)
		h->signer->forget(h->signer->arg, &h->signing);
	while (h->is_paused) {
		h->signing.state = SIGNING_FAILED;
		(void)run(tls);
	}
	tls->handshake = NULL;
	free(h);
}

static void
keep_name(struct tls_facts *facts, const char *name)
{
	size_t i;

	for (i = 0; name != NULL && name[i] != '\0' && i < TLS_NAME_MAX; i++) {
		char c = name[i];
		bool is_upper = c >= 'A' && c <= 'Z';
		bool is_plain = is_upper || (c >= 'a' && c <= 'z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		    c == '_';

		facts->name[i] = !is_plain ? '?' : is_upper ?
		    (char)(c - 'A' + 'a') : c;
	}
	facts->name[i] = '\0';
}

/* As a client that does not insist. */
static void
note_unproved(struct stream_tls *tls)
{
	long result = SSL_get_verify_result(tls->ssl);

	if (SSL_is_server(tls->ssl) || result == X509_V_OK)
		return;
	tls->fault = tls_fault_of(result);
	slice_clip(tls->failure, sizeof tls->failure, slice_of(
	    X509_verify_cert_error_string(result)));
}

static void
secured(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	handshake_free(tls);
	SSL_clear_mode(tls->ssl, SSL_MODE_ASYNC);
	tls->facts.version = SSL_get_version(tls->ssl);
	tls->facts.cipher = SSL_get_cipher_name(tls->ssl);
	tls->facts.cipher_bits = (unsigned)SSL_get_cipher_bits(tls->ssl,
	    NULL);
	keep_name(&tls->facts, SSL_get_servername(tls->ssl,
	    TLSEXT_NAMETYPE_host_name));
	note_unproved(tls);
	stream->wants_input = true;
	stream_set_events(stream, EPOLLIN);
	stream_tls_wake(stream);
	stream->fn(stream, STREAM_SECURED, stream->arg);
}

/* As a client that insists: what the other side could not prove. */
static bool
has_unproved(struct stream_tls *tls, char *why, size_t size)
{
	long result = SSL_get_verify_result(tls->ssl);

	if (SSL_is_server(tls->ssl) || result == X509_V_OK ||
	    SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_NONE)
		return false;
	tls->fault = tls_fault_of(result);
	slice_clip(why, size, slice_of(
	    X509_verify_cert_error_string(result)));
	return true;
}

static void
failed(struct stream *stream, int error)
{
	struct stream_tls *tls = stream->tls;
	const char *cipher = SSL_get_cipher_name(tls->ssl);
	char why[FAILURE_MAX / 2] = "the other side closed";

	tls->fault = TLS_FAULT_HANDSHAKE;
	if (has_unproved(tls, why, sizeof why))
		;
	else if (tls->handshake->signing.state == SIGNING_FAILED)
		slice_copy(why, sizeof why, SLICE("no signature"));
	else if (error == SSL_ERROR_WANT_ASYNC_JOB)
		slice_copy(why, sizeof why, SLICE("too many at once"));
	else if (ERR_peek_error() != 0)
		tls_error(why, sizeof why);
	ERR_clear_error();
	snprintf(tls->failure, sizeof tls->failure, "%s (%s, %s)", why,
	    SSL_get_version(tls->ssl), cipher != NULL &&
	    strcmp(cipher, "(NONE)") != 0 ? cipher : "no cipher");
	tls->is_broken = true;
	handshake_free(tls);
	stream->wants_input = true;
	stream_set_events(stream, EPOLLIN);
	stream->fn(stream, STREAM_INSECURE, stream->arg);
}

/* May close the stream and free its owner. */
static void
step(struct stream *stream)
{
	int result = run_and_ask(stream->tls), error;

	if (result == 1) {
		secured(stream);
		return;
	}
	error = SSL_get_error(stream->tls->ssl, result);
	if (error == SSL_ERROR_WANT_READ)
		stream_set_events(stream, EPOLLIN);
	else if (error == SSL_ERROR_WANT_WRITE)
		stream_set_events(stream, EPOLLOUT);
	else if (error == SSL_ERROR_WANT_ASYNC)
		stream_set_events(stream, 0);
	else
		failed(stream, error);
}

void
stream_tls_ready(struct stream *stream, uint32_t events)
{
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		stream->fn(stream, STREAM_BROKEN, stream->arg);
	else if (!stream->tls->handshake->is_paused)
		step(stream);
}

void
tls_signing_answer(struct tls_signing *signing, struct slice signature)
{
	struct handshake *h = signing->handshake;
	bool is_one = signature.size > 0 &&
	    signature.size <= TLS_SIGNATURE_MAX;

	signing->state = is_one ? SIGNING_DONE : SIGNING_FAILED;
	if (is_one)
		memcpy(signing->signature, signature.data, signature.size);
	signing->signature_size = is_one ? signature.size : 0;
	step(h->stream);
}

/* ---- life ---- */

int
stream_tls_begin(struct stream *stream, SSL *ssl,
    const struct tls_signer *signer)
{
	struct stream_tls *tls;
	struct handshake *h;

	if (ssl == NULL)
		return -ENOMEM;
	if (!stream->is_open || stream->out.size > 0 || stream->tls != NULL) {
		SSL_free(ssl);
		return -EINVAL;
	}
	tls = calloc(1, sizeof *tls);
	h = calloc(1, sizeof *h);
	if (tls == NULL || h == NULL ||
	    SSL_set_fd(ssl, stream->io.fd) != 1) {
		SSL_free(ssl);
		free(h);
		free(tls);
		return -ENOMEM;
	}
	h->stream = stream;
	h->signer = signer;
	h->signing.handshake = h;
	tls->ssl = ssl;
	tls->handshake = h;
	stream->tls = tls;
	/* who speaks first waits for room, which is there at once */
	stream_set_events(stream, SSL_is_server(ssl) ? EPOLLIN : EPOLLOUT);
	return 0;
}

int
stream_start_tls(struct stream *stream, const struct tls_server *server)
{
	SSL *ssl;

	if (server->n_names == 0)
		return -EINVAL;
	ssl = SSL_new(server->names[0].ctx);
	if (ssl != NULL)
		SSL_set_accept_state(ssl);
	return stream_tls_begin(stream, ssl, server->signer);
}

void
stream_tls_free(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	handshake_free(tls);
	stream_tls_shut(stream);
	loop_timer_stop(stream->loop, &tls->again);
	SSL_free(tls->ssl);
	ERR_clear_error();
	stream->tls = NULL;
	free(tls);
}

const struct tls_facts *
stream_tls_facts(const struct stream *stream)
{
	if (stream->tls == NULL || stream->tls->handshake != NULL ||
	    stream->tls->is_broken)
		return NULL;
	return &stream->tls->facts;
}

const char *
stream_tls_failure(const struct stream *stream)
{
	return stream->tls != NULL ? stream->tls->failure : "";
}

enum tls_fault
stream_tls_fault(const struct stream *stream)
{
	return stream->tls != NULL ? stream->tls->fault : TLS_FAULT_NONE;
}
