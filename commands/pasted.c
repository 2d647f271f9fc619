/* SPDX-License-Identifier: ISC */
/*
 * pasted.c - see pasted.h.
 */
#include "pasted.h"

#define LEAST (SHORT_ID_SIZE - 1)
#define MOST (SHORT_ID_NUMBERED_SIZE - 1)

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alphanumeric(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One of 512 words of this length looks like an id: few have a digit. */
static bool
has_digit(struct slice word)
{
	for (size_t i = 0; i < word.size; i++)
		if (is_digit(word.data[i]))
			return true;
	return false;
}

/* The next run of letters and digits at or behind *at; empty at the end. */
static struct slice
next_word(struct slice text, size_t *at)
{
	size_t begin;

	while (*at < text.size && !is_alphanumeric(text.data[*at]))
		++*at;
	begin = *at;
	while (*at < text.size && is_alphanumeric(text.data[*at]))
		++*at;
	return (struct slice){ text.data + begin, *at - begin };
}

static bool
is_in_parentheses(struct slice text, struct slice word)
{
	size_t at = (size_t)(word.data - text.data);

	return at > 0 && text.data[at - 1] == '(' &&
	    at + word.size < text.size && text.data[at + word.size] == ')';
}

bool
pasted_id(struct slice *id, struct slice text)
{
	struct slice in_reply = SLICE(""), alone = SLICE(""), bad = SLICE("");
	struct short_id decoded;
	struct slice word;
	size_t at = 0;

	while ((word = next_word(text, &at)).size > 0) {
		bool is_id, is_parenthesized;

		if (word.size < LEAST || word.size > MOST)
			continue;
		is_id = short_id_decode(&decoded, word) == 0;
		is_parenthesized = is_in_parentheses(text, word);
		if (is_id && is_parenthesized)
			in_reply = word;
		else if (is_id && word.size > alone.size && has_digit(word))
			alone = word;
		else if (is_parenthesized)
			bad = word;
	}
	if (in_reply.size + alone.size + bad.size > 0)
		*id = in_reply.size > 0 ? in_reply :
		    alone.size > 0 ? alone : bad;
	return in_reply.size + alone.size + bad.size > 0;
}
