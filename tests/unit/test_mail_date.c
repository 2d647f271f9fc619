/* SPDX-License-Identifier: ISC */
/*
 * test_mail_date.c - RFC 5322 dates, written and parsed; gmtime_r is the
 * second opinion.
 */
#include <time.h>
#include "mail_date.h"
#include "table.h"

static const struct {
	int64_t when_s;
	const char *want;
} dates[] = {
	{ 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
	{ 1606000140, "Sat, 21 Nov 2020 23:09:00 +0000" },
	{ 951782399, "Mon, 28 Feb 2000 23:59:59 +0000" },
	{ 951782400, "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ 951868800, "Wed, 01 Mar 2000 00:00:00 +0000" },
	{ 4107542399, "Sun, 28 Feb 2100 23:59:59 +0000" },
	{ 4107542400, "Mon, 01 Mar 2100 00:00:00 +0000" },
	{ 2147483648, "Tue, 19 Jan 2038 03:14:08 +0000" },
	{ 253402300799, "Fri, 31 Dec 9999 23:59:59 +0000" },
	{ 253402300800, "Fri, 31 Dec 9999 23:59:59 +0000" },
	{ INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
	{ -1, "Thu, 01 Jan 1970 00:00:00 +0000" },
	{ INT64_MIN, "Thu, 01 Jan 1970 00:00:00 +0000" },
};

static void
test_write(void **state)
{
	char got[MAIL_DATE_SIZE];

	(void)state;
	for (size_t i = 0; i < N_OF(dates); i++) {
		mail_date_write(got, dates[i].when_s);
		CHECK_STRING(dates[i].want, got, dates[i].want);
	}
}

/* 450 years in steps of 11 hours and a bit, each written and read back. */
static void
test_round_trip(void **state)
{
	char got[MAIL_DATE_SIZE], want[MAIL_DATE_SIZE];

	(void)state;
	for (int64_t t = 0; t < 14200000000; t += 39601) {
		time_t time = (time_t)t;
		struct tm tm;
		int64_t back;

		assert_non_null(gmtime_r(&time, &tm));
		assert_int_equal(strftime(want, sizeof(want),
		    "%a, %d %b %Y %H:%M:%S +0000", &tm), MAIL_DATE_SIZE - 1);
		mail_date_write(got, t);
		CHECK_STRING(want, got, want);
		CHECK(want, mail_date_parse(slice_of(got), &back));
		CHECK(want, back == t);
	}
}

#define NOON INT64_C(1605960000)	/* 21 Nov 2020 12:00 UTC */

static const struct {
	const char *text;
	bool want;
	int64_t when_s;
} parsed[] = {
	{ "Sat, 21 Nov 2020 12:00:00 +0000", true, NOON },
	{ "21 Nov 2020 12:00:00 +0000", true, NOON },
	{ "sat, 21 nov 2020 12:00 +0000", true, NOON },
	{ " Sat,\n\t21 Nov 2020 12:00:00 +0000 (UTC)\n", true, NOON },
	{ "Sat, 21 Nov 2020 12:00:00 -0000", true, NOON },
	{ "Sat, 21 Nov 2020 14:00:00 +0200", true, NOON },
	{ "Sat, 21 Nov 2020 06:30:00 -0530", true, NOON },
	{ "Sun, 22 Nov 2020 00:30:00 +1230", true, NOON },
	{ "21 Nov 20 12:00:00 GMT", true, NOON },
	{ "21 Nov 2020 12:00:00 UT", true, NOON },
	{ "21 Nov 2020 12:00:00 Z", true, NOON },
	{ "21 Nov 2020 07:00:00 EST", true, NOON },
	{ "21 Nov 2020 08:00:00 edt", true, NOON },
	{ "21 Nov 2020 04:00:00 PST", true, NOON },
	{ "21 Nov 2020 12:00:00 XYZ", true, NOON },
	{ "1 Jan 70 00:00:00 +0000", true, 0 },
	{ "1 Jan 120 00:00:00 +0000", true, 1577836800 },
	{ "1 Jan 1960 00:00:00 +0000", true, -315619200 },
	{ "29 Feb 2000 00:00:00 +0000", true, 951782400 },
	{ "31 Dec 2016 23:59:60 +0000", true, 1483228799 },
	{ "(a(b\\)c))21(x)Nov 2020 12 : 00 : 00 +0000", true, NOON },
	{ "29 Feb 2001 00:00:00 +0000", false, 0 },
	{ "31 Apr 2020 00:00:00 +0000", false, 0 },
	{ "0 Apr 2020 00:00:00 +0000", false, 0 },
	{ "21 Nov 1899 12:00:00 +0000", false, 0 },
	{ "21 Nov 2 12:00:00 +0000", false, 0 },
	{ "21 Nov 20200 12:00:00 +0000", false, 0 },
	{ "121 Nov 2020 12:00:00 +0000", false, 0 },
	{ "21 Nov 2020 24:00:00 +0000", false, 0 },
	{ "21 Nov 2020 12:60:00 +0000", false, 0 },
	{ "21 Nov 2020 12:00:61 +0000", false, 0 },
	{ "21 Nov 2020 1:00:00 +0000", false, 0 },
	{ "21 Nov 2020 12:00:00", false, 0 },
	{ "21 Nov 2020 12:00:00 +000", false, 0 },
	{ "21 Nov 2020 12:00:00 +00000", false, 0 },
	{ "21 Nov 2020 12:00:00 +0060", false, 0 },
	{ "21 Nov 2020 12:00:00 + 0000", false, 0 },
	{ "21 Nov 2020 12:00:00 +0000 x", false, 0 },
	{ "Sat 21 Nov 2020 12:00:00 +0000", false, 0 },
	{ "Foo, 21 Nov 2020 12:00:00 +0000", false, 0 },
	{ "21 Foo 2020 12:00:00 +0000", false, 0 },
	{ "2020-11-21T12:00:00Z", false, 0 },
	{ "(", false, 0 },
	{ "(\\", false, 0 },
	{ "21 Nov 2020 12:00:00 +0000 (x", false, 0 },
	{ "", false, 0 },
};

static void
test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(parsed); i++) {
		int64_t got = 0;

		CHECK(parsed[i].text, mail_date_parse(
		    slice_of(parsed[i].text), &got) == parsed[i].want);
		CHECK(parsed[i].text, got == parsed[i].when_s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
