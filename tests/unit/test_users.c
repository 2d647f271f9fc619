/* SPDX-License-Identifier: ISC */
/*
 * test_users.c - users tables: what is read, and what is refused.
 */
#include <errno.h>
#include <stdio.h>
#include "../../directory/users.h"
#include "table.h"

static const struct {
	const char *name, *input;
	const char *local, *real_name;	/* of the first user */
	long long quota;		/* -1: none given */
	size_t n;
} good[] = {
	{ "bare", "alice\n", "alice", NULL, -1, 1 },
	{ "no newline", "alice", "alice", NULL, -1, 1 },
	{ "byte order mark", "\xef\xbb\xbf" "alice quota=1K\nbob\n", "alice", NULL,
	    1024, 2 },
	{ "CRLF", "alice quota=1K\r\nbob\r\n", "alice", NULL, 1024, 2 },
	{ "comments", "# x\n\n  # y\nalice\n", "alice", NULL, -1, 1 },
	{ "tabs", "\talice\tquota=5\t\n", "alice", NULL, 5, 1 },
	{ "name", "alice name=\"Alice Smith\"\n", "alice", "Alice Smith", -1,
	    1 },
	{ "bare name", "alice name=Alice\n", "alice", "Alice", -1, 1 },
	{ "escapes", "a name=\"A \\\"B\\\" \\\\ C\"\n", "a", "A \"B\" \\ C",
	    -1, 1 },
	{ "units", "a quota=2g\n", "a", NULL, 2ll << 30, 1 },
	{ "no quota", "a quota=0\n", "a", NULL, 0, 1 },
	{ "terabytes", "a quota=3T\n", "a", NULL, 3ll << 40, 1 },
	{ "all", "a password=\"$y$j9T$abc/.$def\" quota=1M name=\"A\"\n", "a",
	    "A", 1 << 20, 1 },
	{ "bare password", "a password=$6$salt$hash\n", "a", NULL, -1, 1 },
	{ "locked", "a password=!\nb password=*\n", "a", NULL, -1, 2 },
	{ "equals in a value", "a name=\"x=y\"\n", "a", "x=y", -1, 1 },
	{ "UTF-8", "j\xc3\xbcrgen name=\"J\xc3\xbcrgen\"\n", "j\xc3\xbcrgen",
	    "J\xc3\xbcrgen", -1, 1 },
	{ "dots inside", "a.b.c\n", "a.b.c", NULL, -1, 1 },
};

static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		struct config_problems problems = { 0 };
		struct users users;
		struct user *u;

		if (users_parse(&users, slice_of(good[i].input), "F", true,
		    &problems) != 0)
			fail_msg("row \"%s\": %s", good[i].name, problems.n ?
			    problems.items[0].text : "no problem named");
		CHECK(good[i].name, users.n == good[i].n);
		u = &users.items[0];
		CHECK_STRING(good[i].name, u->local, good[i].local);
		CHECK_STRING(good[i].name, u->name ? u->name : "(none)",
		    good[i].real_name ? good[i].real_name : "(none)");
		CHECK(good[i].name, u->has_quota == (good[i].quota >= 0));
		CHECK(good[i].name, !u->has_quota ||
		    u->quota_bytes == (uint64_t)good[i].quota);
		users_free(&users);
		config_problems_free(&problems);
	}
}

static const struct {
	const char *name, *input, *want;
} bad[] = {
	{ "slash", "a/b\n", "F:1: \"a/b\" is not a local part" },
	{ "dot in front", "a\n.b\n", "F:2: \".b\" is not a local part" },
	{ "dots", "..\n", "F:1: \"..\" is not a local part" },
	{ "address", "a@b.c\n", "F:1: \"a@b.c\" is not a local part" },
	{ "control", "a\x01" "b\n", "F:1: \"a\\x01b\" is not a local part" },
	{ "bad UTF-8", "\xff\n", "F:1: \"\\xff\" is not a local part" },
	{ "word", "a b\n", "F:1: expected field=value" },
	{ "unknown field", "a home=/x\n", "F:1: unknown field \"home\"" },
	{ "open quote", "a name=\"b\n", "F:1: the value of a field is cut" },
	{ "text after the quote", "a name=\"b\"c\n", "F:1: the value" },
	{ "quota of words", "a quota=big\n", "F:1: quota of \"a\"" },
	{ "quota of nothing", "a quota=\n", "F:1: quota of \"a\"" },
	{ "unit alone", "a quota=G\n", "F:1: quota of \"a\"" },
	{ "quota too large", "a quota=99999999T\n", "F:1: quota of \"a\"" },
	{ "negative", "a quota=-1\n", "F:1: quota of \"a\"" },
	{ "quota twice", "a quota=1 quota=1\n", "F:1: quota of \"a\"" },
	{ "name twice", "a name=b name=c\n", "F:1: name of \"a\"" },
	{ "empty name", "a name=\"\"\n", "F:1: name of \"a\"" },
	{ "clear password", "a password=secret\n", "F:1: password of \"a\"" },
	{ "half a hash", "a password=$y$\n", "F:1: password of \"a\"" },
	{ "twice", "a\nA\n", "F:2: user \"A\" stands on line 1 already" },
};

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct config_problems problems = { 0 };
		struct users users;

		CHECK(bad[i].name, users_parse(&users, slice_of(bad[i].input),
		    "F", true, &problems) == -EBADMSG);
		CHECK(bad[i].name, problems.n == 1);
		if (strncmp(problems.items[0].text, bad[i].want,
		    strlen(bad[i].want)) != 0)
			fail_msg("row \"%s\": got \"%s\"", bad[i].name,
			    problems.items[0].text);
		/* a secret never stands in a message */
		CHECK(bad[i].name, strstr(problems.items[0].text,
		    "secret") == NULL);
		users_free(&users);
		config_problems_free(&problems);
	}
}

static void
test_errors_are_bounded(void **state)
{
	struct config_problems problems = { 0 };
	struct users users;
	char *text = malloc(200000);

	(void)state;
	for (size_t i = 0; i < 200000; i += 2)
		memcpy(text + i, "/\n", 2);
	assert_int_equal(users_parse(&users, (struct slice){ text, 200000 },
	    "F", true, &problems), -EILSEQ);
	assert_int_equal(problems.n, 101);
	assert_string_equal(problems.items[100].text, "F:100: after 100 "
	    "errors the rest of this file is not read");
	users_free(&users);
	config_problems_free(&problems);
	free(text);
}

/* ---- passwords ---- */

static const struct {
	const char *text;
	bool is_good;
	const char *want;	/* names and passwords; or the problem */
} files[] = {
	{ "alice password=$6$s$h\nbob@example.org password=!\n", true,
	    "alice=$6$s$h|bob@example.org=!|" },
	{ "# none\n", true, "" },
	{ "alice\n", false, "F:1: \"alice\" has no password=" },
	{ "a@b@c password=!\n", false, "F:1: \"a@b@c\" is not" },
	{ "@b password=!\n", false, "F:1: \"@b\" is not" },
	{ "a@ password=!\n", false, "F:1: \"a@\" is not" },
	{ "../x password=!\n", false, "F:1: \"../x\" is not" },
	{ "a password=! quota=1G\n", false, "F:1: unknown field \"quota\"" },
	{ "a password=! password=!\n", false, "F:1: password of \"a\"" },
	{ "a password=!\na password=!\n", false, "F:2: user \"a\"" },
};

static void
test_files_of_passwords(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(files); i++) {
		struct config_problems problems = { 0 };
		struct users users;
		struct buf got = { 0 };
		int error = users_parse_passwords(&users,
		    slice_of(files[i].text), "F", &problems);

		CHECK(files[i].text, (error == 0) == files[i].is_good);
		for (size_t u = 0; error == 0 && u < users.n; u++)
			buf_printf(&got, "%s=%s|", users.items[u].local,
			    users.items[u].password);
		if (files[i].is_good)
			CHECK_STRING(files[i].text, got.size ? got.data : "",
			    files[i].want);
		else
			CHECK(files[i].text, strncmp(problems.items[0].text,
			    files[i].want, strlen(files[i].want)) == 0);
		buf_free(&got);
		users_free(&users);
		config_problems_free(&problems);
	}
}

/* It may have been there for years: the table stays, nobody logs in. */
static void
test_weak_passwords_warn(void **state)
{
	struct config_problems problems = { 0 };
	struct users users;

	(void)state;
	assert_int_equal(users_parse(&users, SLICE("a password=$1$s$h\n"),
	    "F", true, &problems), 0);
	assert_int_equal(problems.n_errors, 0);
	assert_int_equal(problems.n_warnings, 1);
	assert_null(strstr(problems.items[0].text, "$1$"));
	users_free(&users);
	config_problems_free(&problems);
}

/* Cut off, or with a character lost: said where it stands, and not shown. */
static void
test_damaged_passwords_warn(void **state)
{
	struct config_problems problems = { 0 };
	struct users users;

	(void)state;
	assert_int_equal(users_parse(&users, SLICE("a password=!\n"
	    "b password=$6$salt$SECRETHASH\n"), "F", true, &problems), 0);
	assert_int_equal(problems.n_errors, 0);
	assert_int_equal(problems.n_warnings, 1);
	assert_non_null(strstr(problems.items[0].text, "F:2: password of "
	    "\"b\": nobody can log in"));
	assert_null(strstr(problems.items[0].text, "SECRET"));
	users_free(&users);
	config_problems_free(&problems);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_errors_are_bounded),
		cmocka_unit_test(test_files_of_passwords),
		cmocka_unit_test(test_weak_passwords_warn),
		cmocka_unit_test(test_damaged_passwords_warn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
