/* SPDX-License-Identifier: ISC */
/*
 * test_spool.c - messages move from folder to folder, together and one by
 * one, and a start finds what was committed and nothing else. Faults of the
 * disk and kills are in tests/e2e/test_queue_kill.py.
 */
#include <dirent.h>
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
#include "spool_fixture.h"

static unsigned n_done, n_found, n_damaged;
static int last_error;
static uint64_t last_found;

static int
setup(void **state)
{
	(void)state;
	n_done = n_found = n_damaged = 0;
	return spool_setup();
}

static struct envelope *
envelope(uint64_t id)
{
	struct envelope *e = envelope_new(1);

	e->id = id;
	e->time_s = 1795334400;
	e->user = e->home = e->from = SLICE("alice@example.org");
	e->session = SLICE("s");
	e->size_bytes = 18;
	e->recipients[0].address = SLICE("bob@example.net");
	e->n_recipients = 1;
	return e;
}

static void
done(void *arg, int error)
{
	(void)arg;
	n_done++;
	last_error = error;
}

static void
commit(uint64_t id)
{
	struct envelope *e = envelope(id);

	assert_int_equal(spool_prepare(spool, e, body_fd, done, NULL), 0);
	spool_flush(spool);
	assert_int_equal(last_error, 0);
	assert_int_equal(spool_commit(spool, id, done, NULL), 0);
	spool_flush(spool);
	assert_int_equal(last_error, 0);
	envelope_free(&e);
}

static void
found(struct envelope *e, enum spool_folder where, void *arg)
{
	(void)where;
	(void)arg;
	n_found++;
	last_found = e->id;
	envelope_free(&e);
}

static void
damaged(const char *name, const char *why, void *arg)
{
	(void)name;
	(void)arg;
	assert_non_null(why);
	n_damaged++;
}

static void
unread(const char *name, int error, bool is_end, void *arg)
{
	(void)is_end;
	(void)arg;
	fail_msg("%s: %s", name, strerror(-error));
}

static void
load(void)
{
	const struct spool_visitor visitor = { found, damaged, unread, NULL };

	n_found = n_damaged = 0;
	assert_int_equal(spool_load(spool, &visitor), 0);
}

static bool
is_there(const char *place, uint64_t id, const char *suffix)
{
	char name[ENVELOPE_ID_SIZE], path[64];

	envelope_id_write(name, id);
	snprintf(path, sizeof path, "%s/%s%s", place, name, suffix);
	return access(path, F_OK) == 0;
}

static void
test_life(void **state)
{
	struct envelope *e;
	char octets[32];
	int fd;

	(void)state;
	commit(7);
	assert_true(is_there("active", 7, ""));
	assert_false(is_there("prepared", 7, ""));
	fd = spool_open_body(spool, 7);
	assert_int_equal(read(fd, octets, sizeof octets), 18);
	assert_memory_equal(octets, "Subject: x\n", 11);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	assert_int_equal(spool_read(spool, 7, SPOOL_ACTIVE, &e), 0);
	e->recipients[0].state = RECIPIENT_FAILED;
	assert_int_equal(spool_replace(spool, e, SPOOL_ACTIVE, done, NULL), 0);
	spool_flush(spool);
	envelope_free(&e);
	assert_int_equal(spool_fail(spool, 7), 0);
	assert_int_equal(spool_read(spool, 7, SPOOL_FAILED, &e), 0);
	assert_int_equal(e->recipients[0].state, RECIPIENT_FAILED);
	envelope_free(&e);
	assert_int_equal(spool_remove(spool, 7, SPOOL_FAILED), 0);
	assert_true(spool_has_removed(spool));
	spool_flush(spool);
	assert_false(spool_has_removed(spool));
	assert_false(is_there("bodies", 7, ""));
	load();
	assert_int_equal(n_found, 0);
}

/* More than one batch holds, committed together. */
static void
test_many_together(void **state)
{
	struct envelope *e;

	(void)state;
	for (uint64_t i = 1; i <= 600; i++) {
		e = envelope(i);
		assert_int_equal(spool_prepare(spool, e, body_fd, done, NULL),
		    0);
		envelope_free(&e);
	}
	spool_flush(spool);
	assert_int_equal(n_done, 600);
	for (uint64_t i = 1; i <= 600; i++)
		assert_int_equal(spool_commit(spool, i, done, NULL), 0);
	assert_true(spool_is_waiting(spool));
	spool_flush(spool);
	assert_int_equal(n_done, 1200);
	load();
	assert_int_equal(n_found, 600);
}

/* What a kill leaves is gone, but for what was committed. */
static void
test_start(void **state)
{
	struct envelope *e = envelope(1);

	(void)state;
	assert_int_equal(spool_prepare(spool, e, body_fd, done, NULL), 0);
	spool_flush(spool);
	envelope_free(&e);
	commit(2);
	close(open("bodies/0000000009", O_CREAT | O_WRONLY, 0600));
	close(open("active/0000000002.new", O_CREAT | O_WRONLY, 0600));
	load();
	assert_int_equal(n_found, 1);
	assert_true(last_found == 2);
	assert_int_equal(n_damaged, 0);
	assert_false(is_there("prepared", 1, ""));
	assert_false(is_there("bodies", 1, ""));
	assert_false(is_there("bodies", 9, ""));
	assert_false(is_there("active", 2, ".new"));
	assert_true(is_there("bodies", 2, ""));
}

static void
test_damaged(void **state)
{
	struct envelope *e;

	(void)state;
	commit(1);
	commit(2);
	commit(3);
	assert_int_equal(truncate("active/0000000001", 50), 0);
	assert_int_equal(truncate("bodies/0000000002", 5), 0);
	close(open("active/README", O_CREAT | O_WRONLY, 0600));
	assert_int_equal(mkdir("active/folder", 0700), 0);
	load();
	assert_int_equal(n_found, 1);
	assert_int_equal(n_damaged, 4);
	assert_true(is_there("damaged", 1, ".active0"));
	assert_true(is_there("damaged", 1, ".bodies0"));
	assert_true(is_there("damaged", 2, ".bodies0"));
	/* and while it runs */
	assert_int_equal(truncate("active/0000000003", 0), 0);
	assert_int_equal(spool_read(spool, 3, SPOOL_ACTIVE, &e), -EBADMSG);
	assert_true(is_there("damaged", 3, ".active0"));
	load();
	assert_int_equal(n_found + n_damaged, 0);
}

/* Another's envelope, and a body that leads elsewhere. */
static void
test_misplaced(void **state)
{
	(void)state;
	commit(1);
	commit(2);
	assert_int_equal(rename("active/0000000001", "active/0000000009"), 0);
	assert_int_equal(rename("bodies/0000000001", "bodies/0000000009"), 0);
	assert_int_equal(unlink("bodies/0000000002"), 0);
	/* as long as the body was */
	assert_int_equal(symlink("12345678/012345678", "bodies/0000000002"),
	    0);
	load();
	assert_int_equal(n_found, 0);
	assert_int_equal(n_damaged, 2);
}

/* What still owes its report. */
static void
test_failed_is_found(void **state)
{
	(void)state;
	commit(1);
	assert_int_equal(spool_fail(spool, 1), 0);
	load();
	assert_int_equal(n_found, 1);
	assert_true(is_there("failed", 1, ""));
	assert_true(is_there("bodies", 1, ""));
}

/* A message that is shorter than it says. */
static void
test_short_body(void **state)
{
	struct envelope *e = envelope(1);

	(void)state;
	e->size_bytes = 19;
	assert_int_equal(spool_prepare(spool, e, body_fd, done, NULL), -EIO);
	envelope_free(&e);
	assert_false(is_there("bodies", 1, ""));
	assert_false(spool_is_waiting(spool));
}

/* ---- spare files ---- */

static ino_t
inode(const char *place, uint64_t id)
{
	char name[ENVELOPE_ID_SIZE], path[64];
	struct stat st;

	envelope_id_write(name, id);
	snprintf(path, sizeof path, "%s/%s", place, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static unsigned
count_spares(void)
{
	DIR *dir = opendir("spare");
	unsigned n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

static void
body_is(uint64_t id, const char *want)
{
	char octets[128];
	int fd = spool_open_body(spool, id);
	ssize_t n = read(fd, octets, sizeof octets);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(octets, want, (size_t)n);
	close(fd);
}

/* A long message and a long address, where short ones come after it. */
static void
commit_long(uint64_t id)
{
	static const char text[] = "Subject: long\n\nhello hello hello\n";
	struct envelope *e = envelope(id);
	int fd = memfd_create("long", 0);

	assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
	e->size_bytes = sizeof text - 1;
	e->recipients[0].address = SLICE("a-much-longer-name@example.net");
	assert_int_equal(spool_prepare(spool, e, fd, done, NULL), 0);
	spool_flush(spool);
	assert_int_equal(spool_commit(spool, id, done, NULL), 0);
	spool_flush(spool);
	assert_int_equal(last_error, 0);
	envelope_free(&e);
	close(fd);
}

/* The next message has the files of one that is gone, and nothing of it. */
static void
test_spare_is_used(void **state)
{
	struct envelope *e;
	ino_t body, head;

	(void)state;
	commit_long(1);
	body = inode("bodies", 1);
	head = inode("active", 1);
	assert_int_equal(spool_remove(spool, 1, SPOOL_ACTIVE), 0);
	assert_int_equal(count_spares(), 2);
	spool_flush(spool);
	commit(2);
	assert_true(inode("bodies", 2) == body);
	assert_true(inode("active", 2) == head);
	body_is(2, "Subject: x\n\nhello\n");
	assert_int_equal(spool_read(spool, 2, SPOOL_ACTIVE, &e), 0);
	assert_true(slice_equals(e->recipients[0].address,
	    SLICE("bob@example.net")));
	envelope_free(&e);
	assert_int_equal(count_spares(), 0);
}

/* Until the removal is durable a power cut could bring the message back. */
static void
test_spare_waits_for_flush(void **state)
{
	ino_t body;

	(void)state;
	commit(1);
	body = inode("bodies", 1);
	assert_int_equal(spool_remove(spool, 1, SPOOL_ACTIVE), 0);
	commit(2);
	assert_false(inode("bodies", 2) == body);
	commit(3);
	assert_true(inode("bodies", 3) == body);
}

/* Relay has it open still: what it reads must stay the same. */
static void
test_spare_is_open(void **state)
{
	char octets[64];
	int fd;

	(void)state;
	commit_long(1);
	fd = spool_open_body(spool, 1);
	assert_int_equal(spool_remove(spool, 1, SPOOL_ACTIVE), 0);
	spool_flush(spool);
	commit(2);
	assert_int_equal(read(fd, octets, sizeof octets), 33);
	assert_memory_equal(octets, "Subject: long\n", 14);
	body_is(2, "Subject: x\n\nhello\n");
	close(fd);
	assert_int_equal(count_spares(), 0);
}

/* Some are needed again and again, the others go; all of them at the end. */
static void
test_spares_go(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 10; i++)
		commit(i);
	for (uint64_t i = 1; i <= 10; i++)
		assert_int_equal(spool_remove(spool, i, SPOOL_ACTIVE), 0);
	spool_flush(spool);
	assert_int_equal(count_spares(), 20);
	assert_true(spool_trim(spool));
	assert_int_equal(count_spares(), 20);
	commit(11);
	commit(12);
	assert_int_equal(spool_remove(spool, 11, SPOOL_ACTIVE), 0);
	spool_flush(spool);
	assert_true(spool_trim(spool));
	assert_int_equal(count_spares(), 2);
	assert_false(spool_trim(spool));
	assert_int_equal(count_spares(), 0);
	assert_int_equal(spool_remove(spool, 12, SPOOL_ACTIVE), 0);
	spool_drop_spares(spool);
	assert_int_equal(count_spares(), 0);
}

/* They are nobody's at a start; and a large one is not kept at all. */
static void
test_spares_at_start(void **state)
{
	struct envelope *e = envelope(2);

	(void)state;
	commit(1);
	assert_int_equal(spool_remove(spool, 1, SPOOL_ACTIVE), 0);
	load();
	assert_int_equal(n_found + n_damaged, 0);
	assert_int_equal(count_spares(), 0);
	assert_int_equal(ftruncate(body_fd, 1 << 20), 0);
	e->size_bytes = 1 << 20;
	assert_int_equal(spool_prepare(spool, e, body_fd, done, NULL), 0);
	spool_flush(spool);
	assert_int_equal(spool_commit(spool, 2, done, NULL), 0);
	spool_flush(spool);
	envelope_free(&e);
	assert_int_equal(spool_remove(spool, 2, SPOOL_ACTIVE), 0);
	assert_int_equal(count_spares(), 1);
	assert_int_equal(access("spare/b1", F_OK), -1);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_many_together),
		TEST(test_start),
		TEST(test_damaged),
		TEST(test_misplaced),
		TEST(test_failed_is_found),
		TEST(test_short_body),
		TEST(test_spare_is_used),
		TEST(test_spare_waits_for_flush),
		TEST(test_spare_is_open),
		TEST(test_spares_go),
		TEST(test_spares_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
