/* SPDX-License-Identifier: ISC */
/*
 * reply.h - replies as they go to an SMTP client (RFC 5321 4.2).
 *
 * The one place where a text meets the wire: whatever it holds (client
 * octets, another server's words), no CR, LF, NUL or other control of it
 * leaves, and no line is longer than 512 octets. Pure.
 */
#ifndef POSTERN_REPLY_H
#define POSTERN_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "verdict.h"

#define REPLY_LINE_MAX 512	/* with CRLF, RFC 5321 4.5.3.1.5 */
#define REPLY_TEXT_MAX 4096	/* octets of a text; the rest is cut off */

struct reply {
	uint16_t code;		/* 200 to 599 */
	uint8_t subject;	/* of the enhanced code, RFC 3463 */
	uint8_t detail;
	struct slice text;
};

enum reply_style {
	REPLY_ENHANCED = 1 << 0,	/* with X.Y.Z (none for 3yz ever) */
	REPLY_UTF8 = 1 << 1,		/* the client asked for SMTPUTF8 */
	REPLY_LINES = 1 << 2,		/* each LF in the text begins a line;
					 * otherwise it is cleaned away */
};

/*
 * Append "550-5.1.1 one\r\n550 5.1.1 two\r\n". Long lines are split, at a
 * space if there is one. 0, -ENOBUFS, -ENOMEM (out is then as it was), or
 * -EINVAL for a code out of range.
 */
int reply_format(struct buf *out, const struct reply *reply, unsigned style);
int reply_format_verdict(struct buf *out, const struct verdict *v,
    unsigned style);

/*
 * Copy text, terminated, at most room - 1 octets, whole characters only:
 * white space and controls become one space each, other octets that may not
 * be shown a "?". Returns the size.
 */
size_t reply_clean(char *to, size_t room, struct slice text, bool is_utf8);

#endif
