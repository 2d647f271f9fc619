/* SPDX-License-Identifier: ISC */
/*
 * octets.c - see octets.h.
 */
#include "octets.h"

size_t
enclosed_size(struct slice s, char open, char close)
{
	unsigned depth = 1;

	for (size_t i = 1; i < s.size; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == close && --depth == 0)
			return i + 1;
		else if (s.data[i] == open && open == '(')
			depth++;
	}
	return 0;
}
