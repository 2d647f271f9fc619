/* SPDX-License-Identifier: ISC */
/*
 * test_reply.c - replies: cleaned, split, numbered.
 */
#include <errno.h>
#include "reply.h"
#include "table.h"
#include "utf8.h"

#define E REPLY_ENHANCED
#define L REPLY_LINES
#define U REPLY_UTF8

static const struct {
	const char *name;
	unsigned code, subject, detail;
	const char *text;
	unsigned style;
	const char *want;
} replies[] = {
	{ "plain", 250, 0, 0, "ok", 0, "250 ok\r\n" },
	{ "enhanced", 550, 1, 1, "no such mailbox", E,
	    "550 5.1.1 no such mailbox\r\n" },
	{ "class is the first digit", 250, 6, 0, "queued", E,
	    "250 2.6.0 queued\r\n" },
	{ "large numbers", 451, 255, 255, "x", E, "451 4.255.255 x\r\n" },
	{ "none for 3yz", 354, 0, 0, "go on", E, "354 go on\r\n" },
	{ "least code", 200, 0, 0, "x", E, "200 2.0.0 x\r\n" },
	{ "largest code", 599, 0, 0, "x", E, "599 5.0.0 x\r\n" },
	{ "no text", 250, 0, 0, "", 0, "250\r\n" },
	{ "no text, enhanced", 250, 0, 0, "", E, "250 2.0.0\r\n" },
	{ "injection", 550, 1, 1, "a\r\n250 ok\r\nb", E,
	    "550 5.1.1 a 250 ok b\r\n" },
	{ "controls and white space", 550, 0, 0, " a\t\001 \177b  c\x1b[0m ",
	    0, "550 a b c [0m\r\n" },
	{ "only controls", 550, 0, 0, "\r\n\r\n", 0, "550\r\n" },
	{ "UTF-8 for an old client", 550, 0, 0, "j\xc3\xb6rg \xe4\xb8\xad",
	    0, "550 j?rg ?\r\n" },
	{ "UTF-8", 550, 0, 0, "j\xc3\xb6rg", U, "550 j\xc3\xb6rg\r\n" },
	{ "malformed UTF-8", 550, 0, 0, "\xf6\xc3x\xed\xa0\x80", U,
	    "550 ??x???\r\n" },
	{ "C1 control", 550, 0, 0, "a\xc2\x85" "b", U, "550 a b\r\n" },
	{ "lines", 250, 0, 0, "host\nSIZE 1\nPRDR", L,
	    "250-host\r\n250-SIZE 1\r\n250 PRDR\r\n" },
	{ "lines with codes", 550, 7, 1, "a\nb", E | L,
	    "550-5.7.1 a\r\n550 5.7.1 b\r\n" },
	{ "LF at the end", 250, 0, 0, "a\n", L, "250 a\r\n" },
	{ "empty line", 250, 0, 0, "a\n\nb", L,
	    "250-a\r\n250-\r\n250 b\r\n" },
	{ "empty line, enhanced", 250, 0, 0, "a\n\nb", E | L,
	    "250-2.0.0 a\r\n250-2.0.0\r\n250 2.0.0 b\r\n" },
	{ "CR LF in lines", 250, 0, 0, "a\r\nb\r\n", L,
	    "250-a\r\n250 b\r\n" },
	{ "only LF", 250, 0, 0, "\n", L, "250\r\n" },
};

static struct reply
row(size_t i)
{
	return (struct reply){
		.code = (uint16_t)replies[i].code,
		.subject = (uint8_t)replies[i].subject,
		.detail = (uint8_t)replies[i].detail,
		.text = slice_of(replies[i].text),
	};
}

static void
test_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(replies); i++) {
		struct reply reply = row(i);
		struct buf out = { 0 };

		CHECK(replies[i].name,
		    reply_format(&out, &reply, replies[i].style) == 0);
		CHECK_STRING(replies[i].name, out.data, replies[i].want);
		buf_free(&out);
	}
}

static void
test_nul(void **state)
{
	struct reply reply = { .code = 550, .text = { "a\0b", 3 } };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(reply_format(&out, &reply, 0), 0);
	assert_int_equal(out.size, strlen("550 a b\r\n"));
	assert_string_equal(out.data, "550 a b\r\n");
	buf_free(&out);
}

static void
test_bad_codes(void **state)
{
	static const uint16_t codes[] = { 0, 25, 199, 600, 1000, 65535 };
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < N_OF(codes); i++) {
		struct reply reply = { .code = codes[i], .text = SLICE("x") };

		assert_int_equal(reply_format(&out, &reply, E), -EINVAL);
	}
	assert_int_equal(out.size, 0);
	buf_free(&out);
}

/* Every line is a line of one reply and short enough; returns how many. */
static size_t
check_lines(struct slice reply, const char *code, struct buf *text)
{
	size_t n_lines = 0;

	while (reply.size > 0) {
		size_t n = slice_find(reply, '\r');
		bool is_last = n + 2 == reply.size;

		assert_in_range(n, 4, REPLY_LINE_MAX - 2);
		assert_memory_equal(reply.data, code, 3);
		assert_int_equal(reply.data[3], is_last ? ' ' : '-');
		assert_int_equal(reply.data[n + 1], '\n');
		assert_true(utf8_is_valid((struct slice){ reply.data, n }));
		assert_int_equal(buf_append(text, reply.data + 4, n - 4), 0);
		assert_int_equal(buf_puts(text, "|"), 0);
		reply.data += n + 2;
		reply.size -= n + 2;
		n_lines++;
	}
	return n_lines;
}

static void
test_long_text_breaks_at_spaces(void **state)
{
	struct reply reply = { .code = 550 };
	struct buf out = { 0 }, text = { 0 }, input = { 0 };

	(void)state;
	for (int i = 0; i < 200; i++)
		assert_int_equal(buf_puts(&input, "word "), 0);
	reply.text = buf_slice(&input);
	assert_int_equal(reply_format(&out, &reply, 0), 0);
	assert_int_equal(check_lines(buf_slice(&out), "550", &text), 3);
	for (size_t i = 0; i < text.size; i += 5)	/* no word is broken */
		assert_memory_equal(text.data + i, "word", 4);
	assert_int_equal(text.size, 1000);
	buf_free(&out);
	buf_free(&text);
	buf_free(&input);
}

static void
test_long_word_breaks_at_characters(void **state)
{
	static const char *const words[] = { "x", "\xc3\xb6", "\xe4\xb8\xad",
		"\xf0\x9f\x90\x8c" };
	size_t n_lines;

	(void)state;
	for (size_t w = 0; w < N_OF(words); w++) {
		struct reply reply = { .code = 451, .subject = 3 };
		struct buf out = { 0 }, text = { 0 }, input = { 0 };

		for (int i = 0; i < 500; i++)
			assert_int_equal(buf_puts(&input, words[w]), 0);
		reply.text = buf_slice(&input);
		assert_int_equal(reply_format(&out, &reply, U), 0);
		n_lines = check_lines(buf_slice(&out), "451", &text);
		assert_int_equal(text.size - n_lines, input.size);
		buf_free(&out);
		buf_free(&text);
		buf_free(&input);
	}
}

/* A text without end is cut, and out stays as it was without room. */
static void
test_bounds(void **state)
{
	static char big[3 * REPLY_TEXT_MAX];
	struct reply reply = { .code = 550, .text = { big, sizeof(big) } };
	struct buf out = { 0 }, text = { 0 };
	struct buf small = { .maximum = 1000 };
	size_t n_lines;

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(reply_format(&out, &reply, E), 0);
	n_lines = check_lines(buf_slice(&out), "550", &text);
	assert_int_equal(text.size - n_lines * strlen("5.0.0 |"),
	    REPLY_TEXT_MAX);
	assert_int_equal(buf_puts(&small, "250 ok\r\n"), 0);
	assert_int_equal(reply_format(&small, &reply, 0), -ENOBUFS);
	assert_string_equal(small.data, "250 ok\r\n");
	assert_int_equal(small.size, 8);
	buf_free(&out);
	buf_free(&text);
	buf_free(&small);
}

static void
test_clean(void **state)
{
	char got[8];

	(void)state;
	assert_int_equal(reply_clean(got, sizeof(got), SLICE("a\nb"), false),
	    3);
	assert_string_equal(got, "a b");
	assert_int_equal(reply_clean(got, sizeof(got), SLICE("abcdefghij"),
	    false), 7);
	assert_string_equal(got, "abcdefg");
	assert_int_equal(reply_clean(got, sizeof(got),
	    SLICE("abcdef\xc3\xb6"), true), 6);
	assert_string_equal(got, "abcdef");
	assert_int_equal(reply_clean(got, sizeof(got), SLICE("abcdef gh"),
	    false), 6);
	assert_string_equal(got, "abcdef");
	assert_int_equal(reply_clean(got, 1, SLICE("abc"), false), 0);
	assert_string_equal(got, "");
	got[0] = 'x';
	assert_int_equal(reply_clean(got, 0, SLICE("abc"), false), 0);
	assert_int_equal(got[0], 'x');
}

/* A verdict's text may come from another compartment, unterminated. */
static void
test_verdict(void **state)
{
	struct buf out = { 0 };
	struct verdict v;

	(void)state;
	verdict_set(&v, 550, 1, 1, "<%s>: no such mailbox", "x@y");
	assert_int_equal(reply_format_verdict(&out, &v, E), 0);
	assert_string_equal(out.data,
	    "550 5.1.1 <x@y>: no such mailbox\r\n");
	buf_free(&out);
	memset(v.text, 'x', sizeof(v.text));
	assert_int_equal(reply_format_verdict(&out, &v, 0), 0);
	assert_int_equal(out.size, 4 + VERDICT_TEXT_MAX + 2);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_bad_codes),
		cmocka_unit_test(test_long_text_breaks_at_spaces),
		cmocka_unit_test(test_long_word_breaks_at_characters),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
