/* SPDX-License-Identifier: ISC */
/*
 * header.c - the header section of a message; see header.h.
 */
#include "header.h"
#include "octets.h"

void
header_walk_start(struct header_walk *walk, struct slice text, bool is_whole)
{
	*walk = (struct header_walk){ .text = text, .is_whole = is_whole };
}

/*
 * Size of the field at the front of s with its continuation lines and last
 * LF. 0 if its end cannot be seen: even after an LF the next line may
 * continue it.
 */
static size_t
find_field_end(struct slice s, bool is_whole)
{
	size_t end = 0;

	do {
		end += slice_find(slice_after(s, end), '\n');
		if (end == s.size)
			return is_whole ? end : 0;
		end++;
		if (end == s.size)
			return is_whole ? end : 0;
	} while (is_space(s.data[end]));
	return end;
}

/* RFC 5322 2.2, with the white space before the colon of 4.5. */
static bool
split_field(struct slice whole, struct header_field *field)
{
	size_t n = 0, colon;

	while (n < whole.size && whole.data[n] > ' ' && whole.data[n] < 0x7f &&
	    whole.data[n] != ':')
		n++;
	colon = n;
	while (colon < whole.size && is_space(whole.data[colon]))
		colon++;
	if (n == 0 || colon == whole.size || whole.data[colon] != ':')
		return false;
	field->name = slice_first(whole, n);
	field->value = slice_after(whole, colon + 1);
	if (field->value.size > 0 &&
	    field->value.data[field->value.size - 1] == '\n')
		field->value.size--;
	return true;
}

enum header_step
header_next(struct header_walk *walk, struct header_field *field)
{
	struct slice rest = slice_after(walk->text, walk->offset);
	size_t size;

	if (rest.size == 0)
		return walk->is_whole ? HEADER_END : HEADER_MORE;
	if (*rest.data == '\n') {
		walk->offset++;
		return HEADER_END;
	}
	size = find_field_end(rest, walk->is_whole);
	if (size == 0)
		return HEADER_MORE;
	if (!split_field(slice_first(rest, size), field))
		return HEADER_NO_FIELD;
	field->offset = walk->offset;
	field->size = size;
	walk->offset += size;
	return HEADER_FIELD;
}

bool
header_is(const struct header_field *field, const char *name)
{
	return slice_equals_nocase(field->name, slice_of(name));
}

/*
 * Each hop adds its trace anew, and a sender that tries again may sign
 * again. ARC- stands for the three fields of RFC 8617.
 */
bool
header_changes_on_retry(const struct header_field *field)
{
	static const char *const names[] = {
		"Received", "Return-Path", "Delivered-To", "DKIM-Signature",
		"Authentication-Results", "X-Received", "X-Original-To",
		"Received-SPF", "X-Google-DKIM-Signature",
		"X-Google-Smtp-Source",
	};

	if (slice_starts_nocase(field->name, SLICE("ARC-")))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (header_is(field, names[i]))
			return true;
	return false;
}

/* White space, folds and angle brackets around an address removed. */
static struct slice
bare_address(struct slice value)
{
	while (value.size > 0 && (is_space(*value.data) ||
	    *value.data == '\n' || *value.data == '<'))
		value = slice_after(value, 1);
	while (value.size > 0 && (is_space(value.data[value.size - 1]) ||
	    value.data[value.size - 1] == '\n' ||
	    value.data[value.size - 1] == '>'))
		value.size--;
	return value;
}

static void
note_field(struct header_facts *facts, const struct header_field *field)
{
	facts->n_fields++;
	if (header_is(field, "Received"))
		facts->n_received++;
	else if (header_is(field, "Message-ID"))
		facts->has_message_id = true;
	else if (header_is(field, "Date"))
		facts->has_date = true;
	else if (header_is(field, "Delivered-To") &&
	    facts->n_delivered_to++ < HEADER_MAX_DELIVERED_TO)
		facts->delivered_to[facts->n_delivered_to - 1] =
		    bare_address(field->value);
}

void
header_facts_find(struct header_facts *facts, struct slice text,
    bool is_whole)
{
	struct header_walk walk;
	struct header_field field;
	enum header_step step;

	*facts = (struct header_facts){ 0 };
	header_walk_start(&walk, text, is_whole);
	while ((step = header_next(&walk, &field)) == HEADER_FIELD)
		note_field(facts, &field);
	facts->is_over_limit = step == HEADER_MORE;
	facts->size_bytes = walk.offset;
}
