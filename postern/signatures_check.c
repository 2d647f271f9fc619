/* SPDX-License-Identifier: ISC */
/*
 * signatures_check.c - postern -n asks a clamd how old its signatures are.
 *
 * The connection is made before; what comes over it is read by a child that
 * has become the user of smtpd, which is who reads it while the server runs.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "check.h"
#include "clamd.h"
#include "clock.h"

#define ANSWER_MS 2000		/* as for the connection */
#define DAY_S 86400

struct asked {
	const struct config *config;
	const struct config_filter *clamd;
	int fd;
};

/* CLAMD_MORE: not in time, or not to its end. */
static enum clamd_result
read_version(int fd, int64_t *made_s)
{
	int64_t end_us = clock_monotonic_us() + ANSWER_MS * (int64_t)1000;
	char octets[CLAMD_ANSWER_MAX];
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	enum clamd_result result = CLAMD_MORE;
	size_t n = 0;
	ssize_t more;

	while (result == CLAMD_MORE) {
		int64_t left_us = end_us - clock_monotonic_us();

		if (left_us <= 0 || poll(&wait, 1, (int)(left_us / 1000) + 1)
		    <= 0)
			return CLAMD_MORE;
		more = recv(fd, octets + n, sizeof octets - n, 0);
		if (more <= 0)
			return CLAMD_MORE;
		n += (size_t)more;
		result = clamd_read_version((struct slice){ octets, n },
		    made_s);
	}
	return result;
}

static void
ask(void *arg, struct config_problems *problems)
{
	static const char version[] = "zVERSION";	/* with its NUL */
	const struct asked *a = arg;
	int64_t made_s, age_s;

	if (geteuid() == 0)
		check_become_role(a->config, ROLE_SMTPD);
	if (send(a->fd, version, sizeof version, MSG_NOSIGNAL) !=
	    (ssize_t)sizeof version ||
	    read_version(a->fd, &made_s) != CLAMD_VERSION) {
		config_problem_add(problems, a->clamd->line, true,
		    "clamd \"%s\" does not say how old its signatures are: "
		    "no answer to VERSION", a->clamd->text);
		return;
	}
	age_s = clock_wall_s() - made_s;
	if (made_s != 0 && age_s > (int64_t)a->clamd->signatures_age_s)
		config_problem_add(problems, a->clamd->line, true,
		    "clamd \"%s\": its signatures are %lld days old: see "
		    "whether freshclam runs, what its log says, and whether "
		    "its disk is full", a->clamd->text,
		    (long long)(age_s / DAY_S));
}

/* That smtpd has no user was said before. */
void
signatures_check(const struct config *config,
    const struct config_filter *clamd, int fd,
    struct config_problems *problems)
{
	struct asked a = { config, clamd, fd };

	(void)check_in_child(ask, &a, problems);
}
