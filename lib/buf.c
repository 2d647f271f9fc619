/* SPDX-License-Identifier: ISC */
/*
 * buf.c - slices and growing buffers; see buf.h.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "buf.h"

#define BUF_DEFAULT_MAXIMUM ((size_t)1 << 30)

struct slice
slice_of(const char *string)
{
	return (struct slice){ string, string ? strlen(string) : 0 };
}

bool
slice_equals(struct slice a, struct slice b)
{
	return a.size == b.size &&
	    (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool
slice_starts_nocase(struct slice whole, struct slice prefix)
{
	if (whole.size < prefix.size)
		return false;
	for (size_t i = 0; i < prefix.size; i++)
		if (lower(whole.data[i]) != lower(prefix.data[i]))
			return false;
	return true;
}

bool
slice_equals_nocase(struct slice a, struct slice b)
{
	return a.size == b.size && slice_starts_nocase(a, b);
}

struct slice
slice_trim(struct slice s)
{
	while (s.size > 0 && (*s.data == ' ' || *s.data == '\t')) {
		s.data++;
		s.size--;
	}
	while (s.size > 0 &&
	    (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
		s.size--;
	return s;
}

uint32_t
slice_hash(struct slice s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.size; i++)
		h = (h ^ (unsigned char)s.data[i]) * 16777619u;
	return h;
}

size_t
slice_after_last(struct slice s, char c)
{
	size_t at = s.size;

	while (at > 0 && s.data[at - 1] != c)
		at--;
	return at;
}

bool
text_equals(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

size_t
slice_find(struct slice s, char c)
{
	const char *at = s.size ? memchr(s.data, c, s.size) : NULL;

	return at ? (size_t)(at - s.data) : s.size;
}

bool
slice_has_control(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f)
			return true;
	return false;
}

bool
slice_is_field(struct slice s, size_t room)
{
	return s.size > 0 && s.size < room && !slice_has_control(s);
}

struct slice
slice_next_line(struct slice *rest)
{
	struct slice line = { rest->data, slice_find(*rest, '\n') };
	size_t skip = line.size < rest->size ? line.size + 1 : line.size;

	rest->data += skip;
	rest->size -= skip;
	return line;
}

char *
slice_strdup(struct slice s)
{
	char *copy = malloc(s.size + 1);

	if (copy == NULL)
		return NULL;
	if (s.size > 0)
		memcpy(copy, s.data, s.size);
	copy[s.size] = '\0';
	return copy;
}

void
slice_free(struct slice *s)
{
	free((void *)(uintptr_t)s->data);
	*s = (struct slice){ NULL, 0 };
}

bool
slice_copy(char *to, size_t room, struct slice from)
{
	if (room == 0)
		return false;
	if (from.size >= room) {
		*to = '\0';
		return false;
	}
	if (from.size > 0)
		memcpy(to, from.data, from.size);
	to[from.size] = '\0';
	return true;
}

void
slice_clip(char *to, size_t room, struct slice from)
{
	if (from.size >= room)
		from.size = room - 1;
	(void)slice_copy(to, room, from);
}

struct slice
slice_digits(char room[NUMBER_DIGITS], unsigned long long number)
{
	char *at = room + NUMBER_DIGITS;

	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return (struct slice){ at, (size_t)(room + NUMBER_DIGITS - at) };
}

bool
slice_number(struct slice s, unsigned long long max,
    unsigned long long *value)
{
	unsigned long long v = 0;

	if (s.size == 0)
		return false;
	for (size_t i = 0; i < s.size; i++) {
		unsigned digit = (unsigned)(s.data[i] - '0');

		if (s.data[i] < '0' || digit > 9)
			return false;
		if (v > (max - digit) / 10 || digit > max)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

/* Make room for more octets and a terminator. */
static int
reserve(struct buf *b, size_t more)
{
	size_t maximum = b->maximum ? b->maximum : BUF_DEFAULT_MAXIMUM;
	size_t wanted, capacity;
	char *data;

	if (more > maximum || b->size > maximum - more)
		return -ENOBUFS;
	wanted = b->size + more + 1;
	if (wanted <= b->capacity)
		return 0;
	capacity = b->capacity ? b->capacity : 64;
	while (capacity < wanted)
		capacity *= 2;
	data = realloc(b->data, capacity);
	if (data == NULL)
		return -ENOMEM;
	b->data = data;
	b->capacity = capacity;
	return 0;
}

int
buf_append(struct buf *b, const void *data, size_t size)
{
	int error = reserve(b, size);

	if (error)
		return error;
	if (size > 0)
		memcpy(b->data + b->size, data, size);
	b->size += size;
	b->data[b->size] = '\0';
	return 0;
}

int
buf_append_slice(struct buf *b, struct slice s)
{
	return buf_append(b, s.data, s.size);
}

int
buf_puts(struct buf *b, const char *string)
{
	return buf_append(b, string, strlen(string));
}

int
buf_put_number(struct buf *b, unsigned long long number)
{
	char room[NUMBER_DIGITS];

	return buf_append_slice(b, slice_digits(room, number));
}

/* Straight into the room that is there, which nearly always is enough. */
int
buf_vprintf(struct buf *b, const char *format, va_list ap)
{
	size_t room = b->capacity > b->size ? b->capacity - b->size : 0;
	va_list again;
	int n, error;

	va_copy(again, ap);
	n = vsnprintf(room > 0 ? b->data + b->size : NULL, room, format,
	    again);
	va_end(again);
	error = n < 0 ? -EINVAL : reserve(b, (size_t)n);
	if (error) {
		if (room > 0)
			b->data[b->size] = '\0';
		return error;
	}
	if ((size_t)n >= room)
		vsnprintf(b->data + b->size, (size_t)n + 1, format, ap);
	b->size += (size_t)n;
	return 0;
}

int
buf_printf(struct buf *b, const char *format, ...)
{
	va_list ap;
	int error;

	va_start(ap, format);
	error = buf_vprintf(b, format, ap);
	va_end(ap);
	return error;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->size) {
		b->size = 0;
	} else if (n > 0) {
		memmove(b->data, b->data + n, b->size - n);
		b->size -= n;
	}
	if (b->data != NULL)
		b->data[b->size] = '\0';
}

struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){ b->data, b->size };
}

void
buf_free(struct buf *b)
{
	size_t maximum = b->maximum;

	free(b->data);
	*b = (struct buf){ .maximum = maximum };
}
