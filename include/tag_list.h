/* SPDX-License-Identifier: ISC */
/*
 * tag_list.h - "v=1; a=rsa-sha256; ..." (RFC 6376 3.2, RFC 7489 6.3).
 *
 * DKIM signatures, DKIM keys and DMARC records are tag lists. The walker
 * never copies; what to make of a specification that is malformed is the
 * caller's to say: DKIM refuses the list, DMARC drops the tag. Pure.
 */
#ifndef POSTERN_TAG_LIST_H
#define POSTERN_TAG_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

#define TAG_LIST_MAX 64		/* tags of a list that is well-formed */

struct tag {
	struct slice name;
	struct slice value;	/* white space around it removed, folds and
				 * spaces in it kept */
};

enum tag_step {
	TAG_NEXT,	/* *tag is the next one */
	TAG_END,
	TAG_BAD,	/* malformed; *rest is behind it */
};

/* Take the specification at the front of *rest. */
enum tag_step tag_next(struct slice *rest, struct tag *tag);
/* Only good specifications, at most TAG_LIST_MAX, none twice. */
bool tag_list_is_valid(struct slice list);
/* The first tag of that name (case matters); false and "" without one. */
bool tag_find(struct slice list, const char *name, struct slice *value);

/*
 * Take the next item of a list such as "relaxed:simple" off *rest, white
 * space around it removed; false at the end. "a::b" has an empty item.
 */
bool tag_item(struct slice *rest, char separator, struct slice *item);
/* Is there such an item? Compared without case. */
bool tag_has_item(struct slice list, char separator, const char *item);

#endif
