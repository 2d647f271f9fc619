/* SPDX-License-Identifier: ISC */
/*
 * check_content.c - how large and how deep a message may be built.
 *
 * A header over its limit is not read to its end, by nobody here: what
 * stands behind it would go unchecked.
 */
#include <limits.h>
#include "content.h"

static enum check_said
say_fault(struct check *c, unsigned faults, const struct mime_walk *walk)
{
	if (faults & MIME_HEADER_TOO_LARGE)
		return check_bad(c, 552, 3, 4, "a header of the message is "
		    "larger than %zu octets", walk->header_max);
	if (faults & MIME_TOO_MANY_FIELDS)
		return check_bad(c, 554, 6, 0, "a header of the message has "
		    "more than %u fields", walk->fields_max);
	if (faults & MIME_TOO_DEEP)
		return check_bad(c, 554, 6, 0, "the message has parts in "
		    "parts, more than %u deep", walk->depth_max);
	return check_bad(c, 554, 6, 0, "the message has more than %u parts",
	    walk->parts_max);
}

void
content_walk_start(const struct check *c, struct mime_walk *walk)
{
	const struct config_limits *most = &c->config->limits;

	mime_walk_start(walk, c->message);
	walk->header_max = most->header_bytes != 0 ? most->header_bytes :
	    SIZE_MAX;
	walk->fields_max = most->header_fields != 0 ? most->header_fields :
	    UINT_MAX;
	walk->depth_max = most->mime_depth;
	walk->parts_max = most->mime_parts;
}

enum check_said
check_content(struct check *c)
{
	const unsigned limits = MIME_HEADER_TOO_LARGE | MIME_TOO_MANY_FIELDS |
	    MIME_TOO_DEEP | MIME_TOO_MANY_PARTS;
	struct mime_walk walk;
	struct mime_part part;
	unsigned depth = 0;

	content_walk_start(c, &walk);
	while ((walk.faults & limits) == 0 && mime_next(&walk, &part))
		if (part.depth > depth)
			depth = part.depth;
	if (walk.faults & limits)
		return say_fault(c, walk.faults, &walk);
	return check_good(c, "%u parts, %u deep", walk.n_parts, depth);
}
