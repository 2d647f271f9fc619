/* SPDX-License-Identifier: ISC */
/*
 * encoder.c - see encoder.h.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "encoder.h"
#include "seven_bit.h"

#define PIECE 32768

void
encoder_start(struct encoder *e, const struct encoder_source *source,
    struct seven_bit *seven_bit, enum encoder_form form)
{
	*e = (struct encoder){ .source = source, .seven_bit = seven_bit,
		.form = form };
}

static ssize_t
top_read(struct encoder *e, char *to, size_t room)
{
	struct slice top = e->source->top;
	size_t n = top.size - e->at_top;

	if (n > room)
		n = room;
	memcpy(to, top.data + e->at_top, n);
	e->at_top += n;
	return (ssize_t)n;
}

/* Octets, 0 at the end, or a negative errno. */
static ssize_t
source_read(struct encoder *e, char *to, size_t room)
{
	uint64_t left = e->source->size - e->at;
	ssize_t n;

	if (e->at_top < e->source->top.size)
		return top_read(e, to, room);
	if (e->seven_bit != NULL)
		return seven_bit_next(e->seven_bit, to, room);
	if (left == 0)
		return 0;
	do {
		n = pread(e->source->fd, to, left < room ? (size_t)left :
		    room, (off_t)(e->source->offset + e->at));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return -EIO;		/* shorter than was said */
	if (n > 0)
		e->at += (uint64_t)n;
	return n < 0 ? -errno : n;
}

static char *
line_end(struct encoder *e, char *to)
{
	*to++ = '\r';
	*to++ = '\n';
	e->is_in_line = false;
	return to;
}

/* At most two octets for each. */
static char *
encode(struct encoder *e, char *to, const char *from, size_t size)
{
	const char *end = from + size;

	while (from < end) {
		const char *stop = from;

		if (*from == '\n' || e->has_cr) {
			to = line_end(e, to);
			from += *from == '\n';
			e->has_cr = false;
			continue;
		}
		if (*from == '\r') {
			e->has_cr = true;
			from++;
			continue;
		}
		if (!e->is_in_line && *from == '.' &&
		    e->form == ENCODER_DATA)
			*to++ = '.';
		e->is_in_line = true;
		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		memcpy(to, from, (size_t)(stop - from));
		to += stop - from;
		from = stop;
	}
	return to;
}

/* A converted message says so only when it is asked for more. */
static bool
is_last(const struct encoder *e, ssize_t n)
{
	return n == 0 || (e->seven_bit == NULL &&
	    e->at == e->source->size && e->at_top == e->source->top.size);
}

static char *
finish(struct encoder *e, char *to)
{
	if (e->is_in_line || e->has_cr)
		to = line_end(e, to);
	if (e->form == ENCODER_DATA) {
		*to++ = '.';
		to = line_end(e, to);
	}
	e->has_cr = false;
	e->is_over = true;
	return to;
}

int
encoder_next(struct encoder *e, struct buf *out)
{
	static char from[PIECE], to[2 * PIECE + 8];
	char *end = to;
	ssize_t n = source_read(e, from, sizeof from);

	if (n < 0)
		return (int)n;
	end = encode(e, end, from, (size_t)n);
	if (is_last(e, n))
		end = finish(e, end);
	return buf_append(out, to, (size_t)(end - to));
}
