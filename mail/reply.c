/* SPDX-License-Identifier: ISC */
/*
 * reply.c - replies for the wire; see reply.h.
 */
#include <errno.h>
#include <stdio.h>
#include "octets.h"
#include "reply.h"
#include "utf8.h"

#define PREFIX_MAX 16		/* "550-5.255.255 " and its NUL */

/*
 * What stands for the character at the front of text: itself, a space or
 * "?". *size is what it takes up in text.
 */
static struct slice
clean_char(struct slice text, bool is_utf8, size_t *size)
{
	size_t n = utf8_char_size(text);

	*size = n ? n : 1;
	if (n == 1 && !is_control(*text.data) && *text.data != ' ')
		return slice_first(text, 1);
	if (n == 1 || utf8_is_c1_control(text))
		return SLICE(" ");
	if (n > 1 && is_utf8)
		return slice_first(text, n);
	return SLICE("?");
}

size_t
reply_clean(char *to, size_t room, struct slice text, bool is_utf8)
{
	size_t used = 0, size;
	bool is_blank = true;		/* drops space at the front too */

	if (room == 0)
		return 0;
	while (text.size > 0) {
		struct slice c = clean_char(text, is_utf8, &size);

		text = slice_after(text, size);
		if (*c.data == ' ' && is_blank)
			continue;
		if (used + c.size >= room)
			break;
		memcpy(to + used, c.data, c.size);
		used += c.size;
		is_blank = *c.data == ' ';
	}
	if (used > 0 && to[used - 1] == ' ')
		used--;
	to[used] = '\0';
	return used;
}

/* A reply that is being written. The first error sticks. */
struct formatter {
	struct buf *out;
	const struct reply *reply;
	unsigned style;
	int error;
};

static void
put(struct formatter *f, struct slice s)
{
	if (f->error == 0)
		f->error = buf_append_slice(f->out, s);
}

/*
 * One line. Enhanced codes belong to 2yz, 4yz and 5yz (RFC 2034 4). A line
 * without text has no space at its end.
 */
static void
put_line(struct formatter *f, struct slice text, bool is_last)
{
	const struct reply *r = f->reply;
	unsigned class = r->code / 100u;
	char prefix[PREFIX_MAX];

	snprintf(prefix, sizeof(prefix), "%03u%c", r->code % 1000u,
	    is_last ? ' ' : '-');
	if ((f->style & REPLY_ENHANCED) && class != 3)
		snprintf(prefix + 4, sizeof(prefix) - 4, "%u.%u.%u ",
		    class % 10, (unsigned)r->subject, (unsigned)r->detail);
	if (text.size == 0 && prefix[strlen(prefix) - 1] == ' ')
		prefix[strlen(prefix) - 1] = '\0';
	put(f, slice_of(prefix));
	put(f, text);
	put(f, SLICE("\r\n"));
}

/* Octets of text for one line: to a space, else to a whole character. */
static size_t
find_break(struct slice text, size_t room)
{
	size_t n = room;

	if (text.size <= room)
		return text.size;
	while (n > room / 2 && text.data[n] != ' ')
		n--;
	if (text.data[n] == ' ')
		return n;
	n = room;
	while (n > room - 4 && ((unsigned char)text.data[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Clean text, as one line or as many as it takes. */
static void
put_split(struct formatter *f, struct slice text, bool is_last)
{
	const size_t room = REPLY_LINE_MAX - 2 - (PREFIX_MAX - 1);

	while (text.size > room) {
		size_t n = find_break(text, room);

		put_line(f, slice_first(text, n), false);
		text = slice_trim(slice_after(text, n));
	}
	put_line(f, text, is_last);
}

int
reply_format(struct buf *out, const struct reply *reply, unsigned style)
{
	struct formatter f = { out, reply, style, 0 };
	struct slice text = reply->text;
	char clean[REPLY_TEXT_MAX + 1];
	size_t start = out->size;

	if (reply->code < 200 || reply->code > 599)
		return -EINVAL;
	if (text.size > REPLY_TEXT_MAX)
		text.size = REPLY_TEXT_MAX;
	for (;;) {
		size_t n = style & REPLY_LINES ? slice_find(text, '\n') :
		    text.size;
		bool is_last = n + 1 >= text.size;
		size_t size = reply_clean(clean, sizeof(clean),
		    slice_first(text, n), style & REPLY_UTF8);

		put_split(&f, (struct slice){ clean, size }, is_last);
		if (is_last)
			break;
		text = slice_after(text, n + 1);
	}
	if (f.error && out->data != NULL) {
		out->size = start;
		out->data[start] = '\0';
	}
	return f.error;
}

int
reply_format_verdict(struct buf *out, const struct verdict *v, unsigned style)
{
	const struct reply reply = {
		.code = v->code, .subject = v->subject, .detail = v->detail,
		.text = { v->text, strnlen(v->text, VERDICT_TEXT_MAX) },
	};

	return reply_format(out, &reply, style);
}
