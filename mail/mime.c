/* SPDX-License-Identifier: ISC */
/*
 * mime.c - the walk through the parts of a message; see mime.h.
 *
 * levels is the stack of what encloses the place at which the walk is: a
 * multipart with its boundary, or a message, which ends with what encloses
 * it. A line that begins with "--" is compared with each level's boundary,
 * at most MIME_DEPTH_MAX times MIME_BOUNDARY_MAX octets.
 */
#include <stdio.h>
#include "mime.h"
#include "octets.h"

#define NO_LEVEL MIME_DEPTH_MAX

struct line {
	size_t at, end, next;	/* its text, and where the next one begins */
};

void
mime_walk_start(struct mime_walk *walk, struct slice text)
{
	memset(walk, 0, sizeof *walk);
	walk->text = text.size > 0 ? text : SLICE("");
	walk->is_at_part = true;
	walk->depth_max = MIME_DEPTH_MAX;
	walk->parts_max = MIME_PARTS_MAX;
	walk->fields_max = MIME_FIELDS_MAX;
	walk->header_max = MIME_HEADER_MAX;
}

/* ---- lines ---- */

/* Position of the next c from walk->at on; *cached is the last answer. */
static size_t
next_of(struct mime_walk *walk, char c, size_t *cached, bool is_first)
{
	struct slice rest = slice_after(walk->text, walk->at);

	if (!is_first && *cached >= walk->at)
		return *cached;
	*cached = walk->at + slice_find(rest, c);
	walk->n_steps += *cached - walk->at + 1;
	return *cached;
}

/* The line at walk->at; moves on. False at the end of the text. */
static bool
take_line(struct mime_walk *walk, struct line *line)
{
	bool is_first = walk->n_steps == 0;
	size_t size = walk->text.size, lf, cr;

	if (walk->at >= size)
		return false;
	lf = next_of(walk, '\n', &walk->next_lf, is_first);
	cr = next_of(walk, '\r', &walk->next_cr, is_first);
	line->at = walk->at;
	line->end = lf < cr ? lf : cr;
	line->next = line->end < size ? line->end + 1 : size;
	if (cr < lf && line->next < size &&
	    walk->text.data[line->next] == '\n')
		line->next++;
	walk->at = line->next;
	walk->n_steps++;
	return true;
}

/* ---- boundaries ---- */

enum match { MATCH_NONE, MATCH_ODD, MATCH_WHOLE };

/*
 * Is it this level's, and the last? White space may follow. Where something
 * else does it is one to RFC 2046 5.1.1, and to some programs.
 */
static enum match
match_boundary(const struct mime_level *level, struct slice line,
    bool *is_last)
{
	struct slice rest;

	if (level->boundary_size == 0 ||
	    line.size < level->boundary_size + 2 || memcmp(line.data + 2,
	    level->boundary, level->boundary_size) != 0)
		return MATCH_NONE;
	rest = slice_after(line, level->boundary_size + 2);
	*is_last = rest.size >= 2 && memcmp(rest.data, "--", 2) == 0;
	return slice_trim(slice_after(rest, *is_last ? 2 : 0)).size == 0 ?
	    MATCH_WHOLE : MATCH_ODD;
}

/* The innermost level that the line is a boundary of, or NO_LEVEL. */
static unsigned
level_of(struct mime_walk *walk, const struct line *line, bool *is_last)
{
	struct slice s = { walk->text.data + line->at,
		line->end - line->at };
	enum match match;
	bool is_odd = false;

	if (s.size < 3 || s.data[0] != '-' || s.data[1] != '-')
		return NO_LEVEL;
	for (unsigned i = walk->n_levels; i-- > 0;) {
		walk->n_steps++;
		match = match_boundary(&walk->levels[i], s, is_last);
		if (match == MATCH_WHOLE)
			return i;
		is_odd |= match == MATCH_ODD;
		if (match != MATCH_ODD || !*is_last)
			continue;
		walk->faults |= MIME_UNCLEAR;
		return i;
	}
	if (is_odd)
		walk->faults |= MIME_UNCLEAR;
	return NO_LEVEL;
}

/* The boundary of a level was met: what was open inside of it is over. */
static void
meet_boundary(struct mime_walk *walk, unsigned level, bool is_last)
{
	for (unsigned i = level + 1; i < walk->n_levels; i++)
		if (walk->levels[i].boundary_size > 0)
			walk->faults |= MIME_NOT_CLOSED;
	walk->n_levels = is_last ? level : level + 1;
	walk->is_at_part = !is_last;
}

/* Without the line end at its end. */
static size_t
before_line_end(struct slice text, size_t from, size_t end)
{
	if (end > from && text.data[end - 1] == '\n')
		end--;
	else if (end > from && text.data[end - 1] == '\r')
		return end - 1;
	if (end > from && text.data[end - 1] == '\r')
		end--;
	return end;
}

static void
end_of_text(struct mime_walk *walk)
{
	for (unsigned i = 0; i < walk->n_levels; i++)
		if (walk->levels[i].boundary_size > 0)
			walk->faults |= MIME_NOT_CLOSED;
	walk->n_levels = 0;
	walk->is_at_part = false;
	walk->is_over = true;
}

/* Go to the next boundary; returns where what stands before it ends. */
static size_t
skip_to_boundary(struct mime_walk *walk)
{
	size_t from = walk->at;
	struct line line;
	unsigned level;
	bool is_last;

	while (walk->n_levels > 0 && take_line(walk, &line)) {
		level = level_of(walk, &line, &is_last);
		if (level == NO_LEVEL)
			continue;
		meet_boundary(walk, level, is_last);
		return before_line_end(walk->text, from, line.at);
	}
	walk->at = walk->text.size;
	end_of_text(walk);
	return walk->text.size;
}

/* ---- the header of a part ---- */

struct header_end {
	bool is_boundary, is_last;	/* it ended with one */
	unsigned level;
};

static bool
line_is_field(struct slice line)
{
	size_t n = 0;

	while (n < line.size && !is_control(line.data[n]) &&
	    line.data[n] != ' ' && line.data[n] != ':')
		n++;
	while (n > 0 && n < line.size && is_space(line.data[n]))
		n++;
	return n > 0 && n < line.size && line.data[n] == ':';
}

/* One more line of a header that began at from. False: over a limit. */
static bool
count_line(struct mime_walk *walk, const struct line *line, size_t from,
    unsigned *n_fields)
{
	struct slice s = { walk->text.data + line->at,
		line->end - line->at };

	if (line->end - from > walk->header_max) {
		walk->faults |= MIME_HEADER_TOO_LARGE;
		return false;
	}
	if (is_space(*s.data))
		return true;
	if (!line_is_field(s))
		walk->faults |= MIME_BAD_HEADER;
	else if (++*n_fields > walk->fields_max) {
		walk->faults |= MIME_TOO_MANY_FIELDS;
		return false;
	}
	return true;
}

/* Leaves walk->at where the body begins (or behind a boundary). */
static struct slice
take_header(struct mime_walk *walk, struct header_end *end)
{
	size_t from = walk->at, to = from;
	unsigned n_fields = 0;
	struct line line;

	end->is_boundary = false;
	while (take_line(walk, &line)) {
		if (line.end == line.at)
			break;
		end->level = level_of(walk, &line, &end->is_last);
		end->is_boundary = end->level != NO_LEVEL;
		if (end->is_boundary)
			break;
		if (!count_line(walk, &line, from, &n_fields)) {
			walk->at = line.at;	/* the body's first */
			break;
		}
		to = line.next;
	}
	return (struct slice){ walk->text.data + from, to - from };
}

/* ---- what a part is ---- */

static enum mime_encoding
encoding_of(struct slice header)
{
	struct slice value;

	if (!mime_field_find(header, "Content-Transfer-Encoding", &value))
		return MIME_IDENTITY;
	while (value.size > 0 && (is_space(*value.data) ||
	    *value.data == '\r' || *value.data == '\n'))
		value = slice_after(value, 1);
	value.size = slice_find(value, ';');
	while (value.size > 0 && (unsigned char)value.data[value.size - 1] <=
	    ' ')
		value.size--;
	if (slice_equals_nocase(value, SLICE("base64")))
		return MIME_BASE64;
	if (slice_equals_nocase(value, SLICE("quoted-printable")))
		return MIME_QUOTED_PRINTABLE;
	if (value.size == 0 || slice_equals_nocase(value, SLICE("7bit")) ||
	    slice_equals_nocase(value, SLICE("8bit")) ||
	    slice_equals_nocase(value, SLICE("binary")))
		return MIME_IDENTITY;
	return MIME_UNKNOWN_ENCODING;
}

bool
mime_is_message(const char *type)
{
	return strcmp(type, "message/rfc822") == 0 ||
	    strcmp(type, "message/global") == 0 ||
	    strcmp(type, "message/news") == 0;	/* obsolete, RFC 5537 */
}

/* A second Content-Type that says something else. */
static bool
is_ambiguous(struct slice header, struct slice first)
{
	char type[MIME_TYPE_MAX], other[MIME_TYPE_MAX];
	char boundary[MIME_BOUNDARY_MAX + 2], b[MIME_BOUNDARY_MAX + 2];
	struct mime_field field;
	size_t at = 0;

	(void)mime_type(first, type);
	if (!mime_param(first, "boundary", boundary, sizeof boundary))
		boundary[0] = '\0';
	while (mime_field_next(header, &at, &field)) {
		if (!slice_equals_nocase(field.name, SLICE("Content-Type")) ||
		    field.value.data == first.data)
			continue;
		(void)mime_type(field.value, other);
		if (!mime_param(field.value, "boundary", b, sizeof b))
			b[0] = '\0';
		return strcmp(type, other) != 0 || strcmp(boundary, b) != 0;
	}
	return false;
}

static void
part_type(struct mime_walk *walk, struct mime_part *part,
    struct slice *content_type)
{
	bool is_digest = walk->n_levels > 0 &&
	    walk->levels[walk->n_levels - 1].is_digest;

	*content_type = (struct slice){ NULL, 0 };
	strcpy(part->type, is_digest ? "message/rfc822" : "text/plain");
	if (!mime_field_find(part->header, "Content-Type", content_type))
		return;
	if (!mime_type(*content_type, part->type)) {
		strcpy(part->type, "text/plain");	/* RFC 2045 5.2 */
		/* "multipart/" without more, and to some programs one */
		if (slice_starts_nocase(slice_trim(*content_type),
		    SLICE("multipart")))
			walk->faults |= MIME_UNCLEAR;
	}
	if (is_ambiguous(part->header, *content_type))
		walk->faults |= MIME_AMBIGUOUS;
}

static struct mime_level *
push_level(struct mime_walk *walk)
{
	struct mime_level *level;

	if (walk->n_levels >= walk->depth_max ||
	    walk->n_levels == MIME_DEPTH_MAX) {
		walk->faults |= MIME_TOO_DEEP;
		return NULL;
	}
	level = &walk->levels[walk->n_levels++];
	level->boundary_size = 0;
	level->boundary[0] = '\0';
	level->n_parts = 0;
	level->is_digest = false;
	return level;
}

static bool
open_multipart(struct mime_walk *walk, const struct mime_part *part,
    struct slice content_type)
{
	char boundary[MIME_BOUNDARY_MAX + 2];
	struct mime_level *level;
	size_t size;

	if (!mime_param(content_type, "boundary", boundary, sizeof boundary))
		boundary[0] = '\0';
	if (!mime_boundary_is_clear(content_type))
		walk->faults |= MIME_UNCLEAR;
	size = strlen(boundary);
	while (size > 0 && is_space(boundary[size - 1]))
		boundary[--size] = '\0';
	if (size == 0 || size > MIME_BOUNDARY_MAX) {
		walk->faults |= MIME_BAD_BOUNDARY;
		return false;
	}
	level = push_level(walk);
	if (level == NULL)
		return false;
	memcpy(level->boundary, boundary, size + 1);
	level->boundary_size = size;
	level->is_digest = strcmp(part->type, "multipart/digest") == 0;
	return true;
}

/* Does it hold parts? Then its level is opened. */
static enum mime_kind
part_open(struct mime_walk *walk, const struct mime_part *part,
    struct slice content_type)
{
	bool is_multipart = strncmp(part->type, "multipart/", 10) == 0;

	if (part->encoding == MIME_UNKNOWN_ENCODING)
		walk->faults |= MIME_BAD_ENCODING;
	if (!is_multipart && !mime_is_message(part->type))
		return MIME_LEAF;
	if (part->encoding == MIME_BASE64 ||
	    part->encoding == MIME_QUOTED_PRINTABLE) {
		walk->faults |= MIME_ENCODED_PARTS;
		if (!is_multipart)
			return MIME_LEAF;
	}
	if (is_multipart)
		return open_multipart(walk, part, content_type) ?
		    MIME_MULTIPART : MIME_LEAF;
	return push_level(walk) != NULL ? MIME_MESSAGE : MIME_LEAF;
}

/* As IMAP counts: a multipart right inside of a message has its number. */
static void
part_path(const struct mime_walk *walk, struct mime_part *part)
{
	size_t size = 0;

	part->path[0] = '\0';
	for (unsigned i = 0; i < walk->n_levels; i++) {
		const struct mime_level *level = &walk->levels[i];

		if (level->boundary_size == 0 && i + 1 < walk->n_levels)
			continue;
		if (size + 8 > sizeof part->path)
			return;		/* deep: its beginning says enough */
		size += (size_t)snprintf(part->path + size,
		    sizeof part->path - size, "%s%u", size > 0 ? "." : "",
		    level->n_parts);
	}
}

static void
part_count(struct mime_walk *walk)
{
	walk->n_parts++;
	if (walk->n_levels > 0)
		walk->levels[walk->n_levels - 1].n_parts++;
}

bool
mime_next(struct mime_walk *walk, struct mime_part *part)
{
	struct slice content_type;
	struct header_end end;
	size_t from;

	while (!walk->is_at_part && !walk->is_over)
		(void)skip_to_boundary(walk);
	if (walk->is_over)
		return false;
	if (walk->n_parts >= walk->parts_max) {
		walk->faults |= MIME_TOO_MANY_PARTS;
		walk->is_over = true;
		return false;
	}
	memset(part, 0, sizeof *part);
	part_count(walk);
	part->depth = walk->n_levels;
	part_path(walk, part);
	part->header = take_header(walk, &end);
	part->encoding = encoding_of(part->header);
	part_type(walk, part, &content_type);
	from = walk->at;
	part->body = (struct slice){ walk->text.data + from, 0 };
	if (end.is_boundary) {
		meet_boundary(walk, end.level, end.is_last);
		return true;
	}
	part->kind = part_open(walk, part, content_type);
	walk->is_at_part = part->kind == MIME_MESSAGE;
	if (part->kind == MIME_LEAF)
		part->body.size = skip_to_boundary(walk) - from;
	return true;
}
