/* SPDX-License-Identifier: ISC */
/*
 * test_kv.c - the key-value engine: order of reads and writes, expiry, what
 * a kill leaves, and what a full disk does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "clock.h"
#include "kv.h"

#define DAY_S 86400

static char folder[64];
static unsigned n_flushes;	/* of the library */

int
fdatasync(int fd)
{
	n_flushes++;
	return (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	n_flushes++;
	return (int)syscall(SYS_fsync, fd);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test_kv.XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	clock_set_for_tests(0, 0);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? 0 : -1;
}

static struct kv_table *
open_table(struct kv **kv)
{
	struct kv_table *table;

	assert_int_equal(kv_open(kv, folder), 0);
	assert_int_equal(kv_table_open(*kv, "things", &table), 0);
	return table;
}

static int
put(struct kv_table *table, const char *key, const char *value,
    int64_t expires_s)
{
	return kv_put(table, slice_of(key), slice_of(value), expires_s);
}

/* The value as a string, or "" when it is not there. */
static const char *
value_of(struct kv_table *table, const char *key)
{
	static char value[KV_VALUE_MAX + 1];
	size_t size = 0;
	int error = kv_get(table, slice_of(key), value, KV_VALUE_MAX, &size);

	assert_true(error == 0 || error == -ENOENT);
	value[error ? 0 : size] = '\0';
	return value;
}

static void
reads_see_writes_of_the_same_round(void **state)
{
	struct kv *kv;
	struct kv_table *table = open_table(&kv);

	(void)state;
	assert_string_equal(value_of(table, "a"), "");
	assert_int_equal(put(table, "a", "one", 0), 0);
	assert_true(kv_has_transaction(kv));
	assert_string_equal(value_of(table, "a"), "one");
	assert_int_equal(put(table, "a", "two", 0), 0);
	assert_string_equal(value_of(table, "a"), "two");
	assert_int_equal(kv_delete(table, SLICE("a")), 0);
	assert_int_equal(kv_delete(table, SLICE("a")), -ENOENT);
	assert_string_equal(value_of(table, "a"), "");
	assert_int_equal(kv_commit(kv), 0);
	assert_false(kv_has_transaction(kv));
	kv_close(&kv);
}

static void
sizes_are_checked(void **state)
{
	char big[KV_VALUE_MAX + 1] = "", small[2];
	struct kv *kv;
	struct kv_table *table = open_table(&kv);
	size_t size;

	(void)state;
	assert_int_equal(put(table, "", "x", 0), -EINVAL);
	assert_int_equal(kv_put(table, (struct slice){ big, KV_KEY_MAX + 1 },
	    SLICE(""), 0), -EINVAL);
	assert_int_equal(kv_put(table, SLICE("k"),
	    (struct slice){ big, sizeof big }, 0), -EINVAL);
	assert_int_equal(kv_put(table, SLICE("k"),
	    (struct slice){ big, sizeof big - 1 }, 0), 0);
	assert_int_equal(kv_get(table, SLICE("k"), small, sizeof small,
	    &size), -EMSGSIZE);
	assert_int_equal(kv_get(table, SLICE("k"), big, sizeof big, &size), 0);
	assert_int_equal(size, KV_VALUE_MAX);
	kv_close(&kv);
}

static bool
count_key(struct slice key, struct slice value, void *arg)
{
	(void)key;
	(void)value;
	++*(unsigned *)arg;
	return true;
}

static void
expired_records_are_not_found(void **state)
{
	struct kv *kv;
	struct kv_table *table = open_table(&kv);
	unsigned n_told = 0, n_left = 0;
	char key[16];

	(void)state;
	clock_set_for_tests(1, (int64_t)1000000 * DAY_S);
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(put(table, key, "v",
		    i % 3 == 0 ? 0 : DAY_S + i), 0);
	}
	assert_string_equal(value_of(table, "k1"), "v");
	clock_set_for_tests(1, (int64_t)1000000 * (DAY_S + 200));
	assert_string_equal(value_of(table, "k200"), "");
	assert_string_equal(value_of(table, "k202"), "v");
	while (kv_expire(table, DAY_S + 200, 7, count_key, &n_told) == 1)
		;
	assert_int_equal(n_told, 134);		/* 1..200 but thirds */
	assert_int_equal(kv_iterate(table, count_key, &n_left), 0);
	assert_int_equal(n_left, 300 - 134);
	assert_int_equal(kv_commit(kv), 0);
	/* set back: what is gone stays gone, what is there is there */
	clock_set_for_tests(1, (int64_t)1000000 * DAY_S);
	assert_string_equal(value_of(table, "k200"), "");
	assert_string_equal(value_of(table, "k298"), "v");
	kv_close(&kv);
}

/* Commit rounds of ten for ever, telling each committed one to the pipe. */
static void
write_until_killed(int to)
{
	struct kv *kv;
	struct kv_table *table;
	char key[24];

	if (kv_open(&kv, folder) != 0 ||
	    kv_table_open(kv, "things", &table) != 0)
		_exit(1);
	for (unsigned round = 0;; round++) {
		for (unsigned i = 0; i < 10; i++) {
			snprintf(key, sizeof key, "r%u.%u", round, i);
			if (put(table, key, "v", 0) != 0)
				_exit(1);
		}
		if (kv_commit(kv) != 0 ||
		    write(to, &round, sizeof round) != sizeof round)
			_exit(1);
	}
}

struct seen {
	unsigned n, most;
	char keys[16];
};

static bool
note_key(struct slice key, struct slice value, void *arg)
{
	struct seen *seen = arg;

	(void)value;
	seen->keys[seen->n++] = key.data[0];
	return seen->n < seen->most;
}

/* Each record once, in steps, and none that has expired. */
static void
a_scan_goes_on_where_it_was(void **state)
{
	struct kv *kv;
	struct kv_table *table = open_table(&kv);
	struct kv_position at = { .size = 0 };
	struct seen seen = { .most = 16 };
	int more, steps = 0;

	(void)state;
	for (char c[2] = "a"; *c <= 'g'; c[0]++)
		assert_int_equal(put(table, c, "x", *c == 'c' ? 1 : 0), 0);
	do {
		more = kv_scan(table, &at, 2, note_key, &seen);
		assert_int_equal(kv_commit(kv), 0);
		steps++;
	} while (more == 1);
	assert_int_equal(more, 0);
	assert_int_equal(steps, 4);
	assert_string_equal(seen.keys, "abdefg");
	at.size = 0;
	seen = (struct seen){ .most = 2 };
	assert_int_equal(kv_scan(table, &at, 10, note_key, &seen), 0);
	assert_string_equal(seen.keys, "ab");
	kv_close(&kv);
}

static void
a_kill_loses_nothing_that_was_committed(void **state)
{
	unsigned last = 0, n_whole = 0;
	struct kv_table *table;
	struct kv *kv;
	char key[24];
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		write_until_killed(fds[1]);
	close(fds[1]);
	while (read(fds[0], &last, sizeof last) == sizeof last && last < 40)
		;
	kill(pid, SIGKILL);
	while (read(fds[0], &last, sizeof last) == sizeof last)
		;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	assert_true(last >= 40);
	table = open_table(&kv);
	for (unsigned round = 0; round <= last + 2; round++) {
		unsigned n = 0;

		for (unsigned i = 0; i < 10; i++) {
			snprintf(key, sizeof key, "r%u.%u", round, i);
			n += *value_of(table, key) != '\0';
		}
		assert_true(n == 0 || n == 10);	/* a round is whole */
		n_whole += n == 10;
	}
	assert_true(n_whole >= last + 1);
	kv_close(&kv);
}

static void
set_file_limit(rlim_t size)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	setrlimit(RLIMIT_FSIZE, &limit);
}

/* Puts of 1 KiB until one, or the commit of ten, fails. */
static int
fill(struct kv *kv, struct kv_table *table, unsigned *n_committed)
{
	static char value[KV_VALUE_MAX];
	char key[16];
	int error = 0;

	memset(value, 'x', sizeof value);
	for (unsigned i = 0; i < 5000 && !error; i++) {
		snprintf(key, sizeof key, "f%u", i);
		error = kv_put(table, slice_of(key),
		    (struct slice){ value, sizeof value }, 0);
		if (i % 10 == 9) {
			int failed = kv_commit(kv);

			error = error ? error : failed;
			*n_committed = failed ? *n_committed : i + 1;
		}
	}
	return error;
}

static void
a_full_disk_fails_puts_only(void **state)
{
	unsigned n_committed = 0;
	struct kv_table *table;
	struct kv *kv;
	char key[16];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	table = open_table(&kv);
	assert_int_equal(put(table, "before", "here", 0), 0);
	assert_int_equal(kv_commit(kv), 0);
	set_file_limit(2u << 20);
	assert_int_not_equal(fill(kv, table, &n_committed), 0);
	assert_true(n_committed > 10);
	(void)kv_commit(kv);
	assert_string_equal(value_of(table, "before"), "here");
	assert_int_equal(strlen(value_of(table, "f0")), KV_VALUE_MAX);
	set_file_limit(RLIM_INFINITY);
	assert_int_equal(put(table, "after", "there", 0), 0);
	assert_int_equal(kv_commit(kv), 0);
	kv_close(&kv);
	table = open_table(&kv);
	assert_string_equal(value_of(table, "after"), "there");
	for (unsigned i = 0; i < n_committed; i++) {
		snprintf(key, sizeof key, "f%u", i);
		assert_int_equal(strlen(value_of(table, key)), KV_VALUE_MAX);
	}
	kv_close(&kv);
}

/* So many changes; the 2000th commits them, and cannot. */
static void
put_beyond_the_disk(struct kv_table *table, unsigned n)
{
	char key[16];

	for (unsigned i = 1; i <= n; i++) {
		if (i == 2000)
			set_file_limit(4096);
		snprintf(key, sizeof key, "k%u", i);
		assert_int_equal(put(table, key, "v", 0), 0);
		if (i == 2000)
			set_file_limit(RLIM_INFINITY);
	}
}

/* More than are committed at a time: the last part may succeed, or be
 * nothing, but not all have. */
static void
a_large_round_fails_whole(void **state)
{
	static const unsigned sizes[] = { 2000, 3000 };
	struct kv_table *table;
	struct kv *kv;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	table = open_table(&kv);
	for (size_t i = 0; i < 2; i++) {
		put_beyond_the_disk(table, sizes[i]);
		assert_true(kv_has_transaction(kv));
		assert_int_not_equal(kv_commit(kv), 0);
		/* and the next round is another one */
		assert_false(kv_has_transaction(kv));
		assert_int_equal(kv_commit(kv), 0);
	}
	kv_close(&kv);
}

static unsigned
flushes_of_commit(struct kv *kv)
{
	n_flushes = 0;
	assert_int_equal(kv_commit(kv), 0);
	return n_flushes;
}

/* A round survives a power cut as soon as one of its changes has to. */
static void
what_must_last_is_flushed(void **state)
{
	struct kv *kv;
	struct kv_table *soft, *table = open_table(&kv);

	(void)state;
	assert_int_equal(kv_table_open(kv, "soft", &soft), 0);
	kv_table_is_soft(soft);
	(void)kv_commit(kv);
	assert_int_equal(put(table, "a", "1", 0), 0);
	assert_int_not_equal(flushes_of_commit(kv), 0);
	assert_int_equal(put(soft, "a", "1", 1), 0);
	assert_int_equal(flushes_of_commit(kv), 0);
	assert_int_equal(put(table, "b", "1", 1), 0);
	assert_int_equal(put(soft, "b", "1", 0), 0);
	assert_int_not_equal(flushes_of_commit(kv), 0);
	/* what has expired does so once more: that alone need not last */
	assert_int_equal(kv_expire(soft, 2, 100, NULL, NULL), 0);
	assert_int_equal(flushes_of_commit(kv), 0);
	assert_int_equal(put(table, "c", "1", 0), 0);
	assert_int_equal(kv_expire(table, 2, 100, NULL, NULL), 0);
	assert_int_not_equal(flushes_of_commit(kv), 0);
	assert_string_equal(value_of(table, "b"), "");
	assert_int_equal(kv_delete(table, SLICE("c")), 0);
	assert_int_not_equal(flushes_of_commit(kv), 0);
	kv_close(&kv);
}

static void
a_damaged_log_is_told(void **state)
{
	struct kv_table *table;
	struct kv *kv;
	char path[128], noise[40];
	int fd, status;
	pid_t pid;

	(void)state;
	table = open_table(&kv);
	assert_int_equal(put(table, "a", "b", 0), 0);
	kv_close(&kv);
	snprintf(path, sizeof path, "%s/log.0000000001", folder);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	memset(noise, 0xff, sizeof noise);
	assert_int_equal(pwrite(fd, noise, sizeof noise, 0), sizeof noise);
	close(fd);
	/* the library loses memory then: in a process of its own */
	pid = fork();
	if (pid == 0)
		_exit(kv_open(&kv, folder) == -ENOTRECOVERABLE &&
		    kv == NULL ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/*
 * As store.c's next start finds it, in a process of its own: the library
 * loses memory when a table is damaged. What it says comes by a pipe, since
 * valgrind takes the exit status for its own.
 */
static int
start_again(void)
{
	struct kv_table *table;
	struct kv *kv;
	int ends[2], error = 1;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		error = kv_open(&kv, folder);
		if (error == 0)
			error = kv_table_open(kv, "things", &table);
		(void)!write(ends[1], &error, sizeof error);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(read(ends[0], &error, sizeof error), sizeof error);
	close(ends[0]);
	return error;
}

static void
a_damaged_table_is_told(void **state)
{
	struct kv_table *table;
	struct kv *kv;
	char path[128], noise[512];
	int fd;

	(void)state;
	table = open_table(&kv);
	assert_int_equal(put(table, "a", "b", 0), 0);
	kv_close(&kv);
	assert_int_equal(start_again(), 0);
	snprintf(path, sizeof path, "%s/things.db", folder);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	memset(noise, 0xff, sizeof noise);
	assert_int_equal(pwrite(fd, noise, sizeof noise, 0), sizeof noise);
	close(fd);
	assert_int_equal(start_again(), -ENOTRECOVERABLE);
}

/* On disk: its length (two octets), what it is (one), and this. */
static void
make_longer(const char *value)
{
	static char page[65536];
	size_t size = strlen(value);
	char path[128], *at = NULL;
	const uint16_t length = 3000;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/things.db", folder);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	n = pread(fd, page, sizeof page, 0);
	for (ssize_t i = 3 + 8; i + (ssize_t)size < n && at == NULL; i++)
		if (memcmp(page + i, value, size) == 0)
			at = page + i - 8 - 3;	/* 8: its expiry */
	assert_non_null(at);
	assert_int_equal(pwrite(fd, &length, sizeof length, at - page),
	    sizeof length);
	close(fd);
}

static void
a_damaged_length_is_told(void **state)
{
	struct kv_table *table;
	struct kv *kv;
	unsigned n = 0;

	(void)state;
	table = open_table(&kv);
	assert_int_equal(put(table, "a", "a-value-to-be-found", 0), 0);
	kv_close(&kv);
	make_longer("a-value-to-be-found");
	table = open_table(&kv);
	assert_int_equal(kv_iterate(table, count_key, &n), -ENOTRECOVERABLE);
	kv_close(&kv);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(reads_see_writes_of_the_same_round),
		TEST(sizes_are_checked),
		TEST(expired_records_are_not_found),
		TEST(a_scan_goes_on_where_it_was),
		TEST(a_kill_loses_nothing_that_was_committed),
		TEST(a_full_disk_fails_puts_only),
		TEST(a_large_round_fails_whole),
		TEST(what_must_last_is_flushed),
		TEST(a_damaged_log_is_told),
		TEST(a_damaged_table_is_told),
		TEST(a_damaged_length_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
