/* SPDX-License-Identifier: ISC */
/*
 * seven_bit.c - see seven_bit.h.
 *
 * The text is cut into segments, part by part: copied as they are, new
 * lines of a header, and bodies to be encoded. A few segments wait at a
 * time; they are made from the walk of mail/mime as they are needed.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "mime.h"
#include "sealed.h"
#include "seven_bit.h"
#include "utf8.h"

#define SEGMENTS_MAX 12
#define ENCODINGS_MAX 3		/* fields of one header that are replaced */
#define FIELDS_MAX 160		/* octets of new fields of one header */
#define QUOTED_LINE 75		/* RFC 2045 6.7 (5), less a soft break */
#define BASE64_OCTETS 57	/* 76 characters, RFC 2045 6.8 */

/* What this cannot cope with; a multipart that is not closed is common. */
#define FAULTS (~(unsigned)MIME_NOT_CLOSED)

enum segment_kind { SEGMENT_COPY, SEGMENT_QUOTED, SEGMENT_BASE64 };

struct segment {
	enum segment_kind kind;
	struct slice text;
};

struct seven_bit {
	void *map;
	size_t map_size;
	struct slice text;
	struct mime_walk walk;
	const char *done;		/* up to here all is in segments */
	bool is_walked;
	unsigned signed_depth;		/* is_in_signed */
	struct segment segments[SEGMENTS_MAX];
	unsigned first, n_segments;
	char fields[FIELDS_MAX];	/* of the part in segments */
	/* within a segment that is encoded */
	unsigned column;
	bool is_soft, has_line, has_lf;
};

/* ---- what has to change ---- */

static bool
has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if ((unsigned char)s.data[i] > 127)
			return true;
	return false;
}

static bool
type_starts(const struct mime_part *part, const char *prefix)
{
	return strncmp(part->type, prefix, strlen(prefix)) == 0;
}

/* Its Content-Transfer-Encoding says 8bit or binary. */
static bool
says_8bit(const struct mime_part *part)
{
	struct slice value;

	if (!mime_field_find(part->header, "Content-Transfer-Encoding",
	    &value))
		return false;
	value = slice_trim(value);
	return slice_starts_nocase(value, SLICE("8bit")) ||
	    slice_starts_nocase(value, SLICE("binary"));
}

/* Of the parts in their order: below a multipart/signed, whose depth is kept
 * from one to the next (UINT_MAX: none). */
static bool
is_in_signed(const struct mime_part *part, unsigned *signed_depth)
{
	if (part->depth <= *signed_depth)
		*signed_depth = UINT_MAX;
	if (*signed_depth != UINT_MAX)
		return true;
	if (strcmp(part->type, "multipart/signed") == 0)
		*signed_depth = part->depth;
	return false;
}

static const char *
end_of(struct slice s)
{
	return s.data + s.size;
}

static bool
is_encoded_anew(const struct mime_part *part)
{
	return part->kind == MIME_LEAF && has_8bit(part->body);
}

/* NULL: it can stay, or be changed. */
static const char *
why_not(const struct mime_part *part, bool is_signed)
{
	if (has_8bit(part->header))
		return "octets above 127 in a header";
	if ((is_encoded_anew(part) || says_8bit(part)) &&
	    part->header.size > 0 && end_of(part->header)[-1] != '\n')
		return "its MIME structure is not clear";
	if (!is_encoded_anew(part))
		return NULL;
	if (is_signed)
		return "it is signed";
	if (part->encoding != MIME_IDENTITY)
		return "octets above 127 in an encoded part";
	if (type_starts(part, "message/") || type_starts(part, "multipart/"))
		return "a part that may not be encoded";
	return NULL;
}

/* The text that is in no part stays as it is. */
static const char *
why_not_gap(const char *from, const char *to)
{
	if (to > from && has_8bit((struct slice){ from,
	    (size_t)(to - from) }))
		return "octets above 127 outside of its parts";
	return NULL;
}

/* A boundary right behind a header is in no part: no body was taken. */
static const char *
after(const struct mime_part *part)
{
	return part->kind == MIME_LEAF && part->body.size > 0 ?
	    end_of(part->body) : end_of(part->header);
}

static const char *
check(struct slice text)
{
	struct mime_walk walk;
	struct mime_part part;
	const char *done = text.data, *why = NULL;
	unsigned signed_depth = UINT_MAX;

	mime_walk_start(&walk, text);
	while (why == NULL && mime_next(&walk, &part)) {
		why = why_not(&part, is_in_signed(&part, &signed_depth));
		if (why == NULL)
			why = why_not_gap(done, part.header.data);
		done = after(&part);
	}
	if (why == NULL && (walk.faults & FAULTS) != 0)
		return "its MIME structure is not clear";
	return why != NULL ? why : why_not_gap(done, end_of(text));
}

/* ---- segments ---- */

static void
segment_add(struct seven_bit *s, enum segment_kind kind, const char *from,
    const char *to)
{
	if (to > from && s->n_segments < SEGMENTS_MAX)
		s->segments[s->n_segments++] = (struct segment){ kind,
		    { from, (size_t)(to - from) } };
}

/* The end of the field that begins at from, with its folds. */
static const char *
field_end(struct slice header, const char *from)
{
	const char *end = end_of(header), *at = from;

	do {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at != NULL ? at + 1 : end;
	} while (at < end && (*at == ' ' || *at == '\t'));
	return at;
}

/* The header without its encodings, then the new fields. */
static void
header_add(struct seven_bit *s, const struct mime_part *part)
{
	struct mime_field field;
	size_t at = 0, n = 0;
	const char *done = part->header.data;

	while (n < ENCODINGS_MAX && mime_field_next(part->header, &at,
	    &field)) {
		if (!slice_equals_nocase(field.name,
		    SLICE("Content-Transfer-Encoding")))
			continue;
		segment_add(s, SEGMENT_COPY, done, field.name.data);
		done = field_end(part->header, field.name.data);
		n++;
	}
	segment_add(s, SEGMENT_COPY, done, end_of(part->header));
	segment_add(s, SEGMENT_COPY, s->fields, s->fields +
	    strlen(s->fields));
}

static void
fields_write(struct seven_bit *s, const struct mime_part *part,
    const char *encoding)
{
	struct slice value;
	bool has_version = mime_field_find(part->header, "MIME-Version",
	    &value);
	bool has_type = mime_field_find(part->header, "Content-Type", &value);

	snprintf(s->fields, sizeof s->fields, "%s%s"
	    "Content-Transfer-Encoding: %s\n",
	    part->depth == 0 && !has_version ? "MIME-Version: 1.0\n" : "",
	    !has_type && is_encoded_anew(part) ?
	    "Content-Type: text/plain; charset=unknown-8bit\n" : "",
	    encoding);
}

/* What is signed stays octet for octet: it may say 8bit and have none. */
static void
part_add(struct seven_bit *s, const struct mime_part *part)
{
	bool is_signed = is_in_signed(part, &s->signed_depth);
	bool is_anew = is_encoded_anew(part);
	bool is_quoted = type_starts(part, "text/");

	segment_add(s, SEGMENT_COPY, s->done, part->header.data);
	s->done = part->header.data;
	if (is_anew || (says_8bit(part) && !is_signed)) {
		fields_write(s, part, !is_anew ? "7bit" : is_quoted ?
		    "quoted-printable" : "base64");
		header_add(s, part);
		s->done = end_of(part->header);
	}
	if (!is_anew)
		return;
	segment_add(s, SEGMENT_COPY, s->done, part->body.data);
	segment_add(s, is_quoted ? SEGMENT_QUOTED : SEGMENT_BASE64,
	    part->body.data, end_of(part->body));
	s->done = end_of(part->body);
}

/* False: all is done. */
static bool
segments_fill(struct seven_bit *s)
{
	struct mime_part part;

	while (s->first == s->n_segments) {
		s->first = s->n_segments = 0;
		s->column = 0;
		s->is_soft = s->has_line = s->has_lf = false;
		if (s->is_walked)
			return false;
		if (mime_next(&s->walk, &part)) {
			part_add(s, &part);
			continue;
		}
		s->is_walked = true;
		segment_add(s, SEGMENT_COPY, s->done, end_of(s->text));
	}
	return true;
}

/* ---- quoted-printable ---- */

static bool
is_quoted(const struct seven_bit *s, struct slice text)
{
	unsigned char c = (unsigned char)*text.data;

	if (c == ' ' || c == '\t')
		return text.size == 1 || text.data[1] == '\n';
	if (c == '-')		/* no line that looks like a boundary */
		return s->column == 0 && s->is_soft;
	return c < ' ' || c > '~' || c == '=';
}

static size_t
quote(struct seven_bit *s, struct slice *text, char *to, size_t room)
{
	size_t n = 0;

	while (text->size > 0 && room - n >= 8) {
		bool quotes = is_quoted(s, *text);
		unsigned width = quotes ? 3 : 1;
		unsigned char c = (unsigned char)*text->data;

		if (c == '\n') {
			to[n++] = '\n';
			s->column = 0;
			s->is_soft = false;
		} else if (s->column + width > QUOTED_LINE) {
			to[n++] = '=';
			to[n++] = '\n';
			s->column = 0;
			s->is_soft = true;
			continue;
		} else {
			if (quotes)
				snprintf(to + n, 4, "=%02X", c);
			else
				to[n] = (char)c;
			n += width;
			s->column += width;
		}
		*text = (struct slice){ text->data + 1, text->size - 1 };
	}
	return n;
}

/* ---- base64: of the text with CRLF, as it is in MIME ---- */

static size_t
take(struct seven_bit *s, struct slice *text, unsigned char *octets)
{
	size_t n = 0;

	while (n < BASE64_OCTETS && text->size > 0) {
		if (*text->data == '\n' && !s->has_lf) {
			octets[n++] = '\r';
			s->has_lf = true;
			continue;
		}
		s->has_lf = false;
		octets[n++] = (unsigned char)*text->data;
		*text = (struct slice){ text->data + 1, text->size - 1 };
	}
	return n;
}

static size_t
encode_base64(struct seven_bit *s, struct slice *text, char *to, size_t room)
{
	unsigned char octets[BASE64_OCTETS];
	size_t n = 0;

	while (text->size > 0 && room - n >= 80) {
		size_t size = take(s, text, octets);

		if (s->has_line)
			to[n++] = '\n';
		n += (size_t)EVP_EncodeBlock((unsigned char *)to + n, octets,
		    (int)size);
		s->has_line = true;
	}
	return n;
}

/* ---- output ---- */

static size_t
copy(struct slice *text, char *to, size_t room)
{
	size_t n = text->size < room ? text->size : room;

	memcpy(to, text->data, n);
	*text = (struct slice){ text->data + n, text->size - n };
	return n;
}

ssize_t
seven_bit_next(struct seven_bit *s, char *to, size_t room)
{
	size_t n = 0;

	while (room - n >= 80 && segments_fill(s)) {
		struct segment *segment = &s->segments[s->first];

		switch (segment->kind) {
		case SEGMENT_COPY:
			n += copy(&segment->text, to + n, room - n);
			break;
		case SEGMENT_QUOTED:
			n += quote(s, &segment->text, to + n, room - n);
			break;
		case SEGMENT_BASE64:
			n += encode_base64(s, &segment->text, to + n,
			    room - n);
			break;
		}
		if (segment->text.size == 0)
			s->first++;
	}
	return (ssize_t)n;
}

/* ---- life ---- */

static int
read_all(char *to, const struct encoder_source *source)
{
	uint64_t at = 0;
	ssize_t n;

	for (; at < source->size; at += (uint64_t)n) {
		n = pread(source->fd, to + at, (size_t)(source->size - at),
		    (off_t)(source->offset + at));
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

/*
 * What can still be truncated would kill us then: a file of queue's is read,
 * so that queue, should it be taken over, cannot do that to forwards. A
 * sealed message is mapped.
 */
static int
map(struct seven_bit *s, const struct encoder_source *source)
{
	bool is_sealed = sealed_is_text_of(source->fd, (size_t)source->size) &&
	    source->offset == 0;
	struct stat st;
	int error;

	if (fstat(source->fd, &st) < 0)
		return -errno;
	if (source->size == 0 || source->offset > (uint64_t)st.st_size ||
	    source->size > (uint64_t)st.st_size - source->offset)
		return -EIO;
	s->map_size = (size_t)source->size;
	s->map = is_sealed ? mmap(NULL, s->map_size, PROT_READ, MAP_PRIVATE,
	    source->fd, 0) : mmap(NULL, s->map_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return -errno;
	}
	error = is_sealed ? 0 : read_all(s->map, source);
	if (error) {
		(void)munmap(s->map, s->map_size);
		s->map = NULL;
		return error;
	}
	s->text = (struct slice){ s->map, s->map_size };
	return 0;
}

bool
seven_bit_was_ascii(const struct seven_bit *s)
{
	return utf8_is_ascii(s->text);
}

int
seven_bit_new(struct seven_bit **to, const struct encoder_source *source,
    const char **why)
{
	struct seven_bit *s = calloc(1, sizeof *s);
	int error = s != NULL ? map(s, source) : -ENOMEM;

	if (error == 0) {
		*why = check(s->text);
		error = *why != NULL ? -EBADMSG : 0;
	}
	if (error < 0) {
		seven_bit_free(&s);
		return error;
	}
	mime_walk_start(&s->walk, s->text);
	s->signed_depth = UINT_MAX;
	s->done = s->text.data;
	*to = s;
	return 0;
}

void
seven_bit_free(struct seven_bit **s)
{
	if (*s == NULL)
		return;
	if ((*s)->map != NULL)
		(void)munmap((*s)->map, (*s)->map_size);
	free(*s);
	*s = NULL;
}

int
seven_bit_check_headers(const struct encoder_source *source)
{
	struct seven_bit s = { .map = NULL };
	struct mime_walk walk;
	struct mime_part part;
	bool is_ascii = !has_8bit(source->top);
	int error = is_ascii ? map(&s, source) : -EBADMSG;

	if (error < 0)
		return error;
	mime_walk_start(&walk, s.text);
	while (is_ascii && mime_next(&walk, &part))
		is_ascii = !has_8bit(part.header);
	(void)munmap(s.map, s.map_size);
	return is_ascii && (walk.faults & FAULTS) == 0 ? 0 : -EBADMSG;
}
