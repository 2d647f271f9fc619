/* SPDX-License-Identifier: ISC */
/*
 * test_tls_report.c - what is counted for whom, on which day, and that no
 * number of domains makes it grow without end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "../../relay/tls_report.h"

#define DAY INT64_C(86400)
#define NOON (INT64_C(20000) * DAY + DAY / 2)	/* 2024-10-04 */

static const struct tls_report_key sts = { TLS_POLICY_STS, "example.net",
	"mx.example.net" };

static void
says(const struct tls_report *r, int64_t now_s, bool is_yesterday,
    const char *want)
{
	struct buf text = { 0 };

	assert_int_equal(tls_report_put_day(&text, r, now_s, is_yesterday),
	    0);
	assert_int_equal(buf_append(&text, "", 1), 0);
	assert_string_equal(text.data, want);
	buf_free(&text);
}

static void
test_rows(void **state)
{
	const struct tls_report_key fetch = { TLS_POLICY_STS, "example.org",
		"" };
	struct tls_report *r = tls_report_new();
	struct buf sums = { 0 };

	(void)state;
	says(r, NOON, false, "");
	tls_report_add(r, &sts, TLS_RESULT_OK, NOON);
	tls_report_add(r, &sts, TLS_RESULT_OK, NOON);
	tls_report_add(r, &sts, TLS_RESULT_EXPIRED, NOON);
	tls_report_add(r, &sts, TLS_RESULT_NO_STARTTLS, NOON);
	says(r, NOON, false, "day=2024-10-04 policy=sts domain=example.net "
	    "mx=mx.example.net successful=2 failed=2 "
	    "starttls-not-supported=1 certificate-expired=1\n");
	says(r, NOON, true, "");
	/* the next day */
	tls_report_add(r, &fetch, TLS_RESULT_STS_WEBPKI, NOON + DAY);
	says(r, NOON + DAY, false, "day=2024-10-05 policy=sts "
	    "domain=example.org mx=\"\" successful=0 failed=1 "
	    "sts-webpki-invalid=1\n");
	says(r, NOON + DAY, true, "day=2024-10-04 policy=sts "
	    "domain=example.net mx=mx.example.net successful=2 failed=2 "
	    "starttls-not-supported=1 certificate-expired=1\n");
	/* nothing since: neither is it */
	says(r, NOON + 3 * DAY, false, "");
	says(r, NOON + 3 * DAY, true, "");
	tls_report_put_sums(&sums, r);
	assert_true(slice_equals(buf_slice(&sums), SLICE(
	    " tls_sts_successful=2 tls_sts_starttls-not-supported=1 "
	    "tls_sts_certificate-expired=1 tls_sts_sts-webpki-invalid=1")));
	buf_free(&sums);
	tls_report_free(&r);
	assert_null(r);
}

static void
test_bounds(void **state)
{
	struct tls_report *r = tls_report_new();
	struct buf text = { 0 };
	struct slice rest, line = { "", 0 };
	char name[64];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < TLS_REPORT_ROWS_MAX + 7; i++) {
		const struct tls_report_key key = { TLS_POLICY_NONE, name,
			"mx" };

		snprintf(name, sizeof name, "d%u.example", i);
		tls_report_add(r, &key, TLS_RESULT_OK, NOON);
	}
	assert_int_equal(tls_report_put_day(&text, r, NOON, false), 0);
	rest = buf_slice(&text);
	while (rest.size > 0) {
		line = slice_next_line(&rest);
		n++;
	}
	assert_int_equal(n, TLS_REPORT_ROWS_MAX + 1);
	assert_true(slice_equals(line, SLICE("day=2024-10-04 left_out=7")));
	buf_free(&text);
	text.maximum = 100;
	assert_true(tls_report_put_day(&text, r, NOON, false) < 0);
	buf_free(&text);
	tls_report_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
