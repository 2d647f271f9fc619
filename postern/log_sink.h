/* SPDX-License-Identifier: ISC */
/*
 * log_sink.h - where the log goes: the descriptor that the supervisor opens,
 * writes to itself and hands to every compartment (s->log_fd).
 */
#ifndef POSTERN_LOG_SINK_H
#define POSTERN_LOG_SINK_H

#include <stdbool.h>
#include "supervisor.h"

/* Before there is a configuration: to standard error. */
void log_sink_begin(bool is_json);
/* What is wrong with the file at path, a line each. */
void log_sink_problems(const char *path, struct config_problems *problems);
/* As the current configuration says; fatal() on failure. */
void log_sink_open(struct supervisor *s);
/*
 * For a reload: open what next wants, if that is something else. False when
 * it cannot be opened. Compartments that live on keep the log that they have.
 */
bool log_sink_change(struct supervisor *s, const struct config *next);
/* The supervisor's own lines: format and level of the current one. */
void log_sink_use(const struct supervisor *s);
/*
 * The children share the log's open description, so connecting it again
 * here, after syslog was restarted, mends it for all of them.
 */
void log_sink_mend(const struct supervisor *s);

#endif
