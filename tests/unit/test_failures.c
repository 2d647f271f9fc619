/* SPDX-License-Identifier: ISC */
/*
 * test_failures.c - the memory of failures: told once, armed anew, bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "../../store/failures.h"

#define S_US 1000000

static struct hmac *hmac;
static struct failures *failures;

static int
setup(void **state)
{
	(void)state;
	failures = hmac_new(&hmac, "secret", 6) == 0 ? failures_new(hmac) :
	    NULL;
	return failures == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	failures_free(&failures);
	hmac_free(&hmac);
	return 0;
}

static struct failure
failure_of(const char *network, const char *sender, const char *recipient)
{
	struct failure f = { slice_of(network), slice_of(sender),
		slice_of(recipient), { .code = 452, .subject = 2, .detail = 2,
		.text = "mailbox full" } };

	return f;
}

static int
ask(const char *recipient, int64_t now_us)
{
	struct failure q = failure_of("192.0.2.0/24", "a@x", recipient);
	struct verdict verdict;

	failures_ask(failures, &q, now_us, &verdict);
	if (verdict.code != 0)
		assert_string_equal(verdict.text, "mailbox full");
	return verdict.code;
}

static void
put(const char *recipient, int64_t now_us)
{
	struct failure f = failure_of("192.0.2.0/24", "a@x", recipient);

	failures_put(failures, &f, now_us);
}

static void
a_failure_is_told_once_and_armed_anew(void **state)
{
	(void)state;
	assert_int_equal(ask("b@y", 0), 0);
	put("b@y", 0);
	assert_int_equal(failures_count_armed(failures), 1);
	assert_int_equal(ask("c@y", 1), 0);
	assert_int_equal(ask("b@y", 1), 452);
	assert_int_equal(failures_count_armed(failures), 0);
	assert_int_equal(ask("b@y", 2), 0);	/* it may have recovered */
	put("b@y", 3);				/* it has not */
	put("b@y", 4);
	assert_int_equal(failures_count_armed(failures), 1);
	assert_int_equal(ask("b@y", 5), 452);
	assert_int_equal(ask("b@y", 6), 0);
}

static void
each_part_of_the_key_counts(void **state)
{
	static const char *const rows[][3] = {
		{ "192.0.3.0/24", "a@x", "b@y" },
		{ "192.0.2.0/24", "", "b@y" },
		{ "192.0.2.0/24", "a@x", "B@y" },
		{ "192.0.2.0/24a@x", "", "b@y" },
	};
	struct verdict verdict;

	(void)state;
	put("b@y", 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct failure q = failure_of(rows[i][0], rows[i][1],
		    rows[i][2]);

		failures_ask(failures, &q, 1, &verdict);
		assert_int_equal(verdict.code, 0);
	}
	assert_int_equal(ask("b@y", 1), 452);
}

static void
it_ends_after_a_day(void **state)
{
	const int64_t life = (int64_t)FAILURES_LIFE_S * S_US;

	(void)state;
	put("b@y", 0);
	put("c@y", S_US);
	put("b@y", 2 * S_US);	/* younger again */
	assert_int_equal(failures_count_armed(failures), 2);
	assert_int_equal(ask("c@y", life + S_US), 0);
	assert_int_equal(failures_count_armed(failures), 1);
	assert_int_equal(ask("b@y", life + S_US), 452);
	failures_expire(failures, 10 * life);
	assert_int_equal(failures_count_armed(failures), 0);
}

static void
the_oldest_makes_room(void **state)
{
	char recipient[32];

	(void)state;
	for (int i = 0; i < 3 * FAILURES_MAX; i++) {
		snprintf(recipient, sizeof recipient, "r%d@y", i);
		put(recipient, i);
		if (i % 3 == 0)
			put("always@y", i);
	}
	assert_in_range(failures_count_armed(failures), FAILURES_MAX / 2,
	    FAILURES_MAX);
	assert_int_equal(ask("r0@y", 3 * FAILURES_MAX), 0);
	assert_int_equal(ask(recipient, 3 * FAILURES_MAX), 452);
	assert_int_equal(ask("always@y", 3 * FAILURES_MAX), 452);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_failure_is_told_once_and_armed_anew),
		TEST(each_part_of_the_key_counts),
		TEST(it_ends_after_a_day),
		TEST(the_oldest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
