/* SPDX-License-Identifier: ISC */
/*
 * test_plain.c - what stands in the log and the trail as it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "plain.h"

static void
test_every_octet(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		const char text[3] = { 'a', (char)c, 'b' };
		bool is_printable = c >= ' ' && c < 0x7f;
		bool in_quotes = is_printable && c != '"' && c != '\\';
		bool anywhere = in_quotes && c != ' ' && c != '=';

		if (plain_quoted((struct slice){ text, 3 }) !=
		    (in_quotes ? 3 : 1))
			fail_msg("octet %u in quotes", c);
		if (plain_bare((struct slice){ text, 3 }) !=
		    (anywhere ? 3 : 1))
			fail_msg("octet %u without quotes", c);
	}
	assert_int_equal(plain_bare(SLICE("")), 0);
	assert_int_equal(plain_quoted(SLICE("")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
