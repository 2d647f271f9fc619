/* SPDX-License-Identifier: ISC */
/*
 * test_utf8.c - every code point, and the forms that are none.
 */
#include "table.h"
#include "utf8.h"

static size_t
encode(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Whole it is one character; cut, it is none. */
static void
test_every_code_point(void **state)
{
	char text[4];

	(void)state;
	for (uint32_t c = 0; c < 0x120000; c++) {
		size_t size = encode(text, c);
		bool is_good = c < 0x110000 && !(c >= 0xd800 && c < 0xe000);

		assert_int_equal(utf8_char_size((struct slice){ text, size }),
		    is_good ? size : 0);
		if (is_good)
			assert_int_equal(utf8_code((struct slice){ text,
			    size }), c);
		for (size_t cut = 1; cut < size; cut++)
			assert_int_equal(utf8_char_size(
			    (struct slice){ text, cut }), 0);
	}
}

static const struct {
	const char *text;
	bool is_valid, is_ascii;
} rows[] = {
	{ "", true, true },
	{ "abc", true, true },
	{ "abcdefghijklmnop", true, true },
	{ "abcdefghijklmno\xc3\xb6", true, false },
	{ "\xc3\xb6" "abcdefghijklmno", true, false },
	{ "abcdefgh\x80", false, false },
	{ "abcdefg\xff", false, false },
	{ "\x80", false, false },
	{ "\xc0\x80", false, false },		/* overlong NUL */
	{ "\xc1\xbf", false, false },
	{ "\xe0\x80\xaf", false, false },	/* overlong solidus */
	{ "\xf0\x80\x80\xaf", false, false },
	{ "\xed\xb0\x80", false, false },
	{ "\xf4\x90\x80\x80", false, false },
	{ "\xf8\x88\x80\x80\x80", false, false },
	{ "\xfe", false, false },
	{ "\xe4\xb8" "a", false, false },
	{ "\xe4" "aa", false, false },
	{ "\xf0\x9f\x90" "a", false, false },
	{ "a\xe4\xb8\xad" "b\xf0\x9f\x90\x8c", true, false },
};

static void
test_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct slice text = slice_of(rows[i].text);

		CHECK(rows[i].text, utf8_is_valid(text) == rows[i].is_valid);
		CHECK(rows[i].text, utf8_is_ascii(text) == rows[i].is_ascii);
	}
}

static void
test_c1(void **state)
{
	char text[4];

	(void)state;
	for (uint32_t c = 0; c < 0x1000; c++)
		assert_int_equal(utf8_is_c1_control((struct slice){ text,
		    encode(text, c) }), c >= 0x80 && c <= 0x9f);
	assert_false(utf8_is_c1_control((struct slice){ "\xc2\x80", 1 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_c1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
