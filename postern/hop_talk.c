/* SPDX-License-Identifier: ISC */
/*
 * hop_talk.c - see hop_talk.h.
 */
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "clock.h"
#include "config.h"
#include "hop_talk.h"
#include "reply.h"

#define STEP_MS 10000			/* for one reply, or to connect */
#define REPLY_LINES_MAX 100

static int
fail(struct hop *hop, const char *why, int error)
{
	hop->code = 0;
	snprintf(hop->said, sizeof hop->said, "%s%s%s", why,
	    error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	return -1;
}

/* ---- connecting ---- */

static int
open_unix(struct hop *hop, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);

	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	fail(hop, "no connection", errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* "[2001:db8::1]:25", "[192.0.2.1]:25", "host.example:25". */
static bool
split_host(const char *where, char *host, size_t room, const char **port)
{
	const char *colon = strrchr(where, ':');
	size_t size = colon == NULL ? 0 : (size_t)(colon - where);

	if (size > 1 && *where == '[' && where[size - 1] == ']') {
		where++;
		size -= 2;
	}
	if (size == 0 || size >= room)
		return false;
	memcpy(host, where, size);
	host[size] = '\0';
	*port = colon + 1;
	return true;
}

static int
open_address(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	struct pollfd wait = { fd, POLLOUT, 0 };
	socklen_t size = sizeof errno;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0 &&
	    errno != EINPROGRESS)
		error = errno;
	else if (poll(&wait, 1, STEP_MS) != 1)
		error = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0)
		return fd;
	close(fd);
	return -error;
}

static int
open_host(struct hop *hop, const char *where)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	const char *port;
	int fd = -EHOSTUNREACH, error;

	if (!split_host(where, hop->host, sizeof hop->host, &port))
		return fail(hop, "no host and port", 0);
	error = getaddrinfo(hop->host, port, &hints, &found);
	if (error != 0)
		return fail(hop, gai_strerror(error), 0);
	for (const struct addrinfo *a = found; a != NULL && fd < 0 &&
	    clock_monotonic_us() < hop->end_us; a = a->ai_next)
		fd = open_address(a);
	freeaddrinfo(found);
	return fd >= 0 ? fd : fail(hop, "no connection", -fd);
}

void
hop_open(struct hop *hop)
{
	const char *path = config_hop_path(hop->next_hop);

	hop->fd = path != NULL ? open_unix(hop, path) :
	    open_host(hop, hop->next_hop + 5);
}

/* ---- octets ---- */

/* Milliseconds for what comes next; 0: there are none left. */
static int
time_left_ms(const struct hop *hop)
{
	int64_t left_ms = (hop->end_us - clock_monotonic_us()) / 1000;

	return left_ms <= 0 ? 0 : left_ms < STEP_MS ? (int)left_ms : STEP_MS;
}

static int
wait_for(struct hop *hop, short events)
{
	struct pollfd wait = { hop->fd, events, 0 };

	return poll(&wait, 1, time_left_ms(hop)) == 1 ? 0 :
	    fail(hop, "no answer in time", 0);
}

/* 0: TLS may go on. */
static int
tls_wait(struct hop *hop, int result, const char *what)
{
	switch (SSL_get_error(hop->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(hop, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(hop, POLLOUT);
	default:
		return fail(hop, what, 0);
	}
}

static int
tls_read(struct hop *hop, char *to, int room)
{
	int n;

	for (;;) {
		ERR_clear_error();
		n = SSL_read(hop->ssl, to, room);
		if (n > 0)
			return n;
		if (tls_wait(hop, n, "it closed the connection") < 0)
			return -1;
	}
}

static int
plain_read(struct hop *hop, char *to, int room)
{
	ssize_t n;

	if (wait_for(hop, POLLIN) < 0)
		return -1;
	n = read(hop->fd, to, (size_t)room);
	return n > 0 ? (int)n : fail(hop, "it closed the connection",
	    n < 0 ? errno : 0);
}

static int
read_more(struct hop *hop)
{
	char *to = hop->input + hop->n_input;
	int room = (int)(sizeof hop->input - hop->n_input), n;

	if (room == 0)
		return fail(hop, "it sends a line without an end", 0);
	n = hop->ssl != NULL ? tls_read(hop, to, room) :
	    plain_read(hop, to, room);
	if (n > 0)
		hop->n_input += (size_t)n;
	return n > 0 ? 0 : -1;
}

/* What is short fits the socket. */
static int
write_all(struct hop *hop, const char *text, size_t size)
{
	int n;

	if (hop->ssl == NULL)
		return send(hop->fd, text, size, MSG_NOSIGNAL) ==
		    (ssize_t)size ? 0 : fail(hop, "it closed the connection",
		    0);
	for (;;) {
		ERR_clear_error();
		n = SSL_write(hop->ssl, text, (int)size);
		if (n > 0)
			return 0;
		if (tls_wait(hop, n, "it closed the connection") < 0)
			return -1;
	}
}

/* ---- replies ---- */

/* "250-first", "250 last". The code, or -1. */
static int
parse_line(struct hop *hop, struct slice line, bool *is_last)
{
	int code = 0;

	for (size_t i = 0; i < 3; i++) {
		if (i >= line.size || line.data[i] < '0' ||
		    line.data[i] > '9')
			return fail(hop, "it does not speak SMTP", 0);
		code = code * 10 + (line.data[i] - '0');
	}
	*is_last = line.size == 3 || line.data[3] != '-';
	if (line.size > 4 && slice_equals_nocase(slice_trim((struct slice){
	    line.data + 4, line.size - 4 }), SLICE("STARTTLS")))
		hop->has_starttls = true;
	(void)reply_clean(hop->said, sizeof hop->said, line, false);
	return code;
}

/* Take one line off the input. */
static int
read_line(struct hop *hop, bool *is_last)
{
	size_t size, taken;
	int code;

	while (memchr(hop->input, '\n', hop->n_input) == NULL)
		if (read_more(hop) < 0)
			return -1;
	size = slice_find((struct slice){ hop->input, hop->n_input }, '\n');
	taken = size + 1;
	if (size > 0 && hop->input[size - 1] == '\r')
		size--;
	code = parse_line(hop, (struct slice){ hop->input, size }, is_last);
	hop->n_input -= taken;
	memmove(hop->input, hop->input + taken, hop->n_input);
	return code;
}

/* The code of a whole reply, or -1 with the reason in hop->said. */
static int
read_reply(struct hop *hop)
{
	bool is_last = false;

	for (int i = 0; i < REPLY_LINES_MAX; i++) {
		hop->code = read_line(hop, &is_last);
		if (hop->code < 0 || is_last)
			return hop->code;
	}
	return fail(hop, "a reply that does not end", 0);
}

/* ---- commands ---- */

/* Its reply's code, or -1. */
static int
say(struct hop *hop, const char *verb, const char *argument,
    const char *domain)
{
	char line[600];
	int size = snprintf(line, sizeof line, "%s%s%s%s%s\r\n", verb,
	    argument, *domain ? "@" : "", domain, *domain ? ">" : "");

	if (size >= (int)sizeof line)
		return fail(hop, "its name is too long", 0);
	if (write_all(hop, line, (size_t)size) < 0)
		return -1;
	return read_reply(hop);
}

static int
hello(struct hop *hop, const char *hostname)
{
	bool is_lmtp = strncmp(hop->next_hop, "lmtp:", 5) == 0;

	hop->has_starttls = false;
	return say(hop, is_lmtp ? "LHLO " : "EHLO ", hostname, "");
}

/* Whoever it is: nothing is sent that would be anybody's secret. */
static int
shake_hands(struct hop *hop)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	int n;

	if (context != NULL)
		hop->ssl = SSL_new(context);
	SSL_CTX_free(context);
	if (hop->ssl == NULL || SSL_set_fd(hop->ssl, hop->fd) != 1)
		return fail(hop, "no memory for TLS", 0);
	SSL_set_security_level(hop->ssl, 0);
	if (strpbrk(hop->host, "abcdefghijklmnopqrstuvwxyz") != NULL &&
	    strchr(hop->host, ':') == NULL)
		(void)SSL_set_tlsext_host_name(hop->ssl, hop->host);
	for (;;) {
		ERR_clear_error();
		n = SSL_connect(hop->ssl);
		if (n == 1)
			return 0;
		if (tls_wait(hop, n, "the TLS handshake failed") < 0)
			return -1;
	}
}

/* As relay does: opportunistic TLS takes a no, and goes on without. */
static int
start_tls(struct hop *hop, const char *hostname)
{
	int code;

	if (hop->tls == HOP_NO_TLS ||
	    (hop->tls == HOP_MAY_TLS && !hop->has_starttls))
		return 250;
	if (!hop->has_starttls)
		return fail(hop, "it offers no STARTTLS, and tls = required",
		    0);
	code = say(hop, "STARTTLS", "", "");
	if (code != 220)
		return code >= 0 && hop->tls == HOP_MAY_TLS ? 250 : -1;
	if (hop->n_input > 0)
		return fail(hop, "it says more than STARTTLS asks for", 0);
	return shake_hands(hop) < 0 ? -1 : hello(hop, hostname);
}

bool
hop_greet(struct hop *hop, const char *hostname)
{
	int code = hop->fd < 0 ? -1 : read_reply(hop);

	if (code / 100 == 2)
		code = hello(hop, hostname);
	if (code / 100 == 2)
		code = start_tls(hop, hostname);
	if (code / 100 == 2)
		return true;
	if (hop->fd >= 0)
		close(hop->fd);
	hop->fd = -1;
	return false;
}

int
hop_ask(struct hop *hop, const char *local, const char *domain)
{
	int code = hop->fd < 0 ? -1 : say(hop, "RSET", "", "");

	if (code / 100 == 2)
		code = say(hop, "MAIL FROM:<>", "", "");
	if (code / 100 != 2)
		return code < 0 ? -1 : 0;
	return say(hop, "RCPT TO:<", local, domain);
}

void
hop_close(struct hop *hop)
{
	if (hop->fd >= 0)
		(void)say(hop, "QUIT", "", "");
	SSL_free(hop->ssl);
	hop->ssl = NULL;
	if (hop->fd >= 0)
		close(hop->fd);
	hop->fd = -1;
}
