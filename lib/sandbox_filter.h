/* SPDX-License-Identifier: ISC */
/*
 * sandbox_filter.h - the system-call filter, for sandbox.c only.
 */
#ifndef POSTERN_SANDBOX_FILTER_H
#define POSTERN_SANDBOX_FILTER_H

#include "sandbox.h"

/*
 * Load the filter that sandbox->allow describes. What opens files or
 * sockets and is not allowed fails with EPERM, so that a library can fall
 * back; anything else that is not allowed kills the process.
 */
void sandbox_filter_load(const struct sandbox *sandbox);

/*
 * A filter beside that one, for whoever keeps CAP_SETUID and CAP_SETGID:
 * sandbox->closed, supplementary groups and user namespaces are EPERM.
 */
void sandbox_filter_load_closed(const struct sandbox *sandbox);

/* The filter for what starts programs and for them: see sandbox.h. */
void sandbox_filter_load_programs(const struct sandbox *sandbox,
    bool sets_no_new_privs);

/*
 * Tests only (a FAULTS build): when the environment variable
 * POSTERN_SANDBOX_ATTEMPT is "NAME:ACTION" and NAME is this sandbox's, try
 * that forbidden action now and log what came of it.
 */
void sandbox_attempt(const char *name);

#endif
