/* SPDX-License-Identifier: ISC */
/*
 * base64.h - base64 as protocols use it (RFC 4648 4): no line ends, complete
 * padding, nothing else. Bodies of messages are mime.h's. Pure.
 */
#ifndef POSTERN_BASE64_H
#define POSTERN_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

/* Append; 0 or a negative errno of buf_append. */
int base64_encode(struct buf *to, struct slice from);
/*
 * Append what from stands for: 0; -EBADMSG when it is not base64 (an octet
 * outside of the alphabet, padding that is missing, in the middle or hides
 * bits); or a negative errno of buf_append.
 */
int base64_decode(struct buf *to, struct slice from);

#endif
