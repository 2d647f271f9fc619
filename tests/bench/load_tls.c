/* SPDX-License-Identifier: ISC */
/*
 * load_tls.c - TLS for the load generator (load.h): a full handshake on each
 * connection, with what OpenSSL offers by itself.
 */
#include "load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static SSL_CTX *context;

void
tls_start(struct connection *c)
{
	if (context == NULL) {
		context = SSL_CTX_new(TLS_client_method());
		if (context == NULL)
			load_die("TLS");
		SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
		    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		    SSL_MODE_RELEASE_BUFFERS);
	}
	c->ssl = SSL_new(context);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
		load_die("TLS");
	SSL_set_connect_state(c->ssl);
	c->is_shaking = true;
}

void
tls_end(struct connection *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	c->is_shaking = false;
}

/* -1 with errno, as of a system call. */
static int
fail(struct connection *c, int result)
{
	int error = SSL_get_error(c->ssl, result);

	ERR_clear_error();
	errno = error == SSL_ERROR_WANT_READ ||
	    error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
	return -1;
}

int
tls_shake(struct connection *c)
{
	int result = SSL_do_handshake(c->ssl);

	if (result != 1)
		return fail(c, result);
	c->is_shaking = false;
	return 0;
}

ssize_t
tls_read(struct connection *c, void *to, size_t room)
{
	size_t n = 0;
	int result = SSL_read_ex(c->ssl, to, room, &n);

	if (result == 1)
		return (ssize_t)n;
	if (SSL_get_error(c->ssl, result) == SSL_ERROR_ZERO_RETURN)
		return 0;
	return fail(c, result);
}

ssize_t
tls_write(struct connection *c, const void *from, size_t size)
{
	size_t n = 0;
	int result = SSL_write_ex(c->ssl, from, size, &n);

	return result == 1 ? (ssize_t)n : fail(c, result);
}
