/* SPDX-License-Identifier: ISC */
/*
 * octets.h - classes of octets in the grammars of RFC 5321 and 5322.
 *
 * ctype.h depends on the locale and on the sign of char; these do not.
 */
#ifndef POSTERN_MAIL_OCTETS_H
#define POSTERN_MAIL_OCTETS_H

#include <stdbool.h>
#include <string.h>
#include "buf.h"

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
is_alnum(char c)
{
	return is_alpha(c) || is_digit(c);
}

static inline bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static inline bool
is_ascii(char c)
{
	return (unsigned char)c < 0x80;
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 5322 3.2.3. */
static inline bool
is_atext(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static inline char
to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* s without its first n octets (n is at most s.size). */
static inline struct slice
slice_after(struct slice s, size_t n)
{
	return (struct slice){ s.data + n, s.size - n };
}

static inline struct slice
slice_first(struct slice s, size_t n)
{
	return (struct slice){ s.data, n };
}

/* Size of what open at the front begins and close ends, backslashes obeyed;
 * 0 when it has no end. Comments nest (RFC 5322 3.2.2, 3.2.4). */
size_t enclosed_size(struct slice s, char open, char close);

#endif
