/* SPDX-License-Identifier: ISC */
/*
 * response.h - replies of a server, read octet by octet (RFC 5321 4.2).
 *
 * Whatever the server sends, memory is bounded: of a long line the beginning
 * is kept, and a reply of more than RESPONSE_OCTETS_MAX octets, with lines
 * that are no reply, or with codes that differ from line to line is broken:
 * nothing that follows can be trusted to answer what was asked. Lines may
 * end in a bare LF. Pure; for this folder only.
 */
#ifndef RELAY_RESPONSE_H
#define RELAY_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "verdict.h"

#define RESPONSE_LINE_KEPT 1000
#define RESPONSE_OCTETS_MAX 65536

enum response_step {
	RESPONSE_MORE,		/* the input is used up */
	RESPONSE_LINE,		/* one line of several: response->line */
	RESPONSE_WHOLE,		/* the last line: all of it is there */
	RESPONSE_BROKEN,	/* no reply; it stays so */
};

struct response {
	uint16_t code;
	uint8_t subject, detail;	/* enhanced code, or 0.0 */
	char words[VERDICT_TEXT_MAX + 1];	/* of all lines, cleaned */
	struct slice line;		/* text of the last line that came */
	unsigned n_lines;		/* of this reply so far */
	/* where it is */
	size_t n_octets, n_words, n_kept;
	bool is_whole, is_broken;
	char kept[RESPONSE_LINE_KEPT];
};

/* Before the first octet, and to begin anew after STARTTLS. */
void response_start(struct response *r);
/* Takes what it has read off the front of input. */
enum response_step response_read(struct response *r, struct slice *input);
/* The reply as a verdict: its code, and the server's own words. */
void response_verdict(const struct response *r, struct verdict *v);

#endif
