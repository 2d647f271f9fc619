/* SPDX-License-Identifier: ISC */
/*
 * test_message.c - only a sealed memfd of the right size is a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "message.h"
#include "sealed.h"
#include "table.h"

static int
make(const char *text)
{
	int fd = sealed_create("k3f9q2m7t");

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void
test_sealed_message_is_accepted(void **state)
{
	struct message m;
	int fd = make("hello\n");
	char text[8] = "";

	(void)state;
	assert_int_equal(sealed_finish(fd), 0);
	assert_int_equal(message_accept(&m, fd, 6), 0);
	assert_int_equal(pread(m.fd, text, sizeof text, 0), 6);
	assert_string_equal(text, "hello\n");
	message_close(&m);
	message_close(&m);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void
test_nobody_can_change_it(void **state)
{
	int fd = make("hello\n");

	(void)state;
	assert_int_equal(sealed_finish(fd), 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), -1);
	assert_ptr_equal(mmap(NULL, 6, PROT_WRITE, MAP_SHARED, fd, 0),
	    MAP_FAILED);
	close(fd);
}

static void
check_refused(const char *name, int fd, size_t size)
{
	struct message m;

	CHECK(name, message_accept(&m, fd, size) == -EBADMSG);
	/* it stays the caller's */
	CHECK(name, fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

static void
test_anything_else_is_refused(void **state)
{
	static const struct {
		const char *name;
		int seals;
	} partly[] = {
		{ "no seals", 0 },
		{ "may grow", F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL },
		{ "may shrink", F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL },
		{ "writable", F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL },
		{ "not final", F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK },
	};
	int pipes[2], fd;

	(void)state;
	for (size_t i = 0; i < N_OF(partly); i++) {
		fd = make("hello\n");
		assert_int_equal(fcntl(fd, F_ADD_SEALS, partly[i].seals), 0);
		check_refused(partly[i].name, fd, 6);
	}
	fd = make("hello\n");
	assert_int_equal(sealed_finish(fd), 0);
	check_refused("too small", fcntl(fd, F_DUPFD, 0), 7);
	check_refused("too large", fd, 5);
	assert_int_equal(pipe(pipes), 0);
	check_refused("pipe", pipes[0], 0);
	close(pipes[1]);
	check_refused("file", open("/proc/self/exe", O_RDONLY), 6);
	check_refused("device", open("/dev/zero", O_RDONLY), 0);
}

/* Of terabytes without a single page; the largest that was said holds. */
static void
test_too_large_is_refused(void **state)
{
	struct message m;
	int fd = make("");

	(void)state;
	assert_int_equal(ftruncate(fd, 1ll << 40), 0);
	assert_int_equal(sealed_finish(fd), 0);
	assert_true(message_is_sealed(fd, 1ull << 40));
	message_expect_at_most((1ull << 40) - 1);
	check_refused("too many octets", fcntl(fd, F_DUPFD, 0), 1ull << 40);
	assert_false(message_is_sealed(fd, 1ull << 40));
	message_expect_at_most(1ull << 40);
	message_expect_at_most(1 << 20);
	assert_int_equal(message_accept(&m, fd, 1ull << 40), 0);
	message_close(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed_message_is_accepted),
		cmocka_unit_test(test_nobody_can_change_it),
		cmocka_unit_test(test_anything_else_is_refused),
		cmocka_unit_test(test_too_large_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
