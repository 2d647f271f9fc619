/* SPDX-License-Identifier: ISC */
/*
 * test_header.c - the header walker, and what is looked for in a header.
 */
#include <stdio.h>
#include "header.h"
#include "table.h"

/* Fields are compared as "NAME=VALUE|" one after the other. */
static const struct {
	const char *name;
	const char *text;
	bool is_whole;
	const char *want;
	enum header_step end;
	size_t offset;		/* at the end */
} walks[] = {
	{ "two fields", "A: b\nC: d\n\nbody\n", true, "A= b|C= d|",
	    HEADER_END, 11 },
	{ "the rest is not seen yet", "A: b\nC: d\n\n", false, "A= b|C= d|",
	    HEADER_END, 11 },
	{ "fold", "A: b\n c\n\td\nE: f\n\n", true, "A= b\n c\n\td|E= f|",
	    HEADER_END, 17 },
	{ "empty value", "A:\nB: \n\n", true, "A=|B= |", HEADER_END, 8 },
	{ "white space before the colon", "A \t: b\n\n", true, "A= b|",
	    HEADER_END, 8 },
	{ "colons in the value", "A:b:c\n\n", true, "A=b:c|", HEADER_END, 7 },
	{ "no body", "A: b\n", true, "A= b|", HEADER_END, 5 },
	{ "no last LF", "A: b", true, "A= b|", HEADER_END, 4 },
	{ "fold, no last LF", "A: b\n c", true, "A= b\n c|", HEADER_END, 7 },
	{ "no header", "\nbody", true, "", HEADER_END, 1 },
	{ "nothing", "", true, "", HEADER_END, 0 },
	{ "nothing yet", "", false, "", HEADER_MORE, 0 },
	{ "line without a colon", "A: b\nhello\n\n", true, "A= b|",
	    HEADER_NO_FIELD, 5 },
	{ "space in the name", "From a@b Mon 12:00\nA: b\n\n", true, "",
	    HEADER_NO_FIELD, 0 },
	{ "first line is a fold", " A: b\n\n", true, "", HEADER_NO_FIELD, 0 },
	{ "no name", ": b\n\n", true, "", HEADER_NO_FIELD, 0 },
	{ "control in the name", "A\001: b\n\n", true, "",
	    HEADER_NO_FIELD, 0 },
	{ "8-bit name", "\xc3\xb6: b\n\n", true, "", HEADER_NO_FIELD, 0 },
	{ "DEL in the name", "A\177: b\n\n", true, "", HEADER_NO_FIELD, 0 },
	{ "colon after a fold", "A\n : b\n\n", true, "", HEADER_NO_FIELD, 0 },
	{ "cut in a field", "A: b\nC: d", false, "A= b|", HEADER_MORE, 5 },
	{ "cut after LF", "A: b\nC: d\n", false, "A= b|", HEADER_MORE, 5 },
	{ "cut in a fold", "A: b\n c\n", false, "", HEADER_MORE, 0 },
	{ "white line continues", "A: b\n \nC: d\n\n", true, "A= b\n |C= d|",
	    HEADER_END, 13 },
};

static void
test_walk(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(walks); i++) {
		struct slice text = slice_of(walks[i].text);
		struct header_field field;
		struct header_walk walk;
		enum header_step step;
		struct buf got = { 0 };
		size_t offset = 0;

		header_walk_start(&walk, text, walks[i].is_whole);
		while ((step = header_next(&walk, &field)) == HEADER_FIELD) {
			CHECK(walks[i].name, field.offset == offset);
			CHECK(walks[i].name,
			    field.name.data == text.data + offset);
			offset += field.size;
			buf_printf(&got, "%.*s=%.*s|", (int)field.name.size,
			    field.name.data, (int)field.value.size,
			    field.value.data);
		}
		CHECK_STRING(walks[i].name, got.data ? got.data : "",
		    walks[i].want);
		CHECK(walks[i].name, step == walks[i].end);
		CHECK(walks[i].name, walk.offset == walks[i].offset);
		buf_free(&got);
	}
}

/* The same fields come out wherever the text was cut. */
static void
test_resume(void **state)
{
	static const char text[] = "A: b\n c\nD : e\nF:\n\nbody: x\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct header_walk walk;
		struct header_field field;
		enum header_step step;
		unsigned n = 0;

		header_walk_start(&walk, (struct slice){ text, cut }, false);
		while ((step = header_next(&walk, &field)) == HEADER_FIELD)
			n++;
		if (step == HEADER_MORE) {
			walk.text.size = sizeof(text) - 1;
			walk.is_whole = true;
			while ((step = header_next(&walk, &field)) ==
			    HEADER_FIELD)
				n++;
		}
		assert_int_equal(step, HEADER_END);
		assert_int_equal(n, 3);
		assert_int_equal(walk.offset, 18);
	}
}

static const struct {
	const char *name;
	bool want;
} retries[] = {
	{ "Received", true }, { "RECEIVED", true }, { "X-Received", true },
	{ "Return-Path", true }, { "Delivered-To", true },
	{ "X-Original-To", true }, { "DKIM-Signature", true },
	{ "ARC-Seal", true }, { "arc-message-signature", true },
	{ "ARC-Authentication-Results", true },
	{ "Authentication-Results", true },
	{ "Message-ID", false }, { "Date", false }, { "From", false },
	{ "Subject", false }, { "X-ARC", false }, { "ARC", false },
	{ "Receive", false }, { "Received-", false },
};

static void
test_changes_on_retry(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(retries); i++) {
		struct header_field field = {
			.name = slice_of(retries[i].name),
		};

		CHECK(retries[i].name,
		    header_changes_on_retry(&field) == retries[i].want);
	}
}

static void
test_facts(void **state)
{
	static const char text[] =
	    "Received: a\n\tb\nRECEIVED: c\nX-Received: no\n"
	    "Delivered-To: Alice@example.org \n"
	    "Delivered-To:\n <bob@example.org>\n"
	    "message-id: <x@y>\nDate: now\nSubject: Received: no\n\n"
	    "Received: body\n";
	struct header_facts facts;

	(void)state;
	header_facts_find(&facts, slice_of(text), true);
	assert_int_equal(facts.n_fields, 8);
	assert_int_equal(facts.n_received, 2);
	assert_int_equal(facts.n_delivered_to, 2);
	assert_true(facts.has_message_id);
	assert_true(facts.has_date);
	assert_false(facts.is_over_limit);
	assert_int_equal(facts.size_bytes,
	    strstr(text, "\n\n") + 2 - text);
	assert_true(slice_equals_nocase(facts.delivered_to[0],
	    SLICE("alice@EXAMPLE.org")));
	assert_true(slice_equals(facts.delivered_to[1],
	    SLICE("bob@example.org")));
}

static void
test_facts_limit(void **state)
{
	struct header_facts facts;

	(void)state;
	header_facts_find(&facts, SLICE("Date: x\nMessage-ID: y\nFro"),
	    false);
	assert_true(facts.is_over_limit);
	assert_true(facts.has_date);
	assert_true(facts.has_message_id);
	assert_int_equal(facts.size_bytes, 22);
	header_facts_find(&facts, SLICE("no field\nDate: x\n"), true);
	assert_false(facts.has_date);
	assert_false(facts.is_over_limit);
	assert_int_equal(facts.size_bytes, 0);
}

static const struct {
	const char *text, *want;
} delivered[] = {
	{ "Delivered-To:", "" },
	{ "Delivered-To:\n", "" },
	{ "Delivered-To: \n", "" },
	{ "Delivered-To: \n \t\n", "" },
	{ "Delivered-To:a\n", "a" },
	{ "Delivered-To:  <a>\t\n", "a" },
	{ "Delivered-To: <\n", "" },
	{ "Delivered-To:\n a@b\n \n", "a@b" },
};

static void
test_delivered_to(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(delivered); i++) {
		char *text = malloc(strlen(delivered[i].text));
		struct slice exact = { text, strlen(delivered[i].text) };
		struct header_facts facts;

		assert_non_null(text);
		memcpy(text, delivered[i].text, exact.size);
		header_facts_find(&facts, exact, true);
		CHECK(delivered[i].text, facts.n_delivered_to == 1);
		CHECK(delivered[i].text, slice_equals(facts.delivered_to[0],
		    slice_of(delivered[i].want)));
		free(text);
	}
}

/* More Delivered-To than we remember is a loop for everybody. */
static void
test_many_delivered_to(void **state)
{
	struct header_facts facts;
	struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < HEADER_MAX_DELIVERED_TO; i++)
		assert_int_equal(buf_printf(&text, "Delivered-To: u%d@x\n",
		    i), 0);
	header_facts_find(&facts, buf_slice(&text), true);
	assert_int_equal(facts.n_delivered_to, HEADER_MAX_DELIVERED_TO);
	assert_true(slice_equals(facts.delivered_to[0], SLICE("u0@x")));
	assert_true(slice_equals(facts.delivered_to[63], SLICE("u63@x")));
	assert_int_equal(buf_puts(&text, "Delivered-To: z@x\n"), 0);
	header_facts_find(&facts, buf_slice(&text), true);
	assert_int_equal(facts.n_delivered_to, HEADER_MAX_DELIVERED_TO + 1);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_changes_on_retry),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_facts_limit),
		cmocka_unit_test(test_delivered_to),
		cmocka_unit_test(test_many_delivered_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
