/* SPDX-License-Identifier: ISC */
/*
 * load_connection.c - the sockets of the load generator (load.h).
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REST_S 0.05	/* before a refused connection is tried again */

double
load_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
load_die(const char *what)
{
	fprintf(stderr, "smtpload: %s: %s\n", what, strerror(errno));
	exit(1);
}

void
connection_put(struct connection *c, const char *format, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		errno = EMSGSIZE;
		load_die("line");
	}
	if (c->out_len + (size_t)n > c->out_size) {
		c->out_size = c->out_len + (size_t)n + 512;
		c->out = realloc(c->out, c->out_size);
		if (c->out == NULL)
			load_die("output");
	}
	memcpy(c->out + c->out_len, text, (size_t)n);
	c->out_len += (size_t)n;
}

static void
watch(struct load *load, struct connection *c, int operation, unsigned events)
{
	struct epoll_event event = { .events = events };

	if (operation == EPOLL_CTL_MOD && events == c->events)
		return;
	event.data.u32 = c->index;
	if (epoll_ctl(load->epoll_fd, operation, c->fd, &event) < 0)
		load_die("epoll_ctl");
	c->events = events;
}

static void
reset(struct connection *c)
{
	struct connection fresh = {
		.index = c->index, .message = -1, .out = c->out,
		.out_size = c->out_size, .is_connecting = true,
		.stage = STAGE_GREETING,
	};

	*c = fresh;
}

/* "spread": each connection comes from a network of its own. */
static void
bind_source(const struct load *load, const struct connection *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	const char *source = load->opt.source;
	char spread[32];

	if (strcmp(source, "spread") == 0) {
		snprintf(spread, sizeof(spread), "127.%u.%u.1",
		    1 + c->index / 250, c->index % 250);
		source = spread;
	}
	if (inet_pton(AF_INET, source, &from.sin_addr) != 1 ||
	    bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		load_die(source);
}

void
connection_open(struct load *load, struct connection *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int one = 1;

	reset(c);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		load_die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	to.sin_port = htons((uint16_t)load->opt.port);
	if (inet_pton(AF_INET, load->opt.host, &to.sin_addr) != 1)
		load_die(load->opt.host);
	if (load->opt.source != NULL)
		bind_source(load, c);
	load->connects++;
	load->n_alive++;
	c->opened_at = load_now();
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EINPROGRESS) {
		load->refused++;
		connection_close(load, c, REST_S);
		return;
	}
	watch(load, c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

void
connection_close(struct load *load, struct connection *c, double rest_s)
{
	tls_end(c);
	close(c->fd);
	c->fd = -1;
	c->retry_at = 0;
	load->n_alive--;
	if (c->message >= 0) {
		load->requeued++;
		message_give_back(load, c);
	}
	if (c->stage == STAGE_HELD)
		load->n_held--;
	if (!message_is_left(load))
		return;
	if (rest_s > 0)
		c->retry_at = load_now() + rest_s;
	else
		connection_open(load, c);
}

static bool
is_pending(const struct connection *c)
{
	return c->out_pos < c->out_len || c->body_left > 0;
}

/* Notes how far n written octets went: first output, then body. */
static void
advance(struct connection *c, size_t n)
{
	size_t of_output = c->out_len - c->out_pos;

	if (of_output > n)
		of_output = n;
	c->out_pos += of_output;
	n -= of_output;
	if (c->out_pos == c->out_len)
		c->out_pos = c->out_len = 0;
	if (n == 0)
		return;
	c->body += n;
	c->body_left -= n;
	if (c->body_left == 0)
		c->dot_at = load_now();
}

/* What is left of the output, or else of the body. */
static int
write_within_tls(struct connection *c)
{
	while (is_pending(c)) {
		bool is_output = c->out_pos < c->out_len;
		ssize_t n = is_output ?
		    tls_write(c, c->out + c->out_pos, c->out_len - c->out_pos)
		    : tls_write(c, c->body, c->body_left);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		advance(c, (size_t)n);
	}
	return 0;
}

/* Header and body leave together, as one write of a real client would. */
static int
write_pending(struct connection *c)
{
	while (is_pending(c)) {
		struct iovec parts[2] = {
			{ c->out + c->out_pos, c->out_len - c->out_pos },
			{ (void *)(uintptr_t)c->body, c->body_left },
		};
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
		ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		advance(c, (size_t)n);
	}
	return 0;
}

void
connection_flush(struct load *load, struct connection *c)
{
	if (c->is_shaking) {
		watch(load, c, EPOLL_CTL_MOD, EPOLLIN);
		return;
	}
	if ((c->ssl != NULL ? write_within_tls(c) : write_pending(c)) < 0) {
		session_broke(load, c, "write");
		return;
	}
	/*
	 * As Postfix's client does by default (smtp_skip_quit_response):
	 * nobody waits for the reply to QUIT.
	 */
	if (c->stage == STAGE_QUIT && !is_pending(c)) {
		connection_close(load, c, 0);
		return;
	}
	watch(load, c, EPOLL_CTL_MOD,
	    is_pending(c) ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* True if the line ended a reply that was taken; closed connections too. */
static bool
take_line(struct load *load, struct connection *c, char *line)
{
	size_t len = strlen(line);

	if (len > 0 && line[len - 1] == '\r')
		line[len - 1] = '\0';
	if (c->stage == STAGE_EHLO && len > 4 &&
	    strcasecmp(line + 4, "PIPELINING") == 0)
		c->has_pipelining = true;
	if (len > 3 && line[3] == '-')
		return true;
	return session_reply(load, c, atoi(line), line);
}

/* False: the connection was closed. */
static bool
take_lines(struct load *load, struct connection *c)
{
	size_t pos = 0;
	char *end;

	while ((end = memchr(c->in + pos, '\n', c->in_len - pos)) != NULL) {
		char *line = c->in + pos;

		*end = '\0';
		pos = (size_t)(end - c->in) + 1;
		if (!take_line(load, c, line))
			return false;
	}
	memmove(c->in, c->in + pos, c->in_len - pos);
	c->in_len -= pos;
	if (c->in_len == sizeof(c->in)) {
		session_broke(load, c, "reply too long");
		return false;
	}
	return true;
}

/* False: the connection was closed. */
static bool
read_replies(struct load *load, struct connection *c)
{
	for (;;) {
		size_t room = sizeof(c->in) - c->in_len;
		ssize_t n = c->ssl != NULL ?
		    tls_read(c, c->in + c->in_len, room) :
		    recv(c->fd, c->in + c->in_len, room, 0);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			session_broke(load, c, "closed");
			return false;
		}
		c->in_len += (size_t)n;
		if (!take_lines(load, c))
			return false;
		if (c->is_shaking || (c->ssl == NULL && (size_t)n < room))
			return true;
	}
}

void
connection_event(struct load *load, struct connection *c, unsigned events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (c->is_connecting) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0) {
			load->refused++;
			connection_close(load, c, REST_S);
			return;
		}
		c->is_connecting = false;
	}
	if (c->is_shaking && tls_shake(c) < 0) {
		if (errno != EAGAIN)
			session_broke(load, c, "handshake");
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 &&
	    !read_replies(load, c))
		return;
	connection_flush(load, c);
}
