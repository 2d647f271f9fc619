/* SPDX-License-Identifier: ISC */
/*
 * body.h - takes a message in from the wire, after DATA or in BDAT chunks.
 *
 *	body_open -> body_take_data ... until it has ended  \
 *	          -> body_take_chunk ... body_end_chunks     +-> body_close
 *
 * The message goes into a memfd with LF line ends and without dot-stuffing;
 * a small one is held in memory until somebody needs the memfd.
 * Only CR LF . CR LF ends data (RFC 5321 4.1.1.4), wherever the input is
 * split. A bare CR, a bare LF or a NUL is a fault: the message is then
 * thrown away but still taken in up to its true end, so that the client can
 * read the refusal and nothing behind a false end is ever a command. Faults
 * are collected in body->faults; none of them is an error here. A message
 * that begins with white space has no header: it gets an empty line in front.
 *
 * While it passes, the header is read once (hops, Date, Message-ID,
 * Delivered-To) and a digest is made that a retry of the same message gives
 * again. The body owns its memfd until body_hand_out. No logging.
 */
#ifndef POSTERN_SMTPD_BODY_H
#define POSTERN_SMTPD_BODY_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"

#define BODY_INPUT_MAX (256u << 10)	/* octets in one call */
#define BODY_LINE_MAX 65536		/* tolerated; RFC 5321 asks for 1000 */
#define BODY_DIGEST_SIZE DIGEST_SIZE
#define BODY_HELD_MAX 8192		/* larger ones have a memfd at once */

enum body_fault {
	BODY_BARE_CR = 1 << 0,
	BODY_BARE_LF = 1 << 1,
	BODY_NUL = 1 << 2,
	BODY_LONG_LINE = 1 << 3,
	BODY_TOO_LARGE = 1 << 4,
	BODY_NO_ROOM = 1 << 5,		/* the memory budget is used up */
	BODY_IO_ERROR = 1 << 6,
	BODY_ENDLESS = 1 << 7,		/* over drain_bytes: stop listening */
};

enum body_state { BODY_LINE_START, BODY_IN_LINE, BODY_AFTER_CR, BODY_DOT,
	BODY_DOT_CR, BODY_ENDED };

struct body_limits {
	uint64_t max_bytes;		/* of a message; 0: none */
	uint64_t drain_bytes;		/* taken in at most, refused or not */
	size_t header_bytes;		/* where reading the header stops */
	bool normalizes_lf;		/* a bare LF is a line end, no fault */
	/* May the memfd grow to size_bytes? NULL: it may. */
	bool (*may_grow)(void *arg, uint64_t size_bytes);
	void *arg;
};

/* What the header says; complete once the message has ended. */
struct body_header {
	unsigned n_received;		/* hops */
	bool has_date;
	bool has_message_id;
	bool may_be_bounce;		/* report.h: report_is_hint */
	bool has_results;		/* Authentication-Results, anybody's */
	bool has_many_delivered_to;	/* more than are remembered: a loop */
	struct buf delivered_to;	/* values, one a line */
};

struct body {
	struct body_limits limits;
	int fd;				/* -1 when there is none (yet) */
	const char *session_id;
	struct buf held;		/* a message that has no memfd yet */
	enum body_state state;
	unsigned faults;		/* enum body_fault */
	uint64_t taken_bytes;		/* from the wire */
	uint64_t size_bytes;		/* of the message */
	uint64_t header_size;		/* of these */
	size_t line_bytes;		/* of the line under way */
	bool is_in_header;
	char last;			/* the last octet stored */
	struct digest *digest;
	bool has_digest;		/* once it is sealed: there was a key */
	struct body_header header;
};

/* 0 or a negative errno; the body is closed then. session_id is borrowed. */
int body_open(struct body *b, const struct body_limits *limits,
    const char *session_id);
/* Releases everything; safe to repeat, and where fd is -1. */
void body_close(struct body *b);

/*
 * Take what belongs to the message; size is at most BODY_INPUT_MAX. Returns
 * how many octets that were: fewer than size only when data has ended
 * (body_has_ended) or is endless.
 */
size_t body_take_data(struct body *b, const char *data, size_t size);
/* All of it belongs to the message (RFC 3030). */
void body_take_chunk(struct body *b, const char *data, size_t size);
/* After the last chunk: a missing last line end is added. */
void body_end_chunks(struct body *b);
bool body_has_ended(const struct body *b);

/*
 * Fill digest in, and set has_digest where store has told the key
 * (digest.h). Only for a body that has ended without a fault; a negative
 * errno otherwise.
 */
int body_finish_digest(struct body *b, uint8_t digest[BODY_DIGEST_SIZE]);
/* All of a message that has no memfd yet, or an empty slice. */
struct slice body_held(const struct body *b);
/* The sealed memfd, now the caller's; once. Or a negative errno. */
int body_hand_out(struct body *b);

/* Read the header for body.c; text is all of it if is_whole. */
void body_header_read(struct body *b, struct slice text, bool is_whole);

#endif
