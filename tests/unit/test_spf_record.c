/* SPDX-License-Identifier: ISC */
/*
 * test_spf_record.c - the grammar of SPF records, and macros.
 */
#include "table.h"
#include "../../policy/spf_macro.h"
#include "../../policy/spf_record.h"

/* ---- records ---- */

#define OK NULL
#define SYNTAX "x"

static const struct {
	const char *text;
	const char *problem;
} records[] = {
	{ "v=spf1", OK }, { "v=spf1 ", OK }, { "V=SPF1 -ALL", OK },
	{ "v=spf10", SYNTAX }, { "v=spf1-all", SYNTAX }, { "", SYNTAX },
	{ "v=spf1\t-all", SYNTAX }, { " v=spf1", SYNTAX },
	/* all */
	{ "v=spf1 +all ~all ?all all", OK }, { "v=spf1 -all.", SYNTAX },
	{ "v=spf1 all:x", SYNTAX }, { "v=spf1 all/8", SYNTAX },
	{ "v=spf1 --all", SYNTAX }, { "v=spf1 !all", SYNTAX },
	{ "v=spf1 - all", SYNTAX },
	/* a, mx */
	{ "v=spf1 a mx a/24 mx//64 a/24//64 a:b.c/0//0", OK },
	{ "v=spf1 a/33", SYNTAX }, { "v=spf1 a//129", SYNTAX },
	{ "v=spf1 a/024", SYNTAX }, { "v=spf1 a/00", SYNTAX },
	{ "v=spf1 a/24/64", SYNTAX }, { "v=spf1 a/", SYNTAX },
	{ "v=spf1 a//", SYNTAX }, { "v=spf1 a///64", SYNTAX },
	{ "v=spf1 a/24//", SYNTAX }, { "v=spf1 a/-1", SYNTAX },
	{ "v=spf1 a/99999999999999999999", SYNTAX },
	{ "v=spf1 a/18446744073709551617", SYNTAX },
	{ "v=spf1 a:", SYNTAX }, { "v=spf1 a:/24", SYNTAX },
	{ "v=spf1 a:example.com:8080", SYNTAX },
	{ "v=spf1 a:foo:bar/baz.example.com", OK },
	{ "v=spf1 a:foo/24.example.com/24", OK },
	{ "v=spf1 a=b.c", OK },		/* an unknown modifier */
	{ "v=spf1 a:museum", SYNTAX }, { "v=spf1 a:museum.", SYNTAX },
	{ "v=spf1 a:1.2.3.4", SYNTAX }, { "v=spf1 a:x.-com", SYNTAX },
	{ "v=spf1 a:x.com-", SYNTAX }, { "v=spf1 a:x.xn--y", OK },
	{ "v=spf1 a:x.com..", SYNTAX }, { "v=spf1 a:x.com.", OK },
	{ "v=spf1 mxx", SYNTAX }, { "v=spf1 A:B.C", OK },
	/* include, exists, ptr */
	{ "v=spf1 include:a.b exists:%{i}.b ptr ptr:a.b", OK },
	{ "v=spf1 include", SYNTAX }, { "v=spf1 exists", SYNTAX },
	{ "v=spf1 ptr:", SYNTAX }, { "v=spf1 ptr/0", SYNTAX },
	{ "v=spf1 include:a.b/24", SYNTAX }, { "v=spf1 exists:a.b/24", SYNTAX },
	/* ip4, ip6 */
	{ "v=spf1 ip4:1.2.3.4 ip4:1.2.3.0/24 ip4:0.0.0.0/0", OK },
	{ "v=spf1 ip6:::/0 ip6:2001:db8::/32 ip6:::ffff:1.2.3.4", OK },
	{ "v=spf1 ip4:1.2.3", SYNTAX }, { "v=spf1 ip4:1.2.3.4:25", SYNTAX },
	{ "v=spf1 ip4:1.2.3.4/33", SYNTAX }, { "v=spf1 ip4:01.2.3.4", SYNTAX },
	{ "v=spf1 ip4:1.2.3.4//32", SYNTAX }, { "v=spf1 ip4", SYNTAX },
	{ "v=spf1 ip4:", SYNTAX }, { "v=spf1 ip4:/8", SYNTAX },
	{ "v=spf1 ip4:%{i}", SYNTAX }, { "v=spf1 ip4:::1", SYNTAX },
	{ "v=spf1 ip6:1.2.3.4", SYNTAX }, { "v=spf1 ip6:::1/129", SYNTAX },
	{ "v=spf1 ip6::1", SYNTAX }, { "v=spf1 ip6:::1%eth0", SYNTAX },
	{ "v=spf1 ip6:1:2:3:4:5:6:7:8:9", SYNTAX },
	/* modifiers */
	{ "v=spf1 redirect=a.b exp=a.b", OK },
	{ "v=spf1 redirect=a.b redirect=a.b", SYNTAX },
	{ "v=spf1 exp=a.b EXP=a.b", SYNTAX }, { "v=spf1 exp=", SYNTAX },
	{ "v=spf1 redirect=", SYNTAX }, { "v=spf1 redirect:a.b", SYNTAX },
	{ "v=spf1 -redirect=a.b", SYNTAX }, { "v=spf1 exp=-all", SYNTAX },
	{ "v=spf1 x= x-y_z.1=%{d}%%%_%-", OK }, { "v=spf1 1x=y", SYNTAX },
	{ "v=spf1 =all", SYNTAX }, { "v=spf1 x/y=z", SYNTAX },
	{ "v=spf1 x:y=z", SYNTAX }, { "v=spf1 x=%a", SYNTAX },
	{ "v=spf1 x=%{c}", SYNTAX },
	/* macros: what crashes libspf2, and what is wrong */
	{ "v=spf1 a:%{d99999999999999999999999}.b", OK },
	{ "v=spf1 a:%{d0}.b", SYNTAX }, { "v=spf1 a:%{d00}.b", SYNTAX },
	{ "v=spf1 a:%{d", SYNTAX }, { "v=spf1 a:%{", SYNTAX },
	{ "v=spf1 a:%", SYNTAX }, { "v=spf1 exists:%", SYNTAX },
	{ "v=spf1 a:%{dr", SYNTAX }, { "v=spf1 a:%{d!}", SYNTAX },
	{ "v=spf1 a:%{d.-+,/_=}", OK }, { "v=spf1 a:%{D2R}", OK },
	{ "v=spf1 a:%{}", SYNTAX }, { "v=spf1 a:%{z}", SYNTAX },
	{ "v=spf1 a:%{t}.b", SYNTAX }, { "v=spf1 a:%(d).b", SYNTAX },
	{ "v=spf1 a:%{d}x", SYNTAX }, { "v=spf1 a:%{d}.x", OK },
	{ "v=spf1 a:%{d}/24//64", OK }, { "v=spf1 a:x.%%", OK },
	/* octets */
	{ "v=spf1 a:\xc3\xa4.b -all", SYNTAX }, { "v=spf1 x=\x7f", SYNTAX },
	{ "v=spf1 a\r\n -all", SYNTAX },
};

static void
grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(records); i++) {
		struct slice where, text = slice_of(records[i].text);
		struct spf_record record;
		const char *problem = spf_record_check(&record, text, &where);

		CHECK(records[i].text, (problem != NULL) ==
		    (records[i].problem != NULL));
	}
}

static void
nul_octets(void **state)
{
	struct spf_record record;
	struct slice where;

	(void)state;
	assert_non_null(spf_record_check(&record,
	    SLICE("v=spf1 a:foo.example.com\0"), &where));
	assert_non_null(spf_record_check(&record,
	    SLICE("v=spf1 ip4:1.2.3.4\0 -all"), &where));
	assert_non_null(spf_record_check(&record, SLICE("v=spf1\0"), &where));
	assert_non_null(spf_record_check(&record,
	    SLICE("v=spf1 \0all"), &where));
}

static void
terms(void **state)
{
	struct slice where, rest;
	struct spf_record record;
	struct spf_term term;

	(void)state;
	assert_null(spf_record_check(&record, SLICE("v=spf1  ~a:%{h}/20//40 "
	    "exp=x.%{d} -ip4:10.0.0.0/8 ?all redirect=r.example "), &where));
	assert_true(slice_equals(record.exp, SLICE("x.%{d}")));
	assert_true(slice_equals(record.redirect, SLICE("r.example")));
	rest = record.terms;
	assert_true(spf_record_next(&rest, &term));
	assert_int_equal(term.mechanism, SPF_A);
	assert_int_equal(term.qualifier, '~');
	assert_int_equal(term.prefix4, 20);
	assert_int_equal(term.prefix6, 40);
	assert_true(slice_equals(term.spec, SLICE("%{h}")));
	assert_true(spf_record_next(&rest, &term));
	assert_int_equal(term.mechanism, SPF_MODIFIER);
	assert_true(spf_record_next(&rest, &term));
	assert_int_equal(term.mechanism, SPF_IP4);
	assert_int_equal(term.prefix4, 8);
	assert_int_equal(term.address[0], 10);
	assert_true(spf_record_next(&rest, &term));
	assert_int_equal(term.mechanism, SPF_ALL);
	assert_int_equal(term.qualifier, '?');
	assert_true(spf_record_next(&rest, &term));
	assert_false(spf_record_next(&rest, &term));
}

static void
too_long(void **state)
{
	struct buf text = { 0 };
	struct spf_record record;
	struct slice where;

	(void)state;
	buf_puts(&text, "v=spf1");
	while (text.size < 65536)
		buf_puts(&text, " a");
	assert_string_equal(spf_record_check(&record, buf_slice(&text),
	    &where), "record too long");
	text.size = SPF_RECORD_MAX;
	assert_null(spf_record_check(&record, buf_slice(&text), &where));
	buf_free(&text);
}

/* ---- macros ---- */

static const struct {
	const char *text, *want;
} expansions[] = {
	/* the examples of RFC 7208 7.4 */
	{ "%{s}", "strong-bad@email.example.com" },
	{ "%{o}", "email.example.com" }, { "%{d}", "email.example.com" },
	{ "%{d4}", "email.example.com" }, { "%{d3}", "email.example.com" },
	{ "%{d2}", "example.com" }, { "%{d1}", "com" },
	{ "%{dr}", "com.example.email" }, { "%{d2r}", "example.email" },
	{ "%{l}", "strong-bad" }, { "%{l-}", "strong.bad" },
	{ "%{lr}", "strong-bad" }, { "%{lr-}", "bad.strong" },
	{ "%{l1r-}", "strong" },
	{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
	{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
	{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
	    "bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
	{ "%{d2}.trusted-domains.example.net",
	    "example.com.trusted-domains.example.net" },
	/* more */
	{ "", "" }, { "a%%b%_c%-d", "a%b c%20d" },
	{ "%{S}", "strong-bad%40email.example.com" },
	{ "%{d99999999999999999999}", "email.example.com" },
	{ "%{d4294967297}", "email.example.com" },
	{ "%{d128r}", "com.example.email" },
	{ "%{h-.}", "a..b" }, { "%{hr.}", "b.a-" }, { "%{H}", "a-.b" },
	{ "%{s.@=}", NULL },
	{ "%{d=}", "email.example.com" }, { "%{p}", "" }, { "%{p2r}", "" },
};

static void
expand(void **state)
{
	struct spf_values v = { 0 };

	(void)state;
	v.of['s' - 'a'] = SLICE("strong-bad@email.example.com");
	v.of['l' - 'a'] = SLICE("strong-bad");
	v.of['o' - 'a'] = v.of['d' - 'a'] = SLICE("email.example.com");
	v.of['i' - 'a'] = SLICE("192.0.2.3");
	v.of['v' - 'a'] = SLICE("in-addr");
	v.of['h' - 'a'] = SLICE("a-.b");
	for (size_t i = 0; i < N_OF(expansions); i++) {
		struct slice text = slice_of(expansions[i].text);
		struct buf out = { 0 };
		bool is_valid = spf_macro_is_valid(text, SPF_IN_RECORD);

		CHECK(expansions[i].text, is_valid ==
		    (expansions[i].want != NULL));
		if (is_valid) {
			assert_int_equal(spf_macro_expand(&out, text, &v), 0);
			CHECK(expansions[i].text, slice_equals(
			    buf_slice(&out), slice_of(expansions[i].want)));
		}
		buf_free(&out);
	}
}

static void
bounded(void **state)
{
	struct spf_values v = { 0 };
	struct buf text = { 0 }, out = { .maximum = 1000 };
	char dots[5000];

	(void)state;
	memset(dots, '.', sizeof dots);
	v.of['h' - 'a'] = (struct slice){ dots, sizeof dots };
	assert_true(spf_macro_expand(&out, SLICE("%{h}"), &v) < 0);
	assert_true(spf_macro_expand(&out, SLICE("%{hr}"), &v) < 0);
	v.of['h' - 'a'] = (struct slice){ dots, 300 };
	while (text.size < 8000)
		buf_puts(&text, "%{H1r.-+,/_=}%{hr}");
	assert_true(spf_macro_expand(&out, buf_slice(&text), &v) < 0);
	assert_true(out.size <= 1000);
	buf_free(&text);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),
		cmocka_unit_test(nul_octets),
		cmocka_unit_test(terms),
		cmocka_unit_test(too_long),
		cmocka_unit_test(expand),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
