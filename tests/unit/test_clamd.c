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

#define VERSION(date) INPUT("ClamAV 1.4.3/27500/" date "\0")

static const struct version_row {
	struct slice input;
	enum clamd_result want;
	int64_t made_s;
} versions[] = {
	{ VERSION("Mon Jan  6 09:30:15 2025"), CLAMD_VERSION, 1736155815 },
	{ VERSION("Thu Feb 29 23:59:59 2024"), CLAMD_VERSION, 1709251199 },
	{ VERSION("Fri Dec 31 00:00:00 1999"), CLAMD_VERSION, 946598400 },
	{ INPUT("ClamAV 0.103.8+dfsg-1/26900/Fri Apr 21 07:33:31 2023\0"),
	    CLAMD_VERSION, 1682062411 },
	/* clamd has no time of it */
	{ VERSION("Thu Jan  1 00:00:00 1970"), CLAMD_VERSION, 1 },
	{ VERSION("Wed Dec 31 16:00:00 1969"), CLAMD_VERSION, 1 },
	/* no daily database */
	{ INPUT("ClamAV 1.4.6\0"), CLAMD_VERSION, 0 },
	{ INPUT("ClamAV devel-20230101\0"), CLAMD_VERSION, 0 },
	/* not yet */
	{ INPUT(""), CLAMD_MORE, 0 },
	{ INPUT("ClamAV 1.4.3"), CLAMD_MORE, 0 },
	{ INPUT("ClamAV 1.4.3/27500/Mon Jan  6 09:30:15 2025"), CLAMD_MORE,
	    0 },
	/* nothing that it would say */
	{ INPUT("\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV \0"), CLAMD_RUBBISH, 0 },
	{ INPUT("clamav 1.4.3\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("UNKNOWN COMMAND\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("fd[10]: OK\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("1.4.3/27500/Mon Jan  6 09:30:15 2025\0"), CLAMD_RUBBISH,
	    0 },
	{ INPUT("ClamAV 1.4.3/\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV 1.4.3//\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV 1.4.3/27500\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV 1.4.3/27500/\0"), CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV 1.4.3//Mon Jan  6 09:30:15 2025\0"), CLAMD_RUBBISH,
	    0 },
	{ INPUT("ClamAV 1.4.3/-1/Mon Jan  6 09:30:15 2025\0"),
	    CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV 1/99999999999/Mon Jan  6 09:30:15 2025\0"),
	    CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV 1.4.3/27500/Mon Jan  6 09:30:15 2025\0x"),
	    CLAMD_RUBBISH, 0 },
	{ INPUT("ClamAV 1.4.3/27500/Mon Jan  6 09:30:15 2025\n\0"),
	    CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09:30:15 2025 "), CLAMD_RUBBISH, 0 },
	{ VERSION(" Mon Jan  6 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09:30:15 2025/"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09:30:15 12025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09:30:15 025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan 6 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan 6  09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  0 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan 32 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Sat Feb 29 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 24:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09:60:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09:30:61 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6  9:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09.30.15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09:30:15 -025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Jan  6 09:30:15 0000"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon () () 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon Abc  6 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Xyz Jan  6 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon, 6 Jan 2025 09:30 UT"), CLAMD_RUBBISH, 0 },
	{ VERSION("Mon J\303\244  6 09:30:15 2025"), CLAMD_RUBBISH, 0 },
	{ VERSION("%s%n%s%n%s%n%s%n%s%n%s%n"), CLAMD_RUBBISH, 0 },
};

static void
test_versions(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(versions); i++) {
		const struct version_row *row = &versions[i];
		int64_t made_s = -7;

		CHECK(row->input.data, clamd_read_version(row->input,
		    &made_s) == row->want);
		if (row->want == CLAMD_VERSION)
			CHECK(row->input.data, made_s == row->made_s);
	}
}

static void
test_version_cuts(void **state)
{
	static const char whole[] =
	    "ClamAV 1.4.3/27500/Mon Jan  6 09:30:15 2025";
	static char octets[CLAMD_ANSWER_MAX + 1];
	int64_t made_s;

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++)
		assert_int_equal(clamd_read_version((struct slice){ whole, n },
		    &made_s), CLAMD_MORE);
	memset(octets, 'x', sizeof(octets));
	memcpy(octets, "ClamAV ", 7);
	assert_int_equal(clamd_read_version((struct slice){ octets,
	    CLAMD_ANSWER_MAX - 1 }, &made_s), CLAMD_MORE);
	octets[CLAMD_ANSWER_MAX] = '\0';
	assert_int_equal(clamd_read_version((struct slice){ octets,
	    sizeof(octets) }, &made_s), CLAMD_RUBBISH);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_version_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
