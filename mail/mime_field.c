/* SPDX-License-Identifier: ISC */
/*
 * mime_field.c - header fields of a part, types and parameters (RFC 2045
 * 5.1, RFC 2231), read as generously as mail programs read them.
 */
#include <stdlib.h>
#include "mime.h"
#include "mime_text.h"
#include "octets.h"

#define PIECES_MAX 1000		/* of one parameter, RFC 2231 3 */
#define PIECE_NUMBER_MAX 99999

/* ---- fields ---- */

/* Size of the line at the front of s with its end. */
static size_t
line_size(struct slice s)
{
	size_t n = 0;

	while (n < s.size && s.data[n] != '\n' && s.data[n] != '\r')
		n++;
	if (n < s.size && s.data[n++] == '\r' && n < s.size &&
	    s.data[n] == '\n')
		n++;
	return n;
}

static size_t
field_size(struct slice rest)
{
	size_t size = 0;

	do
		size += line_size(slice_after(rest, size));
	while (size < rest.size && is_space(rest.data[size]));
	return size;
}

static bool
split_field(struct slice whole, struct mime_field *field)
{
	size_t n = 0, colon;

	while (n < whole.size && !is_control(whole.data[n]) &&
	    whole.data[n] != ' ' && whole.data[n] != ':')
		n++;
	colon = n;
	while (colon < whole.size && is_space(whole.data[colon]))
		colon++;
	if (n == 0 || colon == whole.size || whole.data[colon] != ':')
		return false;
	field->name = slice_first(whole, n);
	field->value = slice_after(whole, colon + 1);
	return true;
}

bool
mime_field_next(struct slice header, size_t *at, struct mime_field *field)
{
	while (*at < header.size) {
		struct slice rest = slice_after(header, *at);
		struct slice whole = slice_first(rest, field_size(rest));

		*at += whole.size;
		if (split_field(whole, field))
			return true;
	}
	return false;
}

bool
mime_field_find(struct slice header, const char *name, struct slice *value)
{
	struct mime_field field;
	size_t at = 0;

	while (mime_field_next(header, &at, &field)) {
		if (!slice_equals_nocase(field.name, slice_of(name)))
			continue;
		*value = field.value;
		return true;
	}
	return false;
}

/* ---- tokens ---- */

static bool
is_gap(char c)
{
	return is_space(c) || c == '\r' || c == '\n';
}

/* White space and comments (RFC 5322 3.2.2); a comment may not end. */
static struct slice
skip_gap(struct slice s)
{
	unsigned depth = 0;

	while (s.size > 0) {
		if (*s.data == '(')
			depth++;
		else if (*s.data == ')' && depth > 0)
			depth--;
		else if (*s.data == '\\' && depth > 0 && s.size > 1)
			s = slice_after(s, 1);
		else if (depth == 0 && !is_gap(*s.data))
			break;
		s = slice_after(s, 1);
	}
	return s;
}

static bool
is_token(char c)
{
	return !is_control(c) && c != ' ' && !strchr("()<>@,;:\\\"/[]?=", c);
}

static struct slice
take_token(struct slice *s)
{
	size_t n = 0;

	while (n < s->size && is_token(s->data[n]))
		n++;
	*s = slice_after(*s, n);
	return (struct slice){ s->data - n, n };
}

bool
mime_type(struct slice value, char type[MIME_TYPE_MAX])
{
	struct slice rest = skip_gap(value), top, sub;
	size_t size;

	type[0] = '\0';
	top = take_token(&rest);
	rest = skip_gap(rest);
	if (rest.size == 0 || *rest.data != '/')
		return false;
	rest = skip_gap(slice_after(rest, 1));
	sub = take_token(&rest);
	size = top.size + 1 + sub.size;
	if (top.size == 0 || sub.size == 0 || size >= MIME_TYPE_MAX)
		return false;
	memcpy(type, top.data, top.size);
	type[top.size] = '/';
	memcpy(type + top.size + 1, sub.data, sub.size);
	type[size] = '\0';
	for (size_t i = 0; i < size; i++)
		type[i] = to_lower(type[i]);
	return true;
}

/* ---- parameters ---- */

/*
 * End of the parameter at the front: a ';' outside of quotes. Where quotes
 * do not end, here and from here on rather any ';' (and one scan is enough).
 */
static size_t
param_size(struct slice s, bool *ignores_quotes)
{
	bool is_quoted = false;
	size_t n;

	if (*ignores_quotes)
		return slice_find(s, ';');
	for (n = 0; n < s.size && (is_quoted || s.data[n] != ';'); n++) {
		if (s.data[n] == '"')
			is_quoted = !is_quoted;
		else if (s.data[n] == '\\' && is_quoted && n + 1 < s.size)
			n++;
	}
	*ignores_quotes = is_quoted;
	return is_quoted ? slice_find(s, ';') : n;
}

static struct slice
trim_gaps(struct slice s)
{
	while (s.size > 0 && is_gap(*s.data))
		s = slice_after(s, 1);
	while (s.size > 0 && is_gap(s.data[s.size - 1]))
		s.size--;
	return s;
}

/* A type (or "attachment") is no parameter, as it has no '='. */
bool
mime_raw_next(struct slice value, struct mime_raw *raw)
{
	struct slice whole, rest;

	while (raw->at < value.size) {
		whole = slice_after(value, raw->at);
		whole.size = param_size(whole, &raw->ignores_quotes);
		raw->at += whole.size + 1;
		rest = skip_gap(whole);
		raw->name = take_token(&rest);
		rest = skip_gap(rest);
		if (raw->name.size == 0 || rest.size == 0 || *rest.data != '=')
			continue;
		raw->value = trim_gaps(slice_after(rest, 1));
		return true;
	}
	return false;
}

/*
 * "*", "*7" or "*7*" after the name: a piece's number (-1: it is whole),
 * and whether it is encoded. False: another parameter.
 */
static bool
piece_of(struct slice name, const char *wanted, int *number,
    bool *is_encoded)
{
	size_t size = strlen(wanted);
	unsigned long long n = 0;

	if (!slice_starts_nocase(name, slice_of(wanted)))
		return false;
	name = slice_after(name, size);
	*number = -1;
	*is_encoded = name.size > 0 && name.data[name.size - 1] == '*';
	if (*is_encoded)
		name.size--;
	if (name.size == 0)
		return true;
	if (*name.data != '*' || !slice_number(slice_after(name, 1),
	    PIECE_NUMBER_MAX, &n))
		return false;
	*number = (int)n;
	return true;
}

struct piece {
	int number;
	bool is_encoded;
	struct slice value;
};

/* In the order of their numbers, and as they stand where one is twice. */
static int
by_number(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->value.data < y->value.data ? -1 : 1;
}

static size_t
find_pieces(struct slice value, const char *name,
    struct piece pieces[PIECES_MAX])
{
	struct mime_raw raw = { 0 };
	struct piece found;
	size_t n = 0;

	while (n < PIECES_MAX && mime_raw_next(value, &raw)) {
		if (!piece_of(raw.name, name, &found.number,
		    &found.is_encoded) ||
		    (found.number < 0 && !found.is_encoded))
			continue;
		if (found.number < 0)
			found.number = 0;
		found.value = raw.value;
		pieces[n++] = found;
	}
	qsort(pieces, n, sizeof *pieces, by_number);
	return n;
}

bool
mime_pieces(struct slice value, const char *name, bool is_generous,
    struct text_out *out)
{
	struct piece pieces[PIECES_MAX];
	size_t n = find_pieces(value, name, pieces);
	bool is_any_encoded = false;
	int next = 0;

	for (size_t i = 0; i < n; i++)
		is_any_encoded |= pieces[i].is_encoded;
	for (size_t i = 0; i < n; i++) {
		if (!is_generous && pieces[i].number > next)
			break;
		/* of two with one number programs take either */
		if (is_generous ? i + 1 < n &&
		    pieces[i + 1].number == pieces[i].number :
		    pieces[i].number < next)
			continue;
		mime_put_piece(out, pieces[i].value, pieces[i].is_encoded ||
		    (is_generous && is_any_encoded), next == 0);
		next = pieces[i].number + 1;
	}
	return next > 0;
}

bool
mime_param(struct slice value, const char *name, char *to, size_t room)
{
	struct text_out out = { .to = to, .room = room };
	struct mime_raw raw = { 0 };

	to[0] = '\0';
	while (mime_raw_next(value, &raw)) {
		if (!slice_equals_nocase(raw.name, slice_of(name)))
			continue;
		mime_put_value(&out, raw.value);
		return true;
	}
	return mime_pieces(value, name, false, &out);
}

/* ---- what each program would read alike ---- */

/* Tokens, and quoted strings where a value is; no comment, no text behind. */
static bool
is_plain(struct slice value)
{
	bool is_quoted = false, has_gap = false;
	char before = ';';	/* the last that is no white space */

	for (size_t i = 0; i < value.size; i++) {
		char c = value.data[i];

		if (c == '\\' || (!is_quoted && (c == '(' || c == ')')))
			return false;
		if (!is_quoted && is_gap(c)) {
			has_gap = true;
			continue;
		}
		if (!is_quoted && (c == '"' ? before != '=' : c != ';' &&
		    (before == '"' || (has_gap && !strchr(";=/", before) &&
		    !strchr("=/", c)))))
			return false;
		is_quoted ^= c == '"';
		has_gap = false;
		before = c;
	}
	return !is_quoted;
}

bool
mime_boundary_is_clear(struct slice value)
{
	const struct slice wanted = SLICE("boundary");
	struct mime_raw raw = { 0 };
	unsigned n = 0;

	while (mime_raw_next(value, &raw)) {
		if (!slice_starts_nocase(raw.name, wanted))
			continue;
		n++;
		for (size_t i = 0; i < raw.value.size; i++)
			if (*raw.value.data != '"' &&
			    strchr(",<>[]", raw.value.data[i]) != NULL)
				return false;
	}
	return n < 2 && is_plain(value);
}
