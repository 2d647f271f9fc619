/* SPDX-License-Identifier: ISC */
/*
 * test_tables.c - compiled tables: guards, damage, replacement, the watcher.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include "../../directory/table.h"
#include "../../directory/watch.h"
#include "directory_fixture.h"

#define CONFIG FIXTURE_HEAD "domain \"example.org\" {\n" \
	"	users = \"table:@/users\"\n" \
	"	aliases = \"@/aliases\"\n" \
	"	mailbox = \"/v/%u\"\n" \
	"	owner = \"vmail\"\n" \
	"	names = true\n" \
	"}\n"

#define TEN "u0\nu1\nu2\nu3\nu4\nu5\nu6\nu7\nu8\nu9 name=\"New Name\"\n"
#define EIGHT "u0\nu1\nu2\nu3\nu4\nu5\nu6\nu7\n"
#define SEVEN "u0\nu1\nu2\nu3\nu4\nu5\nu6\n"

static struct fixture fixture;

static int
set_up(void **state)
{
	(void)state;
	fixture_open_folder();
	fixture_write("aliases", "info: u1\nroot: u0\n");
	fixture_write("users", TEN);
	fixture_start(&fixture, CONFIG, true);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	fixture_close_folder();
	clock_set_for_tests(0, 0);
	return 0;
}

static const struct table_spec *
users_spec(void)
{
	return fixture.catalog->domains[0].users->spec;
}

static void
users_path(char *to, size_t room, const char *suffix)
{
	assert_true(table_spec_path(to, room, fixture.config->state_dir,
	    users_spec(), suffix));
}

static bool
exists(const char *suffix)
{
	char path[512];

	users_path(path, sizeof path, suffix);
	return access(path, F_OK) == 0;
}

static void
compile_users(enum compile_outcome want, bool accepts)
{
	struct compile_result result;

	compile_table(&result, users_spec(), fixture.config, accepts);
	if (result.outcome != want)
		fail_msg("outcome %d, want %d: %s", (int)result.outcome,
		    (int)want, result.problems.n ?
		    result.problems.items[0].text : "");
	compile_result_free(&result);
	catalog_open(fixture.catalog);
}

static void
expect(const char *address, const char *want)
{
	CHECK_STRING(address, fixture_resolve(&fixture, address), want);
}

/* ---- the guards ---- */

static void
test_shrunken(void **state)
{
	static const struct { uint32_t before, gone; bool want; } rows[] = {
		{ 0, 0, false }, { 4, 4, false }, { 5, 1, false },
		{ 5, 2, true }, { 10, 2, false }, { 10, 3, true },
		{ 1000, 200, false }, { 1000, 201, true },
		{ 4000000000u, 4000000000u, true } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_int_equal(compile_is_shrunken(rows[i].before,
		    rows[i].gone), rows[i].want);
}

static void
test_fifth_may_go(void **state)
{
	(void)state;
	expect("u9@example.org", "/v/u9");
	fixture_write("users", EIGHT);
	compile_users(COMPILE_DONE, false);
	expect("u9@example.org", "550 5.1.1 unknown");
	expect("u7@example.org", "/v/u7");
	compile_users(COMPILE_SAME, false);
}

static void
test_more_waits(void **state)
{
	(void)state;
	fixture_write("users", SEVEN "new\n");
	compile_users(COMPILE_SHRUNKEN, false);
	assert_true(exists("pending.db"));
	/* gone and not accepted: nobody knows; the same for a new one */
	expect("u9@example.org", "451 4.4.3");
	expect("new@example.org", "451 4.4.3");
	expect("new.name@example.org", "451 4.4.3");
	/* what is in both goes on; what is in neither is unknown */
	expect("u1@example.org", "/v/u1");
	expect("info@example.org", "/v/u1");
	expect("who@example.org", "550 5.1.1 unknown");
	compile_users(COMPILE_DONE, true);
	assert_false(exists("pending.db"));
	expect("u9@example.org", "550 5.1.1 unknown");
	expect("new@example.org", "/v/new");
}

static void
test_restored(void **state)
{
	(void)state;
	fixture_write("users", SEVEN);
	compile_users(COMPILE_SHRUNKEN, false);
	expect("u9@example.org", "451 4.4.3");
	fixture_write("users", TEN);
	compile_users(COMPILE_SAME, false);
	assert_false(exists("pending.db"));
	expect("u9@example.org", "/v/u9");
}

/* Replaced names count as gone, though the number is the same. */
static void
test_replaced(void **state)
{
	(void)state;
	fixture_write("users", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
	compile_users(COMPILE_SHRUNKEN, false);
}

static void
test_half_written(void **state)
{
	static const char *const texts[] = { "u0 name=\"Al", "u0\nu1 quota",
		"u0\n.x\n" };

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++) {
		struct state after;
		char path[512];

		fixture_write("users", texts[i]);
		compile_users(COMPILE_FAILED, false);
		compile_users(COMPILE_FAILED, true);
		expect("u9@example.org", "/v/u9");
		users_path(path, sizeof path, "state");
		assert_int_equal(state_read(path, &after), 0);
		assert_int_equal(after.result, STATE_FAILED);
		assert_int_equal(after.n_entries, 10);
		assert_non_null(strstr(after.text, "/users:"));
		assert_int_equal(after.n_sources, 1);
		state_free(&after);
	}
}

static void
test_missing_source(void **state)
{
	char path[256];

	(void)state;
	snprintf(path, sizeof path, "%s/users", folder);
	assert_int_equal(unlink(path), 0);
	compile_users(COMPILE_FAILED, true);
	expect("u9@example.org", "/v/u9");
	/* neither a folder nor a FIFO is waited for */
	assert_int_equal(mkfifo(path, 0600), 0);
	compile_users(COMPILE_FAILED, true);
}

/* ---- damage ---- */

static void
overwrite(const char *path, off_t at, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, at), (ssize_t)size);
	close(fd);
}

/* A fresh process: nothing is cached. */
static void
restart(void)
{
	resolver_free(&fixture.resolver);
	catalog_free(&fixture.catalog);
	fixture.catalog = catalog_new(fixture.config, true);
	fixture.resolver = resolver_new(fixture.catalog);
	catalog_open(fixture.catalog);
}

static void
test_damaged_anywhere(void **state)
{
	char path[512], noise[64];
	struct stat st;

	(void)state;
	memset(noise, 0xa5, sizeof noise);
	users_path(path, sizeof path, "db");
	assert_int_equal(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at += 500) {
		if (at >= 512 && at < 4096 - 64)
			continue;	/* nothing is there on the first page */
		/* a copy of its own: what is open is never changed */
		assert_int_equal(unlink(path), 0);
		compile_users(COMPILE_DONE, false);
		overwrite(path, at, noise, sizeof noise);
		restart();
		if (fixture.catalog->domains[0].users->live != NULL)
			fail_msg("damage at %lld was not found",
			    (long long)at);
		expect("u1@example.org", "451 4.4.3");
		expect("who@example.org", "451 4.4.3");
	}
	/* the next compilation mends it */
	compile_users(COMPILE_DONE, false);
	expect("u1@example.org", "/v/u1");
}

static void
test_truncated(void **state)
{
	char path[512];
	struct stat st;

	(void)state;
	users_path(path, sizeof path, "db");
	assert_int_equal(stat(path, &st), 0);
	for (off_t size = 0; size < st.st_size; size += 512) {
		assert_int_equal(truncate(path, size), 0);
		restart();
		expect("u1@example.org", "451 4.4.3");
		assert_int_equal(unlink(path), 0);
		compile_users(COMPILE_DONE, false);
	}
	overwrite(path, 0, "not a database", 14);
	restart();
	expect("who@example.org", "451 4.4.3");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	restart();
	expect("who@example.org", "451 4.4.3");
}

/* The old handle stays when the new file cannot be opened. */
static void
test_bad_replacement(void **state)
{
	char path[512], other[512];

	(void)state;
	users_path(path, sizeof path, "db");
	users_path(other, sizeof other, "other");
	assert_int_equal(close(open(other, O_CREAT | O_WRONLY, 0644)), 0);
	overwrite(other, 0, "garbage", 7);
	assert_int_equal(rename(other, path), 0);
	catalog_open(fixture.catalog);
	assert_int_equal(fixture.catalog->domains[0].users->live_error, -EIO);
	expect("u9@example.org", "/v/u9");
	expect("who@example.org", "550 5.1.1 unknown");
	/* shrunken and damaged at once: the count in the state file tells */
	fixture_write("users", SEVEN);
	compile_users(COMPILE_SHRUNKEN, false);
	expect("u9@example.org", "451 4.4.3");
	restart();
	expect("u9@example.org", "451 4.4.3");
	expect("u1@example.org", "451 4.4.3");
}

static void
test_bad_pending(void **state)
{
	char path[512];

	(void)state;
	fixture_write("users", SEVEN);
	compile_users(COMPILE_SHRUNKEN, false);
	users_path(path, sizeof path, "pending.db");
	assert_int_equal(truncate(path, 100), 0);
	restart();
	expect("u9@example.org", "451 4.4.3");
	expect("u1@example.org", "451 4.4.3");
}

/* As compiled, and put in place of the table that is in use. */
static void
replace_db(const struct table_spec *spec, struct image *image)
{
	char path[512];

	assert_true(table_spec_path(path, sizeof path,
	    fixture.config->state_dir, spec, "db"));
	assert_int_equal(image_sort(image), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(table_write(path, image), 0);
	image_free(image);
	restart();
}

static void
add_meta(struct image *image, const struct table_spec *spec, uint32_t n)
{
	const struct record_meta meta = { .kind = (uint8_t)spec->kind,
		.folds_case = true, .n_entries = n,
		.path = slice_of(spec->path) };
	struct buf value = { 0 };

	assert_int_equal(record_put_meta(&value, &meta), 0);
	assert_int_equal(image_add(image, RECORD_META, SLICE(""),
	    buf_slice(&value)), 0);
	buf_free(&value);
}

/* Whole pages may be lost: who was on them is not unknown. */
static void
test_entry_is_lost(void **state)
{
	const struct user user = { .local = (char[]){ "u1" } };
	struct image image = { 0 };
	struct buf value = { 0 };

	(void)state;
	assert_int_equal(record_put_user(&value, &user), 0);
	for (uint32_t n = 1; n <= 2; n++) {
		add_meta(&image, users_spec(), n);
		assert_int_equal(image_add(&image, RECORD_USER, SLICE("u1"),
		    buf_slice(&value)), 0);
		replace_db(users_spec(), &image);
		expect("u1@example.org", n == 1 ? "/v/u1" : "451 4.4.3");
		expect("u2@example.org", n == 1 ? "550 5.1.1 unknown" :
		    "451 4.4.3");
	}
	buf_free(&value);
}

/* A list that breaks off leads to nobody, also not to those before. */
static void
test_list_breaks_off(void **state)
{
	const struct table_spec *spec =
	    fixture.catalog->domains[0].aliases->spec;
	struct alias_target targets[] = {
		{ .kind = ALIAS_ADDRESS, .text = (char[]){ "u1" } },
		{ .kind = ALIAS_ADDRESS, .text = (char[]){ "u2" } } };
	const struct alias alias = { .name = (char[]){ "info" },
		.targets = targets, .n_targets = N_OF(targets) };
	struct buf value = { 0 };
	struct slice whole;

	(void)state;
	assert_int_equal(record_put_list(&value, &alias, false, ""), 0);
	whole = buf_slice(&value);
	for (size_t cut = 0; cut < 2; cut++) {
		struct image image = { 0 };

		add_meta(&image, spec, 1);
		assert_int_equal(image_add(&image, RECORD_ALIAS,
		    SLICE("info"), (struct slice){ whole.data,
		    whole.size - cut }), 0);
		replace_db(spec, &image);
		spec = fixture.catalog->domains[0].aliases->spec;
		expect("info@example.org", cut == 0 ? "/v/u1 /v/u2" :
		    "451 4.4.3");
	}
	buf_free(&value);
}

/* An alias may take a mailbox out of use: without it nobody can know. */
static void
test_damaged_aliases(void **state)
{
	char path[512];

	(void)state;
	assert_true(table_spec_path(path, sizeof path,
	    fixture.config->state_dir,
	    fixture.catalog->domains[0].aliases->spec, "db"));
	assert_int_equal(truncate(path, 100), 0);
	restart();
	expect("u1@example.org", "451 4.4.3");
	expect("who@example.org", "451 4.4.3");
}

/* Two in a row: what waits does not count as what was there before. */
static void
test_damaged_while_it_waits(void **state)
{
	char path[512];

	(void)state;
	fixture_write("users", SEVEN);
	compile_users(COMPILE_SHRUNKEN, false);
	users_path(path, sizeof path, "db");
	assert_int_equal(truncate(path, 100), 0);
	restart();
	compile_users(COMPILE_SHRUNKEN, false);
	expect("u9@example.org", "451 4.4.3");
}

/*
 * A crash of the compiler leaves NAME.db.new, in any state, and so it may be
 * with the name under which Berkeley DB makes it; so may a full disk.
 */
static void
test_leftover(void **state)
{
	char path[512], unborn[600];
	const char *name;

	(void)state;
	users_path(path, sizeof path, "db.new");
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0644)), 0);
	overwrite(path, 0, "half", 4);
	name = strrchr(path, '/') + 1;
	snprintf(unborn, sizeof unborn, "%.*s__db.%s", (int)(name - path),
	    path, name);
	assert_int_equal(close(open(unborn, O_CREAT | O_WRONLY, 0644)), 0);
	fixture_write("users", TEN "more\n");
	compile_users(COMPILE_DONE, false);
	assert_false(exists("db.new"));
	assert_int_equal(access(unborn, F_OK), -1);
	expect("more@example.org", "/v/more");
}

static void
test_cannot_write(void **state)
{
	char path[512];

	(void)state;
	users_path(path, sizeof path, "db.new");
	assert_int_equal(mkdir(path, 0755), 0);	/* cannot be unlinked */
	fixture_write("users", TEN "more\n");
	compile_users(COMPILE_FAILED, false);
	expect("u9@example.org", "/v/u9");
	/* the file has him */
	expect("more@example.org", "451 4.4.3");
	assert_int_equal(rmdir(path), 0);
	compile_users(COMPILE_DONE, false);
	expect("more@example.org", "/v/more");
	expect("nobody@example.org", "550 5.1.1 unknown");
}

/* What passes by itself is tried again; a mistake waits for its author. */
static void
test_what_may_pass(void **state)
{
	struct compile_result result;

	(void)state;
	assert_true(compile_may_pass(-ENOSPC) && compile_may_pass(-EIO));
	assert_false(compile_may_pass(-EBADMSG) || compile_may_pass(-ENOENT) ||
	    compile_may_pass(0));
	fixture_write("users", TEN "u1\n");
	compile_table(&result, users_spec(), fixture.config, false);
	assert_int_equal(result.outcome, COMPILE_FAILED);
	assert_false(result.may_pass);
	compile_result_free(&result);
}

/* ---- one file, several tables ---- */

static void
test_meta(void **state)
{
	struct record_meta meta;

	(void)state;
	assert_true(table_meta(fixture.catalog->domains[0].users->live,
	    &meta));
	assert_int_equal(meta.n_entries, 10);
	assert_int_equal(meta.kind, TABLE_USERS);
	assert_true(slice_equals(meta.path, slice_of(users_spec()->path)));
}

/* Neither as an entry nor as what lay in memory before. */
static void
test_no_password_inside(void **state)
{
	struct buf users = { 0 }, text = { 0 };
	struct source_stamp stamp;
	char path[512];

	(void)state;
	/* what malloc returns is full of Q */
	(void)mallopt(M_PERTURB, 'Q' ^ 0xff);
	(void)buf_puts(&users, TEN);
	for (int i = 0; i < 2000; i++)
		(void)buf_printf(&users, "pw%d password=$y$j9T$SECRETHASH "
		    "quota=1\n", i);
	fixture_write("users", users.data);
	compile_users(COMPILE_DONE, false);
	users_path(path, sizeof path, "db");
	assert_int_equal(source_read(path, &text, &stamp), 0);
	assert_non_null(memmem(text.data, text.size, "pw1999", 6));
	assert_null(memmem(text.data, text.size, "SECRETHASH", 10));
	assert_null(memmem(text.data, text.size, "QQQQQQQQ", 8));
	(void)mallopt(M_PERTURB, 0);
	buf_free(&users);
	buf_free(&text);
}

/* ---- includes ---- */

static void
test_include_becomes_unreadable(void **state)
{
	const struct table_spec *spec =
	    fixture.catalog->domains[0].aliases->spec;
	struct compile_result result;
	char path[256];

	(void)state;
	fixture_write("aliases", "info: :include:@/list\nroot: u0\n");
	fixture_write("list", "u2\n");
	compile_table(&result, spec, fixture.config, false);
	assert_int_equal(result.outcome, COMPILE_DONE);
	compile_result_free(&result);
	catalog_open(fixture.catalog);
	expect("info@example.org", "/v/u2");
	snprintf(path, sizeof path, "%s/list", folder);
	assert_int_equal(unlink(path), 0);
	compile_table(&result, spec, fixture.config, false);
	assert_int_equal(result.outcome, COMPILE_DONE);
	assert_int_equal(result.problems.n, 1);
	assert_true(result.problems.items[0].is_warning);
	compile_result_free(&result);
	catalog_open(fixture.catalog);
	expect("info@example.org", "451 4.3.5");
	expect("root@example.org", "/v/u0");
}

/* Whoever writes it does not keep the table from everybody else. */
static void
test_include_with_an_error(void **state)
{
	const struct table_spec *spec =
	    fixture.catalog->domains[0].aliases->spec;
	struct compile_result result;
	struct state after;
	char path[512];

	(void)state;
	fixture_write("aliases", "info: :include:@/list\nroot: u0\n"
	    "both: :include:@/outer, u4\nnew: u3\n");
	fixture_write("outer", "u1\n:include:@/list\n");
	fixture_write("list", "u2\na b c\nu3 u4\n");
	compile_table(&result, spec, fixture.config, false);
	assert_int_equal(result.outcome, COMPILE_DONE);
	assert_int_equal(result.problems.n_errors, 2);
	assert_non_null(strstr(result.problems.items[0].text, "/list:2: "));
	compile_result_free(&result);
	assert_true(table_spec_path(path, sizeof path,
	    fixture.config->state_dir, spec, "state"));
	assert_int_equal(state_read(path, &after), 0);
	assert_int_equal(after.result, STATE_OK);
	assert_non_null(strstr(after.text, "/list:2: "));
	state_free(&after);
	catalog_open(fixture.catalog);
	expect("info@example.org", "451 4.3.5");
	assert_non_null(strstr(resolver_find(fixture.resolver, SLICE("info"),
	    SLICE("example.org"), false)->alarm,
	    "/list cannot be read: line 2: \"a b c\""));
	expect("both@example.org", "451 4.3.5");
	expect("root@example.org", "/v/u0");
	expect("new@example.org", "/v/u3");
	/* mended */
	fixture_write("list", "u2\n");
	compile_table(&result, spec, fixture.config, false);
	assert_int_equal(result.outcome, COMPILE_DONE);
	assert_int_equal(result.problems.n, 0);
	compile_result_free(&result);
	catalog_open(fixture.catalog);
	expect("info@example.org", "/v/u2");
	expect("both@example.org", "/v/u1 /v/u2 /v/u4");
	/* a line of the alias file may have been anybody's name */
	fixture_write("aliases", "info u1\nroot: u0\n");
	compile_table(&result, spec, fixture.config, false);
	assert_int_equal(result.outcome, COMPILE_FAILED);
	compile_result_free(&result);
	catalog_open(fixture.catalog);
	expect("info@example.org", "/v/u2");
}

/* Nor does who includes lists in one another, or more than are watched. */
static void
test_many_includes(void **state)
{
	const struct table_spec *spec =
	    fixture.catalog->domains[0].aliases->spec;
	struct compile_result result;
	char name[32], text[64];
	int n;

	(void)state;
	fixture_write("aliases", "root: u0\ndeep: :include:@/n0\n"
	    "info: :include:@/n20\nmany: :include:@/n100\nnew: u3\n");
	for (n = 0; n < 100 + STATE_MAX_SOURCES; n++) {
		snprintf(name, sizeof name, "n%d", n);
		if (n == 20 || n == 99 + STATE_MAX_SOURCES)
			snprintf(text, sizeof text, "u1\n");
		else
			snprintf(text, sizeof text, ":include:@/n%d\n", n + 1);
		fixture_write(name, text);
	}
	compile_table(&result, spec, fixture.config, false);
	assert_int_equal(result.outcome, COMPILE_DONE);
	assert_int_equal(result.problems.n_errors, 1);
	assert_non_null(strstr(result.problems.items[0].text,
	    "too many files are included"));
	compile_result_free(&result);
	catalog_open(fixture.catalog);
	expect("deep@example.org", "/v/u1");
	expect("info@example.org", "/v/u1");
	expect("many@example.org", "451 4.4.6");
	expect("root@example.org", "/v/u0");
	expect("new@example.org", "/v/u3");
}

/* ---- the watcher ---- */

static int64_t now_us;

static bool
look_after(struct watch *watch, int64_t seconds)
{
	now_us += seconds * 1000000;
	clock_set_for_tests(now_us, now_us);
	return watch_look(watch);
}

static void
test_watch(void **state)
{
	struct watch watch;
	char path[256];

	(void)state;
	now_us = 1000000000;
	clock_set_for_tests(now_us, now_us);
	assert_int_equal(watch_open(&watch, fixture.config->state_dir,
	    &fixture.catalog->specs), 0);
	assert_false(look_after(&watch, 1));
	assert_false(look_after(&watch, 100));
	/* still being written: not yet */
	fixture_write("users", EIGHT);
	assert_false(look_after(&watch, 1));
	assert_false(look_after(&watch, 4));
	fixture_write("users", EIGHT "x\n");
	assert_false(look_after(&watch, 1));
	assert_false(look_after(&watch, 4));
	assert_true(look_after(&watch, 1));
	/* once, also when nothing comes of it */
	assert_false(look_after(&watch, 1));
	assert_false(look_after(&watch, 100));
	compile_users(COMPILE_DONE, false);
	watch_reload(&watch);
	assert_false(look_after(&watch, 1));
	assert_false(look_after(&watch, 100));
	/* a file that vanishes is a change, and its return too */
	snprintf(path, sizeof path, "%s/users", folder);
	assert_int_equal(unlink(path), 0);
	assert_false(look_after(&watch, 1));
	assert_true(look_after(&watch, 5));
	compile_users(COMPILE_FAILED, false);
	watch_reload(&watch);
	assert_false(look_after(&watch, 100));
	fixture_write("users", EIGHT "x\n");
	assert_false(look_after(&watch, 1));
	assert_true(look_after(&watch, 5));
	watch_close(&watch);
}

/* Written over with as many octets, and given its old date. */
static void
test_watch_same_size_and_date(void **state)
{
	struct watch watch;
	struct stat before, after;
	char path[256];

	(void)state;
	snprintf(path, sizeof path, "%s/aliases", folder);
	assert_int_equal(stat(path, &before), 0);
	now_us = 1000000000;
	clock_set_for_tests(now_us, now_us);
	assert_int_equal(watch_open(&watch, fixture.config->state_dir,
	    &fixture.catalog->specs), 0);
	assert_false(look_after(&watch, 1));
	usleep(20000);			/* a file's clock ticks slowly */
	fixture_write("aliases", "info: u2\nroot: u0\n");
	assert_int_equal(utimensat(AT_FDCWD, path, (const struct timespec[]){
	    before.st_atim, before.st_mtim }, 0), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_false(look_after(&watch, 1));
	assert_true(look_after(&watch, 5));
	/* it may be readable now */
	usleep(20000);
	assert_int_equal(chmod(path, 0640), 0);
	assert_false(look_after(&watch, 1));
	assert_true(look_after(&watch, 5));
	watch_close(&watch);
}

static void
test_watch_includes(void **state)
{
	struct watch watch;

	(void)state;
	fixture_write("aliases", "info: :include:@/later\nroot: u0\n");
	fixture_compile(&fixture, false);
	now_us = 1000000000;
	clock_set_for_tests(now_us, now_us);
	assert_int_equal(watch_open(&watch, fixture.config->state_dir,
	    &fixture.catalog->specs), 0);
	assert_false(look_after(&watch, 1));
	assert_false(look_after(&watch, 10));
	fixture_write("later", "u2\n");
	assert_false(look_after(&watch, 1));
	assert_true(look_after(&watch, 5));
	watch_close(&watch);
}

/* What an archive or a wrong clock dated 1969 or 2400 is watched, too. */
static void
test_watch_odd_dates(void **state)
{
	static const time_t dates_s[] = { -86400, 13569465600 };
	struct watch watch;
	char path[256];

	(void)state;
	fixture_write("aliases", "info: :include:@/list\nroot: u0\n");
	snprintf(path, sizeof path, "%s/list", folder);
	now_us = 1000000000;
	for (size_t i = 0; i < N_OF(dates_s); i++) {
		const struct timespec date = { .tv_sec = dates_s[i] };

		fixture_write("list", "u2\n");
		assert_int_equal(utimensat(AT_FDCWD, path,
		    (const struct timespec[]){ date, date }, 0), 0);
		fixture_compile(&fixture, false);
		clock_set_for_tests(now_us, now_us);
		assert_int_equal(watch_open(&watch,
		    fixture.config->state_dir, &fixture.catalog->specs), 0);
		assert_false(look_after(&watch, 1));
		assert_false(look_after(&watch, 10));
		fixture_write("list", "u3\n");
		assert_false(look_after(&watch, 1));
		assert_true(look_after(&watch, 5));
		watch_close(&watch);
	}
}

/* ---- the state file ---- */

/* A file that is not as long as it says may still be written. */
static void
test_source_of_another_size(void **state)
{
	struct source_stamp stamp;
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(source_read("/proc/self/status", &text, &stamp),
	    -EBUSY);
	buf_free(&text);
}

static void
test_state(void **state)
{
	struct state in = { .result = STATE_SHRUNKEN, .time_s = 1700000000,
		.n_entries = 7, .text = "two\nlines" }, out;
	const struct source_stamp stamp = { 123456789, 987654321, 42, 7 };
	/* a clock that was wrong: before 1970 */
	const struct source_stamp old = { -1000000000, INT64_MIN, 1, 8 };
	char path[256];

	(void)state;
	snprintf(path, sizeof path, "%s/x.state", folder);
	assert_int_equal(state_add_source(&in, "/a b/c", &stamp), 0);
	assert_int_equal(state_add_source(&in, "/d", &old), 0);
	assert_int_equal(state_write(path, &in), 0);
	assert_int_equal(state_read(path, &out), 0);
	assert_int_equal(out.result, STATE_SHRUNKEN);
	assert_int_equal(out.time_s, 1700000000);
	assert_int_equal(out.n_entries, 7);
	assert_string_equal(out.text, "two");
	assert_int_equal(out.n_sources, 2);
	assert_string_equal(out.sources[0].path, "/a b/c");
	assert_true(source_stamp_equals(&out.sources[0].stamp, &stamp));
	assert_true(source_stamp_equals(&out.sources[1].stamp, &old));
	state_free(&in);
	state_free(&out);
	fixture_write("x.state", "result maybe\n");
	assert_int_equal(state_read(path, &out), -EBADMSG);
	/* as it was written before */
	fixture_write("x.state", "source 1 2 3 /x\n");
	assert_int_equal(state_read(path, &out), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(state_read(path, &out), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shrunken),
		TEST(test_fifth_may_go),
		TEST(test_more_waits),
		TEST(test_restored),
		TEST(test_replaced),
		TEST(test_half_written),
		TEST(test_missing_source),
		TEST(test_damaged_anywhere),
		TEST(test_truncated),
		TEST(test_bad_replacement),
		TEST(test_bad_pending),
		TEST(test_entry_is_lost),
		TEST(test_list_breaks_off),
		TEST(test_damaged_aliases),
		TEST(test_damaged_while_it_waits),
		TEST(test_leftover),
		TEST(test_cannot_write),
		TEST(test_what_may_pass),
		TEST(test_meta),
		TEST(test_no_password_inside),
		TEST(test_include_becomes_unreadable),
		TEST(test_include_with_an_error),
		TEST(test_many_includes),
		TEST(test_watch),
		TEST(test_watch_same_size_and_date),
		TEST(test_watch_includes),
		TEST(test_watch_odd_dates),
		TEST(test_source_of_another_size),
		TEST(test_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
