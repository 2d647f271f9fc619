/* SPDX-License-Identifier: ISC */
/*
 * plain.h - what may stand in a line of the log or the trail as it is.
 *
 * Printable ASCII; in quotes all but the quote and the backslash, without
 * quotes neither a space nor an equals sign. Pure.
 */
#ifndef POSTERN_PLAIN_H
#define POSTERN_PLAIN_H

#include <stddef.h>
#include "buf.h"

/* How many octets at the front may stand so without quotes, and in them. */
size_t plain_bare(struct slice s);
size_t plain_quoted(struct slice s);

#endif
