/* SPDX-License-Identifier: ISC */
/*
 * utf8.c - strict UTF-8; see utf8.h.
 */
#include <stdint.h>
#include <string.h>
#include <stdio.h>
#include "utf8.h"

/* RFC 3629 4: each first octet, and what its second octet may be. */
static const struct {
	unsigned char first, last;
	unsigned char size;
	unsigned char low, high;
} rules[] = {
	{ 0x00, 0x7f, 1, 0, 0 },
	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f },	/* no surrogates */
	{ 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
	{ 0xf4, 0xf4, 4, 0x80, 0x8f },
};
#define N_RULES (sizeof(rules) / sizeof(rules[0]))

static bool
tail_is_valid(const unsigned char *at, size_t size)
{
	for (size_t i = 2; i < size; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return false;
	return true;
}

size_t
utf8_char_size(struct slice s)
{
	const unsigned char *at = (const unsigned char *)s.data;

	if (s.size == 0)
		return 0;
	for (size_t i = 0; i < N_RULES; i++) {
		if (*at < rules[i].first || *at > rules[i].last)
			continue;
		if (rules[i].size == 1)
			return 1;
		if (s.size < rules[i].size || at[1] < rules[i].low ||
		    at[1] > rules[i].high || !tail_is_valid(at, rules[i].size))
			return 0;
		return rules[i].size;
	}
	return 0;
}

unsigned
utf8_code(struct slice s)
{
	size_t size = utf8_char_size(s);
	unsigned code = (unsigned char)*s.data;

	if (size > 1)
		code &= 0x7fu >> size;
	for (size_t i = 1; i < size; i++)
		code = code << 6 | ((unsigned char)s.data[i] & 0x3f);
	return code;
}

bool
utf8_is_valid(struct slice s)
{
	while (s.size > 0) {
		size_t n = utf8_char_size(s);

		if (n == 0)
			return false;
		s.data += n;
		s.size -= n;
	}
	return true;
}

bool
utf8_is_ascii(struct slice s)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof(word) <= s.size; i += sizeof(word)) {
		memcpy(&word, s.data + i, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			return false;
	}
	for (; i < s.size; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	return true;
}

bool
utf8_is_c1_control(struct slice s)
{
	return s.size >= 2 && (unsigned char)s.data[0] == 0xc2 &&
	    (unsigned char)s.data[1] >= 0x80 &&
	    (unsigned char)s.data[1] <= 0x9f;
}

bool
utf8_is_invisible(struct slice s)
{
	static const struct {
		const char *first, *last;	/* of the same size */
	} ranges[] = {
		{ "\xd8\x9c", "\xd8\x9c" },		/* U+061C */
		{ "\xe2\x80\x8b", "\xe2\x80\x8f" },	/* 200B to 200F */
		{ "\xe2\x80\xa8", "\xe2\x80\xae" },	/* 2028 to 202E */
		{ "\xe2\x81\xa0", "\xe2\x81\xaf" },	/* 2060 to 206F */
		{ "\xef\xbb\xbf", "\xef\xbb\xbf" },	/* FEFF */
	};
	size_t size;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		size = strlen(ranges[i].first);
		if (s.size >= size &&
		    memcmp(s.data, ranges[i].first, size) >= 0 &&
		    memcmp(s.data, ranges[i].last, size) <= 0)
			return true;
	}
	return false;
}

size_t
utf8_escape(char to[UTF8_ESCAPE_SIZE], struct slice s)
{
	unsigned char c = (unsigned char)*s.data;
	size_t size = utf8_char_size(s);

	*to = '\0';
	if (size == 0 || c < 0x20 || c == 0x7f)
		snprintf(to, UTF8_ESCAPE_SIZE, "\\x%02x", c);
	else if (size > 1 && (utf8_is_c1_control(s) || utf8_is_invisible(s)))
		snprintf(to, UTF8_ESCAPE_SIZE, "\\u%04x", utf8_code(s));
	return size > 0 ? size : 1;
}

struct slice
utf8_after_mark(struct slice text)
{
	const struct slice mark = SLICE("\xef\xbb\xbf");
	size_t n = slice_starts_nocase(text, mark) ? mark.size : 0;

	return (struct slice){ text.data + n, text.size - n };
}
