/* SPDX-License-Identifier: ISC */
/*
 * report_text.c - see report_text.h. Each octet is looked at a bounded
 * number of times: once as part of its line, by each row of the tables of
 * words and, in a field or line that names addresses, by the address finder.
 */
#include "message_id.h"
#include "octets.h"
#include "report_formats.h"
#include "report_text.h"

/* What a field says about the run in which it stands. */
enum mark {
	MARK_ID = 1 << 0,
	MARK_RECEIVED = 1 << 1,
	MARK_AUTHOR = 1 << 2,
	MARK_RECIPIENT = 1 << 3,
	MARK_OTHER = 1 << 4,		/* also of the header of a message */
	MARK_STATUS = 1 << 5,		/* of a delivery-status part */
};

enum use { USE_NONE, USE_ID, USE_TRACE, USE_NAMED, USE_TOLD, USE_ACTION };

static const struct {
	const char *name;
	enum mark mark;
	enum use use;
} fields[] = {
	{ "Message-ID", MARK_ID, USE_ID },
	{ "Received", MARK_RECEIVED, USE_TRACE },
	{ "From", MARK_AUTHOR, USE_NONE },
	{ "Sender", MARK_OTHER, USE_NONE },
	{ "Return-Path", MARK_OTHER, USE_NONE },
	{ "To", MARK_RECIPIENT, USE_NAMED },
	{ "Cc", MARK_RECIPIENT, USE_NAMED },
	{ "Resent-To", MARK_RECIPIENT, USE_NAMED },
	{ "X-Original-To", MARK_RECIPIENT, USE_NAMED },
	{ "Envelope-To", MARK_RECIPIENT, USE_NAMED },
	{ "Date", MARK_OTHER, USE_NONE },
	{ "Subject", MARK_OTHER, USE_NONE },
	{ "MIME-Version", MARK_OTHER, USE_NONE },
	{ "DKIM-Signature", MARK_OTHER, USE_NONE },
	{ "Reporting-MTA", MARK_STATUS, USE_NONE },
	{ "Original-Envelope-Id", MARK_STATUS, USE_NONE },
	{ "Arrival-Date", MARK_STATUS, USE_NONE },
	{ "Final-Recipient", MARK_STATUS, USE_TOLD },
	{ "Original-Recipient", MARK_STATUS, USE_TOLD },
	{ "X-Actual-Recipient", MARK_STATUS, USE_TOLD },
	{ "X-Failed-Recipients", MARK_OTHER, USE_TOLD },
	{ "Action", MARK_STATUS, USE_ACTION },
	{ "Diagnostic-Code", MARK_STATUS, USE_NONE },
};
#define N_OF(array) (sizeof(array) / sizeof *(array))

void
report_text_start(struct report_text *text, struct report *report)
{
	memset(text, 0, sizeof *text);
	text->report = report;
	text->n_left = REPORT_TEXT_MAX;
}

/* ---- addresses ---- */

static bool
is_local_octet(char c)
{
	return is_atext(c) || c == '.' || !is_ascii(c);
}

static bool
is_domain_octet(char c)
{
	return is_alnum(c) || c == '-' || c == '.' || !is_ascii(c);
}

/* Where the local part begins that ends at end; not before from. */
static size_t
local_begin(struct slice s, size_t from, size_t end)
{
	size_t at = end;

	if (at > from && s.data[at - 1] == '"') {
		for (at--; at > from && s.data[at - 1] != '"'; at--)
			;
		return at > from ? at - 1 : end;
	}
	while (at > from && is_local_octet(s.data[at - 1]))
		at--;
	return at;
}

static void
name_add(struct report_names *names, struct slice address)
{
	for (unsigned i = 0; i < names->n; i++)
		if (slice_equals_nocase(address, slice_of(names->names[i])))
			return;
	if (names->n < REPORT_RECIPIENTS_MAX && slice_copy(
	    names->names[names->n], REPORT_ADDRESS_MAX, address))
		names->n++;
}

/* Everything in s that looks like an address. */
static void
names_find(struct report_names *names, struct slice s)
{
	size_t from = 0, at, begin, end;

	while (names->n < REPORT_RECIPIENTS_MAX && from < s.size) {
		at = from + slice_find(slice_after(s, from), '@');
		if (at >= s.size)
			return;
		begin = local_begin(s, from, at);
		end = at + 1;
		while (end < s.size && is_domain_octet(s.data[end]))
			end++;
		while (end > at + 1 && (s.data[end - 1] == '.' ||
		    s.data[end - 1] == '-'))
			end--;
		if (begin < at && end > at + 1)
			name_add(names, (struct slice){ s.data + begin,
				end - begin });
		from = at + 1;
	}
}

void
report_text_told(struct report_text *text, struct slice value)
{
	names_find(&text->told, value);
}

/* ---- values ---- */

static void
take_message_id(struct report_run *run, struct slice value)
{
	if (run->message_id[0] == '\0')
		(void)message_id_read(run->message_id, value);
}

static struct slice
take_until_dash(struct slice *s)
{
	struct slice word = { s->data, slice_find(*s, '-') };
	size_t skip = word.size < s->size ? word.size + 1 : word.size;

	*s = slice_after(*s, skip);
	return word;
}

/* SESSION-NUMBER-DAY-MAC, as smtpd's submit_sign.c writes it. */
static bool
is_trace(struct slice id)
{
	unsigned long long number;
	struct slice session = take_until_dash(&id);
	struct slice count = take_until_dash(&id);
	struct slice day = take_until_dash(&id);

	if (session.size == 0 || !slice_number(count, UINT32_MAX, &number) ||
	    !slice_number(day, UINT32_MAX, &number) || id.size != 10)
		return false;
	for (size_t i = 0; i < session.size; i++)
		if (!is_alnum(session.data[i]))
			return false;
	for (size_t i = 0; i < id.size; i++)
		if (!is_alnum(id.data[i]))
			return false;
	return true;
}

/* Each word behind the word "id". */
static void
take_traces(struct report_run *run, struct slice value)
{
	bool is_after_id = false;
	size_t from = 0, to;

	for (; from < value.size; from = to + 1) {
		for (to = from; to < value.size && value.data[to] > ' ' &&
		    value.data[to] != ';'; to++)
			;
		struct slice word = { value.data + from, to - from };

		if (word.size == 0)
			continue;
		if (is_after_id && is_trace(word) &&
		    run->n_traces < REPORT_TRACES_MAX && slice_copy(
		    run->traces[run->n_traces], REPORT_TRACE_MAX, word))
			run->n_traces++;
		is_after_id = slice_equals_nocase(word, SLICE("id"));
	}
}

static void
take_action(struct report_run *run, struct slice value)
{
	static const struct {
		const char *word;
		enum report_action action;
	} actions[] = {
		{ "failed", REPORT_FAILED }, { "delayed", REPORT_DELAYED },
		{ "delivered", REPORT_DELIVERED },
		{ "relayed", REPORT_DELIVERED },
		{ "expanded", REPORT_DELIVERED },
	};

	value = slice_trim(value);
	for (size_t i = 0; i < N_OF(actions); i++)
		if (slice_starts_nocase(value, slice_of(actions[i].word)) &&
		    actions[i].action > run->action)
			run->action = actions[i].action;
}

static void
use_value(struct report_run *run, enum use use, struct slice value)
{
	switch (use) {
	case USE_NONE:
		break;
	case USE_ID:
		take_message_id(run, value);
		break;
	case USE_TRACE:
		take_traces(run, value);
		names_find(&run->named, value);
		break;
	case USE_NAMED:
		names_find(&run->named, value);
		break;
	case USE_TOLD:
		names_find(&run->told, value);
		break;
	case USE_ACTION:
		take_action(run, value);
		break;
	}
}

/* ---- runs ---- */

/* The field that was being put together is complete. */
static void
field_end(struct report_text *text)
{
	struct slice name = { text->name, text->name_size };
	struct slice value = { text->value, text->value_size };

	text->name_size = text->value_size = 0;
	for (size_t i = 0; name.size > 0 && i < N_OF(fields); i++) {
		if (!slice_equals_nocase(name, slice_of(fields[i].name)))
			continue;
		text->run.marks |= fields[i].mark;
		use_value(&text->run, fields[i].use, value);
		return;
	}
}

static void
names_join(struct report_names *to, const struct report_names *from)
{
	for (unsigned i = 0; i < from->n; i++)
		name_add(to, slice_of(from->names[i]));
}

/* A header of a message has more than one kind of its fields. */
static bool
is_header(const struct report_run *run)
{
	unsigned marks = run->marks & ~(unsigned)MARK_STATUS;

	if (marks & MARK_ID)
		return true;
	if (marks & MARK_RECEIVED)
		return marks & (MARK_AUTHOR | MARK_RECIPIENT | MARK_OTHER) ||
		    run->n_traces > 0;
	return (marks & MARK_AUTHOR) && (marks & MARK_RECIPIENT);
}

/* Better than what there is: with an id, then by the place. */
static bool
is_better(const struct report *report, const struct report_run *run,
    enum report_where where)
{
	bool has_id = run->message_id[0] != '\0';

	if (has_id != (report->message_id[0] != '\0'))
		return has_id && report->where != REPORT_IN_PART;
	return where > report->where;
}

static void
keep_run(struct report_text *text, enum report_where where)
{
	struct report *report = text->report;
	const struct report_run *run = &text->run;

	text->is_found = true;
	if (!is_better(report, run, where))
		return;
	report->where = where;
	memcpy(report->message_id, run->message_id,
	    sizeof report->message_id);
	report->n_traces = run->n_traces;
	memcpy(report->traces, run->traces, sizeof report->traces);
	text->named = run->named;
}

/* The run of fields is over: what was it? */
static void
run_end(struct report_text *text)
{
	struct report_run *run = &text->run;
	enum report_where where = text->where;

	field_end(text);
	if (where == REPORT_IN_TEXT && text->is_announced)
		where = REPORT_BEHIND_LINE;
	if ((run->marks & MARK_STATUS) && !(run->marks & MARK_RECEIVED)) {
		names_join(&text->told, &run->told);
		if (run->action > text->report->action)
			text->report->action = run->action;
	} else if (is_header(run)) {
		keep_run(text, where);
	}
	names_join(&text->told, &run->told);
	memset(run, 0, sizeof *run);
	text->prefix_size = 0;
}

/* ---- lines ---- */

/* "NAME:"; the size of the name, or 0. */
static size_t
field_name_size(struct slice line)
{
	size_t n = 0, colon;

	while (n < line.size && n < REPORT_NAME_MAX &&
	    (is_alnum(line.data[n]) || line.data[n] == '-' ||
	    line.data[n] == '_' || line.data[n] == '.'))
		n++;
	for (colon = n; colon < line.size && is_space(line.data[colon]);)
		colon++;
	return n > 0 && n < REPORT_NAME_MAX && colon < line.size &&
	    line.data[colon] == ':' ? n : 0;
}

static void
value_add(struct report_text *text, struct slice s)
{
	size_t room = sizeof text->value - text->value_size;

	if (s.size > room)
		s.size = room;
	memcpy(text->value + text->value_size, s.data, s.size);
	text->value_size += s.size;
}

static void
field_begin(struct report_text *text, struct slice line, size_t name_size)
{
	field_end(text);
	text->run.is_open = true;
	memcpy(text->name, line.data, name_size);
	text->name_size = name_size;
	line = slice_after(line, name_size);
	value_add(text, slice_after(line, slice_find(line, ':') + 1));
}

/* Indentation and marks of quotation, as far as they are short. */
static size_t
prefix_size(struct slice line)
{
	size_t n = 0;

	while (n < line.size && n < REPORT_PREFIX_MAX &&
	    (is_space(line.data[n]) || line.data[n] == '>' ||
	    line.data[n] == '|'))
		n++;
	return n;
}

/* A line that is not in a run. */
static void
plain_line(struct report_text *text, struct slice line)
{
	size_t skip = prefix_size(line);
	struct slice rest = slice_after(line, skip);
	size_t name = field_name_size(rest);
	const char *format = report_format_of_line(line);

	if (format != NULL && text->report->format[0] == '\0')
		text->report->format = format;
	if (report_announces(line))
		text->is_announced = true;
	else if (name > 0) {
		memcpy(text->prefix, line.data, skip);
		text->prefix_size = skip;
		field_begin(text, rest, name);
	}
	if (text->where == REPORT_IN_TEXT)
		names_find(&text->seen, line);
}

/* Does it belong to the run that is open? */
static bool
run_line(struct report_text *text, struct slice line)
{
	size_t skip = text->prefix_size, name;

	if (line.size < skip || memcmp(line.data, text->prefix, skip) != 0)
		return false;
	line = slice_after(line, skip);
	if (line.size > 0 && is_space(*line.data)) {
		if (slice_trim(line).size == 0)
			return false;
		value_add(text, line);
		return true;
	}
	name = field_name_size(line);
	if (name > 0)
		field_begin(text, line, name);
	else if (text->where == REPORT_IN_PART && line.size > 0)
		value_add(text, line);	/* a fold that somebody lost */
	return name > 0 || (text->where == REPORT_IN_PART && line.size > 0);
}

static void
take_line(struct report_text *text, struct slice line)
{
	while (line.size > 0 && (unsigned char)line.data[line.size - 1] <= ' ')
		line.size--;
	if (text->is_found)
		return;
	if (text->run.is_open && run_line(text, line))
		return;
	if (text->run.is_open)
		run_end(text);
	if (!text->is_found && line.size > 0)
		plain_line(text, line);
}

static void
take_octets(struct report_text *text, struct slice s)
{
	while (s.size > 0 && !text->is_found) {
		size_t end = slice_find(s, '\n');
		size_t room = sizeof text->line - text->line_size;

		memcpy(text->line + text->line_size, s.data,
		    end < room ? end : room);
		text->line_size += end < room ? end : room;
		if (end == s.size)
			return;
		take_line(text, (struct slice){ text->line,
			text->line_size });
		text->line_size = 0;
		s = slice_after(s, end + 1);
	}
}

static void
text_end(struct report_text *text)
{
	if (text->line_size > 0)
		take_line(text, (struct slice){ text->line,
			text->line_size });
	if (text->run.is_open)
		run_end(text);
	text->line_size = 0;
	text->is_announced = text->is_found = false;
}

/* ---- parts ---- */

void
report_text_header(struct report_text *text, struct slice header)
{
	if (header.size > text->n_left)
		header.size = text->n_left;
	text->n_left -= header.size;
	text->where = REPORT_IN_PART;
	take_octets(text, header);
	text_end(text);
}

void
report_text_body(struct report_text *text, const struct mime_part *part,
    enum report_where where)
{
	char octets[4096];
	struct mime_decode decode;
	size_t n;

	text->where = where;
	mime_decode_start(&decode, part->encoding, part->body);
	while (text->n_left > 0 && !text->is_found &&
	    (n = mime_decode_next(&decode, octets, sizeof octets)) > 0) {
		if (n > text->n_left)
			n = text->n_left;
		text->n_left -= n;
		take_octets(text, (struct slice){ octets, n });
	}
	text_end(text);
}

static void
put_names(struct report *report, const struct report_names *names)
{
	for (unsigned i = 0; i < names->n; i++) {
		const char *name = names->names[i];
		unsigned k = 0;

		while (k < report->n_recipients && !slice_equals_nocase(
		    slice_of(report->recipients[k]), slice_of(name)))
			k++;
		if (k == report->n_recipients && k < REPORT_RECIPIENTS_MAX)
			strcpy(report->recipients[report->n_recipients++],
			    name);
	}
}

void
report_text_end(struct report_text *text)
{
	put_names(text->report, &text->told);
	text->report->n_told = text->report->n_recipients;
	put_names(text->report, &text->named);
	put_names(text->report, &text->seen);
}
