/* SPDX-License-Identifier: ISC */
/*
 * The file of secrets: written, read again, rotated; what is malformed is
 * not read at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "secrets.h"
#include "table.h"

#define HEX "00112233445566778899aabbccddeeff" \
	"00112233445566778899aabbccddeeff"

static void
test_round_trip(void **state)
{
	struct secrets made, read;
	struct buf text = { 0 };
	unsigned line;

	(void)state;
	assert_int_equal(secrets_make(&made, 20779), 0);
	assert_int_equal(secrets_rotate(&made, 20779 + 200), 1);
	assert_int_equal(secrets_write(&text, &made), 0);
	assert_true(secrets_read(&read, buf_slice(&text), &line));
	assert_int_equal(read.n_batv, 2);
	assert_int_equal(read.batv_day[0], 20979);
	assert_int_equal(read.batv_day[1], 20779);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(read.batv[i].generation, 1 - i);
		assert_memory_equal(read.batv[i].secret, made.batv[i].secret,
		    BATV_KEY_SIZE);
	}
	assert_memory_equal(read.trace, made.trace, SECRETS_KEY_SIZE);
	assert_int_equal(read.srs.n, 2);
	for (size_t i = 0; i < 2; i++)
		assert_memory_equal(read.srs.secrets[i], made.srs.secrets[i],
		    SRS_KEY_SIZE);
	assert_memory_not_equal(read.srs.secrets[0], made.trace,
	    SECRETS_KEY_SIZE);
	buf_free(&text);
}

static void
test_rotation(void **state)
{
	struct secrets s;
	uint8_t first[BATV_KEY_SIZE], srs[SRS_KEY_SIZE];

	(void)state;
	assert_int_equal(secrets_make(&s, 20000), 0);
	memcpy(first, s.batv[0].secret, sizeof first);
	memcpy(srs, s.srs.secrets[0], sizeof srs);
	assert_int_equal(s.srs.n, 1);
	assert_int_equal(secrets_rotate(&s, 20000 + SECRETS_ROTATE_DAYS - 1),
	    0);
	/* a clock that was set back */
	assert_int_equal(secrets_rotate(&s, 100), 0);
	for (unsigned i = 1; i < 25; i++) {
		assert_int_equal(secrets_rotate(&s,
		    20000 + i * SECRETS_ROTATE_DAYS), 1);
		assert_int_equal(s.batv[0].generation, i % 10);
		assert_int_equal(s.batv[1].generation, (i - 1) % 10);
		assert_int_equal(s.n_batv, 2);
		if (i == 1)
			assert_memory_equal(s.batv[1].secret, first,
			    sizeof first);
		/* SRS along with it */
		assert_int_equal(s.srs.n, 2);
		assert_memory_equal(s.srs.secrets[1], srs, sizeof srs);
		assert_memory_not_equal(s.srs.secrets[0], srs, sizeof srs);
		memcpy(srs, s.srs.secrets[0], sizeof srs);
		assert_memory_not_equal(s.batv[0].secret, s.batv[1].secret,
		    BATV_KEY_SIZE);
	}
}

static const struct row {
	const char *name, *text;
	unsigned line;
} bad[] = {
	{ "nothing", "", 0 },
	{ "no srs", "batv 0 1 " HEX "\ntrace " HEX "\n", 0 },
	{ "no tag", "srs " HEX "\ntrace " HEX "\n", 0 },
	{ "no trace", "batv 0 1 " HEX "\nsrs " HEX "\n", 0 },
	{ "trace twice", "trace " HEX "\ntrace " HEX "\n", 2 },
	{ "unknown word", "# x\nother " HEX "\n", 2 },
	{ "short", "trace 0011\n", 1 },
	{ "no hex", "trace zz112233445566778899aabbccddeeff"
	    "00112233445566778899aabbccddeeff\n", 1 },
	{ "generation", "batv 10 1 " HEX "\n", 1 },
	{ "day", "batv 1 x " HEX "\n", 1 },
	{ "three", "batv 1 1 " HEX "\nbatv 2 1 " HEX "\nbatv 3 1 " HEX "\n",
	    3 },
	{ "three of srs", "srs " HEX "\nsrs " HEX "\nsrs " HEX "\n", 3 },
	{ "same generation", "batv 1 1 " HEX "\nbatv 1 2 " HEX "\n", 2 },
};

static void
test_bad(void **state)
{
	struct secrets s;
	unsigned line;

	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		CHECK(bad[i].name, !secrets_read(&s, slice_of(bad[i].text),
		    &line));
		CHECK(bad[i].name, line == bad[i].line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
