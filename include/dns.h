/* SPDX-License-Identifier: ISC */
/*
 * dns.h - one DNS question and its answer, as compartments pass them on.
 *
 * Only resolver talks DNS (libunbound); policy and relay read answers as
 * values of facts (facts.h). A name is lower-case, without the final dot,
 * at most 253 octets, and may hold any label octets that a client gave us
 * except NUL and dots within labels. Records are kept in presentation-free
 * form:
 *
 *	A, AAAA		4 or 16 octets
 *	PTR, CNAME	a name
 *	MX		u16 preference, then a name ("" is null MX, RFC 7505)
 *	TXT		the strings of one record joined (RFC 7208 3.3)
 *	TLSA		usage, selector, matching type, then the data
 *
 * CNAMEs are followed by the resolver, unless they are what is asked for;
 * records of other types are dropped.
 * Pure, no I/O.
 */
#ifndef POSTERN_DNS_H
#define POSTERN_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define DNS_NAME_MAX 253
#define DNS_RECORDS_MAX 100		/* of one answer; more are dropped */
#define DNS_ANSWER_BYTES_MAX 8192	/* of all records of one answer */

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15,
	DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };

enum dns_status {
	DNS_OK,			/* at least one record */
	DNS_NO_DATA,		/* the name exists, not this type */
	DNS_NO_NAME,		/* NXDOMAIN */
	DNS_FAILED,		/* SERVFAIL, time-out, bogus: silence */
};

struct dns_record {
	struct slice data;	/* points into the encoded answer */
};

struct dns_answer {
	enum dns_status status;
	bool is_secure;			/* validated by DNSSEC */
	bool is_cut;			/* records did not fit */
	/* of DNS_ASK_SECURE alone: */
	bool is_unchecked;		/* nothing can be secure: validation
					 * is off here */
	struct slice canonical;		/* where CNAMEs led, or "" */
	uint32_t ttl_s;
	size_t n_records;
	struct dns_record records[DNS_RECORDS_MAX];
};

/* Append in wire form. 0, -ENOBUFS or -ENOMEM. */
int put_dns_answer(struct buf *to, const struct dns_answer *a);
/* False for anything malformed; records point into from. */
bool get_dns_answer(struct slice from, struct dns_answer *a);

/* Of an MX record; false when it is not one. */
bool dns_mx(struct slice record, uint16_t *preference, struct slice *host);
/*
 * Lower case, no final dot, lengths checked (RFC 1035 2.3.4); false (and "")
 * for what cannot be a name. "" is the root.
 */
bool dns_name(char to[DNS_NAME_MAX + 1], struct slice from);
/* "4.3.2.1.in-addr.arpa" or nibbles under ip6.arpa; false: no address. */
bool dns_reverse_name(char to[DNS_NAME_MAX + 1], const char *ip);
/* The same in front of zone, for a DNS list (RFC 5782 2.1, 2.4). */
bool dns_list_name(char to[DNS_NAME_MAX + 1], const char *ip,
    const char *zone);

#endif
