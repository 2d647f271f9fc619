/* SPDX-License-Identifier: ISC */
/*
 * authres.h - the Authentication-Results field (RFC 8601).
 *
 * Written by us into every copy; what it says came from strangers, so each
 * value is cleaned, cut and quoted here. And read only so far as to find
 * the fields that claim to be ours and are not: those must not be
 * delivered (RFC 8601 5). Pure.
 */
#ifndef POSTERN_AUTHRES_H
#define POSTERN_AUTHRES_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"
#include "judge.h"

#define AUTHRES_VALUE_MAX 255	/* octets of one value; the rest is cut */

/*
 *	authres_start, then for each method authres_result and its
 *	authres_property, then authres_end.
 */
struct authres {
	struct buf *to;
	size_t column;
	bool has_result;
	int error;		/* the first one; authres_end returns it */
};

/* "Authentication-Results: HOST". Lines are folded at 78 columns. */
void authres_start(struct authres *a, struct buf *to, const char *host);
/* "; spf=pass", and " (comment)" unless it is "". method is ours, a result
 * that is no word of letters is temperror, the comment is cleaned. */
void authres_result(struct authres *a, const char *method,
    const char *result, struct slice comment);
/* " header.d=example.org" */
void authres_property(struct authres *a, const char *name,
    struct slice value);
/* "; none" if there was no result, and LF. 0, -ENOBUFS or -ENOMEM. */
int authres_end(struct authres *a);

/* Does this Authentication-Results value name host, in whatever spelling,
 * or might a careless reader think so? */
bool authres_names(struct slice value, const char *host);
/* The same of a Received-SPF field: its receiver= (RFC 7208 9.1). */
bool received_spf_names(struct slice value, const char *host);

/*
 * The fields of a message (LF line ends) to cut because they were forged
 * in host's name: its Authentication-Results and Received-SPF, up to the
 * blank line, also behind lines that are no fields. Adjacent ones are one
 * cut. False: there are more than cuts has room for, and the last of them
 * takes along what stands between.
 */
bool authres_find_forged(struct slice message, const char *host,
    struct judgement *judgement);

#endif
