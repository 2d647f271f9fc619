/* SPDX-License-Identifier: ISC */
/*
 * next_hops.c - asks the next hops whether they accept everybody; see
 * backscatter.h.
 *
 *	connect to all -> become relay's user -> of each: greeting, EHLO or
 *	LHLO, then for each of its domains MAIL FROM:<>, RCPT of a name that
 *	nobody has, RSET, and once more with postmaster -> QUIT
 *
 * postmaster must exist (RFC 5321 4.5.1): a server that refuses both takes
 * nothing for that domain, and its refusal says nothing of unknown names.
 * No message is ever begun. What a server says is bounded, and cleaned
 * before anybody reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "backscatter.h"
#include "check.h"
#include "clock.h"
#include "compartment.h"
#include "reply.h"

#define HOPS_MAX 64
#define STEP_MS 10000			/* for one reply, or to connect */
#define TOTAL_MS 120000
#define REPLY_LINES_MAX 100
#define INPUT_MAX 2048
#define SAID_MAX 160

struct hop {
	const char *next_hop;
	int fd;				/* -1: why stands in said */
	char input[INPUT_MAX];
	size_t n_input;
	int code;			/* of the last reply; 0: none */
	char said[SAID_MAX];		/* it, or what went wrong */
};

struct asking {
	const struct config *config;
	bool is_privileged;
	struct config_problems *problems;
	int64_t end_us;
	char nobody[48];		/* a local part that nobody has */
	struct hop hops[HOPS_MAX];
	size_t n;
};

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
open_host(struct hop *hop, const char *where, int64_t end_us)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char host[256];
	const char *port;
	int fd = -EHOSTUNREACH, error;

	if (!split_host(where, host, sizeof host, &port))
		return fail(hop, "no host and port", 0);
	error = getaddrinfo(host, port, &hints, &found);
	if (error != 0)
		return fail(hop, gai_strerror(error), 0);
	for (const struct addrinfo *a = found; a != NULL && fd < 0 &&
	    clock_monotonic_us() < end_us; a = a->ai_next)
		fd = open_address(a);
	freeaddrinfo(found);
	return fd >= 0 ? fd : fail(hop, "no connection", -fd);
}

static void
hop_open(struct asking *a, struct hop *hop)
{
	const char *path = config_hop_path(hop->next_hop);

	hop->fd = path != NULL ? open_unix(hop, path) :
	    open_host(hop, hop->next_hop + 5, a->end_us);
}

/* ---- the dialogue ---- */

/* Milliseconds for what comes next; 0: there are none left. */
static int
time_left_ms(const struct asking *a)
{
	int64_t left_ms = (a->end_us - clock_monotonic_us()) / 1000;

	return left_ms <= 0 ? 0 : left_ms < STEP_MS ? (int)left_ms : STEP_MS;
}

static int
read_more(const struct asking *a, struct hop *hop)
{
	struct pollfd wait = { hop->fd, POLLIN, 0 };
	ssize_t n;

	if (hop->n_input == sizeof hop->input)
		return fail(hop, "it sends a line without an end", 0);
	if (poll(&wait, 1, time_left_ms(a)) != 1)
		return fail(hop, "no answer in time", 0);
	n = read(hop->fd, hop->input + hop->n_input,
	    sizeof hop->input - hop->n_input);
	if (n <= 0)
		return fail(hop, "it closed the connection",
		    n < 0 ? errno : 0);
	hop->n_input += (size_t)n;
	return 0;
}

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
	(void)reply_clean(hop->said, sizeof hop->said, line, false);
	return code;
}

/* Take one line off the input. */
static int
read_line(const struct asking *a, struct hop *hop, bool *is_last)
{
	size_t size, taken;
	int code;

	while (memchr(hop->input, '\n', hop->n_input) == NULL)
		if (read_more(a, hop) < 0)
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
read_reply(const struct asking *a, struct hop *hop)
{
	bool is_last = false;

	for (int i = 0; i < REPLY_LINES_MAX; i++) {
		hop->code = read_line(a, hop, &is_last);
		if (hop->code < 0 || is_last)
			return hop->code;
	}
	return fail(hop, "a reply that does not end", 0);
}

/* A command is short and fits the socket. Its reply's code, or -1. */
static int
say(const struct asking *a, struct hop *hop, const char *verb,
    const char *argument, const char *domain)
{
	char line[600];
	int size = snprintf(line, sizeof line, "%s%s%s%s%s\r\n", verb,
	    argument, *domain ? "@" : "", domain, *domain ? ">" : "");

	if (size >= (int)sizeof line ||
	    send(hop->fd, line, (size_t)size, MSG_NOSIGNAL) != size)
		return fail(hop, "it closed the connection", 0);
	return read_reply(a, hop);
}

static int
greet(const struct asking *a, struct hop *hop)
{
	bool is_lmtp = strncmp(hop->next_hop, "lmtp:", 5) == 0;
	int code = read_reply(a, hop);

	if (code / 100 == 2)
		code = say(a, hop, is_lmtp ? "LHLO " : "EHLO ",
		    a->config->hostname, "");
	return code;
}

/* What it says of a recipient; anything it says before that instead, as no
 * word about him. */
static int
ask(const struct asking *a, struct hop *hop, const char *local,
    const char *domain)
{
	int code = say(a, hop, "RSET", "", "");

	if (code / 100 == 2)
		code = say(a, hop, "MAIL FROM:<>", "", "");
	if (code / 100 != 2)
		return code < 0 ? -1 : 0;
	return say(a, hop, "RCPT TO:<", local, domain);
}

/* ---- what it means ---- */

static void
warn(const struct asking *a, const struct hop *hop,
    const struct config_domain *domain, const char *name, const char *what)
{
	config_problem_add(a->problems, domain->line, true, "backscatter: "
	    "domain \"%s\": its next hop %s %s (\"%s\")", name,
	    hop->next_hop, what, hop->said);
}

static void
ask_about(const struct asking *a, struct hop *hop,
    const struct config_domain *domain, const char *name)
{
	char refusal[SAID_MAX];
	int code = hop->fd < 0 ? -1 : ask(a, hop, a->nobody, name);

	if (code / 100 == 2) {
		warn(a, hop, domain, name, "accepts a recipient whom nobody "
		    "has: it bounces such mail later, to whoever the message "
		    "names as its sender. Let it refuse unknown recipients at "
		    "RCPT");
		return;
	}
	if (code / 100 != 5) {
		warn(a, hop, domain, name, "could not be asked whether it "
		    "accepts everybody");
		return;
	}
	memcpy(refusal, hop->said, sizeof refusal);
	if (ask(a, hop, "postmaster", name) / 100 == 5)
		warn(a, hop, domain, name, "refuses even postmaster: does it "
		    "take mail for this domain at all?");
	else
		config_problem_add(a->problems, domain->line, true, "note: "
		    "domain \"%s\": its next hop %s refuses a recipient whom "
		    "nobody has, as it should (\"%s\")", name, hop->next_hop,
		    refusal);
}

static void
ask_hop(const struct asking *a, struct hop *hop)
{
	if (hop->fd >= 0 && greet(a, hop) / 100 != 2) {
		close(hop->fd);
		hop->fd = -1;
	}
	for (size_t i = 0; i < a->config->n_domains; i++) {
		const struct config_domain *d = &a->config->domains[i];

		if (d->next_hop == NULL ||
		    strcmp(d->next_hop, hop->next_hop) != 0)
			continue;
		ask_about(a, hop, d, d->name);
		for (size_t k = 0; k < d->same_as.n; k++)
			ask_about(a, hop, d, d->same_as.items[k]);
	}
	if (hop->fd >= 0)
		(void)say(a, hop, "QUIT", "", "");
}

/* ---- all of them ---- */

static void
collect(struct asking *a)
{
	const struct config *config = a->config;

	for (size_t i = 0; i < config->n_domains; i++) {
		const struct config_domain *d = &config->domains[i];

		if (d->next_hop == NULL ||
		    config_find_hop(config, d->next_hop) != d)
			continue;
		if (a->n == HOPS_MAX) {
			config_problem_add(a->problems, d->line, true,
			    "backscatter: more than %d next hops: those from "
			    "here on were not asked", HOPS_MAX);
			return;
		}
		a->hops[a->n++].next_hop = d->next_hop;
	}
}

/* As root it could be told to do more by what it reads. */
static void
become_relay(const struct asking *a)
{
	char name[128];
	struct passwd *pw;

	if (!a->is_privileged)
		return;
	snprintf(name, sizeof name, "%s%s", a->config->user_prefix,
	    role_name(ROLE_RELAY));
	pw = getpwnam(name);
	if (pw == NULL)
		_exit(1);
	check_become(pw->pw_uid, pw->pw_gid);
}

static void
name_nobody(struct asking *a)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof number, 0) != sizeof number)
		number = (uint64_t)clock_monotonic_us();
	snprintf(a->nobody, sizeof a->nobody, "postern-asks-%016llx",
	    (unsigned long long)number);
}

static void
ask_all(void *arg, struct config_problems *problems)
{
	struct asking *a = arg;

	a->problems = problems;
	a->end_us = clock_monotonic_us() + TOTAL_MS * (int64_t)1000;
	name_nobody(a);
	collect(a);
	for (size_t i = 0; i < a->n; i++)
		hop_open(a, &a->hops[i]);
	become_relay(a);
	for (size_t i = 0; i < a->n; i++)
		ask_hop(a, &a->hops[i]);
}

int
next_hops_ask(const struct config *config, bool is_privileged,
    struct config_problems *problems)
{
	struct asking *a = calloc(1, sizeof *a);
	int error;

	if (a == NULL)
		return -ENOMEM;
	a->config = config;
	a->is_privileged = is_privileged;
	error = check_in_child(ask_all, a, problems);
	free(a);
	return error;
}
