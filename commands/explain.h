/* SPDX-License-Identifier: ISC */
/*
 * explain.h - the options of `posternctl explain` as one request line.
 */
#ifndef COMMANDS_EXPLAIN_H
#define COMMANDS_EXPLAIN_H

#include <stdbool.h>
#include "buf.h"

/*
 * words is "explain" and what follows it. Appends the line, and makes *fd a
 * sealed memfd of --file with LF line ends, or -1. False after saying why
 * (or nothing: usage).
 */
bool explain_request(char **words, struct buf *line, int *fd);

#endif
