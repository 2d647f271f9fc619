/* SPDX-License-Identifier: ISC */
/*
 * test_config_errors.c - every kind of mistake in a configuration: the line
 * and the whole text of each message, and that one mistake gives no more
 * messages than it should.
 *
 * A row's text stands behind BASE, a complete file on line 1, so its own
 * first line is line 2.
 */
#include <stdio.h>
#include "table.h"
#include "config.h"

#define BASE "hostname = \"mx.example.org\" postmaster = \"alice\" " \
	"state_dir = \"/var/lib/postern\" " \
	"listen \"127.0.0.1:25\" { role = mx } " \
	"domain \"example.org\" { users = \"passwd\" }\n"

struct row {
	const char *name;
	const char *text;
	const char *want;
};

static char *
messages_of(struct slice text)
{
	struct config_problems problems;
	struct config *config = config_parse(text, &problems);
	struct buf out = { 0 };

	assert_int_equal(buf_puts(&out, ""), 0);
	for (size_t i = 0; i < problems.n; i++)
		assert_int_equal(buf_printf(&out, "%u: %s%s\n",
		    problems.items[i].line,
		    problems.items[i].is_warning ? "warning: " : "",
		    problems.items[i].text), 0);
	assert_int_equal(config == NULL, config_problems_has_error(&problems));
	config_problems_free(&problems);
	config_free(&config);
	return out.data;
}

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct buf text = { 0 };
		char *got;

		assert_int_equal(buf_puts(&text, BASE), 0);
		assert_int_equal(buf_puts(&text, rows[i].text), 0);
		got = messages_of(buf_slice(&text));
		CHECK_STRING(rows[i].name, got, rows[i].want);
		free(got);
		buf_free(&text);
	}
}

static const struct row lexing[] = {
	{ "nothing wrong", "# a comment } \" {\n", "" },
	{ "unterminated", "origin = \"example.org\nmin_uid = 5\n",
	    "2: string without its closing '\"'\n" },
	{ "unterminated by CR LF", "origin = \"example.org\r\n",
	    "2: string without its closing '\"'\n" },
	{ "backslash at the end", "origin = \"example.org\\\n",
	    "2: string without its closing '\"'\n" },
	{ "unterminated at the end of the file", "origin = \"exam",
	    "2: string without its closing '\"'\n" },
	{ "unterminated title", "tls \"a.example {\n  key = \"/k\"\n}\n",
	    "2: string without its closing '\"'\n"
	    "2: section tls has no certificate\n" },
	{ "escape", "origin = \"a\\x41\"\n",
	    "2: unknown escape \"\\x\"; only \\\" \\\\ \\n and \\t are "
	    "known\n" },
	{ "control octet", "origin = \"a\001b\" min_uid = x\n",
	    "2: octet 0x01 in a string\n"
	    "2: min_uid needs a number\n" },
	{ "not UTF-8", "origin = \"a\xc3(\"\n",
	    "2: octet 0xc3 in a string\n" },
	{ "surrogate", "origin = \"\xed\xa0\x80\"\n",
	    "2: octet 0xed in a string\n" },
	{ "garbage octets", "\xff\xfe\xff\n\001\002\n",
	    "2: unexpected octet 0xff\n3: unexpected octet 0x01\n" },
	{ "carriage return alone", "min_uid = 5\rlog = \"stderr\"\n",
	    "2: unexpected octet 0x0d\n" },
	{ "semicolon", "min_uid = 1000; log = \"stderr\";\n",
	    "2: unexpected ';': settings need nothing between them\n" },
	{ "single quotes", "origin = 'example.org'\n",
	    "2: unexpected \"'\": strings stand in double quotes\n" },
	{ "environment", "state = $HOME\n",
	    "2: unexpected '$': nothing is taken from the environment\n"
	    "2: unknown key \"state\"\n" },
	{ "escaped in the message", "origin = \"a\\nb\"\n",
	    "2: origin \"a\\x0ab\": not a domain name\n" },
};

static const struct row structure[] = {
	{ "stray brace", "}\nmin_uid = 1000\n",
	    "2: \"}\" without a \"{\" before it\n" },
	{ "open brace", "limits {\n\tsessions = 5\n",
	    "2: \"{\" of the section limits is never closed\n" },
	{ "open brace before another section",
	    "limits {\n\tsessions = 5\nchecks { }\n"
	    "domain \"a.example\" { users = \"passwd\" }\n",
	    "2: \"{\" of the section limits is not closed before line 4\n" },
	{ "open brace before a setting",
	    "limits {\n\tsessions = 5\nmin_uid = 2000\n",
	    "2: \"{\" of the section limits is never closed\n"
	    "4: min_uid does not stand in the section limits of line 2, but "
	    "at the top level; is its \"{\" closed?\n" },
	{ "two open braces", "checks {\nlimits {\nprocesses { }\n",
	    "2: \"{\" of the section checks is not closed before line 3\n"
	    "3: \"{\" of the section limits is not closed before line 4\n" },
	{ "section in the wrong one, braces in order",
	    "checks {\n limits { sessions = 5 }\n bare_lf = refuse\n}\n",
	    "3: section limits does not stand in the section checks of line "
	    "2, but at the top level\n" },
	{ "inner section outside", "clamd \"unix:/c\" { }\n",
	    "2: section clamd does not stand at the top level, but in a "
	    "section checks\n" },
	{ "no value", "min_uid =\nlog = \"stderr\"\n",
	    "2: min_uid has no value\n" },
	{ "no value on the same line", "min_uid = log = \"stderr\"\n",
	    "2: min_uid has no value\n" },
	{ "no value in a section", "limits { sessions = }\n",
	    "2: sessions has no value\n" },
	{ "no equals sign", "min_uid 1000\nlog \"stderr\"\n",
	    "2: \"=\" is missing after min_uid\n"
	    "3: \"=\" is missing after log\n" },
	{ "word alone", "min_uid\nmin_uids { } \nfoo bar baz { x = 1 }\n",
	    "2: \"min_uid\" has neither \"=\" nor \"{\" behind it\n"
	    "3: unknown section \"min_uids\"\n"
	    "4: \"foo\" has neither \"=\" nor \"{\" behind it\n" },
	{ "value alone", "\"x\" = 5\n10\n, = \n",
	    "2: \"x\" stands where a key or section is expected\n"
	    "3: \"10\" stands where a key or section is expected\n"
	    "4: \",\" stands where a key or section is expected\n" },
	{ "equals before the brace", "limits = { sessions = 5 }\n",
	    "2: section limits has no \"=\" before its \"{\"\n" },
	{ "brace missing", "limits\n sessions = 5\n}\n",
	    "2: \"{\" is missing after section limits\n" },
	{ "both braces missing", "limits\nmin_uid = 5\n",
	    "2: \"{\" is missing after section limits\n" },
	{ "title missing", "listen { role = mx }\n",
	    "2: section listen needs a title: an address and port, such as "
	    "\"*:25\"\n" },
	{ "title without quotes", "domain example.net { users = \"passwd\" }\n",
	    "2: the title of section domain needs quotes: domain "
	    "\"example.net\"\n" },
	{ "title without quotes, listen", "listen *:2525 { role = mx }\n",
	    "2: the title of section listen needs quotes: listen \"*:2525\"\n" },
	{ "title in single quotes", "listen '*:2525' { role = mx }\n",
	    "2: unexpected \"'\": strings stand in double quotes\n" },
	{ "word that is not wanted", "limits x { sessions = 5 }\n",
	    "2: section limits has no title\n" },
	{ "title not wanted", "limits \"x\" { sessions = 5 }\n",
	    "2: section limits has no title\n" },
	{ "nested too deep",
	    "checks{checks{checks{checks{checks{checks{checks{checks{\n"
	    "}}}}}}}}\n",
	    "2: section checks does not stand in the section checks of line "
	    "2, but at the top level\n"
	    "2: section checks stands twice, first on line 2\n"
	    "2: section checks does not stand in the section checks of line "
	    "2, but at the top level\n"
	    "2: section checks stands twice, first on line 2\n"
	    "2: section checks does not stand in the section checks of line "
	    "2, but at the top level\n"
	    "2: section checks stands twice, first on line 2\n"
	    "2: section checks does not stand in the section checks of line "
	    "2, but at the top level\n"
	    "2: section checks stands twice, first on line 2\n"
	    "2: section checks does not stand in the section checks of line "
	    "2, but at the top level\n"
	    "2: section checks stands twice, first on line 2\n"
	    "2: section checks does not stand in the section checks of line "
	    "2, but at the top level\n"
	    "2: section checks stands twice, first on line 2\n"
	    "2: section checks does not stand in the section checks of line "
	    "2, but at the top level\n"
	    "2: section checks stands twice, first on line 2\n"
	    "2: sections stand too deep in one another\n" },
	{ "list not closed", "checks {\n\tbare_lf_exempt = { \"10.0.0.1\",\n"
	    "\tbare_lf = normalize\n}\n",
	    "3: list is never closed: its \"{\" has no \"}\"\n" },
	{ "list without commas",
	    "checks { bare_lf = normalize\n"
	    "bare_lf_exempt = { \"10.0.0.1\" \"10.0.0.2\" } }\n",
	    "3: \",\" is missing before \"10.0.0.2\"\n" },
	{ "word in a list",
	    "checks { bare_lf = normalize\n"
	    "bare_lf_exempt = { mx, { \"10.0.0.1\" } } }\n",
	    "3: \"mx\" in a list is no string in double quotes\n" },
	{ "list in a list", "batv { exempt = { { \"a\" }, \"b\" } }\n",
	    "2: list in a list\n" },
};

static const struct row names[] = {
	{ "unknown key", "hostnme = \"x.example\"\nxyzzy = 5\n",
	    "2: unknown key \"hostnme\"; did you mean \"hostname\"?\n"
	    "3: unknown key \"xyzzy\"\n" },
	{ "swapped letters", "limits { sesisons = 5 }\n",
	    "2: unknown key \"sesisons\"; did you mean \"sessions\"?\n" },
	{ "swapped letters of a short name", "lgo = \"stderr\"\n",
	    "2: unknown key \"lgo\"; did you mean \"log\"?\n" },
	{ "its value is checked too", "limits { sesisons = 5K }\n",
	    "2: unknown key \"sesisons\"; did you mean \"sessions\"?\n"
	    "2: sessions = 5K: not a whole number without a unit\n" },
	{ "section as a key", "checks { dnsbl = off }\nlimits = 5\n",
	    "2: dnsbl is a section, and no key: dnsbl \"...\" { ... }\n"
	    "3: limits is a section, and no key: limits { ... }\n" },
	{ "key of another section", "sessions = 5\n",
	    "2: sessions does not stand at the top level, but in a section "
	    "limits\n" },
	{ "unknown section", "limit { sessions = 5K }\nxyzzy \"a\" {\n {} }\n",
	    "2: unknown section \"limit\"; did you mean \"limits\"?\n"
	    "2: sessions = 5K: not a whole number without a unit\n"
	    "3: unknown section \"xyzzy\"\n" },
	{ "unknown section is never closed", "xyzzy {\nmin_uid = 5\n",
	    "2: unknown section \"xyzzy\"\n"
	    "2: \"{\" is never closed\n" },
	{ "key twice", "min_uid = 1000\n\nmin_uid = 1000\n",
	    "4: min_uid is set twice, first on line 2\n" },
	{ "section twice", "limits { }\nlimits { }\n",
	    "3: section limits stands twice, first on line 2\n" },
	{ "title twice",
	    "sender \"a\" { may = { \"*@x\" } }\n"
	    "sender \"a\" { may = { \"*@x\" } }\n",
	    "3: sender \"a\" stands twice, first on line 2\n" },
	{ "network twice",
	    "submitter \"10.0.0.0/8\" { as = \"a\" }\n"
	    "submitter \"10.0.0.0/8\" { as = \"a\" }\n",
	    "3: submitter \"10.0.0.0/8\" stands twice, first on line 2\n" },
	{ "domain twice", "domain \"EXAMPLE.org\" { users = \"passwd\" }\n",
	    "2: domain \"example.org\" stands twice, first on line 1\n" },
	{ "domain twice by its alias",
	    "domain \"b.example\" { users = \"passwd\"\n"
	    "  same_as = { \"c.example\", \"Example.ORG\" } }\n"
	    "domain \"c.example\" { users = \"passwd\"\n"
	    "  same_as = { \"c.example\", \"d.example\" } }\n",
	    "3: same_as \"example.org\" belongs to the domain of line 1 "
	    "already\n"
	    "4: domain \"c.example\" stands twice, first on line 2\n"
	    "5: same_as \"c.example\" stands twice in this domain\n" },
	{ "domain twice, two spellings",
	    "domain \"b\xc3\xbc" "cher.example\" { users = \"passwd\" }\n"
	    "domain \"xn--bcher-kva.example\" { users = \"passwd\" }\n",
	    "3: domain \"xn--bcher-kva.example\" stands twice, first on line "
	    "2\n" },
	{ "listener twice",
	    "listen \"127.0.0.1:25\" { role = mx }\n"
	    "listen \"*:25\" { role = mx }\n"
	    "listen \"*:26\" { role = mx }\n"
	    "listen \"[::1]:26\" { role = mx }\n"
	    "listen \"0.0.0.0:27\" { role = mx }\n"
	    "listen \"[::]:27\" { role = mx }\n"
	    "listen \"[0::2]:27\" { role = mx }\n",
	    "2: \"127.0.0.1:25\" is served already by \"127.0.0.1:25\" of "
	    "line 1\n"
	    "3: \"*:25\" is served already by \"127.0.0.1:25\" of line 1\n"
	    "5: \"[::1]:26\" is served already by \"*:26\" of line 4\n"
	    "8: \"[0::2]:27\" is served already by \"[::]:27\" of line 7\n" },
};

static void
test_lexing(void **state)
{
	(void)state;
	check_rows(lexing, N_OF(lexing));
}

static void
test_structure(void **state)
{
	(void)state;
	check_rows(structure, N_OF(structure));
}

static void
test_names(void **state)
{
	(void)state;
	check_rows(names, N_OF(names));
}

static void
check_alone(const char *text, const char *want)
{
	char *got = messages_of(slice_of(text));

	CHECK_STRING(text, got, want);
	free(got);
}

static void
test_missing(void **state)
{
	(void)state;
	check_alone("",
	    "0: hostname is missing\n"
	    "0: postmaster is missing\n"
	    "0: state_dir is missing\n"
	    "0: there is no section listen, such as: listen \"*:25\" { role "
	    "= mx }\n"
	    "0: there is no section domain, such as: domain \"example.org\" "
	    "{ users = \"passwd\" }\n");
	/* A key that was meant, or has a bad value, is not missing. */
	check_alone("hostnam = \"mx.example.org\"\npostmaster = 5\n"
	    "state_dir =\nlisten \"*:25\" { rol = mx }\n"
	    "domain \"example.org\" { users = 7 }\n",
	    "1: unknown key \"hostnam\"; did you mean \"hostname\"?\n"
	    "2: postmaster needs quotes: postmaster = \"5\"\n"
	    "3: state_dir has no value\n"
	    "4: unknown key \"rol\"; did you mean \"role\"?\n"
	    "5: users needs quotes: users = \"7\"\n");
}

/* The list is bounded, and what is left out still counts as an error. */
static void
test_too_many(void **state)
{
	struct config_problems problems;
	struct buf text = { 0 };
	struct config *config;

	(void)state;
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buf_puts(&text, "x = 1\n"), 0);
	config = config_parse(buf_slice(&text), &problems);
	assert_null(config);
	assert_true(problems.n == CONFIG_MAX_PROBLEMS);
	config_problems_free(&problems);
	text.size = 0;
	while (text.size <= CONFIG_MAX_BYTES)
		assert_int_equal(buf_puts(&text, "# comment\n"), 0);
	config = config_parse(buf_slice(&text), &problems);
	assert_null(config);
	assert_string_equal(problems.items[0].text,
	    "more than 16777216 octets");
	config_problems_free(&problems);
	buf_free(&text);
}

/* What is looked at behind a file with errors, in the same run. */
static void
test_parse_to_check(void **state)
{
	static const struct {
		const char *text;
		size_t n_domains;	/* 0: no look */
	} rows[] = {
		{ "", 1 },
		{ "hostnme = \"x\"", 1 },
		{ "limits { sessions = 10k }", 1 },
		{ "listen \"*:26\" { role = mxx }", 1 },
		{ "checks { spf = maybe milter \"foo\" { } }", 1 },
		{ "checks { spf = maybe }\ndomain \"b.example\" "
		    "{ users = \"passwd\" }", 2 },
		{ "domain \"b.example\" { users = \"pass\" }", 0 },
		{ "domain \"b..example\" { users = \"passwd\" }", 0 },
		{ "domain \"b.example\" { }", 0 },
		{ "domain \"b.example\" { alaises = \"/x\" "
		    "users = \"passwd\" }", 0 },
		{ "checks { spf = maybe } domain \"b.example\" "
		    "{ users = \"passwd\" }", 0 },	/* on one line */
		{ "domain \"b.example\" { limits {\nlisten \"*:26\" "
		    "{ role = mx }", 0 },
		{ "sender { may = { } }", 0 },
		{ "limits { sessions = 5", 0 },
		{ "\"", 1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf text = { 0 };
		struct config *config;

		assert_int_equal(buf_puts(&text, BASE), 0);
		assert_int_equal(buf_puts(&text, rows[i].text), 0);
		config = config_parse_to_check(buf_slice(&text));
		CHECK(rows[i].text, (config ? config->n_domains : 0) ==
		    rows[i].n_domains);
		config_free(&config);
		buf_free(&text);
	}
	assert_null(config_parse_to_check(SLICE("")));
	assert_null(config_parse_to_check(SLICE("hostname = \"a.example\"")));
}

static void
test_problem_list(void **state)
{
	struct config_problems problems = { 0 };

	(void)state;
	for (int i = 0; i < 3 * CONFIG_MAX_PROBLEMS; i++)
		config_problem_add(&problems, 1, true, "w\033[2J%d", i);
	assert_false(config_problems_has_error(&problems));
	assert_int_equal(problems.n, CONFIG_MAX_PROBLEMS);
	assert_string_equal(problems.items[0].text, "w\\x1b[2J0");
	for (int i = 0; i < 3 * CONFIG_MAX_PROBLEMS; i++)
		config_problem_add(&problems, 1, false, "e");
	assert_true(config_problems_has_error(&problems));
	assert_int_equal(problems.n, 2 * CONFIG_MAX_PROBLEMS);
	assert_int_equal(problems.n_errors, 3 * CONFIG_MAX_PROBLEMS);
	config_problem_add(&problems, 0, true, "note: n");
	config_problems_add_hidden(&problems,
	    &(struct config_hidden){ .n_notes = 1 });
	config_problems_finish(&problems);
	assert_int_equal(problems.n, 2 * CONFIG_MAX_PROBLEMS + 2);
	assert_string_equal(problems.items[problems.n - 1].text,
	    "400 more errors, 400 more warnings, 1 more note not shown");
	assert_false(problems.items[problems.n - 1].is_warning);
	config_problems_free(&problems);
	assert_int_equal(problems.n, 0);
}

/* Orders to a terminal, also those of eight bits, and what is not seen. */
static void
test_problem_is_harmless(void **state)
{
	struct config_problems problems = { 0 };

	(void)state;
	config_problem_add(&problems, 1, false, "a\x7f\033\xc2\x9b"
	    "b\xe2\x80\xae\x9b\xc3\xbc\xe2\x82\xac");
	assert_string_equal(problems.items[0].text, "a\\x7f\\x1b\\u009b"
	    "b\\u202e\\x9b\xc3\xbc\xe2\x82\xac");
	config_problems_free(&problems);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lexing),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_parse_to_check),
		cmocka_unit_test(test_problem_list),
		cmocka_unit_test(test_problem_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
