/* SPDX-License-Identifier: ISC */
/*
 * mime_charset.c - octets of a charset become UTF-8, as far as it takes to
 * see a name that hides in it; see mime_text.h.
 *
 * UTF-8 and what contains ASCII pass as they are, ISO 8859-1 (and Windows
 * 1252) becomes UTF-8, of UTF-16 the ASCII part is kept. UTF-7 is decoded,
 * from ISO 2022 and HZ the sequences that switch between sets are taken, and
 * of EBCDIC the letters are read that all of its kinds have.
 */
#include "mime_text.h"
#include "octets.h"

#define ESCAPE '\x1b'

static const struct {
	const char *begins;
	enum text_charset charset;
} charsets[] = {
	{ "iso-8859-15", TEXT_LATIN1 }, { "iso-8859-1", TEXT_LATIN1 },
	{ "windows-1252", TEXT_LATIN1 }, { "us-ascii", TEXT_LATIN1 },
	{ "utf-7", TEXT_UTF7 }, { "utf7", TEXT_UTF7 },
	{ "unicode-1-1-utf-7", TEXT_UTF7 },
	{ "x-unicode-2-0-utf-7", TEXT_UTF7 },
	{ "iso-2022-", TEXT_ISO2022 }, { "csiso2022", TEXT_ISO2022 },
	{ "hz", TEXT_HZ },
	{ "ebcdic", TEXT_EBCDIC }, { "x-ebcdic", TEXT_EBCDIC },
	{ "ibm037", TEXT_EBCDIC }, { "cp037", TEXT_EBCDIC },
	{ "ibm27", TEXT_EBCDIC }, { "ibm28", TEXT_EBCDIC },
	{ "ibm297", TEXT_EBCDIC }, { "ibm500", TEXT_EBCDIC },
	{ "cp500", TEXT_EBCDIC }, { "ibm1047", TEXT_EBCDIC },
	{ "cp1047", TEXT_EBCDIC }, { "ibm0114", TEXT_EBCDIC },
	{ "ibm114", TEXT_EBCDIC }, { "cp0114", TEXT_EBCDIC },
	{ "cp114", TEXT_EBCDIC },
};

static const struct {
	unsigned char from;
	const char *to;
} ebcdic[] = {
	{ 0x40, " " }, { 0x4b, "." }, { 0x60, "-" }, { 0x6d, "_" },
	{ 0x81, "abcdefghi" }, { 0x91, "jklmnopqr" }, { 0xa2, "stuvwxyz" },
	{ 0xc1, "ABCDEFGHI" }, { 0xd1, "JKLMNOPQR" }, { 0xe2, "STUVWXYZ" },
	{ 0xf0, "0123456789" },
};

void
mime_set_charset(struct text_out *out, struct slice charset)
{
	out->charset = TEXT_PLAIN;
	out->state = 0;
	out->bits = out->n_bits = 0;
	for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
		if (slice_starts_nocase(charset,
		    slice_of(charsets[i].begins))) {
			out->charset = charsets[i].charset;
			return;
		}
}

/* For n octets, and the NUL that ends them. */
static bool
has_room(struct text_out *out, size_t n)
{
	size_t quarter = out->room / 4;

	if (out->size + n < out->room)
		return true;
	if (!out->keeps_end)
		return false;
	memmove(out->to + quarter, out->to + 2 * quarter,
	    out->size - 2 * quarter + 1);
	out->size -= quarter;
	return true;
}

static void
put_raw(struct text_out *out, unsigned octet)
{
	if (!has_room(out, 1))
		return;
	out->to[out->size++] = (char)octet;
	out->to[out->size] = '\0';
}

/* Up to U+FFFF; halves of surrogates are no letters, and stay halves. */
static void
put_code(struct text_out *out, unsigned code)
{
	if (code < 0x80) {
		if (!is_control((char)code))
			put_raw(out, code);
	} else if (code < 0x800 && has_room(out, 2)) {
		put_raw(out, 0xc0 | code >> 6);
		put_raw(out, 0x80 | (code & 0x3f));
	} else if (code >= 0x800 && has_room(out, 3)) {
		put_raw(out, 0xe0 | code >> 12);
		put_raw(out, 0x80 | (code >> 6 & 0x3f));
		put_raw(out, 0x80 | (code & 0x3f));
	}
}

/* RFC 2152: "+" begins base64 of UTF-16, "-" or what is none ends it. */
static void
put_utf7(struct text_out *out, char c)
{
	enum { DIRECT, BEGUN, SHIFTED };
	int value = mime_base64_value(c);

	if (out->state == DIRECT && c == '+') {
		out->state = BEGUN;
		out->bits = out->n_bits = 0;
	} else if (out->state == DIRECT) {
		put_code(out, (unsigned char)c);
	} else if (value >= 0) {
		out->state = SHIFTED;
		out->bits = (out->bits << 6 | (unsigned)value) & 0x3fffff;
		out->n_bits += 6;
		if (out->n_bits < 16)
			return;
		out->n_bits -= 16;
		put_code(out, out->bits >> out->n_bits & 0xffff);
	} else {
		if (c != '-' || out->state == BEGUN)
			put_code(out, c == '-' ? '+' : (unsigned char)c);
		out->state = DIRECT;
	}
}

/* ISO 2022: ESC, octets from 0x20 to 0x2f, and one more. */
static void
put_iso2022(struct text_out *out, char c)
{
	if (c == ESCAPE)
		out->state = 1;
	else if (out->state == 0)
		put_code(out, (unsigned char)c);
	else if (c < ' ' || c > '/')
		out->state = 0;
}

/* RFC 1843: "~{" and "~}" switch, "~~" is a tilde. */
static void
put_hz(struct text_out *out, char c)
{
	if (out->state == 0 && c == '~') {
		out->state = 1;
		return;
	}
	if (out->state == 0 || c == '~')
		put_code(out, (unsigned char)c);
	out->state = 0;
}

static void
put_ebcdic(struct text_out *out, char c)
{
	unsigned octet = (unsigned char)c;

	for (size_t i = 0; i < sizeof ebcdic / sizeof *ebcdic; i++)
		if (octet >= ebcdic[i].from &&
		    octet < ebcdic[i].from + strlen(ebcdic[i].to)) {
			put_raw(out, (unsigned char)
			    ebcdic[i].to[octet - ebcdic[i].from]);
			return;
		}
	put_raw(out, '?');
}

void
mime_put_octet(struct text_out *out, char c)
{
	switch (out->charset) {
	case TEXT_PLAIN:
		if (!is_control(c))
			put_raw(out, (unsigned char)c);
		break;
	case TEXT_LATIN1:
		put_code(out, (unsigned char)c);
		break;
	case TEXT_UTF7:
		put_utf7(out, c);
		break;
	case TEXT_ISO2022:
		put_iso2022(out, c);
		break;
	case TEXT_HZ:
		put_hz(out, c);
		break;
	case TEXT_EBCDIC:
		put_ebcdic(out, c);
		break;
	}
}
