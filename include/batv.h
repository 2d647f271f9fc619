/* SPDX-License-Identifier: ISC */
/*
 * batv.h - tags in our reverse-paths, by which a bounce proves that it
 * returns something that we sent (draft-levine-smtp-batv, DESIGN 8).
 *
 *	alice@example.org -> prvs=KDDDSSSSSS=alice@example.org
 *
 * K is the generation of the key (0 to 9), DDD the day of expiry modulo
 * 1000, SSSSSS the first 24 bits, in hexadecimal, of
 * HMAC-SHA-256(key, KDDD and the address in lower case).
 *
 * A tag depends on key, address and day alone, and stays the same for
 * BATV_STEP_DAYS, so that greylists of others see one sender and not many.
 * vault makes and checks them; who only reads tags needs no key. Days count
 * from 1970-01-01, UTC. Pure.
 */
#ifndef POSTERN_BATV_H
#define POSTERN_BATV_H

#include <stdbool.h>
#include <stdint.h>
#include "address.h"

#define BATV_KEY_SIZE 32
#define BATV_STEP_DAYS 5	/* one address, one tag */
#define BATV_LIFE_DAYS 12	/* of a new tag, at most */
#define BATV_TAG_SIZE 16	/* octets of "prvs=KDDDSSSSSS=" */

struct batv_key {
	unsigned generation;		/* 0 to 9 */
	uint8_t secret[BATV_KEY_SIZE];
};

struct batv_tag {
	unsigned generation;
	unsigned day;			/* of expiry, modulo 1000 */
	uint32_t mac;			/* 24 bits */
	struct slice local;		/* the local part behind it */
};

enum batv_result {
	BATV_NONE,		/* no tag, or another site's kind of tag */
	BATV_VALID,
	BATV_EXPIRED,		/* ours, and too old */
	BATV_WRONG,		/* of a generation that we know, and forged */
	BATV_UNKNOWN,		/* of a generation that we do not know */
	BATV_RESULT_COUNT
};

/*
 * Write the address with a tag that is good until batv_expiry(day). False
 * (and to is ""): it has one already, is null or without a domain, the local
 * part would be over 64 octets, or room is too small (ADDRESS_TEXT_MAX + 1
 * always suffices).
 */
bool batv_make(char *to, size_t room, const struct address *a,
    const struct batv_key *key, uint32_t day);
/* The last day of a tag that is made on this one. */
uint32_t batv_expiry(uint32_t day);

/* Split "prvs=KDDDSSSSSS=local", in any case; false: it is none. */
bool batv_parse(struct slice local, struct batv_tag *tag);
/* Days that the tag is still good for; negative once it has expired. */
int batv_days_left(const struct batv_tag *tag, uint32_t day);
/*
 * Is this the tagged address of somebody whom we have sent mail for? On
 * VALID, EXPIRED and WRONG *plain (ADDRESS_LONG_LOCAL_MAX + 1 octets, or
 * NULL) is the local part without its tag.
 */
enum batv_result batv_check(const struct batv_key *keys, size_t n_keys,
    const struct address *a, uint32_t day, char *plain);

#endif
