/* SPDX-License-Identifier: ISC */
/*
 * verdict.c - see verdict.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include "verdict.h"

struct verdict *
verdict_set(struct verdict *v, int code, int subject, int detail,
    const char *format, ...)
{
	va_list ap;

	v->code = (uint16_t)code;
	v->subject = (uint8_t)subject;
	v->detail = (uint8_t)detail;
	va_start(ap, format);
	if (vsnprintf(v->text, sizeof(v->text), format, ap) < 0)
		v->text[0] = '\0';
	va_end(ap);
	return v;
}

uint16_t
verdict_code_for_now(uint16_t code)
{
	return code == 552 || code == 452 ? 452 : 451;
}
