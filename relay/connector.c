/* SPDX-License-Identifier: ISC */
/*
 * connector.c - see connector.h.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "connector.h"
#include "fault.h"

static void begin_next(struct connector *c);

static socklen_t
address_of(struct sockaddr_storage *to, const struct net_address *a,
    uint16_t port)
{
	void *p = to;
	struct sockaddr_in *v4 = p;
	struct sockaddr_in6 *v6 = p;

	memset(to, 0, sizeof *to);
	to->ss_family = (sa_family_t)a->family;
	if (a->family == AF_INET) {
		v4->sin_port = htons(port);
		v4->sin_addr = a->as.v4;
		return sizeof *v4;
	}
	v6->sin6_port = htons(port);
	v6->sin6_addr = a->as.v6;
	return sizeof *v6;
}

static void
try_end(struct connector *c, unsigned which)
{
	struct connector_try *t = &c->tries[which];

	if (t->fd < 0)
		return;
	loop_unwatch(c->loop, &t->io);
	close(t->fd);
	t->fd = -1;
}

void
connector_stop(struct connector *c)
{
	if (c->loop == NULL)
		return;
	for (unsigned i = 0; i < c->n_begun; i++)
		try_end(c, i);
	loop_timer_stop(c->loop, &c->head_start);
	loop_timer_stop(c->loop, &c->limit);
	loop_timer_stop(c->loop, &c->soon);
}

static void
finish(struct connector *c, int fd, unsigned which)
{
	connector_stop(c);
	c->done(c->arg, fd, which);
}

static void
on_soon(struct loop_timer *timer, void *arg)
{
	struct connector *c = arg;

	(void)timer;
	finish(c, c->error, c->n - 1);
}

bool
connector_is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM ||
	    error == -ENOBUFS || error == -ENOSPC;
}

/* One has failed; the last one ends it, but not from within. What could not
 * even be tried counts more than what the other one met. */
static void
failed(struct connector *c, unsigned which, int error)
{
	try_end(c, which);
	if (!connector_is_shortage(c->error))
		c->error = error;
	if (++c->n_failed == c->n)
		loop_timer_start(c->loop, &c->soon, 0, on_soon, c);
	else if (c->n_begun < c->n)
		begin_next(c);
}

static void
on_io(struct loop_io *io, uint32_t events, void *arg)
{
	struct connector_try *t = arg;
	struct connector *c = t->connector;
	unsigned which = (unsigned)(t - c->tries);
	int error = 0, fd = t->fd;
	socklen_t size = sizeof error;

	(void)io;
	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error != 0) {
		failed(c, which, -error);
		return;
	}
	loop_unwatch(c->loop, &t->io);
	t->fd = -1;
	finish(c, fd, which);
}

static void
on_head_start(struct loop_timer *timer, void *arg)
{
	struct connector *c = arg;

	(void)timer;
	if (c->n_begun < c->n)
		begin_next(c);
}

/* A descriptor that is connecting, or a negative errno. */
static int
open_socket(struct connector *c, const struct net_address *a)
{
	const struct net_address *source = a->family == AF_INET ?
	    &c->source_v4 : &c->source_v6;
	struct sockaddr_storage sa;
	socklen_t size;
	int fd, one = 1, error = 0;

	if ((error = FAULT("relay.socket")) != 0)
		return -error;
	fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (source->family != 0) {
		size = address_of(&sa, source, 0);
		if (bind(fd, (struct sockaddr *)&sa, size) < 0)
			error = -errno;
	}
	size = address_of(&sa, a, c->port);
	if (error == 0 && connect(fd, (struct sockaddr *)&sa, size) < 0 &&
	    errno != EINPROGRESS)
		error = -errno;
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

static void
begin_next(struct connector *c)
{
	unsigned which = c->n_begun++;
	struct connector_try *t = &c->tries[which];
	int fd = open_socket(c, &c->addresses[which]), error = fd;

	t->connector = c;
	t->fd = fd < 0 ? -1 : fd;
	if (fd >= 0)
		error = loop_watch(c->loop, &t->io, fd, EPOLLOUT, on_io, t);
	if (error < 0) {
		failed(c, which, error);
		return;
	}
	if (c->n_begun < c->n)
		loop_timer_start(c->loop, &c->head_start,
		    CONNECTOR_HEAD_START_MS, on_head_start, c);
}

static void
on_limit(struct loop_timer *timer, void *arg)
{
	struct connector *c = arg;

	(void)timer;
	finish(c, connector_is_shortage(c->error) ? c->error : -ETIMEDOUT,
	    c->n - 1);
}

void
connector_start(struct connector *c, uint32_t timeout_ms)
{
	c->n_begun = c->n_failed = 0;
	c->error = 0;
	c->tries[0].fd = c->tries[1].fd = -1;
	loop_timer_start(c->loop, &c->limit, timeout_ms, on_limit, c);
	begin_next(c);
}
