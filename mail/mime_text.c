/* SPDX-License-Identifier: ISC */
/*
 * mime_text.c - text in headers: quoted strings, RFC 2231 values, RFC 2047
 * encoded words, and the file names that are made of them. Charsets are in
 * mime_charset.c.
 */
#include "mime.h"
#include "mime_text.h"
#include "octets.h"

#define WORD_MAX 2000		/* octets of one encoded word */

void
mime_put_value(struct text_out *out, struct slice value)
{
	bool is_quoted = value.size > 0 && *value.data == '"';

	if (is_quoted)
		value = slice_after(value, 1);
	for (size_t i = 0; i < value.size; i++) {
		if (is_quoted && value.data[i] == '"')
			return;
		if (is_quoted && value.data[i] == '\\' && i + 1 < value.size)
			i++;
		mime_put_octet(out, value.data[i]);
	}
}

/* ---- RFC 2231 ---- */

static int
hex_digit(char c)
{
	c = to_lower(c);
	if (is_digit(c))
		return c - '0';
	return is_hex(c) ? c - 'a' + 10 : -1;
}

/* The octet of "%41" or "=41" at s; its size, or 0. */
static size_t
take_hex(struct slice s, char mark, char *octet)
{
	int high, low;

	if (s.size < 3 || *s.data != mark)
		return 0;
	high = hex_digit(s.data[1]);
	low = hex_digit(s.data[2]);
	if (high < 0 || low < 0)
		return 0;
	*octet = (char)(high << 4 | low);
	return 3;
}

static struct slice
take_charset(struct text_out *out, struct slice value)
{
	size_t n = slice_find(value, '\'');
	size_t m = n < value.size ?
	    slice_find(slice_after(value, n + 1), '\'') : 0;

	if (n == value.size || n + 1 + m == value.size)
		return value;
	mime_set_charset(out, slice_first(value, n));
	return slice_after(value, n + 1 + m + 1);
}

void
mime_put_piece(struct text_out *out, struct slice value, bool is_encoded,
    bool has_charset)
{
	char octet = 0;
	size_t n;

	if (!is_encoded) {
		mime_put_value(out, value);
		return;
	}
	if (value.size > 1 && *value.data == '"') {	/* not allowed, done */
		value = slice_after(value, 1);
		value.size = slice_find(value, '"');
	}
	if (has_charset)
		value = take_charset(out, value);
	while (value.size > 0) {
		n = take_hex(value, '%', &octet);
		mime_put_octet(out, n > 0 ? octet : *value.data);
		value = slice_after(value, n > 0 ? n : 1);
	}
}

/* ---- RFC 2047 ---- */

static void
put_base64(struct text_out *out, struct slice text)
{
	struct mime_decode decode;
	char octets[256];
	size_t n;

	mime_decode_start(&decode, MIME_BASE64, text);
	while ((n = mime_decode_next(&decode, octets, sizeof octets)) > 0)
		for (size_t i = 0; i < n; i++)
			mime_put_octet(out, octets[i]);
}

static void
put_q(struct text_out *out, struct slice text)
{
	char octet = 0;
	size_t n;

	while (text.size > 0) {
		n = take_hex(text, '=', &octet);
		if (n == 0)
			octet = *text.data == '_' ? ' ' : *text.data;
		mime_put_octet(out, octet);
		text = slice_after(text, n > 0 ? n : 1);
	}
}

/* "=?CHARSET?B?TEXT?=" at the front of s: put it; its size, or 0. */
static size_t
take_word(struct text_out *out, struct slice s)
{
	struct slice rest = s, charset, text;
	size_t n;
	char how;

	if (s.size < 8 || s.data[0] != '=' || s.data[1] != '?')
		return 0;
	rest = slice_after(s, 2);
	n = slice_find(rest, '?');
	if (n > 100 || n + 3 > rest.size || rest.data[n + 2] != '?')
		return 0;
	charset = slice_first(rest, n);
	how = to_lower(rest.data[n + 1]);
	rest = slice_after(rest, n + 3);
	n = slice_find(slice_first(rest, rest.size < WORD_MAX ? rest.size :
	    WORD_MAX), '?');
	if (n + 1 >= rest.size || rest.data[n + 1] != '=' ||
	    (how != 'b' && how != 'q'))
		return 0;
	text = slice_first(rest, n);
	charset.size = slice_find(charset, '*');	/* RFC 2231 5 */
	mime_set_charset(out, charset);
	if (how == 'b')
		put_base64(out, text);
	else
		put_q(out, text);
	mime_set_charset(out, SLICE(""));
	return (size_t)(text.data + n + 2 - s.data);
}

static size_t
gap_size(struct slice s)
{
	size_t n = 0;

	while (n < s.size && (is_space(s.data[n]) || s.data[n] == '\r' ||
	    s.data[n] == '\n'))
		n++;
	return n;
}

static void
put_words(struct text_out *out, struct slice value)
{
	size_t n, gap;

	while (value.size > 0) {
		n = take_word(out, value);
		if (n == 0) {
			mime_put_octet(out, *value.data);
			value = slice_after(value, 1);
			continue;
		}
		value = slice_after(value, n);
		/* white space between two words is none */
		while (gap = gap_size(value), (n = take_word(out,
		    slice_after(value, gap))) > 0)
			value = slice_after(value, gap + n);
	}
}

void
mime_words_decode(struct slice value, char *to, size_t room)
{
	struct text_out out = { .to = to, .room = room };

	to[0] = '\0';
	put_words(&out, value);
}

/* ---- file names ---- */

struct name_call {
	mime_name_fn *fn;
	void *arg;
	bool is_stopped;
	char last[MIME_NAME_MAX + 1];	/* not told twice in a row */
};

static struct text_out
begin_name(char name[MIME_NAME_MAX + 1])
{
	name[0] = '\0';
	return (struct text_out){ .to = name, .room = MIME_NAME_MAX + 1,
		.keeps_end = true };
}

/* What Windows takes off the end of a name does not hide it. */
static void
tell_name(struct name_call *call, char *name)
{
	size_t size = strlen(name), skip = 0;

	while (size > 0 && (name[size - 1] == '.' ||
	    (unsigned char)name[size - 1] <= ' '))
		name[--size] = '\0';
	while (is_space(name[skip]))
		skip++;
	if (name[skip] == '\0' || call->is_stopped ||
	    strcmp(name + skip, call->last) == 0)
		return;
	slice_copy(call->last, sizeof call->last, slice_of(name + skip));
	call->is_stopped = !call->fn(name + skip, call->arg);
}

static void
tell_words(struct name_call *call, const char *text)
{
	char name[MIME_NAME_MAX + 1];
	struct text_out out = begin_name(name);

	put_words(&out, slice_of(text));
	if (strcmp(name, text) != 0)
		tell_name(call, name);
}

/* name="a.exe"b, name=a.exe b: each way in which it could be read. */
static void
tell_raw(struct name_call *call, struct slice raw)
{
	char name[MIME_NAME_MAX + 1];
	struct text_out out = begin_name(name);
	bool is_odd = false;

	mime_put_value(&out, raw);
	tell_words(call, name);
	tell_name(call, name);
	for (size_t i = 1; i + 1 < raw.size && !is_odd; i++)
		is_odd = raw.data[i] == '"' || is_space(raw.data[i]);
	if (!is_odd && raw.size > 0)
		is_odd = (*raw.data == '"') != (raw.data[raw.size - 1] == '"');
	if (!is_odd)
		return;
	out = begin_name(name);
	for (size_t i = 0; i < raw.size; i++)
		if (raw.data[i] != '"')
			mime_put_octet(&out, raw.data[i]);
	tell_name(call, name);
	name[slice_find(slice_of(name), ' ')] = '\0';
	tell_name(call, name);
}

static void
tell_param(struct name_call *call, struct slice value, const char *wanted)
{
	char name[MIME_NAME_MAX + 1];
	struct text_out out;
	struct mime_raw raw = { 0 };

	while (!call->is_stopped && mime_raw_next(value, &raw))
		if (slice_equals_nocase(raw.name, slice_of(wanted)))
			tell_raw(call, raw.value);
	for (int generous = 0; generous < 2 && !call->is_stopped;
	    generous++) {
		out = begin_name(name);
		if (mime_pieces(value, wanted, generous, &out)) {
			tell_words(call, name);
			tell_name(call, name);
		}
	}
}

void
mime_names(const struct mime_part *part, mime_name_fn *fn, void *arg)
{
	struct name_call call = { .fn = fn, .arg = arg };
	struct mime_field field;
	size_t at = 0;

	while (!call.is_stopped &&
	    mime_field_next(part->header, &at, &field)) {
		if (!slice_equals_nocase(field.name, SLICE("Content-Type")) &&
		    !slice_equals_nocase(field.name,
		    SLICE("Content-Disposition")))
			continue;
		tell_param(&call, field.value, "filename");
		tell_param(&call, field.value, "name");
	}
}
