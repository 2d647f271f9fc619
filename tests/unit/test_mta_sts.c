/* SPDX-License-Identifier: ISC */
/*
 * test_mta_sts.c - records and policies of RFC 8461, good and bad.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "mta_sts.h"

static void
test_records(void **state)
{
	static const struct {
		const char *txt, *id;		/* NULL: none */
	} rows[] = {
		{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
		{ "v=STSv1;id=1", "1" },
		{ "v=STSv1; x=y; id=a ; z", "a" },
		{ "v=STSv1; id=;", NULL },
		{ "v=STSv1;", NULL },
		{ "v=STSv1; id=a-b;", NULL },
		{ "v=STSv1; id=a; id=b;", NULL },
		{ "id=1; v=STSv1;", NULL },
		{ "v=stsv1; id=1;", NULL },
		{ "v=STSv10; id=1;", NULL },
		{ "v=STSv1; id=012345678901234567890123456789012;", NULL },
		{ "v=STSv1; id=01234567890123456789012345678901;",
		    "01234567890123456789012345678901" },
		{ "v=spf1 -all", NULL },
		{ "", NULL },
	};
	char id[MTA_STS_ID_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool is_one = mta_sts_record(slice_of(rows[i].txt), id);

		if (is_one != (rows[i].id != NULL))
			fail_msg("%s", rows[i].txt);
		if (is_one)
			assert_string_equal(id, rows[i].id);
	}
}

#define HEAD "version: STSv1\r\nmode: enforce\r\n"

static void
test_policies(void **state)
{
	static const struct {
		const char *text;
		bool is_one;
		enum mta_sts_mode mode;
		unsigned n_hosts, age;
	} rows[] = {
		{ HEAD "mx: a.example\r\nmx: *.b.example\r\nmax_age: 60\r\n",
		    true, MTA_STS_ENFORCE, 2, 60 },
		{ "version:STSv1\nmode:testing\nmx:a.example.\nmax_age:0",
		    true, MTA_STS_TESTING, 1, 0 },
		{ "max_age: 99999999999\nmx: a\nversion: STSv1\nmode: none",
		    false, MTA_STS_NONE, 0, 0 },
		{ "max_age: 9999999999\nversion: STSv1\nmode: none\nnew: x\n",
		    true, MTA_STS_NONE, 0, MTA_STS_AGE_MAX },
		{ HEAD "mx: a\nmax_age: 1\nmode: none\nmax_age: 2\n", true,
		    MTA_STS_ENFORCE, 1, 1 },
		{ HEAD "max_age: 60\n", false, 0, 0, 0 },
		{ HEAD "mx: a\n", false, 0, 0, 0 },
		{ HEAD "mx: a\nmax_age: -1\n", false, 0, 0, 0 },
		{ HEAD "mx: a b\nmax_age: 1\n", false, 0, 0, 0 },
		{ HEAD "mx: *\nmax_age: 1\n", false, 0, 0, 0 },
		{ HEAD "mx: *.*.a\nmax_age: 1\n", false, 0, 0, 0 },
		{ HEAD "mx: a..b\nmax_age: 1\n", false, 0, 0, 0 },
		{ HEAD "mx: a..\nmax_age: 1\n", false, 0, 0, 0 },
		{ HEAD "mx: a\001\nmax_age: 1\n", false, 0, 0, 0 },
		{ HEAD "no colon\nmx: a\nmax_age: 1\n", false, 0, 0, 0 },
		{ "version: STSv2\nmode: none\nmax_age: 1\n", false, 0, 0, 0 },
		{ "mode: none\nmax_age: 1\n", false, 0, 0, 0 },
		{ "version: STSv1\nmode: Enforce\nmax_age: 1\n", false, 0, 0,
		    0 },
		{ "<html>\n", false, 0, 0, 0 },
		{ "", false, 0, 0, 0 },
	};
	static struct mta_sts_policy p;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (mta_sts_parse(&p, slice_of(rows[i].text)) !=
		    rows[i].is_one)
			fail_msg("%s", rows[i].text);
		if (!rows[i].is_one)
			continue;
		assert_int_equal(p.mode, rows[i].mode);
		assert_int_equal(p.n_hosts, rows[i].n_hosts);
		assert_int_equal(p.max_age_s, rows[i].age);
	}
}

static void
test_hosts(void **state)
{
	static const struct {
		const char *host;
		bool is_in;
	} rows[] = { { "a.example", true }, { "A.Example", true },
	    { "x.a.example", false }, { "x.b.example", true },
	    { "b.example", false }, { "x.y.b.example", false },
	    { ".b.example", false }, { "xb.example", false }, { "", false } };
	static struct mta_sts_policy p;

	(void)state;
	assert_true(mta_sts_parse(&p, SLICE(HEAD "mx: a.example\n"
	    "mx: *.B.example\nmax_age: 1\n")));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (mta_sts_has_host(&p, rows[i].host) != rows[i].is_in)
			fail_msg("%s", rows[i].host);
}

static void
test_many_hosts(void **state)
{
	static struct mta_sts_policy p;
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(buf_puts(&text, HEAD "max_age: 1\n"), 0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(buf_printf(&text, "mx: h%u.example\n", i),
		    0);
	assert_true(mta_sts_parse(&p, buf_slice(&text)));
	assert_int_equal(p.n_hosts, MTA_STS_HOSTS_MAX);
	assert_true(mta_sts_has_host(&p, "h63.example"));
	assert_false(mta_sts_has_host(&p, "h64.example"));
	buf_free(&text);
}

/* What is written is read as the same, whatever was passed over. */
static void
test_written(void **state)
{
	static struct mta_sts_policy p, again;
	static const char *const texts[] = {
		(HEAD "mx: a.example\nmx: *.b.example\n"
		    "max_age: 86400\n"),
		("other: x\r\nmax_age: 9999999999\r\nmode: testing\r\n"
		    "mx: A.Example.\r\nversion: STSv1\r\n"),
		"version: STSv1\nmode: none\nmax_age: 0\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct buf text = { 0 };

		if (!mta_sts_parse(&p, slice_of(texts[i])))
			fail_msg("text %zu", i);
		assert_int_equal(mta_sts_write(&text, &p), 0);
		assert_true(mta_sts_parse(&again, buf_slice(&text)));
		assert_memory_equal(&p, &again, sizeof p);
		buf_free(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_many_hosts),
		cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
