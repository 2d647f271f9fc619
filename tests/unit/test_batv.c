/* SPDX-License-Identifier: ISC */
/*
 * Tags of reverse-paths: who makes them, how long they are good, and what a
 * forged, foreign or old one is told from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "batv.h"
#include "table.h"

#define TODAY 20779		/* 2026-11-22 */

static const struct batv_key keys[] = {
	{ 3, { 1, 2, 3 } },
	{ 2, { 9, 8, 7 } },
};

static struct address
address(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(&a, slice_of(text),
	    ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL), ADDRESS_OK);
	return a;
}

static void
make(char *to, const char *text, const struct batv_key *key, uint32_t day)
{
	struct address a = address(text);

	assert_true(batv_make(to, ADDRESS_TEXT_MAX + 1, &a, key, day));
}

static enum batv_result
check(const char *text, uint32_t day)
{
	struct address a = address(text);

	return batv_check(keys, 2, &a, day, NULL);
}

static void
test_round_trip(void **state)
{
	char tagged[ADDRESS_TEXT_MAX + 1], plain[ADDRESS_LONG_LOCAL_MAX + 1];
	struct address a;

	(void)state;
	make(tagged, "Alice.Smith@example.org", &keys[0], TODAY);
	/* the HMAC of "3787alice.smith@example.org", made by openssl */
	assert_string_equal(tagged,
	    "prvs=3787bcfd4e=Alice.Smith@example.org");
	a = address(tagged);
	assert_int_equal(batv_check(keys, 2, &a, TODAY, plain), BATV_VALID);
	assert_string_equal(plain, "Alice.Smith");
	make(tagged, "\"a b\"@example.org", &keys[1], TODAY);
	assert_true(strncmp(tagged, "\"prvs=2787", 10) == 0);
	assert_int_equal(check(tagged, TODAY), BATV_VALID);
}

/* Others may change the case of a local part; we would not mind. */
static void
test_case(void **state)
{
	char tagged[ADDRESS_TEXT_MAX + 1];

	(void)state;
	make(tagged, "alice@example.org", &keys[0], TODAY);
	for (char *c = tagged; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	assert_int_equal(check(tagged, TODAY), BATV_VALID);
}

static void
test_life(void **state)
{
	char first[ADDRESS_TEXT_MAX + 1], second[ADDRESS_TEXT_MAX + 1];
	struct batv_tag tag;

	(void)state;
	/* five days have one tag, which outlives the last of them */
	for (uint32_t day = 0; day < 3000; day++) {
		make(first, "alice@example.org", &keys[0], day);
		make(second, "alice@example.org", &keys[0], day + 1);
		assert_true((strcmp(first, second) == 0) ==
		    (day % BATV_STEP_DAYS != BATV_STEP_DAYS - 1));
		assert_true(batv_parse(slice_of(first), &tag));
		assert_in_range(batv_days_left(&tag, day), 8, 12);
		assert_int_equal(check(first, day + 8), BATV_VALID);
		assert_int_equal(check(first, batv_expiry(day)), BATV_VALID);
		assert_int_equal(check(first, batv_expiry(day) + 1),
		    BATV_EXPIRED);
		assert_int_equal(batv_days_left(&tag, batv_expiry(day) + 1),
		    -1);
		assert_int_equal(check(first, day + 500), BATV_EXPIRED);
		if (day >= BATV_STEP_DAYS)	/* from days to come */
			assert_int_equal(check(first, day - BATV_STEP_DAYS),
			    BATV_EXPIRED);
	}
}

static void
test_forged(void **state)
{
	static const struct {
		const char *text;
		enum batv_result want;
	} rows[] = {
		{ "alice@example.org", BATV_NONE },
		{ "prvs=alice@example.org", BATV_NONE },
		{ "prvs=3787000000=alice@example.org", BATV_WRONG },
		{ "prvs=2787000000=alice@example.org", BATV_WRONG },
		{ "prvs=5787000000=alice@example.org", BATV_UNKNOWN },
		{ "prvs=378700000=alice@example.org", BATV_NONE },
		{ "prvs=37870000000=alice@example.org", BATV_NONE },
		{ "prvs=378700000g=alice@example.org", BATV_NONE },
		{ "prvs=3a87000000=alice@example.org", BATV_NONE },
		{ "prvs=3787000000=@example.org", BATV_NONE },
		{ "prvs=alice=3787000000@example.org", BATV_NONE },
		{ "btv1==378700000000==alice@example.org", BATV_NONE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK(rows[i].text, check(rows[i].text, TODAY) ==
		    rows[i].want);
}

/* A tag is of one address: neither another's local part nor domain. */
static void
test_bound(void **state)
{
	char tagged[ADDRESS_TEXT_MAX + 1], other[ADDRESS_TEXT_MAX + 1];

	(void)state;
	make(tagged, "alice@example.org", &keys[0], TODAY);
	snprintf(other, sizeof other, "%.16sbob@example.org", tagged);
	assert_int_equal(check(other, TODAY), BATV_WRONG);
	snprintf(other, sizeof other, "%.16salice@example.net", tagged);
	assert_int_equal(check(other, TODAY), BATV_WRONG);
	other[5] = '2';
	assert_int_equal(check(other, TODAY), BATV_WRONG);
}

static void
test_untagged(void **state)
{
	static const char *const texts[] = {
		"prvs=3787000000=alice@example.org",
		"a2345678901234567890123456789012345678901234567890@e.org",
	};
	char tagged[ADDRESS_TEXT_MAX + 1];
	struct address a = { .is_null = true };

	(void)state;
	assert_false(batv_make(tagged, sizeof tagged, &a, &keys[0], TODAY));
	for (size_t i = 0; i < N_OF(texts); i++) {
		a = address(texts[i]);
		CHECK(texts[i], !batv_make(tagged, sizeof tagged, &a,
		    &keys[0], TODAY));
		assert_string_equal(tagged, "");
	}
	a = address("alice@example.org");
	assert_false(batv_make(tagged, 20, &a, &keys[0], TODAY));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_untagged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
