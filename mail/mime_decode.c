/* SPDX-License-Identifier: ISC */
/*
 * mime_decode.c - transfer encodings (RFC 2045 6.7, 6.8), decoded piece by
 * piece.
 */
#include "mime.h"
#include "mime_text.h"
#include "octets.h"

void
mime_decode_start(struct mime_decode *decode, enum mime_encoding encoding,
    struct slice body)
{
	*decode = (struct mime_decode){ .encoding = encoding, .rest = body };
}

/* ---- base64 ---- */

int
mime_base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/*
 * A '=' ends a group, not the text: encoded pieces that were joined go on
 * behind it, and so do mail programs.
 */
static size_t
next_base64(struct mime_decode *d, char *to, size_t room)
{
	size_t n = 0;

	while (n < room && d->rest.size > 0) {
		char c = *d->rest.data;
		int value = mime_base64_value(c);

		d->rest = slice_after(d->rest, 1);
		if (c == '=')
			d->n_bits = 0;
		if (value < 0)
			continue;
		d->bits = (d->bits << 6 | (uint32_t)value) & 0xffffff;
		d->n_bits += 6;
		if (d->n_bits < 8)
			continue;
		d->n_bits -= 8;
		to[n++] = (char)(d->bits >> d->n_bits);
	}
	return n;
}

/* ---- quoted-printable ---- */

static int
hex_value(char c)
{
	c = to_lower(c);
	return is_digit(c) ? c - '0' : c - 'a' + 10;
}

/* White space at the end of a line, and the end itself: 0 if none. */
static size_t
soft_break_size(struct slice s)
{
	size_t n = 0;

	while (n < s.size && n < 1000 && is_space(s.data[n]))
		n++;
	if (n == s.size)
		return n;
	if (s.data[n] == '\r' && n + 1 < s.size && s.data[n + 1] == '\n')
		return n + 2;
	return s.data[n] == '\r' || s.data[n] == '\n' ? n + 1 : 0;
}

static size_t
next_quoted(struct mime_decode *d, char *to, size_t room)
{
	size_t n = 0, size;

	while (n < room && d->rest.size > 0) {
		struct slice s = d->rest;

		if (*s.data == '=' && s.size > 2 && is_hex(s.data[1]) &&
		    is_hex(s.data[2])) {
			to[n++] = (char)(hex_value(s.data[1]) << 4 |
			    hex_value(s.data[2]));
			d->rest = slice_after(s, 3);
			continue;
		}
		size = *s.data == '=' ? soft_break_size(slice_after(s, 1)) :
		    0;
		if (*s.data != '=' || (size == 0 && s.size > 1))
			to[n++] = *s.data;
		d->rest = slice_after(s, 1 + size);
	}
	return n;
}

size_t
mime_decode_next(struct mime_decode *decode, void *to, size_t room)
{
	size_t n;

	switch (decode->encoding) {
	case MIME_BASE64:
		return next_base64(decode, to, room);
	case MIME_QUOTED_PRINTABLE:
		return next_quoted(decode, to, room);
	case MIME_IDENTITY:
	case MIME_UNKNOWN_ENCODING:
		break;
	}
	n = decode->rest.size < room ? decode->rest.size : room;
	if (n > 0)
		memcpy(to, decode->rest.data, n);
	decode->rest = slice_after(decode->rest, n);
	return n;
}
