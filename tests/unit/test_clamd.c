/* SPDX-License-Identifier: ISC */
/*
 * What clamd says: only its exact words clear or condemn a message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "clamd.h"
#include "table.h"

#define INPUT(text) { text, sizeof(text) - 1 }

static const struct answer_row {
	struct slice input;
	enum clamd_result want;
	const char *name;
} answers[] = {
	{ INPUT("stream: OK\0"), CLAMD_CLEAN, "" },
	{ INPUT("fd[10]: OK\0"), CLAMD_CLEAN, "" },
	{ INPUT("fd[10]: Eicar-Test FOUND\0"), CLAMD_FOUND, "Eicar-Test" },
	{ INPUT("stream: A B (x) FOUND\0"), CLAMD_FOUND, "A B (x)" },
	{ INPUT("fd[1]: Heuristics.Encrypted.Zip FOUND\0"), CLAMD_FOUND,
	    "Heuristics.Encrypted.Zip" },
	{ INPUT("INSTREAM size limit exceeded. ERROR\0"), CLAMD_ERROR,
	    "INSTREAM size limit exceeded." },
	{ INPUT("fd[8]: Can't open file ERROR\0"), CLAMD_ERROR,
	    "Can't open file" },
	/* not yet */
	{ INPUT(""), CLAMD_MORE, "" },
	{ INPUT("stream: OK"), CLAMD_MORE, "" },
	{ INPUT("stream: Eicar FOU"), CLAMD_MORE, "" },
	/* nothing that it would say */
	{ INPUT("\0"), CLAMD_RUBBISH, "" },
	{ INPUT("OK\0"), CLAMD_RUBBISH, "" },
	{ INPUT("PONG\0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream: ok\0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream: OK \0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream: NOT OK\0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream:OK\0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream: OK\0stream: OK\0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream: OK\0x"), CLAMD_RUBBISH, "" },
	{ INPUT("stream: OK\n\0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream: a\r\n250 ok FOUND\0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream:  FOUND\0"), CLAMD_RUBBISH, "" },
	{ INPUT("stream: FOUND\0"), CLAMD_RUBBISH, "" },
	{ INPUT("fd[]: OK\0"), CLAMD_RUBBISH, "" },
	{ INPUT("fd[1x]: OK\0"), CLAMD_RUBBISH, "" },
	{ INPUT("fd[11111111111]: OK\0"), CLAMD_RUBBISH, "" },
	{ INPUT("/tmp/x: OK\0"), CLAMD_RUBBISH, "" },
};

static void
test_answers(void **state)
{
	char name[CLAMD_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(answers); i++) {
		const struct answer_row *row = &answers[i];

		CHECK(row->input.data,
		    clamd_read(row->input, name) == row->want);
		CHECK_STRING(row->input.data, name, row->name);
	}
}

/* Only the whole of a good answer is one, wherever it is cut. */
static void
test_cuts(void **state)
{
	static const char whole[] = "fd[10]: Eicar FOUND";
	char name[CLAMD_NAME_MAX + 1];

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++)
		assert_int_equal(clamd_read((struct slice){ whole, n }, name),
		    CLAMD_MORE);
	assert_int_equal(clamd_read((struct slice){ whole, sizeof(whole) },
	    name), CLAMD_FOUND);
}

static void
test_endless(void **state)
{
	static char octets[2 * CLAMD_ANSWER_MAX];
	char name[CLAMD_NAME_MAX + 1];

	(void)state;
	memset(octets, 'x', sizeof(octets));
	assert_int_equal(clamd_read((struct slice){ octets,
	    CLAMD_ANSWER_MAX - 1 }, name), CLAMD_MORE);
	assert_int_equal(clamd_read((struct slice){ octets,
	    CLAMD_ANSWER_MAX }, name), CLAMD_RUBBISH);
	/* a long name is cut, not refused */
	memcpy(octets, "stream: ", 8);
	memcpy(octets + 1000, " FOUND", 7);
	assert_int_equal(clamd_read((struct slice){ octets, 1007 }, name),
	    CLAMD_FOUND);
	assert_int_equal(strlen(name), CLAMD_NAME_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
