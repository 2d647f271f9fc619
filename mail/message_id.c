/* SPDX-License-Identifier: ISC */
/*
 * message_id.c - see message_id.h.
 */
#include "message_id.h"
#include "octets.h"

static bool
is_white(char c)
{
	return is_space(c) || is_control(c);
}

/* White space, folds and comments (RFC 5322 3.2.2); a comment without an end
 * is none. */
static struct slice
skip_cfws(struct slice s)
{
	size_t size = 1;

	while (s.size > 0 && size > 0 &&
	    (is_white(*s.data) || *s.data == '(')) {
		size = *s.data == '(' ? enclosed_size(s, '(', ')') : 1;
		s = slice_after(s, size);
	}
	return s;
}

bool
message_id_read(char to[MESSAGE_ID_MAX], struct slice value)
{
	struct slice s = skip_cfws(value);
	size_t open = slice_find(s, '<'), n = 0;
	bool is_bare = open == s.size;

	if (!is_bare)
		s = slice_after(s, open + 1);
	for (size_t i = 0; i < s.size && s.data[i] != '>'; i++) {
		if (is_white(s.data[i]) && is_bare)
			break;
		if (is_white(s.data[i]))
			continue;
		if (n + 1 == MESSAGE_ID_MAX) {
			n = 0;
			break;
		}
		to[n++] = s.data[i];
	}
	to[n] = '\0';
	return n > 0;
}
