/* SPDX-License-Identifier: ISC */
/*
 * test_facts.c - sets of facts and DNS answers: round trips, limits, and
 * what a hostile writer of them may send.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "dns.h"
#include "facts.h"

/* ---- names ---- */

static void
names_are_lowered_and_measured(void **state)
{
	static const struct { const char *from, *want; } rows[] = {
		{ "Example.ORG", "example.org" },
		{ "example.org.", "example.org" },
		{ "", "" },
		{ ".", "" },
		{ "_dmarc.x y.example", "_dmarc.x y.example" },
		{ "a..b", NULL },
		{ ".a", NULL },
		{ "a..", NULL },
		{ "..", NULL },
	};
	char to[DNS_NAME_MAX + 1], label[64 + 1], name[300];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(dns_name(to, slice_of(rows[i].from)),
		    rows[i].want != NULL);
		assert_string_equal(to, rows[i].want ? rows[i].want : "");
	}
	assert_false(dns_name(to, (struct slice){ "a\0b", 3 }));
	memset(label, 'x', 64);
	label[64] = '\0';
	assert_false(dns_name(to, slice_of(label)));
	label[63] = '\0';
	assert_true(dns_name(to, slice_of(label)));
	/* three of 63 and one of 61: 253 octets */
	snprintf(name, sizeof name, "%s.%s.%s.%.61s", label, label, label,
	    label);
	assert_true(dns_name(to, slice_of(name)));
	snprintf(name, sizeof name, "%s.%s.%s.%.62s", label, label, label,
	    label);
	assert_false(dns_name(to, slice_of(name)));
}

static void
addresses_become_names(void **state)
{
	static const struct { const char *ip, *reverse, *list; } rows[] = {
		{ "192.0.2.99", "99.2.0.192.in-addr.arpa",
		    "99.2.0.192.zen.example" },
		{ "::ffff:192.0.2.99", "99.2.0.192.in-addr.arpa",
		    "99.2.0.192.zen.example" },
		{ "2001:db8::1",
		    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		    "8.b.d.0.1.0.0.2.ip6.arpa",
		    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
		    "8.b.d.0.1.0.0.2.zen.example" },
		{ "192.0.2", NULL, NULL },
		{ "host.example", NULL, NULL },
		{ "", NULL, NULL },
	};
	char to[DNS_NAME_MAX + 1], zone[DNS_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *want = rows[i].reverse ? rows[i].reverse : "";

		assert_int_equal(dns_reverse_name(to, rows[i].ip),
		    *want != '\0');
		assert_string_equal(to, want);
		assert_int_equal(dns_list_name(to, rows[i].ip, "Zen.example."),
		    *want != '\0');
		assert_string_equal(to, rows[i].list ? rows[i].list : "");
	}
	assert_false(dns_list_name(to, "192.0.2.1", ""));
	memset(zone, 'a', DNS_NAME_MAX);
	zone[DNS_NAME_MAX] = '\0';
	for (size_t i = 60; i < DNS_NAME_MAX; i += 60)
		zone[i] = '.';
	assert_false(dns_list_name(to, "2001:db8::1", zone));
}

/* ---- answers ---- */

static struct dns_answer
answer_of(const char *one, const char *two)
{
	struct dns_answer a = { .status = DNS_OK, .ttl_s = 300,
		.is_secure = true };

	a.records[a.n_records++].data = slice_of(one);
	if (two != NULL)
		a.records[a.n_records++].data = slice_of(two);
	return a;
}

static void
answers_survive_the_wire(void **state)
{
	struct dns_answer a = answer_of("v=spf1 -all", "other"), b;
	struct buf wire = { 0 };

	(void)state;
	a.is_cut = a.is_unchecked = true;
	a.canonical = SLICE("mx.example.org");
	assert_int_equal(put_dns_answer(&wire, &a), 0);
	assert_true(get_dns_answer(buf_slice(&wire), &b));
	assert_int_equal(b.status, DNS_OK);
	assert_int_equal(b.ttl_s, 300);
	assert_true(b.is_secure && b.is_cut && b.is_unchecked);
	assert_true(slice_equals(b.canonical, SLICE("mx.example.org")));
	assert_int_equal(b.n_records, 2);
	assert_true(slice_equals(b.records[0].data, SLICE("v=spf1 -all")));
	assert_true(slice_equals(b.records[1].data, SLICE("other")));
	/* none of its beginnings is one, nor with more behind it */
	for (size_t n = 0; n < wire.size; n++) {
		assert_false(get_dns_answer((struct slice){ wire.data, n },
		    &b));
		assert_int_equal(b.status, DNS_FAILED);
		assert_int_equal(b.n_records, 0);
		assert_int_equal(b.canonical.size, 0);
	}
	buf_append(&wire, "", 1);
	assert_false(get_dns_answer(buf_slice(&wire), &b));
	buf_free(&wire);
}

static void
answers_that_contradict_themselves(void **state)
{
	static const uint8_t rows[][10] = {
		{ DNS_OK, 0, 0, 0, 0, 0, 0, 0 },	/* no record */
		{ DNS_NO_NAME, 0, 0, 0, 0, 0, 0, 1, 0, 0 },
		{ DNS_FAILED + 1, 0, 0, 0, 0, 0, 0, 0 },
		{ DNS_NO_DATA, 16, 0, 0, 0, 0, 0, 0 },
		{ DNS_OK, 0, 0, 0, 0, 0, 0, 101, 0, 0 },
		{ DNS_NO_DATA, 8, 0, 0, 0, 0, 0, 0 },	/* no alias */
	};
	static const uint8_t nothing[] = { DNS_NO_DATA, 0, 0, 0, 0, 9, 0, 0 };
	struct dns_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_false(get_dns_answer((struct slice){
		    (const char *)rows[i], rows[i][7] ? 10 : 8 }, &a));
	assert_true(get_dns_answer((struct slice){ (const char *)nothing,
	    sizeof nothing }, &a));
	assert_int_equal(a.ttl_s, 9);
}

static void
answers_have_limits(void **state)
{
	static char octets[DNS_ANSWER_BYTES_MAX + 1];
	struct dns_answer a = { .status = DNS_OK, .n_records = 1,
		.records = { { { octets, sizeof octets } } } };
	struct buf wire = { 0 };

	(void)state;
	assert_int_equal(put_dns_answer(&wire, &a), -ENOBUFS);
	assert_int_equal(wire.size, 0);
	a.records[0].data.size--;
	assert_int_equal(put_dns_answer(&wire, &a), 0);
	assert_in_range(wire.size, DNS_ANSWER_BYTES_MAX, FACT_VALUE_MAX);
	a.n_records = DNS_RECORDS_MAX + 1;
	assert_int_equal(put_dns_answer(&wire, &a), -ENOBUFS);
	buf_free(&wire);
}

static void
mx_records_have_a_host(void **state)
{
	uint16_t preference;
	struct slice host;

	(void)state;
	assert_true(dns_mx((struct slice){ "\1\2mx.example", 12 },
	    &preference, &host));
	assert_int_equal(preference, 258);
	assert_true(slice_equals(host, SLICE("mx.example")));
	assert_true(dns_mx((struct slice){ "\0\0", 2 }, &preference, &host));
	assert_int_equal(host.size, 0);
	assert_false(dns_mx(SLICE("x"), &preference, &host));
}

/* ---- sets ---- */

static void
facts_are_known_once_and_wanted_once(void **state)
{
	struct facts f = { 0 };
	struct slice v;

	(void)state;
	assert_int_equal(facts_add(&f, FACT_HELO, SLICE(""), SLICE("mx")), 0);
	assert_int_equal(facts_add(&f, FACT_HELO, SLICE(""), SLICE("other")),
	    -EEXIST);
	assert_true(facts_find(&f, FACT_HELO, SLICE(""), &v));
	assert_true(slice_equals(v, SLICE("mx")));
	assert_false(facts_find(&f, FACT_HOST, SLICE(""), &v));
	assert_int_equal(f.n_wanted, 0);
	assert_false(facts_get(&f, FACT_DNS_A, SLICE("a.example"), &v));
	assert_false(facts_get(&f, FACT_DNS_A, SLICE("a.example"), &v));
	assert_false(facts_get(&f, FACT_DNS_AAAA, SLICE("a.example"), &v));
	assert_int_equal(f.n_wanted, 2);
	assert_int_equal(facts_add(&f, FACT_DNS_A, SLICE("a.example"),
	    SLICE("x")), 0);
	assert_int_equal(f.n_wanted, 1);
	assert_int_equal(f.wanted[0].kind, FACT_DNS_AAAA);
	assert_true(facts_get(&f, FACT_DNS_A, SLICE("a.example"), &v));
	facts_free(&f);
	assert_int_equal(f.bytes, 0);
}

static void
dns_facts_say_failed_rather_than_nothing(void **state)
{
	struct dns_answer said = answer_of("\177\0\0\2", NULL), a;
	struct facts f = { 0 };
	struct buf wire = { 0 };

	(void)state;
	put_dns_answer(&wire, &said);
	facts_add(&f, FACT_DNS_A, SLICE("good.example"), buf_slice(&wire));
	facts_add(&f, FACT_DNS_A, SLICE("bad.example"), SLICE("?"));
	assert_true(facts_dns(&f, FACT_DNS_A, SLICE("Good.EXAMPLE."), &a));
	assert_int_equal(a.status, DNS_OK);
	assert_int_equal(a.n_records, 1);
	assert_true(facts_dns(&f, FACT_DNS_A, SLICE("bad.example"), &a));
	assert_int_equal(a.status, DNS_FAILED);
	assert_true(facts_dns(&f, FACT_DNS_A, SLICE("no..name"), &a));
	assert_int_equal(a.status, DNS_NO_NAME);
	assert_int_equal(f.n_wanted, 0);
	assert_false(facts_dns(&f, FACT_DNS_A, SLICE("New.Example"), &a));
	assert_int_equal(f.n_wanted, 1);
	assert_true(slice_equals(f.wanted[0].key, SLICE("new.example")));
	assert_int_equal(fact_dns_type(FACT_DNS_PTR), DNS_PTR);
	assert_int_equal(fact_dns_type(FACT_SEEN), 0);
	facts_free(&f);
	buf_free(&wire);
}

static void
sets_have_limits(void **state)
{
	static char octets[FACT_VALUE_MAX + 1];
	struct facts f = { 0 };
	char key[16];
	struct slice v;
	int error = 0;

	(void)state;
	assert_int_equal(facts_add(&f, FACT_DNS_TXT, SLICE("a"),
	    (struct slice){ octets, sizeof octets }), -ENOBUFS);
	assert_true(f.is_over);
	facts_free(&f);
	for (int i = 0; i < 10 && error == 0; i++) {
		snprintf(key, sizeof key, "%d", i);
		error = facts_add(&f, FACT_DNS_TXT, slice_of(key),
		    (struct slice){ octets, FACT_VALUE_MAX });
	}
	assert_int_equal(error, -ENOBUFS);
	assert_in_range(f.bytes, FACTS_BYTES_MAX / 2, FACTS_BYTES_MAX);
	facts_free(&f);
	for (int i = 0; i < 2 * FACTS_MAX; i++) {
		snprintf(key, sizeof key, "%d", i);
		facts_get(&f, FACT_DNS_A, slice_of(key), &v);
	}
	assert_int_equal(f.n_wanted, FACTS_MAX);
	assert_true(f.is_over);
	facts_free(&f);
}

static void
fill(struct facts *f)
{
	struct slice v;

	facts_add(f, FACT_CLIENT_IP, SLICE(""), SLICE("192.0.2.1"));
	facts_add(f, FACT_SENDER, SLICE(""), SLICE(""));
	facts_add(f, FACT_RESULT, SLICE("spf"), SLICE("pass"));
	facts_get(f, FACT_DNS_MX, SLICE("example.org"), &v);
	facts_get(f, FACT_GREYLIST, SLICE("192.0.2.0/24\na@b\nc@d"), &v);
}

/* What resolver or store would have its asker killed for. */
static void
what_nobody_may_ask_is_no_wanted_fact(void **state)
{
	static char longest[FACT_KEY_MAX + 1];
	static const struct {
		enum fact_kind kind;
		const char *key;
		bool is_good;
	} rows[] = {
		{ FACT_DNS_TXT, "a.example", true },
		{ FACT_DNS_A, "", true },
		{ FACT_DNS_TXT, "A.example", false },
		{ FACT_DNS_MX, "a..example", false },
		{ FACT_DNS_PTR, ".example", false },
		{ FACT_DNS_AAAA, "a.example.", false },
		{ FACT_DNS_TXT, longest, false },
		{ FACT_GREYLIST, "192.0.2.0/24\n\nc@d", true },
		{ FACT_GREYLIST, longest, false },
		{ FACT_SEEN, longest, true },
	};

	(void)state;
	memset(longest, 'x', FACT_KEY_MAX);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct facts f = { 0 }, g = { 0 };
		struct buf wanted = { 0 };
		struct slice v;

		facts_get(&f, rows[i].kind, slice_of(rows[i].key), &v);
		assert_int_equal(put_wanted(&wanted, &f), 0);
		if (get_wanted(buf_slice(&wanted), &g) != rows[i].is_good)
			fail_msg("row %zu", i);
		facts_free(&f);
		facts_free(&g);
		buf_free(&wanted);
	}
}

static void
sets_survive_the_wire(void **state)
{
	struct facts f = { 0 }, g = { 0 };
	struct buf known = { 0 }, wanted = { 0 };
	struct slice v;

	(void)state;
	fill(&f);
	assert_int_equal(put_facts(&known, &f), 0);
	assert_int_equal(put_wanted(&wanted, &f), 0);
	assert_true(get_facts(buf_slice(&known), &g));
	assert_true(get_wanted(buf_slice(&wanted), &g));
	assert_int_equal(g.n, 3);
	assert_int_equal(g.n_wanted, 2);
	assert_int_equal(g.bytes, f.bytes);
	assert_true(facts_find(&g, FACT_RESULT, SLICE("spf"), &v));
	assert_true(slice_equals(v, SLICE("pass")));
	assert_false(get_facts(buf_slice(&known), &g));	/* once more */
	facts_free(&g);
	for (size_t n = 0; n < known.size; n++) {
		assert_false(get_facts((struct slice){ known.data, n }, &g));
		facts_free(&g);
	}
	/* known ones are never wanted: a value, a kind that nobody answers */
	assert_false(get_wanted(buf_slice(&known), &g));
	facts_free(&g);
	known.data[3] = 31;
	assert_false(get_facts(buf_slice(&known), &g));
	facts_free(&g);
	facts_free(&f);
	buf_free(&known);
	buf_free(&wanted);
}

static void
large_sets_travel_in_parts(void **state)
{
	struct facts f = { 0 }, g = { 0 };
	char key[32], value[900];
	size_t at = 0, parts = 0;

	(void)state;
	memset(value, 'v', sizeof value);
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof key, "name%d.example", i);
		assert_int_equal(facts_add(&f, FACT_DNS_TXT, slice_of(key),
		    (struct slice){ value, sizeof value }), 0);
	}
	while (at < f.n) {
		struct buf part = { 0 };

		assert_int_equal(put_facts_part(&part, &f, &at, 15000), 0);
		assert_in_range(part.size, 1000, 15000);
		assert_true(get_facts(buf_slice(&part), &g));
		buf_free(&part);
		parts++;
	}
	assert_in_range(parts, 4, 5);
	assert_int_equal(g.n, 50);
	assert_int_equal(g.bytes, f.bytes);
	at = 0;
	assert_int_equal(put_facts_part(&(struct buf){ 0 }, &f, &at, 100),
	    -ENOBUFS);
	facts_free(&g);
	assert_int_equal(facts_add_all(&g, &f), 0);
	assert_int_equal(facts_add_all(&g, &f), 0);
	assert_int_equal(g.n, 50);
	facts_free(&f);
	facts_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_lowered_and_measured),
		cmocka_unit_test(addresses_become_names),
		cmocka_unit_test(answers_survive_the_wire),
		cmocka_unit_test(answers_that_contradict_themselves),
		cmocka_unit_test(answers_have_limits),
		cmocka_unit_test(mx_records_have_a_host),
		cmocka_unit_test(facts_are_known_once_and_wanted_once),
		cmocka_unit_test(dns_facts_say_failed_rather_than_nothing),
		cmocka_unit_test(sets_have_limits),
		cmocka_unit_test(sets_survive_the_wire),
		cmocka_unit_test(what_nobody_may_ask_is_no_wanted_fact),
		cmocka_unit_test(large_sets_travel_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
