/* SPDX-License-Identifier: ISC */
/*
 * fuzz_header.c - input: two octets that say where to cut, then a message.
 * Its first line is tried as a date too.
 */
#include "header.h"
#include "mail_date.h"
#include "require.h"

/* Fields follow one another without a gap, inside the text. */
static enum header_step
walk_on(struct header_walk *walk, unsigned *n_fields)
{
	struct header_field field;
	enum header_step step;
	size_t at = walk->offset;

	while ((step = header_next(walk, &field)) == HEADER_FIELD) {
		struct slice whole = { walk->text.data + at, field.size };

		REQUIRE(field.offset == at && field.size > 1);
		REQUIRE(walk->offset == at + field.size);
		REQUIRE(walk->offset <= walk->text.size);
		REQUIRE(is_within(field.name, whole));
		REQUIRE(is_within(field.value, whole));
		REQUIRE(field.name.size > 0 &&
		    !has_control_octet(field.name));
		header_changes_on_retry(&field);
		at = walk->offset;
		(*n_fields)++;
	}
	REQUIRE(walk->offset <= walk->text.size);
	return step;
}

/* In two pieces the walk ends as it does in one. */
static void
check_cut(struct slice text, size_t cut)
{
	struct header_walk whole, parts;
	unsigned n_whole = 0, n_parts = 0;
	enum header_step end, step;

	header_walk_start(&whole, text, true);
	end = walk_on(&whole, &n_whole);
	REQUIRE(end == HEADER_END || end == HEADER_NO_FIELD);
	header_walk_start(&parts, (struct slice){ text.data, cut }, false);
	step = walk_on(&parts, &n_parts);
	if (step == HEADER_MORE) {
		parts.text = text;
		parts.is_whole = true;
		step = walk_on(&parts, &n_parts);
	}
	REQUIRE(step == end && parts.offset == whole.offset);
	REQUIRE(n_parts == n_whole);
}

static void
check_facts(struct slice text)
{
	struct header_facts facts;
	unsigned n;

	header_facts_find(&facts, text, true);
	REQUIRE(facts.size_bytes <= text.size && !facts.is_over_limit);
	n = facts.n_delivered_to < HEADER_MAX_DELIVERED_TO ?
	    facts.n_delivered_to : HEADER_MAX_DELIVERED_TO;
	for (unsigned i = 0; i < n; i++)
		REQUIRE(is_within(facts.delivered_to[i], text));
}

static void
check_date(struct slice text)
{
	char written[MAIL_DATE_SIZE];
	int64_t when_s, again;

	if (!mail_date_parse(text, &when_s))
		return;
	mail_date_write(written, when_s);
	REQUIRE(strlen(written) == MAIL_DATE_SIZE - 1);
	REQUIRE(mail_date_parse(slice_of(written), &again));
	REQUIRE(again == when_s || when_s < 0 || when_s > 253402300799);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text;

	if (size < 2)
		return 0;
	text = (struct slice){ (const char *)data + 2, size - 2 };
	check_cut(text, (data[0] | (size_t)data[1] << 8) % (text.size + 1));
	check_facts(text);
	check_date((struct slice){ text.data, slice_find(text, '\n') });
	return 0;
}
