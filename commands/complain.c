/* SPDX-License-Identifier: ISC */
/*
 * complain.c - see complain.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include "complain.h"

#define LINE_MAX_OCTETS 2000

static const char *program = "sendmail";
static bool is_quiet;

void
complain_as(const char *name)
{
	program = name;
}

void
complain_quietly(void)
{
	is_quiet = true;
}

int
complain(int status, const char *format, ...)
{
	char line[LINE_MAX_OCTETS];
	va_list ap;

	if (is_quiet)
		return status;
	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	/* addresses and replies are others' words, and this is a terminal */
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "%s: %s\n", program, line);
	return status;
}
