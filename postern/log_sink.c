/* SPDX-License-Identifier: ISC */
/*
 * log_sink.c - standard error or syslog; see log_sink.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "log.h"
#include "log_sink.h"

void
log_sink_begin(bool is_json)
{
	log_open("supervisor", STDERR_FILENO, LOG_TARGET_STDERR, is_json ?
	    LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
}

void
log_sink_problems(const char *path, struct config_problems *problems)
{
	config_problems_finish(problems);
	for (size_t i = 0; i < problems->n; i++) {
		const struct config_problem *p = &problems->items[i];

		log_at(p->is_warning ? LOG_LEVEL_WARNING : LOG_LEVEL_ERR,
		    p->is_warning ? "config_warning" : "config_error",
		    LOG_S("file", path), LOG_U("line", p->line),
		    LOG_S("problem", p->text), LOG_END);
	}
}

static int
connect_syslog(int fd)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };

	return connect(fd, (const struct sockaddr *)&to, sizeof to);
}

/* A descriptor, or -1. */
static int
open_log_fd(const struct config *config)
{
	int fd;

	if (!config->logs_to_syslog)
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect_syslog(fd) < 0)
		log_warning("syslog", LOG_E("error", errno), LOG_END);
	return fd;
}

void
log_sink_use(const struct supervisor *s)
{
	const struct config *config = s->current->config;

	log_open("supervisor", s->log_fd, config->logs_to_syslog ?
	    LOG_TARGET_SYSLOG : LOG_TARGET_STDERR, config->logs_json ?
	    LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
	log_set_level((enum log_level)config->log_level);
}

void
log_sink_open(struct supervisor *s)
{
	s->log_fd = open_log_fd(s->current->config);
	if (s->log_fd < 0)
		fatal("the log cannot be opened: %s", strerror(errno));
	log_sink_use(s);
}

bool
log_sink_change(struct supervisor *s, const struct config *next)
{
	int fd;

	if (next->logs_to_syslog == s->current->config->logs_to_syslog)
		return true;
	fd = open_log_fd(next);
	if (fd < 0)
		return false;
	log_flush();
	close(s->log_fd);
	s->log_fd = fd;
	return true;
}

void
log_sink_mend(const struct supervisor *s)
{
	if (s->current->config->logs_to_syslog)
		(void)connect_syslog(s->log_fd);
}
