/* SPDX-License-Identifier: ISC */
/*
 * test_maildirsize.c - quota files as Maildir++, Courier and Dovecot write
 * them, garbled ones, and counting anew.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clock.h"
#include "../../deliver/maildirsize.h"
#include "table.h"

#define TEST_UID 61234
#define QUOTA 1000

static char base[64];
static struct maildir box;

static const char *
path_in(const char *name)
{
	static char room[4][512];
	static unsigned next;
	char *path = room[next++ % 4];

	snprintf(path, 512, "%s/Maildir/%s", base, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(path_in(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static const char *
get(const char *name)
{
	static char text[8192];
	FILE *f = fopen(path_in(name), "r");
	size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

static int
set_up(void **state)
{
	char path[128];

	(void)state;
	strcpy(base, "/tmp/postern-quota-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(path, sizeof path, "%s/Maildir", base);
	return maildir_open(&box, path, base, true);
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	maildir_close(&box);
	clock_set_for_tests(0, 0);
	snprintf(command, sizeof command, "rm -rf %s", base);
	return system(command);
}

static uint64_t
used_wanting(uint64_t wanted)
{
	const struct maildirsize_quota quota = { QUOTA, wanted };
	uint64_t bytes = 0;

	assert_int_equal(maildirsize_read(&box, &quota, &bytes), 0);
	return bytes;
}

static uint64_t
used(void)
{
	return used_wanting(0);
}

static void
test_files(void **state)
{
	/* 77 is what counting anew finds */
	static const struct {
		const char *name, *text;
		uint64_t want;
	} rows[] = {
		{ "plain", "1000S\n300 2\n", 300 },
		{ "several lines", "1000S\n300 2\n50 1\n-100 -1\n", 250 },
		{ "Courier's padding", "1000S\n     300      2\n", 300 },
		{ "Dovecot with a count", "1000S,100C\n300 2\n", 300 },
		{ "count first", "100C,1000S\n300 2\n", 300 },
		{ "empty mailbox", "1000S\n0 0\n", 0 },
		{ "no lines", "1000S\n", 0 },
		{ "another quota", "2000S\n300 2\n", 77 },
		{ "no quota", "\n300 2\n", 77 },
		{ "count only", "1000C\n300 2\n", 77 },
		{ "negative sum", "1000S\n-5 -1\n", 77 },
		{ "letters", "1000S\nabc 2\n", 77 },
		{ "one number", "1000S\n300\n", 77 },
		{ "three numbers", "1000S\n300 2 1\n", 77 },
		{ "torn last line", "1000S\n300 2\n40", 77 },
		{ "overflow", "1000S\n9223372036854775807 1\n"
		    "9223372036854775807 1\n", 77 },
		{ "empty", "", 77 },
	};

	(void)state;
	put("new/1.a,S=70", "x");
	put("cur/2.b:2,S", "seven..");
	for (size_t i = 0; i < N_OF(rows); i++) {
		put("maildirsize", rows[i].text);
		if (used() != rows[i].want)
			fail_msg("row \"%s\": %llu", rows[i].name,
			    (unsigned long long)used());
	}
}

static void
test_long_file_is_counted_anew(void **state)
{
	char text[6000] = "1000S\n";

	(void)state;
	while (strlen(text) < 5300)
		strcat(text, "1 1\n");
	put("maildirsize", text);
	assert_int_equal(used(), 0);
	assert_string_equal(get("maildirsize"), "1000S\n0 0\n");
}

/* Counting anew is no reason to forget how many messages Courier allows. */
static void
test_first_line_is_kept(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} rows[] = {
		{ "count", "1000S,20C\nodd\n", "1000S,20C\n0 0\n" },
		{ "count first", "20C,1000S\nodd\n", "20C,1000S\n0 0\n" },
		{ "alone", "1000S\nodd\n", "1000S\n0 0\n" },
		{ "another quota", "2000S,20C\n1 1\n", "1000S\n0 0\n" },
		{ "no size", "20C\n1 1\n", "1000S\n0 0\n" },
		{ "no line end", "1000S,20C", "1000S\n0 0\n" },
		{ "odd", "1000S,20C x\n1 1\nodd\n", "1000S\n0 0\n" },
		{ "octets", "1000S,20C\001\nodd\n", "1000S\n0 0\n" },
		{ "long", "1000S,00000000000000000000000000000000000000000000"
		    "0000000000000000000000000020C\nodd\n",
		    "1000S\n0 0\n" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		put("maildirsize", rows[i].text);
		assert_int_equal(used(), 0);
		CHECK_STRING(rows[i].name, get("maildirsize"), rows[i].want);
	}
}

static void
test_folders(void **state)
{
	static const char *const folders[] = { ".Sub", ".Sub/new", ".Sub/cur",
		".Trash", ".Trash/cur", ".Trash.Old", ".Trash.Old/cur",
		".Trashcan", ".Trashcan/cur" };

	(void)state;
	for (size_t i = 0; i < N_OF(folders); i++)
		assert_int_equal(mkdir(path_in(folders[i]), 0700), 0);
	put(".plainfile", "not a folder");
	put("new/1.a,S=1", "");
	put(".Sub/new/2.a,S=10", "");
	put(".Sub/cur/3.a,S=20:2,S", "");
	put(".Trashcan/cur/4.a,S=100", "");
	put(".Trash/cur/5.a,S=1000", "");
	put(".Trash.Old/cur/6.a,S=1000", "");
	put("tmp/7.a,S=1000", "");
	assert_int_equal(used(), 131);
	assert_string_equal(get("maildirsize"), "1000S\n131 4\n");
}

static void
test_names_that_lie(void **state)
{
	static const struct {
		const char *name;
		uint64_t want;		/* the file has 3 octets */
	} rows[] = {
		{ "new/a,S=50", 50 },
		{ "new/a,S=50,W=60", 50 },
		{ "new/a,S=50:2,", 50 },
		{ "new/a", 3 },
		{ "new/a,S=", 3 },
		{ "new/a,S=-5", 3 },
		{ "new/a,S=5x", 3 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		put(rows[i].name, "abc");
		unlink(path_in("maildirsize"));
		CHECK(rows[i].name, used() == rows[i].want);
		unlink(path_in(rows[i].name));
	}
}

static void
test_add(void **state)
{
	(void)state;
	/* nothing to add to: counted when somebody asks */
	maildirsize_add(&box, 10);
	assert_string_equal(get("maildirsize"), "");
	put("maildirsize", "1000S\n5 1\n");
	maildirsize_add(&box, 10);
	maildirsize_add(&box, -10);
	assert_string_equal(get("maildirsize"), "1000S\n5 1\n10 1\n-10 -1\n");
	assert_int_equal(used(), 5);
}

static void
test_no_room_is_believed_for_a_while(void **state)
{
	static const struct {
		const char *name, *text;
		uint64_t wanted;
		int age_s;
		uint64_t want;
	} rows[] = {
		{ "over, young", "1000S\n1500 3\n", 0, 800, 1500 },
		{ "over, old", "1000S\n1500 3\n", 0, 901, 0 },
		{ "over, of tomorrow", "1000S\n1500 3\n", 0, -86400, 0 },
		{ "over by a line", "1000S\n300 2\n1200 1\n", 0, 800, 0 },
		{ "no room by a line", "1000S\n300 2\n600 1\n", 101, 0, 0 },
		{ "room by a line", "1000S\n300 2\n600 1\n", 100, 0, 900 },
		{ "no room, young", "1000S\n900 3\n", 101, 800, 900 },
		{ "no room, old", "1000S\n900 3\n", 101, 901, 0 },
		{ "room, old", "1000S\n900 3\n", 100, 901, 900 },
		{ "huge", "1000S\n900 3\n", UINT64_MAX, 901, 0 },
	};
	struct stat st;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		put("maildirsize", rows[i].text);
		assert_int_equal(stat(path_in("maildirsize"), &st), 0);
		clock_set_for_tests(1000000, ((int64_t)st.st_mtime +
		    rows[i].age_s) * 1000000);
		CHECK(rows[i].name, used_wanting(rows[i].wanted) ==
		    rows[i].want);
	}
}

static void
test_link_is_not_followed(void **state)
{
	(void)state;
	put("elsewhere", "1000S\n300 2\n");
	assert_int_equal(symlink("elsewhere", path_in("maildirsize")), 0);
	maildirsize_add(&box, 10);
	assert_string_equal(get("elsewhere"), "1000S\n300 2\n");
	assert_int_equal(used(), 0);
	assert_string_equal(get("elsewhere"), "1000S\n300 2\n");
	/* the link was replaced by a file */
	assert_int_equal(readlink(path_in("maildirsize"), base, 0), -1);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_files),
		TEST(test_long_file_is_counted_anew),
		TEST(test_first_line_is_kept),
		TEST(test_folders),
		TEST(test_names_that_lie),
		TEST(test_add),
		TEST(test_no_room_is_believed_for_a_while),
		TEST(test_link_is_not_followed),
	};

	if (geteuid() == 0 && (setresgid(TEST_UID, TEST_UID, TEST_UID) < 0 ||
	    setresuid(TEST_UID, TEST_UID, TEST_UID) < 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
