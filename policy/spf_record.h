/* SPDX-License-Identifier: ISC */
/*
 * spf_record.h - the grammar of SPF records (RFC 7208 12), strictly.
 *
 * spf_record_check reads a whole record before anything is done with it:
 * "syntax errors anywhere in the record MUST be detected" (4.6). Only what
 * it accepts may be walked with spf_record_next, and neither copies: terms
 * point into the record. Records are a sender's text, so any octets.
 */
#ifndef POSTERN_SPF_RECORD_H
#define POSTERN_SPF_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define SPF_RECORD_MAX 8192	/* octets; more than one answer may hold */

enum spf_mechanism { SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4,
	SPF_IP6, SPF_EXISTS, SPF_MODIFIER };

struct spf_term {
	enum spf_mechanism mechanism;
	char qualifier;			/* + - ~ ?; 0 of a modifier */
	struct slice text;		/* the whole term */
	struct slice name;		/* a modifier's */
	struct slice spec;		/* domain-spec, or a modifier's value;
					 * empty: none was given */
	uint8_t prefix4, prefix6;	/* 32 and 128 where none was given */
	uint8_t address[16];		/* ip4: the first four; ip6 */
};

struct spf_record {
	struct slice terms;		/* for spf_record_next */
	struct slice redirect, exp;	/* domain-specs; empty: none */
};

/* "v=spf1", then a space or the end (4.5); the case does not matter. */
bool spf_record_is_one(struct slice text);
/* NULL, or what is wrong; *where is then the term at fault, or empty. */
const char *spf_record_check(struct spf_record *record, struct slice text,
    struct slice *where);
/* The next term of a record that was checked; false at its end. */
bool spf_record_next(struct slice *terms, struct spf_term *term);

#endif
