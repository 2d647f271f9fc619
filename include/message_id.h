/* SPDX-License-Identifier: ISC */
/*
 * message_id.h - the id in a Message-ID field (RFC 5322 3.6.4).
 *
 * The ledger knows what has left by it, and a bounce names it after other
 * mail systems have folded it anew, or lost the comment beside it. So both
 * sides read it here, and compare nothing else. Pure.
 */
#ifndef POSTERN_MESSAGE_ID_H
#define POSTERN_MESSAGE_ID_H

#include <stdbool.h>
#include "buf.h"

#define MESSAGE_ID_MAX 1000	/* octets, terminated; lines have 998 */

/*
 * What stands in <>, without white space, which was a fold, and without
 * comments in front; the first word of a value that has no <>. False and "":
 * there is none, or it is too long.
 */
bool message_id_read(char to[MESSAGE_ID_MAX], struct slice value);

#endif
