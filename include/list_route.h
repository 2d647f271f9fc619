/* SPDX-License-Identifier: ISC */
/*
 * list_route.h - the part of a list that is elsewhere, sealed (DESIGN 7).
 *
 * An alias with members elsewhere has an owner whose mailbox is here: their
 * copies leave with the owner for a reverse-path, and what comes of them
 * comes home to him. directory resolves and seals this part, apart from the
 * route of the members who are here (route.h), which deliver gets: queue
 * takes no list without a seal that it has checked, and neither of them can
 * make the other's. smtpd carries it and cannot read or write it.
 *
 * The MAC is under SECRET_LIST, which only directory and queue have. Pure
 * functions, no I/O.
 */
#ifndef POSTERN_LIST_ROUTE_H
#define POSTERN_LIST_ROUTE_H

#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define LIST_ROUTE_MAX_MEMBERS 1000
#define LIST_ROUTE_MAX_BYTES (1u << 20)	/* sealed */

struct list_route {			/* strings are borrowed */
	struct slice list;		/* its address, as the client gave it */
	struct slice session;		/* that it is for */
	int64_t expires_s;		/* wall clock */
	struct slice owner;		/* his address: the reverse-path */
	struct slice account;		/* his, as in a voucher: reports go
					 * into its own mailbox */
	struct slice *members;		/* addresses, each once */
	size_t n_members;
};

/* Append the sealed form. 0, -ENOMEM, -EMSGSIZE; -EINVAL for what
 * list_route_open would not take. */
int list_route_seal(struct buf *out, const struct list_route *route,
    const uint8_t *secret);
/*
 * Decode; strings point into sealed, members are allocated. -EBADMSG on
 * anything odd or under another key; -ENOMEM.
 */
int list_route_open(struct list_route *route, struct slice sealed,
    const uint8_t *secret);
void list_route_close(struct list_route *route);

#endif
