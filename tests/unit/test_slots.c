/* SPDX-License-Identifier: ISC */
/*
 * test_slots.c - the file of live records: kills, damage, a full disk.
 */
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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../store/slots.h"

static char path[64];
static bool is_old;		/* a file system that cannot reserve */

int
fallocate(int fd, int mode, off_t from, off_t size)
{
	if (!is_old)
		return (int)syscall(SYS_fallocate, fd, mode, from, size);
	errno = EOPNOTSUPP;
	return -1;
}

static int
setup(void **state)
{
	int fd;

	(void)state;
	is_old = false;
	snprintf(path, sizeof path, "/tmp/test_slots.XXXXXX");
	fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static struct slots *
open_slots(void)
{
	struct slots *slots;

	assert_int_equal(slots_open(&slots, path), 0);
	return slots;
}

/* The n-th content: all of it can be told from n. */
static struct slot_content
content_of(unsigned n, char *text)
{
	struct slot_content content = { .at_s = n, .uid = n, .gid = ~n };

	memset(content.key, (int)(n & 0xff), sizeof content.key);
	memcpy(content.key, &n, sizeof n);
	memset(content.boot, (int)(n >> 8 & 0xff), sizeof content.boot);
	sprintf(text, "/home/user%u/Maildir", n);
	content.maildir = slice_of(text);
	content.file = (struct slice){ text + 5, 4 + n % 7 };
	return content;
}

static void
assert_content(struct slots *slots, uint32_t slot, unsigned n)
{
	struct slot_content want, is;
	char text[64];

	want = content_of(n, text);
	slots_read(slots, slot, &is);
	assert_memory_equal(is.key, want.key, sizeof is.key);
	assert_memory_equal(is.boot, want.boot, sizeof is.boot);
	assert_int_equal(is.at_s, want.at_s);
	assert_int_equal(is.uid, want.uid);
	assert_int_equal(is.gid, want.gid);
	assert_true(slice_equals(is.maildir, want.maildir));
	assert_true(slice_equals(is.file, want.file));
}

static uint32_t
take(struct slots *slots, unsigned n)
{
	struct slot_content content;
	char text[64];
	int error;

	content = content_of(n, text);
	return slots_take(slots, &content, &error);
}

static void
content_and_state_are_kept(void **state)
{
	static const enum slot_state states[] = { SLOT_BEGUN, SLOT_INTENT,
		SLOT_DONE, SLOT_FREE };
	struct slots *slots = open_slots();
	uint32_t numbers[200];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		numbers[i] = take(slots, i);
		assert_int_not_equal(numbers[i], SLOT_NONE);
		if (states[i % 4] == SLOT_FREE)
			slots_release(slots, numbers[i]);
		else
			slots_set_state(slots, numbers[i], states[i % 4]);
	}
	slots_close(&slots);
	slots = open_slots();
	assert_int_equal(slots_in_use(slots), 150);
	for (unsigned i = 0; i < 200; i++) {
		if (states[i % 4] == SLOT_FREE)	/* used again by the next */
			continue;
		assert_int_equal(slots_state(slots, numbers[i]),
		    states[i % 4]);
		assert_content(slots, numbers[i], i);
	}
	slots_close(&slots);
}

static void
lengths_are_bounded(void **state)
{
	static char longest[SLOT_TEXT_MAX + 1];
	struct slot_content content = { .maildir = { longest, 4097 },
		.file = { longest, 255 } };
	struct slots *slots = open_slots();
	int error;

	(void)state;
	memset(longest, 'x', sizeof longest);
	assert_int_not_equal(slots_take(slots, &content, &error), SLOT_NONE);
	content.file.size = 256;
	assert_int_equal(slots_take(slots, &content, &error), SLOT_NONE);
	assert_int_equal(error, -ENAMETOOLONG);
	slots_close(&slots);
}

static void
all_of_them_can_be_used(void **state)
{
	struct slots *slots = open_slots();
	struct slot_content content;
	char text[64];
	int error;

	(void)state;
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		assert_int_not_equal(take(slots, i), SLOT_NONE);
	content = content_of(1, text);
	assert_int_equal(slots_take(slots, &content, &error), SLOT_NONE);
	assert_int_equal(error, -ENOSPC);
	slots_release(slots, 4711);
	assert_int_equal(take(slots, 1), 4711);
	slots_close(&slots);
}

static void
damage_frees_a_slot(void **state)
{
	struct slots *slots = open_slots();
	uint8_t octet;
	int fd;

	(void)state;
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(take(slots, i), i);
	slots_close(&slots);
	fd = open(path, O_RDWR);
	for (unsigned i = 0; i < 64; i++) {	/* another octet of each */
		off_t at = (off_t)i * 4608 + i;

		assert_int_equal(pread(fd, &octet, 1, at), 1);
		octet ^= 0x10;
		assert_int_equal(pwrite(fd, &octet, 1, at), 1);
	}
	close(fd);
	slots = open_slots();
	/* octet 9 means nothing; all the rest is noticed */
	assert_int_equal(slots_in_use(slots), 1);
	assert_content(slots, 9, 9);
	slots_close(&slots);
}

static void
a_torn_file_is_cut(void **state)
{
	struct slots *slots = open_slots();
	struct stat st;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		take(slots, i);
	slots_close(&slots);
	assert_int_equal(truncate(path, 64 * 4608 + 77), 0);
	slots = open_slots();
	assert_int_equal(slots_count(slots), 64);
	assert_int_equal(slots_in_use(slots), 64);
	slots_close(&slots);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 64 * 4608);
	assert_int_equal(truncate(path, (off_t)SLOTS_MAX * 4608 * 2), 0);
	slots = open_slots();
	assert_int_equal(slots_in_use(slots), 0);
	slots_close(&slots);
}

static void
full_disk(void)
{
	struct rlimit limit = { 100 * 4608, RLIM_INFINITY };
	struct slots *slots = open_slots();
	struct slot_content content;
	char text[64];
	int error = 0;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(take(slots, i), i);
	content = content_of(64, text);
	assert_int_equal(slots_take(slots, &content, &error), SLOT_NONE);
	assert_int_equal(error, -EFBIG);
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(take(slots, 64), 64);
	slots_close(&slots);
}

static void
a_full_disk_is_an_error_and_no_signal(void **state)
{
	(void)state;
	full_disk();
	assert_int_equal(truncate(path, 0), 0);
	is_old = true;
	full_disk();
}

static void
assert_has_blocks(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 128 * 4608);
	assert_true(st.st_blocks * 512 >= st.st_size);
}

/* Where nothing reserves, each place is written: but not over a record. */
static void
what_cannot_be_reserved_is_written(void **state)
{
	struct slots *slots;

	(void)state;
	is_old = true;
	slots = open_slots();
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(take(slots, i), i);
	slots_close(&slots);
	assert_has_blocks();
	for (int i = 0; i < 3; i++) {
		slots = open_slots();
		assert_int_equal(slots_in_use(slots), 128);
		for (unsigned n = 0; n < 128; n++)
			assert_content(slots, n, n);
		slots_close(&slots);
	}
}

/* One that was copied with holes has its blocks before it is written to. */
static void
holes_are_filled(void **state)
{
	struct slots *slots;

	(void)state;
	for (int i = 0; i < 2; i++) {
		is_old = i == 1;
		assert_int_equal(truncate(path, 0), 0);
		assert_int_equal(truncate(path, 128 * 4608), 0);
		slots = open_slots();
		assert_int_equal(slots_count(slots), 128);
		assert_int_equal(slots_in_use(slots), 0);
		slots_close(&slots);
		assert_has_blocks();
	}
}

/*
 * What the child has told in shared memory: shared[n] is how far record n
 * got, so that the parent knows what must be in the file after the kill.
 */
#define CHILD_SLOTS 48

static void
write_until_killed(uint32_t *told)
{
	struct slots *slots = open_slots();
	uint32_t numbers[CHILD_SLOTS];

	for (uint32_t round = 0;; round++) {
		uint32_t i = round % CHILD_SLOTS;

		if (round >= CHILD_SLOTS) {
			told[i] = UINT32_MAX;
			__asm__ volatile("" ::: "memory");
			slots_release(slots, numbers[i]);
		}
		numbers[i] = take(slots, round);
		slots_set_state(slots, numbers[i], SLOT_INTENT);
		__asm__ volatile("" ::: "memory");
		told[i] = round;
	}
}

static void
assert_all_told(const uint32_t *told)
{
	struct slots *slots = open_slots();
	struct slot_content content;

	for (unsigned i = 0; i < CHILD_SLOTS; i++) {
		unsigned n_found = 0;

		if (told[i] == UINT32_MAX)
			continue;
		for (uint32_t at = 0; at < slots_count(slots); at++) {
			if (slots_state(slots, at) != SLOT_INTENT)
				continue;
			slots_read(slots, at, &content);
			if (content.uid != told[i])
				continue;
			assert_content(slots, at, told[i]);
			n_found++;
		}
		assert_int_equal(n_found, 1);
	}
	slots_close(&slots);
}

static void
a_kill_at_any_instruction_loses_nothing(void **state)
{
	uint32_t *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	(void)state;
	assert_true(told != MAP_FAILED);
	for (unsigned attempt = 0; attempt < 100; attempt++) {
		unlink(path);
		memset(told, 0xff, 4096);
		pid = fork();
		if (pid == 0)
			write_until_killed(told);
		usleep(2000 + attempt * 37);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_all_told(told);
	}
	munmap(told, 4096);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(content_and_state_are_kept),
		TEST(lengths_are_bounded),
		TEST(all_of_them_can_be_used),
		TEST(damage_frees_a_slot),
		TEST(a_torn_file_is_cut),
		TEST(a_full_disk_is_an_error_and_no_signal),
		TEST(what_cannot_be_reserved_is_written),
		TEST(holes_are_filled),
		TEST(a_kill_at_any_instruction_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
