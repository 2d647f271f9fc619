/* SPDX-License-Identifier: ISC */
/*
 * spf_macro.h - macro-strings of SPF (RFC 7208 7), checked and expanded.
 *
 * libspf2 never sees a macro: its own code for them can be made to crash
 * (CVE-2023-42118) and garbles explanations. Pure; output is bounded by the
 * maximum of the buf that is written to.
 */
#ifndef POSTERN_SPF_MACRO_H
#define POSTERN_SPF_MACRO_H

#include <stdbool.h>
#include "buf.h"

#define SPF_MACRO_LETTERS 26

/* What each macro letter stands for: of[letter - 'a']. */
struct spf_values {
	struct slice of[SPF_MACRO_LETTERS];
};

enum spf_macro_place {
	SPF_IN_RECORD,		/* no spaces; letters s l o d i p h v */
	SPF_IN_EXPLANATION,	/* spaces, and also c r t */
};

/* Is it a macro-string (or an explain-string)? */
bool spf_macro_is_valid(struct slice text, enum spf_macro_place place);
/* Is it a domain-spec: valid in a record, its end a toplabel or a macro? */
bool spf_macro_is_domain_spec(struct slice text);
/* Does a valid one use this (lower-case) letter? */
bool spf_macro_uses(struct slice text, char letter);
/* Append what a valid one expands to. 0, -ENOBUFS or -ENOMEM. */
int spf_macro_expand(struct buf *to, struct slice text,
    const struct spf_values *values);

#endif
