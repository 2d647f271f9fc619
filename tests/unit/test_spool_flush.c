/* SPDX-License-Identifier: ISC */
/*
 * test_spool_flush.c - what the spool makes durable before it says so, and
 * what it takes back when that fails: flush.h is played here.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "flush.h"
#include "spool_fixture.h"

#define ID 12345

static int last_error;
static char flushed[512];	/* their folders, one after the other */
static const char *failing;	/* the folder whose flush fails, or NULL */

/* "bodies" for a file in it, "bodies/" for the folder itself. */
static void
flush_one(struct flush_item *item)
{
	char link[64], target[256] = "", *name;
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", item->fd);
	n = readlink(link, target, sizeof target - 1);
	assert_true(n > 0);
	if (!item->is_name)
		*strrchr(target, '/') = '\0';
	name = strrchr(target, '/') + 1;
	strcat(name, item->is_name ? "/" : "");
	item->error = failing != NULL && strcmp(failing, name) == 0 ? -EIO :
	    0;
	strcat(strcat(flushed, name), " ");
}

void
flush_all(struct flush_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		flush_one(&items[i]);
}

void
flush_begin(int fd)
{
	(void)fd;
}

bool
flush_is_local_type(long type)
{
	(void)type;
	return true;
}

static int
setup(void **state)
{
	(void)state;
	failing = NULL;
	return spool_setup();
}

static void
done(void *arg, int error)
{
	(void)arg;
	last_error = error;
}

static bool
is_in(const char *place)
{
	char name[ENVELOPE_ID_SIZE], path[64];

	envelope_id_write(name, ID);
	snprintf(path, sizeof path, "%s/%s", place, name);
	return access(path, F_OK) == 0;
}

/* Flush what waits; what it came to. */
static int
flush(const char *failing_folder)
{
	flushed[0] = '\0';
	last_error = 1;
	failing = failing_folder;
	spool_flush(spool);
	failing = NULL;
	return last_error;
}

static int
put_down(bool is_alone, const char *failing_folder)
{
	struct envelope *e = envelope_new(1);

	e->id = ID;
	e->time_s = 1795334400;
	e->user = e->home = e->from = SLICE("alice@example.org");
	e->session = SLICE("s");
	e->size_bytes = 18;
	e->recipients[0].address = SLICE("bob@example.net");
	e->n_recipients = 1;
	assert_int_equal(is_alone ?
	    spool_take(spool, e, body_fd, done, NULL) :
	    spool_prepare(spool, e, body_fd, done, NULL), 0);
	envelope_free(&e);
	return flush(failing_folder);
}

static void
assert_nothing_is_left(void)
{
	assert_false(is_in("prepared"));
	assert_false(is_in("active"));
	assert_false(is_in("bodies"));
}

/* Both files, then at COMMIT both folders. */
static void
test_prepare_and_commit(void **state)
{
	(void)state;
	assert_int_equal(put_down(false, NULL), 0);
	assert_string_equal(flushed, "bodies prepared ");
	assert_int_equal(spool_commit(spool, ID, done, NULL), 0);
	assert_int_equal(flush(NULL), 0);
	assert_non_null(strstr(flushed, "active/"));
	assert_non_null(strstr(flushed, "bodies/"));
	assert_true(is_in("active") && is_in("bodies"));
}

/* All of it in one step: files, rename, folders. */
static void
test_take(void **state)
{
	(void)state;
	assert_int_equal(put_down(true, NULL), 0);
	assert_memory_equal(flushed, "bodies prepared ", 16);
	assert_non_null(strstr(flushed, "active/"));
	assert_non_null(strstr(flushed, "bodies/"));
	assert_true(is_in("active") && is_in("bodies"));
}

/* A message that was answered 451 must not be sent. */
static void
test_what_fails_is_taken_back(void **state)
{
	static const char *const files[] = { "bodies", "prepared" };
	static const char *const folders[] = { "active/", "bodies/" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(put_down(false, files[i]), -EIO);
		assert_nothing_is_left();
		assert_int_equal(put_down(true, files[i]), -EIO);
		assert_nothing_is_left();
		assert_int_equal(put_down(true, folders[i]), -EIO);
		assert_nothing_is_left();
	}
}

/* So that a start finds it where nobody has been told yes. */
static void
test_commit_that_fails(void **state)
{
	static const char *const folders[] = { "active/", "bodies/" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(put_down(false, NULL), 0);
		assert_int_equal(spool_commit(spool, ID, done, NULL), 0);
		assert_int_equal(flush(folders[i]), -EIO);
		assert_false(is_in("active"));
		assert_true(is_in("prepared"));
		assert_int_equal(spool_remove(spool, ID, SPOOL_PREPARED), 0);
		assert_nothing_is_left();
	}
}

/* A message that was sent must not come back after a power cut. */
static void
test_remove(void **state)
{
	(void)state;
	assert_int_equal(put_down(true, NULL), 0);
	assert_false(spool_has_removed(spool));
	assert_int_equal(spool_remove(spool, ID, SPOOL_ACTIVE), 0);
	assert_true(spool_has_removed(spool));
	flush(NULL);
	assert_non_null(strstr(flushed, "active/"));
	assert_false(spool_has_removed(spool));
	/* that it has failed is as final as that it is gone */
	assert_int_equal(put_down(true, NULL), 0);
	assert_int_equal(spool_fail(spool, ID), 0);
	assert_true(spool_has_removed(spool));
	flush(NULL);
	assert_non_null(strstr(flushed, "active/"));
	assert_non_null(strstr(flushed, "failed/"));
}

static void
found(struct envelope *e, enum spool_folder where, void *arg)
{
	(void)where;
	(void)arg;
	envelope_free(&e);
}

static void
damaged(const char *name, const char *why, void *arg)
{
	(void)name;
	(void)why;
	++*(unsigned *)arg;
}

/* What a start has set aside stays there. */
static void
test_set_aside(void **state)
{
	unsigned n = 0;
	const struct spool_visitor visitor = { .found = found,
		.damaged = damaged, .arg = &n };
	char name[ENVELOPE_ID_SIZE], path[64];

	(void)state;
	assert_int_equal(put_down(true, NULL), 0);
	envelope_id_write(name, ID);
	snprintf(path, sizeof path, "bodies/%s", name);
	assert_int_equal(truncate(path, 3), 0);
	flushed[0] = '\0';
	assert_int_equal(spool_load(spool, &visitor), 0);
	assert_int_equal(n, 1);
	assert_non_null(strstr(flushed, "damaged/"));
	assert_non_null(strstr(flushed, "active/"));
	assert_non_null(strstr(flushed, "bodies/"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(test_prepare_and_commit),
		TEST(test_take),
		TEST(test_what_fails_is_taken_back),
		TEST(test_commit_that_fails),
		TEST(test_remove),
		TEST(test_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
