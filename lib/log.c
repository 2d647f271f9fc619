/* SPDX-License-Identifier: ISC */
/*
 * log.c - one line per event; see log.h.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "log.h"

#define LINE_MAX_OCTETS 4096	/* one line; longer values are cut */
#define BATCH_OCTETS 16384
#define FACILITY_MAIL (2 << 3)
#define STUCK_MS 100		/* for a reader that does not read */

static struct {
	const char *compartment;
	int fd;
	enum log_target target;
	enum log_format format;
	enum log_level most;
	bool is_stuck;
	size_t n_held;
	char held[BATCH_OCTETS];
} state = { .compartment = "postern", .fd = STDERR_FILENO,
	.most = LOG_LEVEL_INFO };

struct line {
	size_t size;
	char text[LINE_MAX_OCTETS];
};

void
log_open(const char *compartment, int fd, enum log_target target,
    enum log_format format)
{
	state.compartment = compartment;
	state.fd = fd;
	state.target = target;
	state.format = format;
}

void
log_set_level(enum log_level most)
{
	state.most = most;
}

/* Room is kept for the closing brace and the line end. */
static void
add(struct line *line, const char *text, size_t size)
{
	size_t room = sizeof line->text - 4 - line->size;

	if (size > room)
		size = room;
	memcpy(line->text + line->size, text, size);
	line->size += size;
}

static void
add_string(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

static bool
is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

/* The one place where what a client sent is made harmless. */
static void
add_escaped(struct line *line, struct slice s)
{
	char hex[8];

	for (size_t i = 0; i < s.size; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c == '"' || c == '\\') {
			add(line, (const char[]){ '\\', (char)c }, 2);
		} else if (c < ' ' || c >= 0x7f) {
			snprintf(hex, sizeof hex, state.format ==
			    LOG_FORMAT_JSON ? "\\u%04x" : "\\x%02x", c);
			add_string(line, hex);
		} else {
			add(line, (const char *)&c, 1);
		}
	}
}

static void
add_text(struct line *line, struct slice s)
{
	bool is_bare = state.format == LOG_FORMAT_LOGFMT && s.size > 0;

	for (size_t i = 0; is_bare && i < s.size; i++)
		is_bare = is_plain((unsigned char)s.data[i]);
	if (is_bare) {
		add(line, s.data, s.size);
		return;
	}
	add_string(line, "\"");
	add_escaped(line, s);
	add_string(line, "\"");
}

static void
add_errno(struct line *line, int64_t number)
{
	int error = (int)(number < 0 ? -number : number);
	const char *name = strerrorname_np(error);

	add_text(line, slice_of(name ? name : "unknown"));
}

static void
add_value(struct line *line, const struct log_value *v)
{
	char number[32];

	switch (v->kind) {
	case LOG_KIND_STRING:
		add_text(line, slice_of(v->as.string ? v->as.string : ""));
		break;
	case LOG_KIND_SLICE:
		add_text(line, v->as.slice);
		break;
	case LOG_KIND_SIGNED:
		snprintf(number, sizeof number, "%lld",
		    (long long)v->as.number);
		add_string(line, number);
		break;
	case LOG_KIND_UNSIGNED:
		snprintf(number, sizeof number, "%llu",
		    (unsigned long long)v->as.unsigned_number);
		add_string(line, number);
		break;
	case LOG_KIND_ERRNO:
		add_errno(line, v->as.number);
		break;
	case LOG_KIND_END:
		break;
	}
}

static void
add_fields(struct line *line, enum log_level level, const char *event,
    const struct log_value *values)
{
	bool is_json = state.format == LOG_FORMAT_JSON;
	const struct log_value first[] = { LOG_S("event", event), LOG_END };
	const struct log_value *sets[] = { first, values };
	const char *before = "";

	(void)level;
	add_string(line, is_json ? "{" : "");
	for (size_t set = 0; set < 2; set++)
		for (const struct log_value *v = sets[set];
		     v->kind != LOG_KIND_END; v++) {
			add_string(line, before);
			add_string(line, is_json ? "\"" : "");
			add_string(line, v->key);
			add_string(line, is_json ? "\":" : "=");
			add_value(line, v);
			before = is_json ? "," : " ";
		}
	line->text[line->size] = '\0';
	if (is_json)
		line->text[line->size++] = '}';
}

static void
add_prefix(struct line *line, enum log_level level)
{
	char prefix[128], when[32];
	time_t now = (time_t)clock_wall_s();
	struct tm tm;

	if (state.target == LOG_TARGET_STDERR) {
		snprintf(prefix, sizeof prefix, "<%d>postern/%s: ", (int)level,
		    state.compartment);
	} else {
		/* RFC 3164, as /dev/log wants it; the zone is UTC */
		gmtime_r(&now, &tm);
		strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
		snprintf(prefix, sizeof prefix, "<%d>%s postern/%s[%d]: ",
		    FACILITY_MAIL | (int)level, when, state.compartment,
		    (int)getpid());
	}
	add_string(line, prefix);
}

/*
 * A reader of our pipe or socket that has stopped reading is waited for a
 * moment, once, and from then on not at all until it reads again.
 */
static bool
has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int n;

	do
		n = poll(&p, 1, state.is_stuck ? 0 : STUCK_MS);
	while (n < 0 && errno == EINTR);
	state.is_stuck = n == 0;
	return !state.is_stuck;
}

/* A log that cannot be written must not stop the mail: nothing is retried. */
static void
write_out(int fd, const char *text, size_t size)
{
	ssize_t n;

	while (size > 0) {
		if (!has_room(fd))
			return;
		/* what poll has promised, so that it does not block */
		n = write(fd, text, size < PIPE_BUF ? size : PIPE_BUF);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		size -= (size_t)n;
	}
}

void
log_flush(void)
{
	size_t size = state.n_held;

	state.n_held = 0;
	write_out(state.fd, state.held, size);
}

size_t
log_held(void)
{
	return state.n_held;
}

void
log_event(enum log_level level, const char *event,
    const struct log_value *values)
{
	struct line line;

	if (level > state.most)
		return;
	line.size = 0;
	add_prefix(&line, level);
	add_fields(&line, level, event, values);
	if (state.target == LOG_TARGET_SYSLOG &&
	    (send(state.fd, line.text, line.size,
	    MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EAGAIN))
		return;
	line.text[line.size++] = '\n';
	if (state.target == LOG_TARGET_SYSLOG) {
		/* there is no syslog: better here than nowhere */
		write_out(STDERR_FILENO, line.text, line.size);
		return;
	}
	if (state.n_held + line.size > sizeof state.held)
		log_flush();
	memcpy(state.held + state.n_held, line.text, line.size);
	state.n_held += line.size;
	if (level <= LOG_LEVEL_WARNING)
		log_flush();
}

void
fatal(const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	log_error("fatal", LOG_S("text", text), LOG_END);
	log_flush();
	exit(1);
}
