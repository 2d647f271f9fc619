/* SPDX-License-Identifier: ISC */
/*
 * milter.h - the milter protocol on the wire, as an MTA speaks it.
 *
 * Version 6, that of libmilter 8.14 and later. A packet is a length of 32
 * bits, a letter, and data; texts in it end with a NUL. Commands are written
 * here and replies are read; what they mean in which order is not known
 * here (smtpd/milter.c). Pure, no I/O; all input is hostile.
 *
 *	put:  O, then per event (D, command), E, A, Q
 *	take: milter_take_packet -> milter_read_reply
 */
#ifndef POSTERN_MILTER_H
#define POSTERN_MILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "verdict.h"

#define MILTER_VERSION 6
#define MILTER_VERSION_MIN 2
#define MILTER_PACKET_MAX (1u << 20)	/* of a reply; libmilter's default
					 * for a body chunk is 65535 */
#define MILTER_CHUNK_MAX 65535		/* octets of body in one command */
#define MILTER_SYMBOLS_MAX 1024		/* of one stage's macro names */

enum milter_action {		/* what a milter may do to a message */
	MILTER_ADD_HEADERS = 1 << 0,	/* insert too */
	MILTER_CHANGE_BODY = 1 << 1,
	MILTER_ADD_RECIPIENTS = 1 << 2,
	MILTER_DELETE_RECIPIENTS = 1 << 3,
	MILTER_CHANGE_HEADERS = 1 << 4,
	MILTER_QUARANTINE = 1 << 5,
	MILTER_CHANGE_SENDER = 1 << 6,
	MILTER_ADD_RECIPIENTS_ARGS = 1 << 7,
	MILTER_SET_SYMBOLS = 1 << 8,
	MILTER_ACTIONS = (1 << 9) - 1,
};

enum milter_protocol {		/* NO: do not send; QUIET: no reply to it */
	MILTER_NO_CONNECT = 1 << 0,
	MILTER_NO_HELO = 1 << 1,
	MILTER_NO_MAIL = 1 << 2,
	MILTER_NO_RCPT = 1 << 3,
	MILTER_NO_BODY = 1 << 4,
	MILTER_NO_HEADERS = 1 << 5,
	MILTER_NO_END_OF_HEADERS = 1 << 6,
	MILTER_QUIET_HEADERS = 1 << 7,
	MILTER_NO_UNKNOWN = 1 << 8,
	MILTER_NO_DATA = 1 << 9,
	MILTER_MAY_SKIP = 1 << 10,
	MILTER_QUIET_CONNECT = 1 << 12,
	MILTER_QUIET_HELO = 1 << 13,
	MILTER_QUIET_MAIL = 1 << 14,
	MILTER_QUIET_RCPT = 1 << 15,
	MILTER_QUIET_DATA = 1 << 16,
	MILTER_QUIET_UNKNOWN = 1 << 17,
	MILTER_QUIET_END_OF_HEADERS = 1 << 18,
	MILTER_QUIET_BODY = 1 << 19,
	MILTER_LEADING_SPACE = 1 << 20,
	/* all but 1 << 11: refused recipients are not shown to milters */
	MILTER_PROTOCOL = 0x1ff7ff,
};

enum milter_macros {		/* where a milter can ask for macros */
	MILTER_AT_CONNECT, MILTER_AT_HELO, MILTER_AT_MAIL, MILTER_AT_RCPT,
	MILTER_AT_DATA, MILTER_AT_END, MILTER_AT_END_OF_HEADERS,
	MILTER_MACRO_STAGES,
};

/* ---- commands: 0, -ENOBUFS, -ENOMEM, -EINVAL (a NUL in a text) ---- */

int milter_put_options(struct buf *out, uint32_t actions, uint32_t protocol);
/* A macro is its name and value in turn; n counts both. */
int milter_put_macros(struct buf *out, char command,
    const struct slice *texts, size_t n);
/* family is '4', '6' or 'U' (unknown: neither port nor address). */
int milter_put_connect(struct buf *out, struct slice name, char family,
    uint16_t port, struct slice address);
/* 'H', 'M', 'R', 'L', 'U': texts, each ended by a NUL. */
int milter_put_texts(struct buf *out, char command,
    const struct slice *texts, size_t n);
/* 'B': at most MILTER_CHUNK_MAX octets. */
int milter_put_body(struct buf *out, const char *data, size_t size);
/* 'T', 'N', 'E', 'A', 'Q', 'K': nothing but the letter. */
int milter_put_command(struct buf *out, char command);

/* ---- replies ---- */

struct milter_packet {
	char letter;
	struct slice data;	/* points into the input */
	size_t size;		/* of all of it: take so much off the input */
};

/* 1: a packet is complete. 0: more must come. -EBADMSG: never one. */
int milter_take_packet(struct milter_packet *packet, struct slice input);

enum milter_reply_kind {
	MILTER_CONTINUE, MILTER_ACCEPT, MILTER_REJECT, MILTER_TEMPFAIL,
	MILTER_DISCARD, MILTER_REPLY_CODE, MILTER_SKIP, MILTER_SHUTDOWN,
	MILTER_CONNECTION_FAILED, MILTER_PROGRESS,
	/* at the end of the message only */
	MILTER_ADD_HEADER, MILTER_INSERT_HEADER, MILTER_CHANGE_HEADER,
	MILTER_REPLACE_BODY, MILTER_ADD_RECIPIENT, MILTER_DELETE_RECIPIENT,
	MILTER_SENDER, MILTER_HOLD,
	/* the answer to 'O' */
	MILTER_OPTIONS,
};

struct milter_reply {
	enum milter_reply_kind kind;
	uint32_t index;			/* of INSERT and CHANGE_HEADER */
	struct slice name, value;	/* a field; an address and arguments;
					 * value: a reason, a body chunk */
	bool has_arguments;		/* ADD_RECIPIENT came with them */
	struct verdict verdict;		/* REPLY_CODE: 4yz or 5yz; its lines
					 * are divided by LF */
	uint32_t version, actions, protocol;
	struct slice symbols;		/* OPTIONS: read with the next */
};

/*
 * 0 or -EBADMSG: no such reply, or malformed. Slices point into the packet.
 * A text of a reply code is cleaned: no control octets but LF between lines.
 */
int milter_read_reply(struct milter_reply *reply,
    const struct milter_packet *packet);
/* The action that a reply needs, 0: none. */
uint32_t milter_reply_action(const struct milter_reply *reply);
/*
 * Take the next list of macro names (divided by white space) off symbols.
 * 1, 0 at the end, or -EBADMSG.
 */
int milter_next_symbols(struct slice *symbols, enum milter_macros *stage,
    struct slice *names);

#endif
