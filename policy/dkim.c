/* SPDX-License-Identifier: ISC */
/*
 * dkim.c - the signatures of a message; see dkim.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dkim_library.h"
#include "header.h"

/* Everything that one judgement needs and frees at its end. */
struct work {
	struct dkim_fields fields;
	unsigned n;			/* signatures to evaluate */
	struct dkim_case cases[DKIM_SIGNATURES_MAX];
	bool is_refused[DKIM_SIGNATURES_MAX];	/* before its key */
	struct slice body;
};

static bool
add_field(struct dkim_fields *fields, const struct header_field *field,
    struct slice message)
{
	struct dkim_field *item = &fields->items[fields->n];
	struct slice text = { message.data + field->offset, field->size };

	if (text.data[text.size - 1] == '\n')
		text.size--;
	item->at = fields->text.size;
	while (text.size > 0) {
		struct slice line = { text.data, slice_find(text, '\n') };
		size_t taken = line.size + (line.size < text.size);

		if (buf_append_slice(&fields->text, line) < 0 ||
		    (taken > line.size &&
		    buf_puts(&fields->text, "\r\n") < 0))
			return false;
		text.data += taken;
		text.size -= taken;
	}
	item->size = fields->text.size - item->at;
	item->value = field->value;
	item->is_signature = header_is(field, "DKIM-Signature");
	fields->n++;
	return true;
}

/* NULL, or why no signature can be verified. */
static const char *
take_field(struct work *w, const struct header_field *field,
    struct slice message)
{
	if (field->offset + field->size > DKIM_HEADER_MAX ||
	    w->fields.n == DKIM_FIELDS_MAX)
		return "the header is too large";
	if (memchr(message.data + field->offset, 0, field->size) != NULL)
		return "the header has a NUL";
	return add_field(&w->fields, field, message) ? NULL :
	    "out of memory";
}

/* The same of all fields; signatures are counted in any case. */
static const char *
read_header(struct work *w, struct slice message)
{
	struct header_walk walk;
	struct header_field field;
	const char *problem = NULL;

	w->fields.text.maximum = 2 * DKIM_HEADER_MAX;
	header_walk_start(&walk, message, true);
	while (header_next(&walk, &field) == HEADER_FIELD) {
		w->fields.n_signatures += header_is(&field, "DKIM-Signature");
		if (problem == NULL)
			problem = take_field(w, &field, message);
	}
	w->body = (struct slice){ message.data + walk.offset,
	    message.size - walk.offset };
	return problem;
}

static void
refuse_all(struct dkim_report *report, unsigned n, const char *problem)
{
	enum dkim_status status = strcmp(problem, "out of memory") == 0 ?
	    DKIM_TEMPERROR : DKIM_PERMERROR;

	report->n_results = n > 0;
	report->n_ignored = n - report->n_results;
	if (n > 0)
		dkim_result_set(&report->results[0], status, problem);
}

static uint64_t
now_of(struct facts *facts)
{
	struct slice text;
	unsigned long long now = 0;

	if (!facts_find(facts, FACT_TIME, SLICE(""), &text) ||
	    !slice_number(text, 1ull << 53, &now))
		return 0;
	return now;
}

/* Read the first signatures; the others are ignored. */
static void
read_signatures(struct work *w, uint64_t now, struct dkim_report *report)
{
	for (unsigned i = 0; i < w->fields.n &&
	    w->n < DKIM_SIGNATURES_MAX; i++) {
		struct dkim_case *c = &w->cases[w->n];
		struct dkim_result *result = &report->results[w->n];

		if (!w->fields.items[i].is_signature)
			continue;
		c->fields = &w->fields;
		c->own = i;
		c->body = w->body;
		w->is_refused[w->n++] = !dkim_signature_parse(
		    w->fields.items[i].value, &c->signature, result) ||
		    !dkim_signature_is_timely(&c->signature, now, result);
	}
	report->n_results = w->n;
	report->n_ignored = w->fields.n_signatures - w->n;
}

/* Only once every key is known, so that all are asked for together. */
static bool
find_keys(struct work *w, struct facts *facts, struct dkim_report *report)
{
	char name[2 * DNS_NAME_MAX + 16];
	struct dns_answer answer;
	bool is_known = true;

	for (unsigned i = 0; i < w->n; i++) {
		if (w->is_refused[i])
			continue;
		snprintf(name, sizeof(name), "%s._domainkey.%s",
		    report->results[i].selector, report->results[i].domain);
		if (facts_dns(facts, FACT_DNS_TXT, slice_of(name), &answer))
			w->is_refused[i] = !dkim_key_find(&answer,
			    &w->cases[i].signature, &w->cases[i].key,
			    &report->results[i]);
		else if (facts->is_over)
			w->is_refused[i] = !dkim_result_set(
			    &report->results[i], DKIM_TEMPERROR,
			    "too many facts");
		else
			is_known = false;
	}
	return is_known;
}

bool
dkim_judge(struct dkim_library *library, struct slice message,
    struct facts *facts, struct dkim_report *report)
{
	struct work *w = calloc(1, sizeof(*w));
	const char *problem;
	bool is_known = true;

	memset(report, 0, sizeof(*report));
	problem = w == NULL ? "out of memory" : read_header(w, message);
	if (problem != NULL)
		refuse_all(report, w != NULL ? w->fields.n_signatures : 1,
		    problem);
	else {
		read_signatures(w, now_of(facts), report);
		is_known = find_keys(w, facts, report);
		for (unsigned i = 0; is_known && i < w->n; i++)
			if (!w->is_refused[i])
				dkim_library_verify(library, &w->cases[i],
				    &report->results[i]);
	}
	if (w != NULL)
		buf_free(&w->fields.text);
	free(w);
	return is_known;
}

const char *
dkim_status_name(enum dkim_status status)
{
	static const char *const names[] = { "neutral", "pass", "fail",
	    "policy", "temperror", "permerror" };

	return names[status];
}
