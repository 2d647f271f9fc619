/* SPDX-License-Identifier: ISC */
/*
 * hop_route.h - the part of a recipient's route that is elsewhere and that
 * answers while the client waits, sealed (DESIGN 7).
 *
 * A domain that we front, or an alias that forwards to exactly one address:
 * relay asks that next hop and brings the message there, before our own
 * reply (ask_hop.h). directory resolves and seals this part, apart from the
 * mailboxes of the same recipient (route.h): relay goes nowhere for smtpd
 * without a seal that it has checked, so that an smtpd that is taken over
 * cannot have it call any other host (DESIGN 3). smtpd reads the route and
 * carries it.
 *
 * The MAC is under SECRET_HOP, which only directory and relay have; or under
 * SECRET_RETURN, vault's and relay's, for a bounce that is passed on to the
 * sender of a forward (ask_srs.h). Pure functions, no I/O.
 */
#ifndef POSTERN_HOP_ROUTE_H
#define POSTERN_HOP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define HOP_ROUTE_MAX_BYTES 2400	/* sealed */
#define HOP_DESTINATION_MAX 320		/* octets, with terminator */

struct hop_route {			/* strings are borrowed */
	struct slice recipient;		/* as the client gave it */
	struct slice session;		/* that it is for */
	int64_t expires_s;		/* wall clock */
	/* "smtp:[host]:port", "smtp:host:port", "lmtp:unix:/path" or so, as
	 * in next_hop; or the domain of address, whose MX it is */
	struct slice destination;
	bool is_smart_host;		/* with the smart host's password */
	bool is_forward;		/* an alias led out of our domains: the
					 * reverse-path is rewritten (srs.h) */
	struct slice srs_domain;	/* ... to an address in this domain */
	struct slice address;		/* of RCPT there */
};

/* The same dialogue there may have both for recipients. */
bool hop_route_is_same_hop(const struct hop_route *a,
    const struct hop_route *b);

/* Append the sealed form. 0, -ENOMEM, -EMSGSIZE; -EINVAL for what
 * hop_route_open would not take. */
int hop_route_seal(struct buf *out, const struct hop_route *route,
    const uint8_t *secret);
/*
 * Decode; strings point into sealed. With secret NULL the seal is not
 * checked (smtpd). -EBADMSG on anything odd or under another key.
 */
int hop_route_open(struct hop_route *route, struct slice sealed,
    const uint8_t *secret);

#endif
