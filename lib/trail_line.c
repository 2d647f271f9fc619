/* SPDX-License-Identifier: ISC */
/*
 * trail_line.c - lines of the trail, written and read; see trail.h.
 *
 * A value that is not plain stands in quotes with \" \\ and \xNN: a client
 * can put no line end and no second field into a line.
 */
#include <string.h>
#include "plain.h"
#include "trail.h"

#define NUMBER_ROOM 24		/* of a field besides its key */
#define ESCAPED_ROOM 5		/* of one octet, and the quote after it */

/* ---- writing ---- */

static size_t
room_left(const struct buf *line)
{
	return (line->maximum ? line->maximum : SIZE_MAX) - line->size;
}

/* One octet that cannot stand in quotes as it is. */
static void
put_coded(struct buf *line, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char coded[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

	if (c == '"' || c == '\\')
		buf_append(line, (char[]){ '\\', (char)c }, 2);
	else
		buf_append(line, coded, sizeof coded);
}

/* Cut where the next octet and the closing quote might not fit. */
static void
put_escaped(struct buf *line, struct slice value)
{
	size_t n, room;

	while (value.size > 0 && room_left(line) > ESCAPED_ROOM) {
		n = plain_quoted(value);
		room = room_left(line) - ESCAPED_ROOM;
		if (n > room)
			n = room;
		buf_append(line, value.data, n);
		if (n == 0)
			put_coded(line, (unsigned char)value.data[n++]);
		value.data += n;
		value.size -= n;
	}
}

static void
put_text(struct buf *line, struct slice value)
{
	if (value.size > TRAIL_FIELD_MAX)
		value.size = TRAIL_FIELD_MAX;
	if (value.size > room_left(line))
		value.size = room_left(line);
	if (value.size > 0 && plain_bare(value) == value.size) {
		buf_append_slice(line, value);
		return;
	}
	buf_append(line, "\"", 1);
	put_escaped(line, value);
	buf_append(line, "\"", 1);
}

static void
put_value(struct buf *line, const struct log_value *v)
{
	const char *name;

	switch (v->kind) {
	case LOG_KIND_STRING:
		put_text(line, slice_of(v->as.string ? v->as.string : ""));
		break;
	case LOG_KIND_SLICE:
		put_text(line, v->as.slice);
		break;
	case LOG_KIND_SIGNED:
		buf_printf(line, "%lld", (long long)v->as.number);
		break;
	case LOG_KIND_UNSIGNED:
		buf_put_number(line, v->as.unsigned_number);
		break;
	case LOG_KIND_ERRNO:
		name = strerrorname_np((int)(v->as.number < 0 ?
		    -v->as.number : v->as.number));
		put_text(line, slice_of(name ? name : "unknown"));
		break;
	case LOG_KIND_END:
		break;
	}
}

void
trail_put_values(struct buf *line, const struct log_value *values)
{
	for (const struct log_value *v = values; v->kind != LOG_KIND_END;
	     v++) {
		if (room_left(line) < strlen(v->key) + NUMBER_ROOM)
			return;
		buf_append(line, " ", 1);
		buf_puts(line, v->key);
		buf_append(line, "=", 1);
		put_value(line, v);
	}
}

/* ---- reading ---- */

/* Position after the value that begins at at, or 0 when it is malformed. */
static size_t
value_end(struct slice line, size_t at)
{
	bool is_quoted = at < line.size && line.data[at] == '"';

	if (!is_quoted)
		return at + plain_bare((struct slice){ line.data + at,
		    line.size - at });
	for (at++; at < line.size && line.data[at] != '"'; at++)
		if (line.data[at] == '\\')
			at++;
	return at < line.size ? at + 1 : 0;
}

bool
trail_get_field(struct slice *line, struct trail_field *field)
{
	struct slice rest = *line;
	size_t equals, end;
	bool is_quoted;

	while (rest.size > 0 && *rest.data == ' ') {
		rest.data++;
		rest.size--;
	}
	equals = slice_find(rest, '=');
	end = equals < rest.size ? value_end(rest, equals + 1) : 0;
	if (equals == 0 || end == 0 ||
	    (end < rest.size && rest.data[end] != ' '))
		return false;
	is_quoted = end > equals + 1 && rest.data[equals + 1] == '"';
	field->key = (struct slice){ rest.data, equals };
	field->raw = (struct slice){ rest.data + equals + 1 + is_quoted,
		end - equals - 1 - 2 * (size_t)is_quoted };
	line->data = rest.data + end;
	line->size = rest.size - end;
	return true;
}

static int
hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t
trail_unescape(char *to, size_t room, struct slice raw)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.size && n + 1 < room; i++) {
		char c = raw.data[i];

		if (c == '\\' && i + 3 < raw.size && raw.data[i + 1] == 'x' &&
		    hex_value(raw.data[i + 2]) >= 0 &&
		    hex_value(raw.data[i + 3]) >= 0) {
			c = (char)(hex_value(raw.data[i + 2]) * 16 +
			    hex_value(raw.data[i + 3]));
			i += 3;
		} else if (c == '\\' && i + 1 < raw.size) {
			c = raw.data[++i];
		}
		to[n++] = c;
	}
	if (room > 0)
		to[n] = '\0';
	return n;
}

bool
trail_find(struct slice line, const char *key, char *to, size_t room)
{
	struct trail_field field;

	while (trail_get_field(&line, &field))
		if (slice_equals(field.key, slice_of(key))) {
			trail_unescape(to, room, field.raw);
			return true;
		}
	if (room > 0)
		*to = '\0';
	return false;
}
