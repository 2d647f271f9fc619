/* SPDX-License-Identifier: ISC */
/*
 * test_clearances.c - what store gives is found, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clearances.h"
#include "table.h"

static void
nothing_without_a_board(void **state)
{
	(void)state;
	clearances_unmap();
	assert_int_equal(clearances_map(-1, true), 0);
	clearances_give(5);
	assert_false(clearances_has(5));
}

static void
what_was_given(void **state)
{
	int fd = clearances_create();

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(clearances_map(fd, true), 0);
	assert_false(clearances_has(5));
	clearances_give(5);
	assert_true(clearances_has(5));
	assert_false(clearances_has(6));
	/* the same place: the later one has it */
	clearances_give(5 + 8192);
	assert_true(clearances_has(5 + 8192));
	assert_false(clearances_has(5));
	clearances_give(UINT64_MAX);
	assert_true(clearances_has(UINT64_MAX));
	/* no clearance is nothing that could be given */
	clearances_give(8192);
	clearances_give(CLEARANCE_NONE);
	assert_true(clearances_has(8192));
	clearances_unmap();
	close(fd);
}

/* In another process, which cannot write there. */
static void
what_another_sees(void **state)
{
	int status, fd = clearances_create();
	pid_t pid;

	(void)state;
	assert_int_equal(clearances_map(fd, true), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		clearances_unmap();
		if (clearances_map(fd, false) != 0)
			_exit(2);
		while (!clearances_has(7))
			;
		clearances_give(8);
		_exit(3);
	}
	clearances_give(7);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ||
	    WEXITSTATUS(status) == 1 /* a sanitizer's */);
	assert_false(clearances_has(8));
	clearances_unmap();
	close(fd);
}

static void
what_is_no_board(void **state)
{
	int fd = memfd_create("small", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(clearances_map(fd, false), -EBADMSG);
	close(fd);
	assert_int_equal(clearances_map(fd, false), -EBADMSG);
	fd = clearances_create();
	assert_int_equal(ftruncate(fd, 4096), -1);
	close(fd);
}

/* deliver has a descriptor for reading, and /proc; it is another uid. */
static void
who_reads_cannot_open_it_for_writing(void **state)
{
	int status, fd = clearances_create(), reader;
	char path[64];
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_true(fd >= 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(reader >= 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", reader);
	pid = fork();
	if (pid == 0) {
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		_exit(open(path, O_RDWR | O_CLOEXEC) < 0 &&
		    errno == EACCES ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(reader);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_without_a_board),
		cmocka_unit_test(what_was_given),
		cmocka_unit_test(what_another_sees),
		cmocka_unit_test(what_is_no_board),
		cmocka_unit_test(who_reads_cannot_open_it_for_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
