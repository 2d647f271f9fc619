/* SPDX-License-Identifier: ISC */
/*
 * report.c - the parts of a report, and what it is; see report.h.
 */
#include "mime.h"
#include "octets.h"
#include "report.h"
#include "report_formats.h"
#include "report_text.h"

#define PARTS_MAX 64			/* of a report; RFC 3462 has three */

struct reading {
	struct report_text text;
	char type[MIME_TYPE_MAX];	/* of the whole */
	enum report_kind other;		/* than a bounce */
	bool has_null_reverse_path;
	bool is_hinted;
	enum report_author author;
	bool is_subject;		/* is one of bounces */
	bool is_feedback;		/* a field of the whole says so */
	bool has_status, has_leaf;
};

const char *
report_kind_name(enum report_kind kind)
{
	static const char *const names[REPORT_KIND_COUNT] = {
		"none", "bounce", "feedback", "receipt", "statistics",
		"calendar" };

	return names[kind];
}

const char *
report_where_name(enum report_where where)
{
	static const char *const names[] = { "nowhere", "text",
		"text behind a line", "part" };

	return names[where];
}

/* ---- the header of the whole ---- */

bool
report_is_hint(struct slice name, struct slice value)
{
	char type[MIME_TYPE_MAX];

	if (slice_equals_nocase(name, SLICE("From")))
		return report_author(slice_trim(value)) != REPORT_PERSON;
	return slice_equals_nocase(name, SLICE("Content-Type")) &&
	    mime_type(value, type) && strcmp(type, "multipart/report") == 0;
}

static void
read_field(struct reading *r, const struct mime_field *field)
{
	char text[256];

	r->is_hinted |= report_is_hint(field->name, field->value);
	if (slice_equals_nocase(field->name, SLICE("From")))
		r->author = report_author(slice_trim(field->value));
	if (slice_equals_nocase(field->name, SLICE("Subject"))) {
		mime_words_decode(field->value, text, sizeof text);
		r->is_subject |= report_is_subject(slice_of(text));
		if (slice_starts_nocase(slice_trim(slice_of(text)),
		    SLICE("Report Domain:")))	/* RFC 7489 7.2.1.1 */
			r->other = REPORT_STATISTICS;
	}
	if (slice_equals_nocase(field->name, SLICE("X-Failed-Recipients")))
		report_text_told(&r->text, field->value);
	if (slice_equals_nocase(field->name, SLICE("X-Loop")) ||
	    slice_equals_nocase(field->name, SLICE("X-AOL-INRLY")))
		r->is_feedback |= slice_equals_nocase(
		    slice_trim(field->value), SLICE("scomp"));
}

static void
read_header(struct reading *r, const struct mime_part *whole)
{
	char text[MIME_TYPE_MAX] = "";
	struct mime_field field;
	struct slice value;
	size_t at = 0;

	while (mime_field_next(whole->header, &at, &field))
		read_field(r, &field);
	memcpy(r->type, whole->type, sizeof r->type);
	if (strcmp(whole->type, "multipart/report") == 0 &&
	    mime_field_find(whole->header, "Content-Type", &value) &&
	    mime_param(value, "report-type", text, sizeof text)) {
		if (r->other == REPORT_NONE)
			r->other = report_kind_of_type(text);
		r->has_status = slice_equals_nocase(slice_of(text),
		    SLICE("delivery-status"));
	}
}

/* ---- its parts ---- */

static bool
is_type(const struct mime_part *part, const char *const *types)
{
	for (; *types != NULL; types++)
		if (strcmp(part->type, *types) == 0)
			return true;
	return false;
}

static const char *const status_types[] = { "message/delivery-status",
	"message/global-delivery-status", NULL };
static const char *const header_types[] = { "text/rfc822-headers",
	"message/rfc822-headers", "message/global-headers", NULL };
static const char *const message_types[] = { "message/rfc822",
	"message/global", NULL };

/* A part of the report itself, or the whole of it. */
static void
read_part(struct reading *r, const struct mime_part *part)
{
	enum report_kind other = report_kind_of_type(part->type);

	if (r->other == REPORT_NONE && !r->has_status)
		r->other = other;
	if (part->kind != MIME_LEAF)
		return;
	r->has_leaf = true;
	if (is_type(part, status_types)) {
		r->has_status |= part->depth == 1;
		report_text_body(&r->text, part, REPORT_IN_TEXT);
	} else if (is_type(part, header_types) ||
	    is_type(part, message_types)) {
		report_text_body(&r->text, part, REPORT_IN_PART);
	} else if (strcmp(part->type, "text/html") != 0 || part->depth == 0) {
		report_text_body(&r->text, part, REPORT_IN_TEXT);
	}
}

/* Most mail is not looked into: it costs more than its header. */
static bool
may_be_bounce(const struct reading *r)
{
	return r->has_null_reverse_path || r->is_hinted;
}

/* All parts, but nothing of what the report returns except its header. */
static void
read_parts(struct reading *r, struct slice message)
{
	struct mime_walk walk;
	struct mime_part part;
	unsigned returned = 0;		/* depth; 0: not inside of one */
	bool is_returned = false;	/* the next part is its header */

	mime_walk_start(&walk, message);
	walk.parts_max = PARTS_MAX;
	while (mime_next(&walk, &part)) {
		if (returned > 0 && part.depth < returned)
			returned = 0;
		if (walk.n_parts == 1)
			read_header(r, &part);
		if (!may_be_bounce(r))
			return;
		if (is_returned)
			report_text_header(&r->text, part.header);
		else if (returned == 0)
			read_part(r, &part);
		is_returned = returned == 0 && part.kind == MIME_MESSAGE;
		if (is_returned)
			returned = part.depth + 1;
	}
}

/* A multipart whose boundary is not the one of its parts: as a text. */
static void
read_raw(struct reading *r, struct slice message)
{
	struct mime_part whole = { .encoding = MIME_IDENTITY };
	size_t at = 0;

	while (at < message.size) {
		struct slice rest = slice_after(message, at);
		struct slice line = slice_next_line(&rest);

		at = message.size - rest.size;
		if (line.size == 0)
			break;
	}
	whole.body = slice_after(message, at);
	report_text_body(&r->text, &whole, REPORT_IN_TEXT);
}

/* ---- what it is ---- */

/*
 * A mailer-daemon writes nothing but bounces. A postmaster is a person, too,
 * who writes about them: of him it takes two of words, subject and what is
 * returned; of anybody else a null reverse-path and some of the rest.
 */
static bool
is_bounce(const struct reading *r, const struct report *report)
{
	bool has_words = report->format[0] != '\0';
	bool is_worded = has_words || r->is_subject;
	bool is_returned = report->where > REPORT_IN_TEXT;

	if (r->has_status)
		return true;
	if (r->has_null_reverse_path)
		return is_worded || is_returned ||
		    r->author == REPORT_DAEMON ||
		    (r->author == REPORT_POSTMASTER &&
		    report->where == REPORT_IN_TEXT);
	return r->author == REPORT_DAEMON ? is_worded || is_returned :
	    r->author == REPORT_POSTMASTER && is_worded &&
	    has_words + r->is_subject + is_returned > 1;
}

static enum report_kind
kind_of(const struct reading *r, const struct report *report)
{
	if (r->other != REPORT_NONE)
		return r->other;
	if (r->is_feedback)
		return REPORT_FEEDBACK;
	return is_bounce(r, report) ? REPORT_BOUNCE : REPORT_NONE;
}

void
report_read(struct report *report, struct slice message,
    bool has_null_reverse_path)
{
	struct reading r = { .has_null_reverse_path = has_null_reverse_path };

	memset(report, 0, sizeof *report);
	report->format = "";
	report_text_start(&r.text, report);
	read_parts(&r, message);
	if (!r.has_leaf && may_be_bounce(&r))
		read_raw(&r, message);
	report_text_end(&r.text);
	if (r.has_status)
		report->format = "rfc3464";
	report->kind = kind_of(&r, report);
}
