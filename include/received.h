/* SPDX-License-Identifier: ISC */
/*
 * received.h - the trace fields that we put on top (RFC 5321 4.4).
 *
 * Each writer appends one whole field with LF line ends. Whatever comes
 * from a client is cleaned here: no octet of it can end a line, close a
 * comment or begin another clause. Pure. They return what buf_append does:
 * 0, -ENOBUFS or -ENOMEM.
 */
#ifndef POSTERN_RECEIVED_H
#define POSTERN_RECEIVED_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

enum received_with {		/* RFC 3848, RFC 6531 4.3 */
	RECEIVED_ESMTP = 1 << 0,	/* EHLO was used */
	RECEIVED_TLS = 1 << 1,
	RECEIVED_AUTH = 1 << 2,
	RECEIVED_UTF8 = 1 << 3,		/* SMTPUTF8 was asked for */
};

struct received {
	struct slice helo;	/* as the client said it */
	struct slice rdns;	/* its verified name, or "" */
	struct slice ip;	/* "192.0.2.1" or "2001:db8::1" */
	struct slice host;	/* our hostname */
	unsigned with;		/* of enum received_with */
	struct slice tls;	/* "TLSv1.3 CIPHER", or "" */
	struct slice id;	/* session id */
	struct slice recipient;	/* address as given, or "": not exactly one */
	struct slice user;	/* of this host, by its socket: instead of
				 * helo, rdns, ip; "": from elsewhere */
	unsigned uid;		/* the user's */
	int64_t when_s;
};

/*
 * Received: from HELO (RDNS [IP])
 *	by HOST (Postern) with ESMTPS (TLSv1.3 CIPHER) id ID
 *	for <RECIPIENT>; DATE
 * folded so that lines stay below 78 columns where the words allow it; for
 * a user of this host
 * Received: by HOST (Postern, from uid UID USER) with ESMTP id ID ...
 */
int received_write(struct buf *out, const struct received *r);
/* "ESMTP", "UTF8SMTPS" ...; with is of enum received_with. */
const char *received_protocol(unsigned with);
/* Return-Path: <address>; address is as given, "" for <>. */
int received_write_return_path(struct buf *out, struct slice address);
/* Delivered-To: address */
int received_write_delivered_to(struct buf *out, struct slice address);

#endif
