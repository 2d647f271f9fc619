/* SPDX-License-Identifier: ISC */
/*
 * encoder.h - a message from its descriptor into what SMTP carries.
 *
 * The text has LF lines. It is read piece by piece with pread, so that a
 * message of any size needs no more memory than what waits for the socket:
 * each line end becomes CRLF (a text without a last one gets it), and for
 * DATA a dot at the beginning of a line is doubled (RFC 5321 4.5.2) and the
 * end is marked. A CR that is not before LF cannot come from our queue; it
 * becomes a line end, so that no bare CR ever leaves (RFC 5321 2.3.8).
 * For this folder only.
 */
#ifndef RELAY_ENCODER_H
#define RELAY_ENCODER_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

struct seven_bit;

struct encoder_source {
	int fd;				/* lent */
	uint64_t offset, size;		/* where the message is */
	struct slice top;		/* goes before it; lent */
};

enum encoder_form {
	ENCODER_DATA,			/* with dots, ends in "." CRLF */
	ENCODER_CHUNKS,			/* octets of BDAT (RFC 3030) */
};

struct encoder {
	const struct encoder_source *source;
	struct seven_bit *seven_bit;	/* converts; lent, or NULL */
	enum encoder_form form;
	uint64_t at;			/* octets of the source read */
	size_t at_top;			/* ... and before, of its top */
	bool is_in_line;		/* something stands in this line */
	bool has_cr;			/* the last octet was one */
	bool is_over;
};

void encoder_start(struct encoder *e, const struct encoder_source *source,
    struct seven_bit *seven_bit, enum encoder_form form);
/*
 * Append about a piece of 32 KiB; is_over is set with the last one. 0 or a
 * negative errno: the message cannot be read any more.
 */
int encoder_next(struct encoder *e, struct buf *out);

#endif
