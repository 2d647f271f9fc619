/* SPDX-License-Identifier: ISC */
/*
 * visibly.c - see visibly.h.
 */
#include "utf8.h"
#include "visibly.h"

void
print_visibly(FILE *to, struct slice text)
{
	char escape[UTF8_ESCAPE_SIZE] = "";

	while (text.size > 0) {
		char c = *text.data;
		size_t size = 1;

		/* a queue is long, and nearly all of it is ASCII */
		if ((c >= ' ' && c <= '~') || c == '\n' || c == '\t')
			*escape = '\0';
		else
			size = utf8_escape(escape, text);
		if (*escape != '\0')
			fputs(escape, to);
		else
			fwrite(text.data, 1, size, to);
		text.data += size;
		text.size -= size;
	}
}
