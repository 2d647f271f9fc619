/* SPDX-License-Identifier: ISC */
/*
 * directory_check.h - what `postern -n` asks about recipients.
 *
 * Reads the tables that the configuration names as text, with the uid of
 * the caller, and follows every alias to its leaves. Every path on which a
 * message could not be delivered is an error with the table's file and
 * line: parse errors, loops, dead leaves, lists that cannot be read, what
 * is not built yet, a postmaster, abuse or root that leads nowhere, an
 * owner who cannot own. Aliases that are never used are warnings. Does not
 * look at compiled tables. Blocks.
 */
#ifndef POSTERN_DIRECTORY_CHECK_H
#define POSTERN_DIRECTORY_CHECK_H

#include <stdbool.h>
#include "config.h"

/* Adds to problems; their line is that of the domain in the configuration.
 * is_privileged: the server is going to be started as root. */
void directory_check(const struct config *config, bool is_privileged,
    struct config_problems *problems);
/*
 * Warns of each user who has a .forward, which is never followed. Homes are
 * closed to others nearly everywhere, so this wants the right to look into
 * them: it opens no file.
 */
void directory_check_forwards(const struct config *config,
    bool is_privileged, struct config_problems *problems);

#endif
