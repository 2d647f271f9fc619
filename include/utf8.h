/* SPDX-License-Identifier: ISC */
/*
 * utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates,
 * nothing above U+10FFFF. Pure.
 */
#ifndef POSTERN_UTF8_H
#define POSTERN_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

/* Octets of the character at the front of s, 1 to 4; 0 if it is malformed. */
size_t utf8_char_size(struct slice s);
/* Its number in Unicode. It is not malformed. */
unsigned utf8_code(struct slice s);
/* All of s is UTF-8. */
bool utf8_is_valid(struct slice s);
bool utf8_is_ascii(struct slice s);
/* The character at the front of s is one of the controls U+0080 to U+009F. */
bool utf8_is_c1_control(struct slice s);
/*
 * It changes how others look and is not seen itself: marks and overrides of
 * direction, joiners, the separators of lines and paragraphs, the byte order
 * mark. A line that holds one may read as another.
 */
bool utf8_is_invisible(struct slice s);
/*
 * How the character at the front of s is written where a terminal shows it:
 * to is "" if it may stand as it is, else an escape, as in the log: \x1b,
 * \u202e. Returns how many octets it has; what is no UTF-8 has one.
 */
#define UTF8_ESCAPE_SIZE 12
size_t utf8_escape(char to[UTF8_ESCAPE_SIZE], struct slice s);
/* A file's text without the byte order mark that some editors put first. */
struct slice utf8_after_mark(struct slice text);

#endif
