/* SPDX-License-Identifier: ISC */
/*
 * rdata.h - a DNS message into the form of dns.h, for this folder only.
 *
 * The message has passed libunbound, but what stands in it came from
 * whoever owns the zone: it is read as if nobody had. Pure.
 */
#ifndef RESOLVER_RDATA_H
#define RESOLVER_RDATA_H

#include "dns.h"

#define RDATA_CHAIN_MAX 12	/* CNAMEs, one behind the other */

struct rdata {
	struct dns_answer answer;	/* points into text */
	size_t used;
	char text[DNS_ANSWER_BYTES_MAX];
	char canonical[DNS_NAME_MAX + 1];
};

/*
 * The records of type that the answer section has for the name in the
 * question, over CNAMEs (unless it is they that are wanted). A name that
 * dns.h cannot hold is left out; whatever else is malformed makes all of it
 * DNS_FAILED. is_secure is left false.
 */
void rdata_read(struct rdata *to, enum dns_type type, struct slice packet);

/* Whether answer or authority have a record of this type (RRSIG: 46). */
bool rdata_has_type(struct slice packet, uint16_t type);

#endif
