/* SPDX-License-Identifier: ISC */
/*
 * dsn.h - what became of a message, told to its sender (RFC 3464).
 *
 * A multipart/report of three parts: plain words for a person (what
 * happened, to which address, what the other side said, what to do), the
 * same for programs, and the message that it is about: its header, or all of
 * it where it has failed and RET=FULL asked for that (RFC 3461 4.3). Where an
 * address is not ASCII the forms of RFC 6533 are used.
 *
 * It writes a text and nothing else: who gets it is its caller's business,
 * and queue can bring it to a mailbox here only. Everything that others said
 * is cleaned, so that no octet of it ends a line or a part. Pure.
 */
#ifndef POSTERN_DSN_H
#define POSTERN_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

enum dsn_action {		/* RFC 3464 2.3.3 */
	DSN_FAILED,
	DSN_DELAYED,
	DSN_RELAYED,		/* to a host that cannot tell more */
	DSN_DELIVERED,		/* into a mailbox, here or by LMTP */
};

struct dsn_recipient {
	struct slice address;
	struct slice orcpt;		/* "rfc822;xtext" as given, or "" */
	enum dsn_action action;
	uint16_t code;			/* the last answer: 550; 0 is none */
	uint8_t subject, detail;	/* the 1.1 of 5.1.1 */
	struct slice text;		/* in the other side's words, or ours */
	struct slice host;		/* "mx.example.net[192.0.2.1]", the path
					 * of a socket, or "": nobody answered,
					 * the text is ours */
	bool is_expired;		/* FAILED, since it took too long */
	int64_t last_s;			/* of the answer; 0: there was none */
	int64_t until_s;		/* DELAYED: it will be tried so long */
};

#define DSN_HEADER_MAX 65536		/* of the original; more is cut off */
struct dsn {
	struct slice host;		/* ours */
	struct slice to;		/* the sender, signed (BATV) */
	struct slice id;		/* unique, of letters and digits */
	struct slice queue_id;		/* of the message, or "" */
	struct slice envid;		/* xtext as given, or "" */
	struct slice message;		/* from its beginning, LF lines */
	bool is_whole;			/* ... to its end, to be returned */
	int64_t arrival_s;		/* of the message */
	int64_t when_s;			/* now */
	bool is_utf8;			/* SMTPUTF8 was asked for */
	const struct dsn_recipient *recipients;
	size_t n_recipients;		/* at least 1, all of one action, or
					 * RELAYED and DELIVERED */
};

/* The whole of it, LF lines. 0, -ENOBUFS, -ENOMEM; -EINVAL without one. */
int dsn_write(struct buf *out, const struct dsn *dsn);

/* "mx.example.net" and "192.0.2.1" of "mx.example.net[192.0.2.1]". */
struct slice dsn_host_name(struct slice host);

#endif
