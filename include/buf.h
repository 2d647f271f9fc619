/* SPDX-License-Identifier: ISC */
/*
 * buf.h - octets: borrowed (struct slice) and owned (struct buf).
 *
 * A slice never owns what it points to and is not terminated. A buf owns
 * its memory and grows up to a maximum; an append over the maximum or
 * without memory fails and leaves the buf as it was.  Pure, no I/O.
 */
#ifndef POSTERN_BUF_H
#define POSTERN_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
	const char *data;
	size_t size;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

struct slice slice_of(const char *string);
bool slice_equals(struct slice a, struct slice b);
bool slice_equals_nocase(struct slice a, struct slice b);	/* ASCII only */
bool slice_starts_nocase(struct slice whole, struct slice prefix);
struct slice slice_trim(struct slice s);	/* SP and TAB at both ends */
/* Position of c, or s.size. */
size_t slice_find(struct slice s, char c);
/* Behind the last c; 0 without one. */
size_t slice_after_last(struct slice s, char c);
/* Both strings are NULL, or the same. */
bool text_equals(const char *a, const char *b);
/* FNV-1a, without a secret: for tables of our own users' and our own words. */
uint32_t slice_hash(struct slice s);
/* Octets below 0x20, or DEL. */
bool slice_has_control(struct slice s);
/* Not empty, shorter than room, and without control octets. */
bool slice_is_field(struct slice s, size_t room);
/* Take the first line off the front; it comes without its LF. */
struct slice slice_next_line(struct slice *rest);
/* A terminated copy that the caller frees; NULL without memory. */
char *slice_strdup(struct slice s);
/* Of a slice that owns its octets. Empty then. */
void slice_free(struct slice *s);
/* Terminated copy into a fixed array; false (and "") if it does not fit. */
bool slice_copy(char *to, size_t room, struct slice from);
/* The same of a text for people: as much of it as fits. */
void slice_clip(char *to, size_t room, struct slice from);
/* number in decimal digits, at the end of room; they begin where it says. */
#define NUMBER_DIGITS 20
struct slice slice_digits(char room[NUMBER_DIGITS],
    unsigned long long number);
/* Decimal digits only, at most max; false for anything else. */
bool slice_number(struct slice s, unsigned long long max,
    unsigned long long *value);

struct buf {
	char *data;		/* always terminated once anything was added */
	size_t size;
	size_t capacity;
	size_t maximum;		/* octets; 0 is 1 GiB */
};

/* 0, or -ENOBUFS (over the maximum), or -ENOMEM. */
int buf_append(struct buf *b, const void *data, size_t size);
int buf_append_slice(struct buf *b, struct slice s);
int buf_puts(struct buf *b, const char *string);
/* In decimal digits. */
int buf_put_number(struct buf *b, unsigned long long number);
int buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Take n octets off the front. */
void buf_consume(struct buf *b, size_t n);
struct slice buf_slice(const struct buf *b);
/* Releases the memory; the buf can be used again. */
void buf_free(struct buf *b);

#endif
