/* SPDX-License-Identifier: ISC */
/*
 * listen.c - the supervisor's sockets.
 *
 * "*" is IPv4 and IPv6, each its own socket. A socket outlives reloads and
 * restarts of smtpd: clients in its queue notice nothing. Sockets that
 * systemd handed over are matched by their address.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "log.h"
#include "notify.h"
#include "supervisor.h"

#define BACKLOG 4096
#define BUSY_TRIES 20		/* together a second */
#define BUSY_WAIT_US 50000
#define FIRST_ACTIVATED_FD 3

union any_address {
	struct sockaddr generic;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* Length of the socket address, or 0 when text is no IP address. */
static socklen_t
address_of(const char *text, uint16_t port, union any_address *to)
{
	memset(to, 0, sizeof *to);
	if (inet_pton(AF_INET, text, &to->v4.sin_addr) == 1) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(port);
		return sizeof to->v4;
	}
	if (inet_pton(AF_INET6, text, &to->v6.sin6_addr) == 1) {
		to->v6.sin6_family = AF_INET6;
		to->v6.sin6_port = htons(port);
		return sizeof to->v6;
	}
	return 0;
}

/*
 * smtpd's replies leave whole: nothing is gained by waiting for more. Linux
 * hands the option on to every connection that is accepted here.
 */
static void
send_at_once(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* One that systemd bound for us, or -1. */
static int
find_activated(const union any_address *wanted, socklen_t size)
{
	int n = notify_listen_fds();

	for (int fd = FIRST_ACTIVATED_FD; fd < FIRST_ACTIVATED_FD + n; fd++) {
		union any_address have;
		socklen_t length = sizeof have;

		memset(&have, 0, sizeof have);
		if (getsockname(fd, &have.generic, &length) < 0 ||
		    length != size || memcmp(&have, wanted, size) != 0)
			continue;
		fcntl(fd, F_SETFL, O_NONBLOCK);
		send_at_once(fd);
		return fcntl(fd, F_DUPFD_CLOEXEC, 10);
	}
	return -1;
}

static int
bind_one(const char *address, uint16_t port)
{
	union any_address to;
	socklen_t size = address_of(address, port, &to);
	int one = 1, fd, error;

	if (size == 0)
		return -EINVAL;
	fd = find_activated(&to, size);
	if (fd >= 0)
		return fd;
	fd = socket(to.generic.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (to.generic.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
		    sizeof one);
	send_at_once(fd);
	if (bind(fd, &to.generic, size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/*
 * A server that was killed a moment ago may still hold the port, in a child
 * that is ending or in a descriptor that was under way to one.
 */
static int
bind_in_time(const struct supervisor *s, const char *address, uint16_t port)
{
	int fd = bind_one(address, port);

	/* at a reload nothing waits: the loop serves */
	for (int tries = 0; fd == -EADDRINUSE && s->loop == NULL &&
	     tries < BUSY_TRIES; tries++) {
		usleep(BUSY_WAIT_US);
		fd = bind_one(address, port);
	}
	return fd;
}

/* 0, or -1 after logging. */
static int
open_one(struct supervisor *s, const char *address, uint16_t port,
    uint16_t config_index)
{
	struct bound_socket *new;
	int fd;

	for (size_t i = 0; i < s->n_sockets; i++) {
		struct bound_socket *have = &s->sockets[i];

		if (have->port != port || strcmp(have->address, address) != 0)
			continue;
		have->config_index = config_index;
		have->is_used = true;
		return 0;
	}
	if (s->n_sockets == MAX_SOCKETS) {
		log_error("too_many_listeners", LOG_END);
		return -1;
	}
	fd = bind_in_time(s, address, port);
	/* a machine without IPv6 still serves "*" by IPv4 */
	if (fd == -EAFNOSUPPORT && strcmp(address, "::") == 0)
		return 0;
	if (fd < 0) {
		log_error("cannot_listen", LOG_S("address", address),
		    LOG_U("port", port), LOG_E("error", fd), LOG_END);
		return -1;
	}
	new = &s->sockets[s->n_sockets++];
	*new = (struct bound_socket){ .fd = fd, .port = port,
		.config_index = config_index, .is_used = true };
	snprintf(new->address, sizeof new->address, "%s", address);
	return 0;
}

static void
close_unused(struct supervisor *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_sockets; i++) {
		if (s->sockets[i].is_used)
			s->sockets[kept++] = s->sockets[i];
		else
			close(s->sockets[i].fd);
	}
	s->n_sockets = kept;
}

int
listen_open(struct supervisor *s)
{
	const struct config *config = s->current->config;
	int result = 0;

	for (size_t i = 0; i < s->n_sockets; i++)
		s->sockets[i].is_used = false;
	for (size_t i = 0; i < config->n_listens; i++) {
		const struct config_listen *listen = &config->listens[i];

		if (listen->role != LISTEN_MX || listen->is_unix)
			continue;	/* not built yet; -n says so */
		if (strcmp(listen->address, "*") != 0) {
			result |= open_one(s, listen->address, listen->port,
			    (uint16_t)i);
			continue;
		}
		result |= open_one(s, "0.0.0.0", listen->port, (uint16_t)i);
		result |= open_one(s, "::", listen->port, (uint16_t)i);
	}
	close_unused(s);
	return result;
}

static void
give_to_admins(const struct supervisor *s, const char *path)
{
	const struct group *group = getgrnam(s->current->config->admin_group);

	if (chmod(path, 0660) < 0)
		fatal("%s: %s", path, strerror(errno));
	if (!s->is_privileged)
		return;
	if (group == NULL)
		log_warning("admin_group_missing",
		    LOG_S("group", s->current->config->admin_group),
		    LOG_S("effect", "only root can use posternctl"), LOG_END);
	if (lchown(path, 0, group ? group->gr_gid : 0) < 0)
		fatal("%s: %s", path, strerror(errno));
}

void
listen_control(struct supervisor *s)
{
	union any_address to = { .local = { .sun_family = AF_UNIX } };
	char path[4096];
	mode_t mask;

	snprintf(path, sizeof path, "%s/control.sock",
	    s->current->config->state_dir);
	if (!slice_copy(to.local.sun_path, sizeof to.local.sun_path,
	    slice_of(path)))
		fatal("%s: longer than a socket's path may be (%zu octets): "
		    "choose a shorter state_dir", path,
		    sizeof to.local.sun_path - 1);
	unlink(path);		/* the lock says that nobody uses it */
	s->control_socket = socket(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0177);
	if (s->control_socket < 0 ||
	    bind(s->control_socket, &to.generic, sizeof to.local) < 0 ||
	    listen(s->control_socket, 64) < 0)
		fatal("%s: %s", path, strerror(errno));
	umask(mask);
	give_to_admins(s, path);
}
