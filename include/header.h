/* SPDX-License-Identifier: ISC */
/*
 * header.h - walk the header section of a message (RFC 5322 2.2, LF lines).
 *
 * The walker sees a prefix of the message (the first header_bytes of it, or
 * what has come so far) and never copies. It is forgiving where mail is
 * sloppy: white space may stand before the colon, and a line that is no
 * field ends the header as a blank line would. Pure.
 */
#ifndef POSTERN_HEADER_H
#define POSTERN_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

struct header_walk {
	struct slice text;
	size_t offset;		/* of the next field; at the end, of the body */
	bool is_whole;		/* nothing follows text */
};

struct header_field {
	struct slice name;	/* without colon and white space */
	struct slice value;	/* after the colon, folds kept, without the
				 * last LF */
	size_t offset;		/* of the field in text */
	size_t size;		/* octets with the last LF */
};

enum header_step {
	HEADER_FIELD,		/* *field is the next one */
	HEADER_END,		/* blank line or end of message; walk->offset
				 * is where the body begins */
	HEADER_NO_FIELD,	/* the line at walk->offset is no field and the
				 * body begins with it */
	HEADER_MORE,		/* text ends within the header and is not whole:
				 * over the limit, or call again with more */
};

void header_walk_start(struct header_walk *walk, struct slice text,
    bool is_whole);
enum header_step header_next(struct header_walk *walk,
    struct header_field *field);

/* Name is compared without case; ASCII. */
bool header_is(const struct header_field *field, const char *name);

/*
 * Does a retry change this field? Trace fields and those that relays sign
 * anew: left out of the digest of a delivery record (DESIGN 6).
 */
bool header_changes_on_retry(const struct header_field *field);

#define HEADER_MAX_DELIVERED_TO 64	/* remembered; all are counted */
struct header_facts {
	unsigned n_fields;
	unsigned n_received;		/* hops, RFC 5321 6.3 */
	unsigned n_delivered_to;
	struct slice delivered_to[HEADER_MAX_DELIVERED_TO];	/* no <> */
	bool has_message_id;
	bool has_date;
	bool is_over_limit;		/* the header goes on after the text */
	size_t size_bytes;		/* of the header with its blank line */
};
void header_facts_find(struct header_facts *facts, struct slice text,
    bool is_whole);

#endif
