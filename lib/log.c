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
#include "plain.h"
#include "utf8.h"

#define LINE_MAX_OCTETS 4096	/* one line; longer values are cut */
#define CLOSING 3		/* a quote, a brace, a line end */
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
	bool is_full;		/* nothing is added any more, only closed */
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

/* ---- octets ---- */

static size_t
room_in(const struct line *line)
{
	size_t limit = sizeof line->text - CLOSING;

	/* a closing quote may stand beyond the limit already */
	return line->is_full || line->size > limit ? 0 : limit - line->size;
}

/* All of it or, once and for all, nothing: no escape is ever cut in two. */
static bool
add(struct line *line, const char *text, size_t size)
{
	if (size > room_in(line)) {
		line->is_full = true;
		return false;
	}
	memcpy(line->text + line->size, text, size);
	line->size += size;
	return true;
}

static bool
add_string(struct line *line, const char *text)
{
	return add(line, text, strlen(text));
}

static bool
add_slice(struct line *line, struct slice s)
{
	return add(line, s.data, s.size);
}

/* As much of it as there is room for. */
static void
add_cut(struct line *line, struct slice s)
{
	size_t room = room_in(line);

	add(line, s.data, s.size < room ? s.size : room);
	line->is_full |= s.size > room;
}

static bool __attribute__((format(printf, 2, 3)))
add_printf(struct line *line, const char *format, ...)
{
	char text[192];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return add_string(line, text);
}

/* What room was kept for. */
static void
close_with(struct line *line, char c)
{
	line->text[line->size++] = c;
}

/* ---- values ---- */

/*
 * A character that a reader of the log may take for the end of a line or
 * for an order to its terminal, or that makes a line read as another one.
 */
static bool
is_harmful(struct slice s, size_t size)
{
	return size == 1 ? *s.data < ' ' || *s.data == 0x7f :
	    utf8_is_c1_control(s) || utf8_is_invisible(s);
}

/* RFC 8259 section 7. The octets of what is no UTF-8 become U+0080 on. */
static size_t
add_escaped_json(struct line *line, struct slice s)
{
	size_t size = utf8_char_size(s);

	if (size > 0 && !is_harmful(s, size)) {
		add(line, s.data, size);
		return size;
	}
	add_printf(line, "\\u%04x", size > 0 ? utf8_code(s) :
	    (unsigned char)*s.data);
	return size > 0 ? size : 1;
}

/* The one place where what a client sent is made harmless. */
static void
add_escaped(struct line *line, struct slice s)
{
	size_t taken;

	for (; s.size > 0 && !line->is_full; s.data += taken,
	    s.size -= taken) {
		unsigned char c = (unsigned char)*s.data;

		taken = plain_quoted(s);
		if (taken > 0) {
			add_cut(line, (struct slice){ s.data, taken });
			continue;
		}
		taken = 1;
		if (c == '"' || c == '\\')
			add(line, (const char[]){ '\\', (char)c }, 2);
		else if (state.format == LOG_FORMAT_JSON)
			taken = add_escaped_json(line, s);
		else
			add_printf(line, "\\x%02x", c);
	}
}

/* What is too long is cut. False if there is no room to begin it. */
static bool
add_text(struct line *line, struct slice s)
{
	size_t room = room_in(line);

	if (state.format == LOG_FORMAT_LOGFMT && s.size > 0 &&
	    plain_bare(s) == s.size) {
		add_cut(line, s);
		return room > 0;
	}
	if (!add_string(line, "\""))
		return false;
	add_escaped(line, s);
	close_with(line, '"');
	return true;
}

static bool
add_errno(struct line *line, int64_t number)
{
	int error = (int)(number < 0 ? -number : number);
	const char *name = strerrorname_np(error);

	return add_text(line, slice_of(name ? name : "unknown"));
}

static bool
add_value(struct line *line, const struct log_value *v)
{
	char digits[NUMBER_DIGITS];

	switch (v->kind) {
	case LOG_KIND_STRING:
		return add_text(line, slice_of(v->as.string ? v->as.string :
		    ""));
	case LOG_KIND_SLICE:
		return add_text(line, v->as.slice);
	case LOG_KIND_SIGNED:
		return add_printf(line, "%lld", (long long)v->as.number);
	case LOG_KIND_UNSIGNED:
		return add_slice(line, slice_digits(digits,
		    v->as.unsigned_number));
	case LOG_KIND_ERRNO:
		return add_errno(line, v->as.number);
	case LOG_KIND_END:
		break;
	}
	return false;
}

/* ---- lines ---- */

/* As many as fit; the last one may be cut, but it has its closing quote. */
static void
add_values(struct line *line, const struct log_value *values)
{
	bool is_json = state.format == LOG_FORMAT_JSON;
	size_t begin;

	for (const struct log_value *v = values; v->kind != LOG_KIND_END &&
	     !line->is_full; v++) {
		begin = line->size;
		add_string(line, is_json ? ",\"" : " ");
		add_string(line, v->key);
		add_string(line, is_json ? "\":" : "=");
		if (!add_value(line, v))
			line->size = begin;
	}
}

static void
add_event(struct line *line, enum log_level level, const char *event)
{
	static const char *const names[] = { [LOG_LEVEL_ERR] = "error",
		[LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] =
		"notice", [LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug" };
	char when[32];
	int64_t now_us = clock_wall_us();
	time_t now = (time_t)(now_us / 1000000);
	struct tm tm;

	if (state.format == LOG_FORMAT_LOGFMT) {
		add_string(line, "event=");
		add_string(line, event);
		return;
	}
	gmtime_r(&now, &tm);		/* RFC 3339 */
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
	add_printf(line, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\","
	    "\"compartment\":\"%s\"", when,
	    (int)(now_us % 1000000 / 1000), names[level], state.compartment);
	add_values(line, (const struct log_value[]){ LOG_S("event", event),
	    LOG_END });
}

static void
add_prefix(struct line *line, enum log_level level)
{
	char digits[NUMBER_DIGITS];
	char when[32];
	time_t now = (time_t)clock_wall_s();
	struct tm tm;

	if (state.target == LOG_TARGET_STDERR) {
		add_string(line, "<");
		add_slice(line, slice_digits(digits, level));
		add_string(line, ">");
		/* an object says it itself */
		if (state.format == LOG_FORMAT_LOGFMT) {
			add_string(line, "postern/");
			add_string(line, state.compartment);
			add_string(line, ": ");
		}
	} else {
		/* RFC 3164, as /dev/log wants it; the zone is UTC */
		gmtime_r(&now, &tm);
		strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
		add_printf(line, "<%d>%s postern/%s[%d]: ",
		    FACILITY_MAIL | (int)level, when, state.compartment,
		    (int)getpid());
	}
}

/* ---- leaving ---- */

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

/*
 * As many whole lines as poll has promised room for, so that the write does
 * not block. POSIX: so much stays together in a pipe that others write to.
 */
static size_t
size_of_lines(const char *text, size_t size)
{
	const char *end;

	if (size <= PIPE_BUF)
		return size;
	end = memrchr(text, '\n', PIPE_BUF);
	return end == NULL ? PIPE_BUF : (size_t)(end - text) + 1;
}

/* A log that cannot be written must not stop the mail: nothing is retried. */
static void
write_out(int fd, const char *text, size_t size)
{
	ssize_t n;

	while (size > 0) {
		if (!has_room(fd))
			return;
		n = write(fd, text, size_of_lines(text, size));
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
	line.is_full = false;
	add_prefix(&line, level);
	add_event(&line, level, event);
	add_values(&line, values);
	if (state.format == LOG_FORMAT_JSON)
		close_with(&line, '}');
	if (state.target == LOG_TARGET_SYSLOG &&
	    (send(state.fd, line.text, line.size,
	    MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EAGAIN))
		return;
	close_with(&line, '\n');
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
