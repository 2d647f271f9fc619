/* SPDX-License-Identifier: ISC */
/*
 * log.h - one call, one line: an event name and typed values.
 *
 *	log_info("delivered", LOG_S("session", id), LOG_U("size", n), LOG_END);
 *
 * prints  <6>postern/smtpd event=delivered session=k3f9q2m7t size=4096
 * as logfmt, or as JSON
 *	<6>{"time":"2026-11-22T01:02:03.456Z","level":"info",
 *	"compartment":"smtpd","event":"delivered",...}	(in one line)
 * Octets that came from a client are escaped here and nowhere else. Lines
 * of some milliseconds leave together (compartment.c calls log_flush);
 * warnings and errors leave at once.
 * The descriptor is handed over by the supervisor: standard error with
 * journald priorities, or a datagram socket to syslog.
 */
#ifndef POSTERN_LOG_H
#define POSTERN_LOG_H

#include <stdint.h>
#include <stddef.h>
#include "buf.h"

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

enum log_kind { LOG_KIND_END, LOG_KIND_STRING, LOG_KIND_SLICE,
	LOG_KIND_SIGNED, LOG_KIND_UNSIGNED, LOG_KIND_ERRNO };

struct log_value {
	enum log_kind kind;
	const char *key;
	union {
		const char *string;
		struct slice slice;
		int64_t number;
		uint64_t unsigned_number;
	} as;
};

#define LOG_VALUE(kind, key, member, value) \
	((struct log_value){ (kind), (key), { .member = (value) } })
#define LOG_S(k, v)	LOG_VALUE(LOG_KIND_STRING, k, string, v)
#define LOG_SL(k, v)	LOG_VALUE(LOG_KIND_SLICE, k, slice, v)
#define LOG_D(k, v)	LOG_VALUE(LOG_KIND_SIGNED, k, number, v)
#define LOG_U(k, v)	LOG_VALUE(LOG_KIND_UNSIGNED, k, unsigned_number, v)
/* An errno value (either sign), printed as its name: error=ENOSPC. */
#define LOG_E(k, v)	LOG_VALUE(LOG_KIND_ERRNO, k, number, v)
#define LOG_END ((struct log_value){ LOG_KIND_END, NULL, { .string = NULL } })

/* compartment is kept by reference. fd is used, never closed. */
void log_open(const char *compartment, int fd, enum log_target target,
    enum log_format format);
void log_set_level(enum log_level most);
void log_event(enum log_level level, const char *event,
    const struct log_value *values);
void log_flush(void);
/* Octets that wait for log_flush. */
size_t log_held(void);

#define log_at(level, event, ...) \
	log_event((level), (event), (const struct log_value[]){ __VA_ARGS__ })
#define log_error(event, ...) log_at(LOG_LEVEL_ERR, event, __VA_ARGS__)
#define log_warning(event, ...) log_at(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_notice(event, ...) log_at(LOG_LEVEL_NOTICE, event, __VA_ARGS__)
#define log_info(event, ...) log_at(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_at(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* The environment is wrong at start: log and exit with status 1. */
void fatal(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

#endif
