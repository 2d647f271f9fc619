/* SPDX-License-Identifier: ISC */
/*
 * check.c - what all checks use; see check.h.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include "check.h"

static void set_detail(struct check *c, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void set_verdict(struct check *c, int code, const char *format,
    va_list ap) __attribute__((format(printf, 3, 0)));

static void
set_detail(struct check *c, const char *format, va_list ap)
{
	if (vsnprintf(c->detail, sizeof c->detail, format, ap) < 0)
		c->detail[0] = '\0';
}

static void
set_verdict(struct check *c, int code, const char *format, va_list ap)
{
	c->verdict.code = (uint16_t)code;
	if (vsnprintf(c->verdict.text, sizeof c->verdict.text, format,
	    ap) < 0)
		c->verdict.text[0] = '\0';
	if (c->detail[0] == '\0')
		snprintf(c->detail, sizeof c->detail, "%.*s",
		    JUDGEMENT_DETAIL_MAX, c->verdict.text);
}

enum check_said
check_good(struct check *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_detail(c, format, ap);
	va_end(ap);
	return SAID_GOOD;
}

enum check_said
check_bad(struct check *c, int code, int subject, int detail,
    const char *format, ...)
{
	va_list ap;

	c->verdict.subject = (uint8_t)subject;
	c->verdict.detail = (uint8_t)detail;
	va_start(ap, format);
	set_verdict(c, code, format, ap);
	va_end(ap);
	return SAID_BAD;
}

enum check_said
check_silent(struct check *c, int subject, int detail, const char *format,
    ...)
{
	va_list ap;

	c->verdict.subject = (uint8_t)subject;
	c->verdict.detail = (uint8_t)detail;
	va_start(ap, format);
	set_verdict(c, 451, format, ap);
	va_end(ap);
	return SAID_SILENCE;
}

void
check_note(struct check *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_detail(c, format, ap);
	va_end(ap);
}

struct slice
check_told(const struct check *c, enum fact_kind kind)
{
	struct slice value;

	facts_find(c->facts, kind, SLICE(""), &value);
	return value;
}

void
check_told_text(const struct check *c, enum fact_kind kind, char *to,
    size_t room)
{
	slice_clip(to, room, check_told(c, kind));
}

bool
check_client_ip(const struct check *c, char *to, size_t room)
{
	uint8_t octets[16];

	return slice_copy(to, room, check_told(c, FACT_CLIENT_IP)) &&
	    (inet_pton(AF_INET, to, octets) == 1 ||
	    inet_pton(AF_INET6, to, octets) == 1);
}

struct slice
check_sender_domain(const struct check *c)
{
	struct slice sender = check_told(c, FACT_SENDER);
	size_t at = slice_after_last(sender, '@');

	return at == 0 ? SLICE("") :
	    (struct slice){ sender.data + at, sender.size - at };
}

/* Over the limit there is none: who needs it computes it again. */
void
check_put_result(struct check *c, const char *name, struct slice value)
{
	(void)facts_add(&c->judgement->facts, FACT_RESULT, slice_of(name),
	    value);
}

bool
check_result(const struct check *c, const char *name, struct slice *value)
{
	return facts_find(c->facts, FACT_RESULT, slice_of(name), value);
}
