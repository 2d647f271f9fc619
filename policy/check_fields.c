/* SPDX-License-Identifier: ISC */
/*
 * check_fields.c - Date and From, which every message has once (RFC 5322
 * 3.6). Both mark unless they are told to refuse: much honest mail of
 * programs has neither.
 */
#include <inttypes.h>
#include "address.h"
#include "check.h"
#include "header.h"
#include "mail_date.h"

#define FUTURE_S (2 * 86400)	/* clocks that are wrong by a time zone ... */
#define PAST_S (30 * 86400)	/* ... and mail that waited for a month */

/* How many there are; the value of the first. */
static unsigned
find_field(struct slice message, const char *name, struct slice *value)
{
	struct header_walk walk;
	struct header_field field;
	unsigned n = 0;

	header_walk_start(&walk, message, true);
	while (header_next(&walk, &field) == HEADER_FIELD)
		if (header_is(&field, name) && n++ == 0)
			*value = field.value;
	return n;
}

enum check_said
check_date(struct check *c)
{
	struct slice value = SLICE("");
	unsigned n = find_field(c->message, "Date", &value);
	unsigned long long now_s;
	int64_t when_s, late_s;

	if (n != 1)
		return check_bad(c, 550, 6, 0, n == 0 ?
		    "the message has no Date (RFC 5322 3.6)" :
		    "the message has more than one Date (RFC 5322 3.6)");
	if (!mail_date_parse(value, &when_s))
		return check_bad(c, 550, 6, 0, "the Date of the message is "
		    "malformed (RFC 5322 3.3)");
	if (!slice_number(check_told(c, FACT_TIME), INT64_MAX, &now_s))
		return SAID_NOTHING;
	late_s = (int64_t)now_s - when_s;
	if (late_s < -FUTURE_S || late_s > PAST_S)
		return check_bad(c, 550, 6, 0, "the Date of the message is "
		    "%" PRId64 " days %s its arrival", (late_s < 0 ? -late_s :
		    late_s) / 86400, late_s < 0 ? "after" : "before");
	return check_good(c, "%" PRId64 " s before its arrival", late_s);
}

/* ---- From ---- */

/* Past a quoted string or a comment that begins at i, or i + 1. */
static size_t
skip_item(struct slice s, size_t i)
{
	char open = s.data[i], close = open == '"' ? '"' : ')';
	unsigned depth = 1;

	if (open != '"' && open != '(')
		return i + 1;
	for (i++; i < s.size && depth > 0; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == close)
			depth--;
		else if (s.data[i] == open)
			depth++;
	}
	return i < s.size ? i : s.size;
}

/* The addr-spec in "Name (comment) <a@b>", or the whole without comments. */
static bool
has_address(struct slice value)
{
	struct buf plain = { .maximum = 1000 };
	struct address address;
	size_t end = value.size;
	bool is_good;

	for (size_t i = 0, next; i < value.size; i = next) {
		char c = value.data[i];

		next = skip_item(value, i);
		if (c == '<') {
			plain.size = 0;
			end = i + 1 + slice_find((struct slice){
			    value.data + i + 1, value.size - i - 1 }, '>');
			buf_append(&plain, value.data + i + 1, end - i - 1);
			break;
		}
		if (c != '(' && c != ' ' && c != '\t' && c != '\n')
			(void)buf_append(&plain, value.data + i, next - i);
	}
	is_good = end > 0 && address_parse(&address, buf_slice(&plain),
	    ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK;
	buf_free(&plain);
	return is_good;
}

enum check_said
check_from(struct check *c)
{
	struct slice value = SLICE("");
	unsigned n = find_field(c->message, "From", &value);

	if (n != 1)
		return check_bad(c, 550, 6, 0, n == 0 ?
		    "the message has no From (RFC 5322 3.6)" :
		    "the message has more than one From (RFC 5322 3.6)");
	if (!has_address(value))
		return check_bad(c, 550, 6, 0, "From holds no address (RFC "
		    "5322 3.6.2)");
	return check_good(c, "one From, with an address");
}
