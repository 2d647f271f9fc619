/* SPDX-License-Identifier: ISC */
/*
 * test_verdict.c - a verdict from parts, its text bounded.
 */
#include "table.h"
#include "verdict.h"

static void
test_parts(void **state)
{
	struct verdict v;

	(void)state;
	memset(&v, 0xee, sizeof(v));
	assert_ptr_equal(verdict_set(&v, 553, 1, 4, "%s is one of %d",
	    "smith", 2), &v);
	assert_int_equal(v.code, 553);
	assert_int_equal(v.subject, 1);
	assert_int_equal(v.detail, 4);
	assert_string_equal(v.text, "smith is one of 2");
}

static void
test_long_text(void **state)
{
	char big[2 * VERDICT_TEXT_MAX];
	struct verdict v;

	(void)state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	verdict_set(&v, 451, 3, 0, "%s", big);
	assert_int_equal(strlen(v.text), VERDICT_TEXT_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
