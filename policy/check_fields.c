/* SPDX-License-Identifier: ISC */
/*
 * check_fields.c - Date and From, which every message has once (RFC 5322
 * 3.6). Both mark unless they are told to refuse: much honest mail of
 * programs has neither.
 */
#include <inttypes.h>
#include "address_list.h"
#include "author.h"
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

/*
 * At least one of its mailboxes, which may stand in groups (RFC 6854). In
 * "Doe Jane, Example Ltd <jane@example.org>", whose name lacks its quotes,
 * DMARC's reader finds one.
 */
static bool
has_address(struct slice value)
{
	char domain[ADDRESS_DOMAIN_MAX + 1];
	enum author_result author;
	struct address_list list;
	struct address a;

	address_list_start(&list, value);
	while (address_list_next(&list, &a) == ADDRESS_LIST_MAILBOX)
		if (*a.domain != '\0')
			return true;
	author = author_of_field(value, domain);
	return author == AUTHOR_OK || author == AUTHOR_SEVERAL_DOMAINS;
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
