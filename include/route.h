/* SPDX-License-Identifier: ISC */
/*
 * route.h - where a recipient's mail goes, frozen and sealed (DESIGN 7).
 *
 * directory resolves a recipient to a route, encodes it and seals it with a
 * MAC under SECRET_ROUTE, bound to recipient, session and expiry. smtpd can
 * read a route and carry it, but cannot make one; deliver checks the seal
 * before it acts. Pure functions, no I/O.
 */
#ifndef POSTERN_ROUTE_H
#define POSTERN_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "buf.h"

#define ROUTE_MAX_BYTES (4u << 20)	/* of an encoded route */
#define ROUTE_MAX_LEAVES 20000
#define ROUTE_PROGRAM_MAX 2000		/* octets of a command */
#define ROUTE_LIFE_S 7200		/* longer than any transaction */

enum route_kind {
	ROUTE_MAILBOX = 1,	/* leaves: every one prepares, then commits */
	ROUTE_DISCARD = 2,	/* swallowed on purpose */
	ROUTE_REFUSE = 3,	/* the answer carries a verdict; never sealed */
	ROUTE_LIST = 4,		/* mailboxes, if any, and members elsewhere
				 * (list_route.h); sealed as ROUTE_MAILBOX, or
				 * as ROUTE_PROGRAM if one is among them */
	ROUTE_HOP = 5,		/* mailboxes, if any, sealed as ROUTE_MAILBOX,
				 * and one next hop (hop_route.h) */
	ROUTE_PROGRAM = 6,	/* a program of this host, run by deliver, and
				 * mailboxes, if any, beside it */
};

/* One mailbox after complete alias expansion. Strings are borrowed. */
struct route_leaf {
	uid_t uid;
	gid_t gid;
	uint64_t quota_bytes;		/* 0: none */
	struct slice user;		/* login name, for logs */
	struct slice home;		/* "" when the mailbox has no home */
	struct slice maildir;		/* absolute path, no ".." */
	struct slice delivered_to;	/* address for Delivered-To */
};

struct route {
	enum route_kind kind;
	struct slice recipient;		/* as the client gave it */
	struct slice session;
	int64_t expires_s;		/* wall clock */
	struct slice program;		/* ROUTE_PROGRAM: its command */
	struct route_leaf *leaves;
	size_t n_leaves;
};

/*
 * Append the sealed form to out. 0, -ENOMEM, -EMSGSIZE, or -EINVAL for a
 * route that route_open would not take (ROUTE_REFUSE among them).
 */
int route_seal(struct buf *out, const struct route *route,
    const uint8_t *secret);
/*
 * Decode. With secret NULL the seal is not checked (smtpd). The route's
 * strings point into sealed; leaves are allocated. -EBADMSG on anything odd
 * (bounds, paths that are not absolute or hold "..", wrong seal).
 */
int route_open(struct route *route, struct slice sealed,
    const uint8_t *secret);
void route_close(struct route *route);

#endif
