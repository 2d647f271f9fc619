/* SPDX-License-Identifier: ISC */
/*
 * address.h - mail addresses as RFC 5321 and RFC 6531 write them.
 *
 * A parsed address holds both what the client wrote and the forms that are
 * compared: the local part without its quotes, the domain in lower case
 * with each label LDH (A-labels for an internationalised name, by libidn2
 * with UTS #46, non-transitional). All in fixed arrays, so an address owns
 * nothing and may be copied. No octet in any of them is a control.
 *
 * Any compartment may use this. Pure; memory is allocated (and released)
 * only by libidn2, for a domain that is not ASCII.
 */
#ifndef POSTERN_ADDRESS_H
#define POSTERN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

#define ADDRESS_TEXT_MAX 639	/* as written; ASK_ADDRESS_MAX less one */
#define ADDRESS_LOCAL_MAX 64	/* RFC 5321 4.5.3.1.1 */
#define ADDRESS_LONG_LOCAL_MAX 255	/* with ADDRESS_ALLOW_LONG_LOCAL */
#define ADDRESS_DOMAIN_MAX 255	/* RFC 5321 4.5.3.1.2 */

struct address {
	char text[ADDRESS_TEXT_MAX + 1];	/* as written, without <> and
						 * without a source route */
	char local[ADDRESS_LONG_LOCAL_MAX + 1];	/* quotes removed */
	char domain[ADDRESS_DOMAIN_MAX + 1];	/* or "[192.0.2.1]",
						 * "[ipv6:2001:db8::1]" */
	bool is_null;		/* <>: all three are "" */
	bool is_postmaster;	/* <Postmaster>: "postmaster" and "" */
	bool is_literal;	/* the domain is an address literal */
	bool needs_smtputf8;	/* text is not ASCII */
};

enum address_allow {
	ADDRESS_ALLOW_NULL = 1 << 0,		/* <> */
	ADDRESS_ALLOW_POSTMASTER = 1 << 1,	/* <Postmaster> */
	ADDRESS_ALLOW_UTF8 = 1 << 2,		/* RFC 6531 */
	ADDRESS_ALLOW_LONG_LOCAL = 1 << 3,	/* VERP and SRS senders exceed
						 * 64 octets in real life */
	ADDRESS_ALLOW_BARE_LOCAL = 1 << 4,	/* "alice"; domain is "" */
};

enum address_result {
	ADDRESS_OK,
	ADDRESS_BAD_SYNTAX,
	ADDRESS_BAD_DOMAIN,	/* labels not LDH, or not IDNA2008 */
	ADDRESS_BAD_LITERAL,	/* [...] is not an IPv4 or IPv6 address */
	ADDRESS_BAD_UTF8,	/* malformed, or a C1 control */
	ADDRESS_IS_UTF8,	/* not ASCII, and UTF-8 is not allowed here */
	ADDRESS_LOCAL_TOO_LONG,
	ADDRESS_DOMAIN_TOO_LONG,
	ADDRESS_TOO_LONG,	/* the whole of it */
	ADDRESS_NO_MEMORY,	/* not the client's fault: 451 4.3.0 */
};

/*
 * Parse the path at the front of *rest: "<...>", RFC 5321 4.1.2. On success
 * *rest begins after the ">". A source route is checked and dropped
 * (RFC 5321 appendix F.2). allow is of enum address_allow.
 */
enum address_result address_parse_path(struct address *a, struct slice *rest,
    unsigned allow);
/* Parse a mailbox without angle brackets: all of text, no spaces around. */
enum address_result address_parse(struct address *a, struct slice text,
    unsigned allow);
/* The same for a domain or address literal alone; room for
 * ADDRESS_DOMAIN_MAX + 1 octets. "" on failure. */
enum address_result address_parse_domain(char *to, struct slice text,
    unsigned allow);

/*
 * Write local@domain, terminated, quoting the local part where it must be
 * (RFC 5321 4.1.2: only then); just the local part for domain "". False
 * (and "") if room is too small or local holds a control octet.
 */
bool address_write(char *to, size_t room, struct slice local,
    struct slice domain);

/* Make it local@domain, as if that had been written. False: it is no address,
 * and a may be spoilt. local may be its own. */
bool address_make(struct address *a, struct slice local, struct slice domain);

/*
 * Split "user+tag" at the first of the separators. False when there is none
 * or when user would be empty; then *user is all of local and *tag empty.
 */
bool address_split_plus(struct slice local, const char *separators,
    struct slice *user, struct slice *tag);

/*
 * The part of a local part that stays the same from one message to the
 * next: without BATV tags (prvs=TAG=user, prvs=user=TAG, btv1==TAG==user),
 * SRS hash and time (SRS0=HHH=TT=host=user: "host=user") and VERP
 * (user+tag=host: "user"). Points into local; local itself if it has none.
 */
struct slice address_strip_tags(struct slice local);

/*
 * The form of an address for the keys of records: tags stripped, quotes
 * removed, domain normalised; "" for <>. Room for ADDRESS_TEXT_MAX + 1.
 */
void address_write_key(char *to, const struct address *a);

#endif
