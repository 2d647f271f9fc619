/* SPDX-License-Identifier: ISC */
/*
 * Accepting, see connection.h. All smtpd processes share the listening
 * sockets; EPOLLEXCLUSIVE wakes one of them. Few connections are taken per
 * round, so that another process gets the rest of a burst.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "connection.h"
#include "log.h"
#include "socket_name.h"

#define ACCEPT_AT_ONCE 4
#define ACCEPT_PAUSE_MS 500

static void on_connections(struct loop_io *io, uint32_t events, void *arg);

static void
listener_watch(struct listener *listener)
{
	int error;

	if (listener->is_watched)
		return;
	error = loop_watch(listener->server->loop, &listener->io,
	    listener->io.fd, EPOLLIN | EPOLLEXCLUSIVE, on_connections,
	    listener);
	listener->is_watched = error == 0;
	if (error < 0)
		log_error("listen_failed", LOG_E("error", error), LOG_END);
}

static void
server_unwatch(struct server *server)
{
	size_t i;

	for (i = 0; i < server->n_listeners; i++) {
		if (server->listeners[i].is_watched)
			loop_unwatch(server->loop, &server->listeners[i].io);
		server->listeners[i].is_watched = false;
	}
}

static void
on_pause_over(struct loop_timer *timer, void *arg)
{
	struct server *server = arg;
	size_t i;

	(void)timer;
	for (i = 0; i < server->n_listeners; i++)
		listener_watch(&server->listeners[i]);
}

/* Out of descriptors or memory: let some sessions end first. */
static void
server_pause(struct server *server, int error)
{
	log_warning("accept_failed", LOG_E("error", error), LOG_END);
	server_unwatch(server);
	loop_timer_start(server->loop, &server->pause, ACCEPT_PAUSE_MS,
	    on_pause_over, server);
}

static void
server_accept(const struct listener *listener, int fd,
    const struct sockaddr_storage *from)
{
	char ip[INET6_ADDRSTRLEN];

	if (from->ss_family == AF_UNIX) {
		server_adopt_local(listener->server, fd);
		return;
	}
	(void)socket_name(ip, from);
	if (*ip == '\0') {
		close(fd);
		return;
	}
	server_adopt(listener->server, fd, ip, listener->tls_mode);
}

static void
on_connections(struct loop_io *io, uint32_t events, void *arg)
{
	struct listener *listener = arg;
	struct sockaddr_storage from;
	socklen_t size;
	int i, fd;

	(void)events;
	for (i = 0; i < ACCEPT_AT_ONCE && listener->is_watched; i++) {
		size = sizeof(from);
		memset(&from, 0, sizeof(from));
		fd = accept4(io->fd, (struct sockaddr *)&from, &size,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			server_accept(listener, fd, &from);
		else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOBUFS || errno == ENOMEM)
			server_pause(listener->server, errno);
		else if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

int
server_listen(struct server *server, int fd, enum config_tls_mode tls_mode)
{
	struct listener *listener;

	if (server->n_listeners == SERVER_MAX_LISTENERS) {
		close(fd);
		return -ENOSPC;
	}
	listener = &server->listeners[server->n_listeners++];
	listener->server = server;
	listener->tls_mode = tls_mode;
	listener->io.fd = fd;
	listener_watch(listener);
	return listener->is_watched ? 0 : -EBADF;
}

void
server_mute(struct server *server)
{
	size_t i;

	loop_timer_stop(server->loop, &server->pause);
	server_unwatch(server);
	for (i = 0; i < server->n_listeners; i++)
		close(server->listeners[i].io.fd);
	server->n_listeners = 0;
}
