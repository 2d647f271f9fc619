/* SPDX-License-Identifier: ISC */
/*
 * mime.h - walk a message part by part (RFC 2045, 2046), in one pass.
 *
 *	mime_walk_start -> mime_next: the message itself, its first part,
 *	    that one's first part ... -> false: the end (or a limit: faults)
 *
 * The text may have LF, CR LF or lone CR line ends, mixed. Nothing is
 * copied and nothing allocated; slices point into the text. Each octet is
 * looked at a bounded number of times, whatever the text is. The walker is
 * forgiving as mail programs are: a part that is not closed ends with what
 * encloses it, a line in a header that is no field is passed over. What it
 * had to guess, or left out over a limit, stands in faults: a filter that
 * refuses by content should not trust such a message. Pure, no logging.
 */
#ifndef POSTERN_MIME_H
#define POSTERN_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define MIME_DEPTH_MAX 32		/* multiparts and messages, nested */
#define MIME_PARTS_MAX 1000
#define MIME_FIELDS_MAX 1000		/* of one header */
#define MIME_HEADER_MAX 262144		/* octets of one header */
#define MIME_BOUNDARY_MAX 200		/* RFC 2046: 70 */
#define MIME_TYPE_MAX 128
#define MIME_PATH_MAX 64
#define MIME_NAME_MAX 2000		/* octets, encoded words too */

enum mime_fault {
	MIME_TOO_DEEP = 1 << 0,		/* what is deeper is not walked */
	MIME_TOO_MANY_PARTS = 1 << 1,	/* the walk ended early */
	MIME_TOO_MANY_FIELDS = 1 << 2,	/* the rest counts as body */
	MIME_HEADER_TOO_LARGE = 1 << 3,	/* the same */
	MIME_BAD_HEADER = 1 << 4,	/* a line was passed over */
	MIME_BAD_BOUNDARY = 1 << 5,	/* a multipart without one */
	MIME_NOT_CLOSED = 1 << 6,	/* a multipart without its last line */
	MIME_AMBIGUOUS = 1 << 7,	/* two types or boundaries: the first */
	MIME_ENCODED_PARTS = 1 << 8,	/* a message or multipart in base64 */
	MIME_BAD_ENCODING = 1 << 9,	/* an encoding of no known name */
	MIME_UNCLEAR = 1 << 10,		/* programs may see other parts */
};

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };
enum mime_encoding { MIME_IDENTITY, MIME_BASE64, MIME_QUOTED_PRINTABLE,
	MIME_UNKNOWN_ENCODING };

struct mime_part {
	enum mime_kind kind;
	enum mime_encoding encoding;
	unsigned depth;			/* 0: the message itself */
	char path[MIME_PATH_MAX];	/* "2.1" as in IMAP; "" itself */
	char type[MIME_TYPE_MAX];	/* "text/plain", lower case */
	struct slice header;		/* without the blank line */
	/* LEAF: up to the boundary, without the line end before it. Others:
	 * empty, it begins where their parts do. */
	struct slice body;
};

struct mime_level {
	char boundary[MIME_BOUNDARY_MAX + 1];	/* "": a message */
	size_t boundary_size;
	unsigned n_parts;
	bool is_digest;			/* parts are messages unless told */
};

struct mime_walk {
	struct slice text;
	/* limits, as above; may be changed after mime_walk_start */
	unsigned depth_max;		/* at most MIME_DEPTH_MAX */
	unsigned parts_max, fields_max;
	size_t header_max;
	/* where it is */
	size_t at;
	unsigned faults;		/* enum mime_fault */
	unsigned n_parts, n_levels;
	bool is_at_part;		/* at is where a header begins */
	bool is_over;
	size_t next_lf, next_cr;	/* not before at */
	uint64_t n_steps;		/* octets and boundaries looked at */
	struct mime_level levels[MIME_DEPTH_MAX];
};

void mime_walk_start(struct mime_walk *walk, struct slice text);
/* False at the end of the message. */
bool mime_next(struct mime_walk *walk, struct mime_part *part);

/* ---- fields and their parameters ---- */

struct mime_field {
	struct slice name, value;	/* value with its folds */
};
/* The field at *at of a header; false at its end. Other lines are skipped. */
bool mime_field_next(struct slice header, size_t *at,
    struct mime_field *field);
/* The first field of this name. */
bool mime_field_find(struct slice header, const char *name,
    struct slice *value);
/* "TYPE/SUBTYPE" of a Content-Type in lower case; false (and "") if bad. */
bool mime_type(struct slice value, char type[MIME_TYPE_MAX]);
/* Is a part of this type a message with a header and parts of its own? */
bool mime_is_message(const char *type);
/*
 * The parameter of a Content-Type or -Disposition, RFC 2231 pieces put
 * together and decoded. Terminated; cut at room. False: not there.
 */
bool mime_param(struct slice value, const char *name, char *to, size_t room);

/*
 * Do all programs read the boundary of this Content-Type alike? Not with
 * comments, text behind a value, or two boundaries.
 */
bool mime_boundary_is_clear(struct slice value);

/*
 * Every file name that some mail program might see in this part: name and
 * filename, plain, in pieces and encoded (RFC 2231), in encoded words (RFC
 * 2047), badly quoted. UTF-8 where the charset is known; controls are
 * removed, as are white space and dots at the end. One over MIME_NAME_MAX is
 * told without its middle: its end says what it is. Return false to stop.
 */
typedef bool mime_name_fn(const char *name, void *arg);
void mime_names(const struct mime_part *part, mime_name_fn *fn, void *arg);

/* Decode the encoded words (RFC 2047) of an unstructured value; folds are
 * undone. Terminated; cut at room. */
void mime_words_decode(struct slice value, char *to, size_t room);

/* ---- transfer encodings ---- */

struct mime_decode {
	enum mime_encoding encoding;
	struct slice rest;
	uint32_t bits;
	unsigned n_bits;
};
void mime_decode_start(struct mime_decode *decode, enum mime_encoding encoding,
    struct slice body);
/* Up to room octets more; 0 at the end. What is no code is passed over. */
size_t mime_decode_next(struct mime_decode *decode, void *to, size_t room);

#endif
