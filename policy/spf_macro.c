/* SPDX-License-Identifier: ISC */
/*
 * spf_macro.c - macro-strings of SPF; see spf_macro.h.
 */
#include <errno.h>
#include <string.h>
#include "spf_macro.h"

#define PARTS_MAX 1024		/* of one value; more is refused */

/* One macro-expand or one run of literal octets. */
struct piece {
	struct slice literal;	/* what it stands for, unless letter is set */
	char letter;		/* as written; upper case is URL-escaped */
	unsigned n_right;	/* 0: all parts */
	bool is_reversed;
	struct slice delimiters;
};

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
skip(struct slice *s, size_t n)
{
	s->data += n;
	s->size -= n;
}

/* The digits of a transformer; any number of them, none of them zero in
 * sum (7.1). What is larger than any value has parts means all parts. */
static bool
next_digits(struct slice *rest, unsigned *n)
{
	bool any = rest->size > 0 && is_digit(*rest->data);

	*n = 0;
	while (rest->size > 0 && is_digit(*rest->data)) {
		if (*n <= PARTS_MAX)
			*n = *n * 10 + (unsigned)(*rest->data - '0');
		skip(rest, 1);
	}
	return !any || *n > 0;
}

/* "{" was taken: macro-letter transformers *delimiter "}" */
static bool
next_variable(struct slice *rest, struct piece *piece)
{
	if (rest->size == 0 || !is_alpha(*rest->data))
		return false;
	piece->letter = *rest->data;
	skip(rest, 1);
	if (!next_digits(rest, &piece->n_right))
		return false;
	if (rest->size > 0 && (*rest->data == 'r' || *rest->data == 'R')) {
		piece->is_reversed = true;
		skip(rest, 1);
	}
	piece->delimiters = (struct slice){ rest->data, 0 };
	while (rest->size > 0 && *rest->data != '\0' &&
	    strchr(".-+,/_=", *rest->data) != NULL) {
		piece->delimiters.size++;
		skip(rest, 1);
	}
	if (rest->size == 0 || *rest->data != '}')
		return false;
	skip(rest, 1);
	return true;
}

/* False for a syntax error. Literals are not looked into. */
static bool
next_piece(struct slice *rest, struct piece *piece)
{
	char c;

	*piece = (struct piece){ .literal = { rest->data, 0 } };
	piece->literal.size = slice_find(*rest, '%');
	skip(rest, piece->literal.size);
	if (piece->literal.size > 0)
		return true;
	if (rest->size < 2)
		return false;
	c = rest->data[1];
	skip(rest, 2);
	switch (c) {
	case '%':
		piece->literal = SLICE("%");
		return true;
	case '_':
		piece->literal = SLICE(" ");
		return true;
	case '-':
		piece->literal = SLICE("%20");
		return true;
	case '{':
		piece->literal.size = 0;
		return next_variable(rest, piece);
	default:
		return false;
	}
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
is_visible(struct slice literal, bool with_space)
{
	for (size_t i = 0; i < literal.size; i++) {
		char c = literal.data[i];

		if (!(c > ' ' && c <= '~') && !(c == ' ' && with_space))
			return false;
	}
	return true;
}

bool
spf_macro_is_valid(struct slice text, enum spf_macro_place place)
{
	const char *letters = place == SPF_IN_RECORD ? "slodiphv" :
	    "slodiphvcrt";
	struct piece piece;

	while (text.size > 0) {
		bool is_literal = *text.data != '%';

		if (!next_piece(&text, &piece))
			return false;
		if (is_literal && !is_visible(piece.literal,
		    place == SPF_IN_EXPLANATION))
			return false;
		if (piece.letter != '\0' &&
		    strchr(letters, lower(piece.letter)) == NULL)
			return false;
	}
	return true;
}

/* toplabel (7.1): letters, digits and inner dashes, not digits alone. */
static bool
is_toplabel(struct slice label)
{
	bool is_number = true;

	if (label.size == 0 || label.data[0] == '-' ||
	    label.data[label.size - 1] == '-')
		return false;
	for (size_t i = 0; i < label.size; i++) {
		char c = label.data[i];

		if (!is_alpha(c) && !is_digit(c) && c != '-')
			return false;
		if (!is_digit(c))
			is_number = false;
	}
	return !is_number;
}

bool
spf_macro_is_domain_spec(struct slice text)
{
	struct slice rest = text, literal = { NULL, 0 };
	struct piece piece;
	size_t dot;

	if (text.size == 0 || !spf_macro_is_valid(text, SPF_IN_RECORD))
		return false;
	while (rest.size > 0) {
		bool is_literal = *rest.data != '%';

		if (!next_piece(&rest, &piece))
			return false;
		literal = is_literal ? piece.literal : (struct slice){ 0 };
	}
	if (literal.size == 0)
		return true;
	if (literal.data[literal.size - 1] == '.')
		literal.size--;
	for (dot = literal.size; dot > 0; dot--)
		if (literal.data[dot - 1] == '.')
			break;
	if (dot == 0)
		return false;
	skip(&literal, dot);
	return is_toplabel(literal);
}

bool
spf_macro_uses(struct slice text, char letter)
{
	struct piece piece;

	while (text.size > 0 && next_piece(&text, &piece))
		if (lower(piece.letter) == letter)
			return true;
	return false;
}

/* RFC 3986 2.3: all but the unreserved octets. */
static int
put_escaped(struct buf *to, struct slice value)
{
	int error = 0;

	for (size_t i = 0; i < value.size && error == 0; i++) {
		char c = value.data[i];

		if (is_alpha(c) || is_digit(c) ||
		    (c != '\0' && strchr("-._~", c) != NULL))
			error = buf_append(to, &c, 1);
		else
			error = buf_printf(to, "%%%02X", (unsigned char)c);
	}
	return error;
}

static int
put_value(struct buf *to, struct slice value, char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return put_escaped(to, value);
	return buf_append_slice(to, value);
}

/* At delimiters; -ENOBUFS for too many parts. */
static int
split(struct slice parts[PARTS_MAX], size_t *n, struct slice value,
    struct slice delimiters)
{
	size_t start = 0;

	*n = 0;
	for (size_t i = 0; i <= value.size; i++) {
		if (i < value.size && slice_find(delimiters, value.data[i]) ==
		    delimiters.size)
			continue;
		if (*n == PARTS_MAX)
			return -ENOBUFS;
		parts[(*n)++] = (struct slice){ value.data + start, i - start };
		start = i + 1;
	}
	return 0;
}

static int
put_variable(struct buf *to, const struct piece *piece, struct slice value)
{
	struct slice parts[PARTS_MAX];
	struct slice delimiters = piece->delimiters;
	size_t n, first;
	int error;

	if (piece->n_right == 0 && !piece->is_reversed && delimiters.size == 0)
		return put_value(to, value, piece->letter);
	if (delimiters.size == 0)
		delimiters = SLICE(".");
	error = split(parts, &n, value, delimiters);
	if (error)
		return error;
	first = piece->n_right > 0 && piece->n_right < n ?
	    n - piece->n_right : 0;
	for (size_t i = first; i < n && error == 0; i++) {
		if (i > first)
			error = buf_append(to, ".", 1);
		if (error == 0)
			error = put_value(to, parts[piece->is_reversed ?
			    n - 1 - i : i], piece->letter);
	}
	return error;
}

int
spf_macro_expand(struct buf *to, struct slice text,
    const struct spf_values *values)
{
	struct piece piece;
	int error = 0;

	while (text.size > 0 && error == 0) {
		if (!next_piece(&text, &piece))
			return -EINVAL;
		if (piece.letter == '\0')
			error = buf_append_slice(to, piece.literal);
		else
			error = put_variable(to, &piece,
			    values->of[lower(piece.letter) - 'a']);
	}
	return error;
}
