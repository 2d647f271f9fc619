/* SPDX-License-Identifier: ISC */
/*
 * test_sealed.c - a board keeps its size, a text all of itself.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include "sealed.h"
#include "table.h"

#define SIZE 8192

static void
a_board_keeps_its_size(void **state)
{
	int fd = sealed_create("board");
	char *ours, *theirs;

	(void)state;
	assert_true(fd >= 0);
	assert_null(sealed_map_board(fd, SIZE, true));	/* has no size yet */
	assert_int_equal(sealed_make_board(fd, SIZE), 0);
	assert_int_equal(sealed_make_board(fd, SIZE), 0);
	assert_int_equal(sealed_make_board(fd, SIZE / 2), -EBADMSG);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 2 * SIZE), -1);
	assert_null(sealed_map_board(fd, SIZE / 2, true));
	assert_null(sealed_map_board(fd, 2 * SIZE, false));
	ours = sealed_map_board(fd, SIZE, true);
	theirs = sealed_map_board(fd, SIZE, false);
	assert_non_null(ours);
	assert_non_null(theirs);
	assert_int_equal(theirs[SIZE - 1], 0);
	ours[SIZE - 1] = 'x';
	assert_int_equal(theirs[SIZE - 1], 'x');
	munmap(ours, SIZE);
	munmap(theirs, SIZE);
	close(fd);
}

static void
what_may_shrink_is_not_mapped(void **state)
{
	int fd = sealed_create("loose");

	(void)state;
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_null(sealed_map_board(fd, SIZE, false));
	assert_int_equal(errno, EBADMSG);
	close(fd);
	assert_null(sealed_map_board(fd, SIZE, false));
	assert_null(sealed_open_board(fd, SIZE));
}

static void
a_board_is_opened_by_the_first_and_the_next(void **state)
{
	int fd = sealed_create("board");
	char *first = sealed_open_board(fd, SIZE);
	char *next = sealed_open_board(fd, SIZE);
	char *own = sealed_open_board(-1, SIZE);

	(void)state;
	assert_non_null(first);
	assert_non_null(next);
	assert_non_null(own);
	*first = 'x';
	assert_int_equal(*next, 'x');
	assert_int_equal(*own, 0);
	munmap(first, SIZE);
	munmap(next, SIZE);
	munmap(own, SIZE);
	close(fd);
}

struct maker {
	pthread_barrier_t *start;
	int fd, error;
};

static void *
make(void *arg)
{
	struct maker *m = arg;

	pthread_barrier_wait(m->start);
	m->error = sealed_make_board(m->fd, SIZE);
	return NULL;
}

/* As processes that are started together do it. */
static void
a_board_is_made_by_two_at_once(void **state)
{
	pthread_barrier_t start;
	pthread_t other;

	(void)state;
	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 500; i++) {
		struct maker a = { &start, sealed_create("board"), 0 }, b = a;

		assert_int_equal(pthread_create(&other, NULL, make, &b), 0);
		make(&a);
		pthread_join(other, NULL);
		assert_int_equal(a.error, 0);
		assert_int_equal(b.error, 0);
		close(a.fd);
	}
	pthread_barrier_destroy(&start);
}

/* The first was interrupted between size and seals. */
static void
a_board_is_sealed_by_the_next(void **state)
{
	int fd = sealed_create("board");
	char *at;

	(void)state;
	assert_int_equal(ftruncate(fd, SIZE), 0);
	at = sealed_open_board(fd, SIZE);
	assert_non_null(at);
	munmap(at, SIZE);
	close(fd);
}

static void
a_text_is_finished_once(void **state)
{
	int fd = sealed_of_text("text", SLICE("hello\n"));
	size_t size = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_true(sealed_is_text(fd, &size));
	assert_int_equal(size, 6);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	close(fd);
	assert_false(sealed_is_text(fd, &size));
	fd = sealed_create("board");
	assert_int_equal(sealed_make_board(fd, SIZE), 0);
	assert_false(sealed_is_text(fd, &size));	/* can be written */
	close(fd);
}

/* What another compartment says of its size has to be true. */
static void
a_text_is_read_whole(void **state)
{
	int fd = sealed_of_text("text", SLICE("hello\n"));
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(sealed_read(&text, fd, 6), 0);
	assert_true(slice_equals(buf_slice(&text), SLICE("hello\n")));
	assert_int_equal(buf_puts(&text, "you"), 0);
	assert_string_equal(text.data, "hello\nyou");
	buf_free(&text);
	assert_int_equal(sealed_read(&text, fd, 5), -EBADMSG);
	assert_int_equal(sealed_read(&text, fd, 7), -EBADMSG);
	close(fd);
	fd = sealed_create("loose");
	assert_int_equal(sealed_read(&text, fd, 0), -EBADMSG);
	buf_free(&text);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_board_keeps_its_size),
		cmocka_unit_test(what_may_shrink_is_not_mapped),
		cmocka_unit_test(a_board_is_opened_by_the_first_and_the_next),
		cmocka_unit_test(a_board_is_made_by_two_at_once),
		cmocka_unit_test(a_board_is_sealed_by_the_next),
		cmocka_unit_test(a_text_is_finished_once),
		cmocka_unit_test(a_text_is_read_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
