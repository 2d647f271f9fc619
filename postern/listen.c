/* SPDX-License-Identifier: ISC */
/*
 * listen.c - the supervisor's sockets.
 *
 * "*" is IPv4 and IPv6, each its own socket. A socket outlives reloads and
 * restarts of smtpd: clients in its queue notice nothing. Sockets that
 * systemd handed over are matched by their address. A unix socket is open to
 * every user of this host: who he is, auth asks the kernel.
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

/* Length of the socket address, or 0 when text is no address or path. */
static socklen_t
address_of(const char *text, uint16_t port, union any_address *to)
{
	memset(to, 0, sizeof *to);
	if (*text == '/') {
		to->local.sun_family = AF_UNIX;
		return slice_copy(to->local.sun_path,
		    sizeof to->local.sun_path, slice_of(text)) ?
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		    strlen(text) + 1) : 0;
	}
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

static void
set_options(int fd, sa_family_t family)
{
	int one = 1;

	if (family == AF_UNIX)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one,
		    sizeof one);
	send_at_once(fd);
}

/* What a server that was killed has left behind; anything else stays. */
static void
remove_dead(const union any_address *path, socklen_t size)
{
	struct stat st;
	int fd;

	if (lstat(path->local.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, &path->generic, size) < 0 && errno == ECONNREFUSED)
		(void)unlink(path->local.sun_path);
	close(fd);
}

/* bind(2), and for a path: for every user. */
static int
bind_to(int fd, const union any_address *to, socklen_t size)
{
	mode_t mask;
	int result;

	if (to->generic.sa_family != AF_UNIX)
		return bind(fd, &to->generic, size);
	remove_dead(to, size);
	mask = umask(0111);
	result = bind(fd, &to->generic, size);
	umask(mask);
	return result;
}

static int
bind_one(const union any_address *to, socklen_t size)
{
	int fd, error;

	fd = socket(to->generic.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	set_options(fd, to->generic.sa_family);
	if (bind_to(fd, to, size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/*
 * After a reload "*:25" may be "127.0.0.1:25": the kernel does not give the
 * one away while the other listens. What the new configuration has no more
 * ends for all who hold it. systemd's stays systemd's.
 */
static bool
silence_unused(const struct supervisor *s, uint16_t port)
{
	bool has_any = false;

	for (size_t i = 0; i < s->n_sockets && port != 0; i++) {
		const struct bound_socket *have = &s->sockets[i];

		if (have->port == port && !have->is_used &&
		    !have->is_activated && shutdown(have->fd, SHUT_RD) == 0)
			has_any = true;
	}
	return has_any;
}

/*
 * A server that was killed a moment ago may still hold the port, in a child
 * that is ending or in a descriptor that was under way to one.
 */
static int
bind_in_time(const struct supervisor *s, uint16_t port,
    const union any_address *to, socklen_t size)
{
	int fd = bind_one(to, size);

	if (fd == -EADDRINUSE && silence_unused(s, port))
		fd = bind_one(to, size);
	/* at a reload nothing waits: the loop serves */
	for (int tries = 0; fd == -EADDRINUSE && s->loop == NULL &&
	     tries < BUSY_TRIES; tries++) {
		usleep(BUSY_WAIT_US);
		fd = bind_one(to, size);
	}
	return fd;
}

/* From systemd, or bound here; sets fd and is_activated. 0 or -errno. */
static int
open_socket(const struct supervisor *s, struct bound_socket *new)
{
	union any_address to;
	socklen_t size = address_of(new->address, new->port, &to);

	if (size == 0)
		return -EINVAL;
	new->fd = find_activated(&to, size);
	new->is_activated = new->fd >= 0;
	if (new->fd < 0)
		new->fd = bind_in_time(s, new->port, &to, size);
	return new->fd < 0 ? new->fd : 0;
}

typedef int address_fn(struct supervisor *s, const char *address,
    uint16_t port, uint16_t config_index);

/* -1: there is none yet. */
static int
keep_one(struct supervisor *s, const char *address, uint16_t port,
    uint16_t config_index)
{
	for (size_t i = 0; i < s->n_sockets; i++) {
		struct bound_socket *have = &s->sockets[i];

		if (have->port != port || strcmp(have->address, address) != 0)
			continue;
		have->config_index = config_index;
		have->is_used = true;
		return 0;
	}
	return -1;
}

static bool
is_any(const struct config_listen *listen)
{
	return !listen->is_unix && strcmp(listen->address, "*") == 0;
}

/* 0, or -1 after logging. */
static int
open_one(struct supervisor *s, const char *address, uint16_t port,
    uint16_t config_index)
{
	struct bound_socket new = { .port = port,
		.config_index = config_index, .is_used = true };
	int error;

	if (keep_one(s, address, port, config_index) == 0)
		return 0;
	if (s->n_sockets == MAX_SOCKETS) {
		log_error("too_many_listeners", LOG_END);
		return -1;
	}
	error = slice_copy(new.address, sizeof new.address,
	    slice_of(address)) ? open_socket(s, &new) : -ENAMETOOLONG;
	/* a machine without IPv6 still serves "*" by IPv4 */
	if (error == -EAFNOSUPPORT && strcmp(address, "::") == 0 &&
	    is_any(&s->current->config->listens[config_index]))
		return 0;
	if (error) {
		log_error("cannot_listen", LOG_S("address", address),
		    LOG_U("port", port), LOG_E("error", error), LOG_END);
		return -1;
	}
	s->sockets[s->n_sockets++] = new;
	return 0;
}

static void
close_one(const struct bound_socket *socket)
{
	close(socket->fd);
	if (*socket->address == '/' && !socket->is_activated)
		(void)unlink(socket->address);
}

void
listen_remove(struct supervisor *s)
{
	for (size_t i = 0; i < s->n_sockets; i++)
		close_one(&s->sockets[i]);
	s->n_sockets = 0;
}

static void
close_unused(struct supervisor *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_sockets; i++) {
		if (s->sockets[i].is_used)
			s->sockets[kept++] = s->sockets[i];
		else
			close_one(&s->sockets[i]);
	}
	s->n_sockets = kept;
}

/* Each of the configuration; what fn said, together. */
static int
each_address(struct supervisor *s, address_fn *fn)
{
	const struct config *config = s->current->config;
	int result = 0;

	for (size_t i = 0; i < config->n_listens; i++) {
		const struct config_listen *listen = &config->listens[i];

		if (listen->is_unix) {
			result |= fn(s, listen->path, 0, (uint16_t)i);
			continue;
		}
		if (!is_any(listen)) {
			result |= fn(s, listen->address, listen->port,
			    (uint16_t)i);
			continue;
		}
		result |= fn(s, "0.0.0.0", listen->port, (uint16_t)i);
		result |= fn(s, "::", listen->port, (uint16_t)i);
	}
	return result;
}

int
listen_open(struct supervisor *s)
{
	int result;

	for (size_t i = 0; i < s->n_sockets; i++)
		s->sockets[i].is_used = false;
	/* what stays is known before anything is bound */
	(void)each_address(s, keep_one);
	result = each_address(s, open_one);
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
