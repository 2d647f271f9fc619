/* SPDX-License-Identifier: ISC */
/*
 * test_aliases.c - the aliases file: what is read, and what is refused.
 */
#include <errno.h>
#include <stdio.h>
#include "../../directory/aliases.h"
#include "table.h"

static const char *
target_text(const struct alias_target *t, char *room, size_t size)
{
	static const char *const kinds[] = { "?", "", "\\", "include ",
		"program ", "file ", "error ", "discard" };

	if (t->kind == ALIAS_ERROR)
		snprintf(room, size, "error %u %u.%u %s", t->code,
		    t->subject, t->detail, t->text);
	else
		snprintf(room, size, "%s%s%s%s", kinds[t->kind], t->text,
		    t->domain && *t->domain ? "@" : "",
		    t->domain ? t->domain : "");
	return room;
}

/* "name@line: target | target; ..." */
static void
describe(const struct aliases *aliases, char *to, size_t room)
{
	char text[1024];
	size_t used = 0;

	*to = '\0';
	for (size_t i = 0; i < aliases->n; i++) {
		const struct alias *a = &aliases->items[i];

		used += (size_t)snprintf(to + used, room - used, "%s%s/%u:",
		    i ? "; " : "", a->name, a->line);
		for (size_t j = 0; j < a->n_targets; j++)
			used += (size_t)snprintf(to + used, room - used,
			    "%s %s", j ? " |" : "", target_text(
			    &a->targets[j], text, sizeof text));
	}
}

static const struct {
	const char *name, *input, *want;
} good[] = {
	{ "empty", "", "" },
	{ "comments", "# a\n\n   # b\n \t\n", "" },
	{ "one", "a: b\n", "a/1: b" },
	{ "no newline at the end", "a: b", "a/1: b" },
	{ "byte order mark", "\xef\xbb\xbf" "a: b\nc: d\n", "a/1: b; c/2: d" },
	{ "nothing but a byte order mark", "\xef\xbb\xbf", "" },
	{ "CRLF", "a: b\r\n  , c\r\nd: e\r\n", "a/1: b | c; d/3: e" },
	{ "list", "a: b, c ,d\n", "a/1: b | c | d" },
	{ "empty members", "a: b,,c\n", "a/1: b | c" },
	{ "space before the colon", "a : b\n", "a/1: b" },
	{ "no space", "a:b\n", "a/1: b" },
	{ "continuation", "a: b,\n\tc,\n  d\n", "a/1: b | c | d" },
	{ "continuation from nothing", "a:\n  b\n", "a/1: b" },
	{ "comma in front", "a: b\n  , c\n", "a/1: b | c" },
	{ "comment inside", "a: b,\n# no\n\n  c\n", "a/1: b | c" },
	{ "indented comment inside", "a: b,\n  # no\n  c\n", "a/1: b | c" },
	{ "domain in lower case", "a: B@Example.ORG\n",
	    "a/1: B@example.org" },
	{ "IDN", "a: b@b\xc3\xbc" "cher.example\n",
	    "a/1: b@xn--bcher-kva.example" },
	{ "UTF-8 local part", "j\xc3\xbcrgen: j\n", "j\xc3\xbcrgen/1: j" },
	{ "quoted name", "\"a b\": c\n", "a b/1: c" },
	{ "colon in a quoted name", "\"a:b\": c\n", "a:b/1: c" },
	{ "quoted address", "a: \"b c\"@d.e, \"f,g\"\n",
	    "a/1: b c@d.e | f,g" },
	{ "phrase", "a: Bob Smith <bob@x.y>, <c>\n", "a/1: bob@x.y | c" },
	{ "include", "a: :include:/x/y\n", "a/1: include /x/y" },
	{ "quoted include", "a: \":include:/x y,z\"\n",
	    "a/1: include /x y,z" },
	{ "program", "a: |/bin/x -a, b\n", "a/1: program /bin/x -a | b" },
	{ "quoted program", "a: \"|/bin/x -a, \\\"b\\\"\"\n",
	    "a/1: program /bin/x -a, \"b\"" },
	{ "file", "a: /dev/null\n", "a/1: file /dev/null" },
	{ "mailbox", "a: \\a, \\b@c.d\n", "a/1: \\a | \\b@c.d" },
	{ "discard", "a: discard:\nb: DISCARD:\n",
	    "a/1: discard; b/2: discard" },
	{ "quoted discard", "a: \"discard:\"\nb: \"Discard:\", c\n",
	    "a/1: discard; b/2: discard | c" },
	{ "error", "a: error:550 5.1.6 moved, sorry\n",
	    "a/1: error 550 1.6 moved, sorry" },
	{ "quoted error", "a: \"error:451 4.2.1 x, y\", b\n",
	    "a/1: error 451 2.1 x, y | b" },
	{ "error with a space", "a: error: 551 5.1.6 x\n",
	    "a/1: error 551 1.6 x" },
	{ "error without enhanced code", "a: error:552 full\n",
	    "a/1: error 552 2.2 full" },
	{ "error with text alone", "a: error:gone away\n",
	    "a/1: error 550 1.1 gone away" },
	{ "error alone", "a: error:\n",
	    "a/1: error 550 1.1 this address takes no mail" },
	{ "error code alone", "a: error:550 5.2.1\n",
	    "a/1: error 550 2.1 this address takes no mail" },
	{ "text that looks like a version", "a: error:550 5.x\n",
	    "a/1: error 550 1.1 5.x" },
	{ "owner", "owner-team: a\n", "owner-team/1: a" },
	{ "itself", "a: a, b\n", "a/1: a | b" },
};

static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		struct config_problems problems = { 0 };
		struct aliases aliases;
		char got[4096];
		int error = aliases_parse(&aliases, slice_of(good[i].input),
		    "F", true, &problems);

		if (error)
			fail_msg("row \"%s\": %s", good[i].name, problems.n ?
			    problems.items[0].text : "no problem named");
		describe(&aliases, got, sizeof got);
		CHECK_STRING(good[i].name, got, good[i].want);
		CHECK(good[i].name, problems.n == 0);
		aliases_free(&aliases);
		config_problems_free(&problems);
	}
}

static const struct {
	const char *name, *input;
	const char *want[3];	/* beginnings of the problems, in order */
} bad[] = {
	{ "no colon", "a\n", { "F:1: expected" } },
	{ "no name", ": a\n", { "F:1: \"\" is not" } },
	{ "no target", "a:\nb: c\n", { "F:1: alias \"a\" has no target" } },
	{ "no target at the end", "b: c\na:",
	    { "F:2: alias \"a\" has no target" } },
	{ "comma at the end", "a: b,\nc: d\n",
	    { "F:2: the list of alias \"a\" ends" } },
	{ "comma at the end of the file", "a: b,",
	    { "F:1: the list of alias \"a\" ends" } },
	{ "continuation first", "  a\n", { "F:1: a continuation" } },
	{ "missing comma", "a: b\n  c\n", { "F:2: a comma is missing" } },
	{ "open quote in a target", "a: \"b\n", { "F:1: a quotation" } },
	{ "open quote in a name", "\"a: b\n", { "F:1: expected" } },
	{ "address as name", "a@b.c: d\n", { "F:1: \"a@b.c\": an alias" } },
	{ "two words", "a: b c\n", { "F:1: \"b c\": not an address" } },
	{ "bad domain", "a: b@-c\n", { "F:1: \"b@-c\": the domain" } },
	{ "null", "a: <>\n", { "F:1: \"<>\": not an address" } },
	{ "relative include", "a: :include:x\n",
	    { "F:1: \"x\": expected an absolute" } },
	{ "empty program", "a: |\n", { "F:1: \"|\": expected |command" } },
	{ "discard with text", "a: discard:x\n",
	    { "F:1: \"discard:x\": nothing may" } },
	{ "quoted discard with text", "a: \"discard:x\"\n",
	    { "F:1: \"discard:x\": nothing may" } },
	{ "code 250", "a: error:250 ok\n", { "F:1: \"error:250 ok\": the" } },
	{ "code 421", "a: error:421 x\n", { "F:1: \"error:421 x\": the" } },
	{ "code 600", "a: error:600 x\n", { "F:1: \"error:600 x\": the" } },
	{ "code 590", "a: error:590 x\n", { "F:1: \"error:590 x\": the" } },
	{ "code 55", "a: error:55 x\n", { "F:1: \"error:55 x\": the" } },
	{ "class differs", "a: error:550 4.1.6 x\n",
	    { "F:1: \"error:550 4.1.6 x\": the enhanced" } },
	{ "enhanced too large", "a: error:550 5.1.256 x\n",
	    { "F:1: \"error:550 5.1.256 x\": the enhanced" } },
	{ "twice", "a: b\nc: d\nA: e\n",
	    { "F:3: alias \"A\" stands on line 1 already" } },
	{ "all of them", "a\nb:\nc: d e\n", { "F:1: expected",
	    "F:2: alias \"b\" has no target", "F:3: \"d e\": not" } },
};

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct config_problems problems = { 0 };
		struct aliases aliases;
		size_t n = 0;

		CHECK(bad[i].name, aliases_parse(&aliases,
		    slice_of(bad[i].input), "F", true, &problems) ==
		    -EBADMSG);
		for (; n < 3 && bad[i].want[n] != NULL; n++) {
			CHECK(bad[i].name, n < problems.n);
			if (strncmp(problems.items[n].text, bad[i].want[n],
			    strlen(bad[i].want[n])) != 0)
				fail_msg("row \"%s\": got \"%s\"",
				    bad[i].name, problems.items[n].text);
		}
		CHECK(bad[i].name, problems.n == n);
		aliases_free(&aliases);
		config_problems_free(&problems);
	}
}

/* All targets of a name that is there more than once are to be looked at. */
static void
test_duplicates_are_merged(void **state)
{
	struct config_problems problems = { 0 };
	struct aliases aliases;

	(void)state;
	assert_int_equal(aliases_parse(&aliases, SLICE("x: a, b\ny: c\n"
	    "X: d\nx: e\nz: f\n"), "F", true, &problems), -EBADMSG);
	assert_int_equal(problems.n, 2);
	assert_string_equal(problems.items[0].text,
	    "F:3: alias \"X\" stands on line 1 already");
	assert_string_equal(problems.items[1].text,
	    "F:4: alias \"x\" stands on line 3 already");
	assert_int_equal(aliases.n, 3);
	assert_int_equal(aliases.items[0].n_targets, 4);
	assert_string_equal(aliases.items[0].targets[3].text, "e");
	assert_string_equal(aliases.items[2].name, "z");
	aliases_free(&aliases);
	config_problems_free(&problems);
}

static void
test_nul(void **state)
{
	struct config_problems problems = { 0 };
	struct aliases aliases;

	(void)state;
	assert_int_equal(aliases_parse(&aliases, SLICE("a: b\nc: d\0\0\0"),
	    "F", true, &problems), -EILSEQ);
	assert_int_equal(problems.n, 1);
	assert_non_null(strstr(problems.items[0].text, "F:2: a NUL"));
	aliases_free(&aliases);
	config_problems_free(&problems);
}

static void
test_case_matters(void **state)
{
	struct config_problems problems = { 0 };
	struct aliases aliases;

	(void)state;
	assert_int_equal(aliases_parse(&aliases, SLICE("a: b\nA: c\n"), "F",
	    false, &problems), 0);
	assert_int_equal(aliases.n, 2);
	aliases_free(&aliases);
	config_problems_free(&problems);
}

static void
test_lines_of_targets(void **state)
{
	struct config_problems problems = { 0 };
	struct aliases aliases;

	(void)state;
	assert_int_equal(aliases_parse(&aliases,
	    SLICE("\na: b,\n c, d,\n\n e"), "F", true, &problems), 0);
	assert_int_equal(aliases.items[0].line, 2);
	assert_int_equal(aliases.items[0].targets[0].line, 2);
	assert_int_equal(aliases.items[0].targets[2].line, 3);
	assert_int_equal(aliases.items[0].targets[3].line, 5);
	aliases_free(&aliases);
	config_problems_free(&problems);
}

static void
test_include(void **state)
{
	struct config_problems problems = { 0 };
	struct aliases aliases;
	char got[512];

	(void)state;
	assert_int_equal(aliases_parse_include(&aliases, SLICE("# members\n"
	    "a, b\n\nc@d.e\n :include:/f\n"), "/m", &problems), 0);
	describe(&aliases, got, sizeof got);
	assert_string_equal(got, "/m/0: a | b | c@d.e | include /f");
	aliases_free(&aliases);
	assert_int_equal(aliases_parse_include(&aliases, SLICE("a b\n"), "/m",
	    &problems), -EBADMSG);
	aliases_free(&aliases);
	assert_int_equal(aliases_parse_include(&aliases, SLICE(""), "/m",
	    &problems), 0);
	assert_int_equal(aliases.items[0].n_targets, 0);
	aliases_free(&aliases);
	config_problems_free(&problems);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_duplicates_are_merged),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_case_matters),
		cmocka_unit_test(test_lines_of_targets),
		cmocka_unit_test(test_include),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
