/* SPDX-License-Identifier: ISC */
/*
 * plain.c - see plain.h.
 */
#include <stdint.h>
#include "plain.h"

#define IN_QUOTES 1
#define ANYWHERE 2

static const uint8_t kinds[256] = {
	[' '] = IN_QUOTES, ['!'] = ANYWHERE,
	/* not the quote */
	['#' ... '<'] = ANYWHERE, ['='] = IN_QUOTES, ['>' ... '['] = ANYWHERE,
	/* not the backslash */
	[']' ... '~'] = ANYWHERE,
};

static size_t
count(struct slice s, uint8_t kind)
{
	size_t n = 0;

	while (n < s.size && kinds[(uint8_t)s.data[n]] >= kind)
		n++;
	return n;
}

size_t
plain_bare(struct slice s)
{
	return count(s, ANYWHERE);
}

size_t
plain_quoted(struct slice s)
{
	return count(s, IN_QUOTES);
}
