/* SPDX-License-Identifier: ISC */
/*
 * mailq.h - what sendmail -bp, -q and -bi ask the server for.
 *
 * All return 0 or a status of sysexits.h after complaining.
 */
#ifndef POSTERN_COMMANDS_MAILQ_H
#define POSTERN_COMMANDS_MAILQ_H

#include "server_place.h"

/* The caller's own messages in the queue; root's are everybody's. */
int mailq_list(const struct server_place *place, bool is_verbose);
/* What has left of the caller's own (posternctl sent); word may be "". */
int mailq_sent(const struct server_place *place, const char *word);
/* Try now what waits: for root. The queue runs by itself, so for others
 * this is quietly done. */
int mailq_flush(const struct server_place *place);
/* Compile the tables of users and aliases. */
int mailq_compile(const struct server_place *place);

#endif
