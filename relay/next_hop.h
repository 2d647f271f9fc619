/* SPDX-License-Identifier: ISC */
/*
 * next_hop.h - a host that the configuration names: a smart host, or the
 * next hop of a domain of ours; for this folder only. Pure.
 *
 *	smtp:[host]:port	lmtp:[host]:port	lmtp:unix:/path
 *
 * No domain can look so: it has no colon, and a literal begins with "[".
 */
#ifndef RELAY_NEXT_HOP_H
#define RELAY_NEXT_HOP_H

#include <stdbool.h>
#include <stdint.h>
#include "dns.h"

#define NEXT_HOP_SMTP_PORT 25
#define NEXT_HOP_LMTP_PORT 24	/* by custom; never 25 (RFC 2033 5) */

struct next_hop {
	bool is_lmtp, is_unix;
	char name[DNS_NAME_MAX + 1];	/* of a host; or the path */
	uint16_t port;			/* 0: of a unix socket */
};

/* Whether a destination is one of these, well written or not. */
bool next_hop_is_named(const char *destination);
/* Its parts. False: it is none. */
bool next_hop_split(const char *destination, struct next_hop *hop);

#endif
