/* SPDX-License-Identifier: ISC */
/*
 * test_buf.c - buffers that grow up to a maximum, and numbers in digits.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "buf.h"

/* A buf that holds so many octets already. */
static struct buf
filled(size_t size, size_t maximum)
{
	struct buf b = { .maximum = maximum };

	for (size_t i = 0; i < size; i++)
		assert_int_equal(buf_append(&b, "x", 1), 0);
	return b;
}

/* Whatever room is left, and without any. */
static void
test_printf_at_every_room(void **state)
{
	char want[300];

	(void)state;
	for (size_t size = 0; size < 140; size++) {
		struct buf b = filled(size, 0);

		memset(want, 'x', size);
		snprintf(want + size, sizeof want - size, "%s-%d",
		    "some words that are not short", 42);
		assert_int_equal(buf_printf(&b, "%s-%d",
		    "some words that are not short", 42), 0);
		assert_int_equal(b.size, strlen(want));
		assert_string_equal(b.data, want);
		buf_free(&b);
	}
}

/* All or nothing, and terminated as before. */
static void
test_over_the_maximum(void **state)
{
	struct buf b = filled(10, 12);

	(void)state;
	assert_int_equal(buf_printf(&b, "%d", 123), -ENOBUFS);
	assert_int_equal(buf_puts(&b, "123"), -ENOBUFS);
	assert_int_equal(buf_put_number(&b, 123), -ENOBUFS);
	assert_int_equal(b.size, 10);
	assert_string_equal(b.data, "xxxxxxxxxx");
	assert_int_equal(buf_printf(&b, "%d", 12), 0);
	assert_string_equal(b.data, "xxxxxxxxxx12");
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(buf_printf(&b, "%d", 1), -ENOBUFS);
	assert_string_equal(b.data, "xxxxxxxxxx12");
	buf_free(&b);
	b.maximum = 2;
	assert_int_equal(buf_printf(&b, "%d", 123), -ENOBUFS);
	assert_null(b.data);
}

static void
test_digits(void **state)
{
	static const unsigned long long rows[] = { 0, 1, 9, 10, 99, 100,
		4294967295, 1000000000000, ULLONG_MAX };
	char room[NUMBER_DIGITS], want[32];
	unsigned long long back;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice digits = slice_digits(room, rows[i]);
		struct buf b = { .data = NULL };

		snprintf(want, sizeof want, "%llu", rows[i]);
		assert_true(slice_equals(digits, slice_of(want)));
		assert_true(slice_number(digits, ULLONG_MAX, &back));
		assert_true(back == rows[i]);
		assert_int_equal(buf_put_number(&b, rows[i]), 0);
		assert_string_equal(b.data, want);
		buf_free(&b);
	}
}

static void
test_number(void **state)
{
	static const struct {
		const char *text;
		unsigned long long max;
		bool want;
	} rows[] = {
		{ "0", 0, true }, { "1", 0, false }, { "00", 0, true },
		{ "255", 255, true }, { "256", 255, false },
		{ "300", 255, false }, { "2550", 255, false },
		{ "7", 6, false }, { "10", 6, false },
		{ "18446744073709551615", ULLONG_MAX, true },
		{ "18446744073709551616", ULLONG_MAX, false },
		{ "18446744073709551625", ULLONG_MAX, false },
		{ "", 9, false }, { "+1", 9, false }, { "-1", 9, false },
		{ " 1", 9, false }, { "1 ", 9, false }, { "0x1", 99, false },
		{ ":", 99, false }, { "/", 99, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned long long value = 77;

		if (slice_number(slice_of(rows[i].text), rows[i].max,
		    &value) != rows[i].want)
			fail_msg("\"%s\" up to %llu", rows[i].text,
			    rows[i].max);
		if (!rows[i].want)
			assert_int_equal(value, 77);
	}
}

static void
test_consume(void **state)
{
	struct buf b = { .data = NULL };

	(void)state;
	buf_consume(&b, 3);
	assert_int_equal(buf_puts(&b, "0123456789"), 0);
	buf_consume(&b, 0);
	buf_consume(&b, 4);
	assert_true(slice_equals(buf_slice(&b), SLICE("456789")));
	buf_consume(&b, 6);
	assert_int_equal(b.size, 0);
	assert_int_equal(buf_puts(&b, "a"), 0);
	buf_consume(&b, 100);
	assert_int_equal(b.size, 0);
	buf_free(&b);
}

static void
test_what_does_not_fit(void **state)
{
	char to[4] = "old";

	(void)state;
	assert_true(slice_copy(to, sizeof to, SLICE("abc")));
	assert_string_equal(to, "abc");
	assert_false(slice_copy(to, sizeof to, SLICE("abcd")));
	assert_string_equal(to, "");
	slice_clip(to, sizeof to, SLICE("abcd"));
	assert_string_equal(to, "abc");
	slice_clip(to, sizeof to, SLICE("xy"));
	assert_string_equal(to, "xy");
	slice_clip(to, sizeof to, SLICE(""));
	assert_string_equal(to, "");
}

static void
test_after_last(void **state)
{
	(void)state;
	assert_int_equal(slice_after_last(SLICE("a@b@c"), '@'), 4);
	assert_int_equal(slice_after_last(SLICE("@"), '@'), 1);
	assert_int_equal(slice_after_last(SLICE("abc"), '@'), 0);
	assert_int_equal(slice_after_last(SLICE(""), '@'), 0);
}

static void
test_text_equals(void **state)
{
	(void)state;
	assert_true(text_equals(NULL, NULL) && text_equals("a", "a"));
	assert_false(text_equals("a", NULL) || text_equals(NULL, "a") ||
	    text_equals("a", "b"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printf_at_every_room),
		cmocka_unit_test(test_over_the_maximum),
		cmocka_unit_test(test_digits),
		cmocka_unit_test(test_after_last),
		cmocka_unit_test(test_text_equals),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_consume),
		cmocka_unit_test(test_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
