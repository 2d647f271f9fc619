/* SPDX-License-Identifier: ISC */
/*
 * test_message_id.c - one id, however its field is written.
 */
#include <stdio.h>
#include "message_id.h"
#include "table.h"

static const struct {
	const char *name, *value, *want;
} rows[] = {
	{ "plain", " <1@e.org>", "1@e.org" },
	{ "without white space", "<1@e.org>", "1@e.org" },
	{ "on a line of its own", "\n <1@e.org>", "1@e.org" },
	{ "the same with CR", "\r\n\t<1@e.org>\r\n", "1@e.org" },
	{ "folded in it", " <1\n @e.\n\torg>", "1@e.org" },
	{ "white space in it", " < 1 2@e.org >", "12@e.org" },
	{ "comment behind", " <1@e.org> (added by mx)", "1@e.org" },
	{ "comment in front", " (a) <1@e.org>", "1@e.org" },
	{ "comment with an id", " (was <2@x>) <1@e.org>", "1@e.org" },
	{ "comments in one another", "(a (b \\) <3@x>))\n (c)<1@e.org>",
	    "1@e.org" },
	{ "a comment that does not end", "(a <1@e.org>", "1@e.org" },
	{ "quoted", " <\"a(b\"@e.org>", "\"a(b\"@e.org" },
	{ "a literal", " <1@[192.0.2.1]>", "1@[192.0.2.1]" },
	{ "nobody's <>", " 1@e.org (x)", "1@e.org" },
	{ "a word in front", " mail <1@e.org>", "1@e.org" },
	{ "no end", " <1@e.org", "1@e.org" },
	{ "two", " <1@e.org> <2@e.org>", "1@e.org" },
	{ "case", "<ABC@E.org>", "ABC@E.org" },
	{ "no address", "<abc>", "abc" },
	{ "nothing in it", " <>", "" },
	{ "white space", " \n\t", "" },
	{ "a comment alone", "(<1@e.org>)", "" },
	{ "nothing", "", "" },
};

static void
test_rows(void **state)
{
	char id[MESSAGE_ID_MAX];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		bool is_there = message_id_read(id, slice_of(rows[i].value));

		CHECK_STRING(rows[i].name, id, rows[i].want);
		CHECK(rows[i].name, is_there == (rows[i].want[0] != '\0'));
	}
}

/* Its longest, and one octet more. */
static void
test_length(void **state)
{
	char value[MESSAGE_ID_MAX + 2], id[MESSAGE_ID_MAX];

	(void)state;
	memset(value, 'x', sizeof value);
	value[0] = '<';
	assert_true(message_id_read(id, (struct slice){ value,
	    MESSAGE_ID_MAX }));
	assert_int_equal(strlen(id), MESSAGE_ID_MAX - 1);
	assert_false(message_id_read(id, (struct slice){ value,
	    MESSAGE_ID_MAX + 1 }));
	assert_string_equal(id, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
