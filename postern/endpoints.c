/* SPDX-License-Identifier: ISC */
/*
 * endpoints.c - sockets of milters and clamd, opened for smtpd, that of
 * Dovecot, for auth, and those of LMTP servers on this host, for relay.
 *
 * smtpd names an endpoint of its own configuration by number and gets a
 * socket, so that one who takes it over cannot connect anywhere else. The
 * connect does not block: where it takes time the descriptor is handed over
 * as it is, and smtpd sees the end of it. Nothing is ever read here. relay
 * connects by itself, but for unix sockets: it names the domain. postern -n
 * tries all of them; what a clamd says to it, signatures_check.c reads.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "check.h"
#include "clock.h"
#include "log.h"
#include "supervisor.h"

/* One process asks for no more than this in a second; over it, EAGAIN. */
#define WINDOW_US 1000000
#define WINDOW_MAX 4000
#define TRY_MS 2000		/* postern -n waits so long for each */

union endpoint_address {
	struct sockaddr generic;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static socklen_t
unix_address(const char *path, union endpoint_address *to)
{
	if (!slice_copy(to->local.sun_path, sizeof to->local.sun_path,
	    slice_of(path)))
		return 0;
	to->local.sun_family = AF_UNIX;
	return sizeof to->local;
}

/* Its length, or 0 for what is no address. */
static socklen_t
address_of(const struct config_filter *filter, union endpoint_address *to)
{
	memset(to, 0, sizeof *to);
	if (filter->is_unix)
		return unix_address(filter->path, to);
	if (inet_pton(AF_INET, filter->address, &to->v4.sin_addr) == 1) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(filter->port);
		return sizeof to->v4;
	}
	if (inet_pton(AF_INET6, filter->address, &to->v6.sin6_addr) != 1)
		return 0;
	to->v6.sin6_family = AF_INET6;
	to->v6.sin6_port = htons(filter->port);
	return sizeof to->v6;
}

/* A descriptor, or a negative errno. */
static int
endpoint_open(const struct config_filter *filter)
{
	union endpoint_address to;
	socklen_t size = address_of(filter, &to);
	int one = 1, fd, error;

	if (size == 0)
		return -EINVAL;
	fd = socket(to.generic.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!filter->is_unix)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof one);
	if (connect(fd, &to.generic, size) == 0 || errno == EINPROGRESS)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* ---- postern -n ---- */

/* A descriptor, or a negative errno: why nobody is there. */
static int
endpoint_try(const struct config_filter *filter)
{
	struct pollfd wait = { .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof error;

	wait.fd = endpoint_open(filter);
	if (wait.fd < 0)
		return wait.fd;
	if (poll(&wait, 1, TRY_MS) == 0)
		error = ETIMEDOUT;
	else if (getsockopt(wait.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error == 0)
		return wait.fd;
	close(wait.fd);
	return -error;
}

/* -1: there is nobody, or whoever may not connect here cannot tell. */
static int
open_endpoint(const struct config_filter *filter, unsigned line,
    const char *what, struct config_problems *problems)
{
	int fd = endpoint_try(filter);

	if (fd < 0 && fd != -EACCES && fd != -EPERM)
		config_problem_add(problems, line, true, "%s \"%s\": nothing "
		    "answers there now: %s", what, filter->text,
		    strerror(-fd));
	return fd < 0 ? -1 : fd;
}

static void
check_endpoint(const struct config_filter *filter, unsigned line,
    const char *what, struct config_problems *problems)
{
	int fd = open_endpoint(filter, line, what, problems);

	if (fd >= 0)
		close(fd);
}

static void
check_clamd(const struct config *config, const struct config_filter *clamd,
    struct config_problems *problems)
{
	int fd = open_endpoint(clamd, clamd->line, "clamd", problems);

	if (fd < 0)
		return;
	if (clamd->signatures_age_s != 0 &&
	    config->checks.actions[CHECK_VIRUS] != ACTION_OFF)
		signatures_check(config, clamd, fd, problems);
	close(fd);
}

static void
check_path(char *path, char *text, unsigned line, const char *what,
    struct config_problems *problems)
{
	check_endpoint(&(struct config_filter){ .is_unix = true,
	    .path = path, .text = text }, line, what, problems);
}

void
endpoints_check(const struct config *config, struct config_problems *problems)
{
	for (size_t i = 0; i < config->n_clamds; i++)
		check_clamd(config, &config->clamds[i], problems);
	for (size_t i = 0; i < config->n_milters; i++)
		check_endpoint(&config->milters[i], config->milters[i].line,
		    "milter", problems);
	if (config->auth.dovecot != NULL)
		check_path(config->auth.dovecot, config->auth.dovecot,
		    config->auth.dovecot_line, "dovecot", problems);
	for (size_t i = 0; i < config->n_domains; i++) {
		struct config_domain *d = &config->domains[i];
		const char *hop = config_domain_hop(d);
		const char *path = config_hop_path(hop);

		if (path != NULL && config_find_hop(config, hop) == d)
			check_path((char *)(uintptr_t)path,
			    (char *)(uintptr_t)hop, d->line, "next_hop",
			    problems);
	}
}

/* ---- what children ask for ---- */

/* A broken smtpd must not keep the supervisor busy. */
static bool
may_open(struct child *child)
{
	int64_t now_us = clock_monotonic_us();

	if (now_us - child->endpoints_since_us >= WINDOW_US) {
		child->endpoints_since_us = now_us;
		child->n_endpoints = 0;
	}
	return child->n_endpoints++ < WINDOW_MAX;
}

/* The unix socket of this domain, and nothing else. */
static bool
find_hop(const struct config *config, uint16_t domain,
    struct config_filter *endpoint)
{
	const char *path = domain < config->n_domains ?
	    config_hop_path(config_domain_hop(&config->domains[domain])) :
	    NULL;

	*endpoint = (struct config_filter){ .is_unix = true,
		.path = (char *)(uintptr_t)path };
	return path != NULL;
}

/* False: there is no such one, and the child has no right to ask for it. */
static bool
find_endpoint(const struct child *child, uint16_t index,
    struct config_filter *endpoint)
{
	const struct config *config = child->generation->config;
	const struct config_filter *filter;

	if (child->role == ROLE_AUTH) {
		*endpoint = (struct config_filter){ .is_unix = true,
			.path = config->auth.dovecot };
		return index == 0 && config->auth.dovecot != NULL;
	}
	if (child->role == ROLE_RELAY)
		return find_hop(config, index, endpoint);
	filter = config_find_endpoint(config, index);
	if (filter != NULL)
		*endpoint = *filter;
	return filter != NULL;
}

bool
on_endpoint(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct child *child = arg;
	uint16_t index = ipc_get_u16(&m->body);
	struct config_filter endpoint = { 0 };
	struct ipc_writer w;
	int fd;

	if (!ipc_reader_is_done(&m->body) ||
	    (child->role != ROLE_SMTPD && child->role != ROLE_AUTH &&
	    child->role != ROLE_RELAY))
		return false;
	/* the numbers of a retired relay are of another configuration */
	if (!child->is_retired && !find_endpoint(child, index, &endpoint))
		return false;
	fd = !may_open(child) ? -EAGAIN : child->is_retired ? -ESTALE :
	    endpoint_open(&endpoint);
	ipc_writer_init(&w);
	ipc_put_u32(&w, fd < 0 ? (uint32_t)-fd : 0);
	channel_answer(ch, m->id, ENDPOINT_ANSWER, &w, fd < 0 ? -1 : fd);
	if (fd >= 0)
		close(fd);
	return true;
}
