/* SPDX-License-Identifier: ISC */
/*
 * srs.h - the reverse-paths of forwards, rewritten to addresses of ours, so
 * that SPF passes at the next hop and a bounce comes back to us (SRS:
 * Shevek, "The Sender Rewriting Scheme", 2004; libsrs2, postsrsd).
 *
 *	alice@a.example	-> SRS0=HHHHHH=TT=a.example=alice@ours
 *	SRS0=hhhh=tt=a.example=alice@b.example	(of another forwarder)
 *		-> SRS1=HHHHHHTT=b.example==hhhh=tt=a.example=alice@ours
 *	SRS1=hhhh=b.example==...@c.example
 *		-> SRS1=HHHHHHTT=b.example==...@ours
 *
 * TT is a day modulo 1024, HHHHHH the first 30 bits of an HMAC-SHA-256 over
 * the rest in lower case and over one thing that is not written: whether the
 * sender was authenticated (SPF, or DKIM for his domain) when we forwarded.
 * All in base32, so that the case does not matter. Nobody but us reads the
 * first field; others find SRS as they know it.
 *
 * An address stays the same for SRS_STEP_DAYS, so that greylists of others
 * see one sender and not many. A local part may become longer than 64 octets
 * (RFC 5321 4.5.3.1.1): there is no shorter form without a database, and the
 * next hop says at once if it minds. vault makes and checks; days count from
 * 1970-01-01, UTC. Pure.
 */
#ifndef POSTERN_SRS_H
#define POSTERN_SRS_H

#include <stdbool.h>
#include <stdint.h>
#include "address.h"

#define SRS_KEY_SIZE 32
#define SRS_KEYS_MAX 2
#define SRS_STEP_DAYS 5		/* one sender, one address */
#define SRS_LIFE_MAX_DAYS 180	/* half of the circle of TT, and spare */

struct srs_keys {
	uint8_t secrets[SRS_KEYS_MAX][SRS_KEY_SIZE];	/* [0] makes */
	size_t n;
};

struct srs_tag {
	bool is_chain;			/* SRS1 */
	struct slice mac, day;		/* "HHHHHH", "TT"; of others any */
	struct slice domain;		/* SRS1: of the first forwarder */
	struct slice local;		/* SRS1: what stood behind "SRS0" */
};

enum srs_result {
	SRS_NONE,		/* no such address */
	SRS_VALID,
	SRS_UNAUTHENTICATED,	/* ours, of a sender who may be forged */
	SRS_EXPIRED,		/* ours, and too old */
	SRS_WRONG,		/* forged */
	SRS_RESULT_COUNT
};

/* Split a local part, of anybody's, in any case; false: it is none. */
bool srs_parse(struct slice local, struct srs_tag *tag);

struct srs_sender {
	const struct address *address;
	bool is_authenticated;
};
/*
 * Write the address in domain that stands for a sender. False (and to is
 * ""): he is null or without a domain, or the local part would be over 255
 * octets (to has room for ADDRESS_TEXT_MAX + 1).
 */
bool srs_make(char *to, const struct srs_sender *sender,
    struct slice domain, const struct srs_keys *keys, uint32_t day);
/*
 * Whose address is this, if we made it at most life_days ago? On VALID,
 * UNAUTHENTICATED and EXPIRED he is written to plain (room as above): for
 * SRS1 his address at the first forwarder. Any case; else plain is "".
 */
enum srs_result srs_check(char *plain, const struct address *a,
    const struct srs_keys *keys, uint32_t day, unsigned life_days);

#endif
