/* SPDX-License-Identifier: ISC */
/*
 * test_scoreboard.c - shared counters: sums, strangers, liars.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "scoreboards.h"

static int
read_only(int fd)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void
every_counter_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < SCOREBOARD_COUNTERS; i++) {
		assert_non_null(scoreboard_counter_name(i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(scoreboard_counter_name(i),
			    scoreboard_counter_name(k));
	}
}

static void
add_session(struct scoreboard *board, const struct scoreboard_client *client,
    int delta)
{
	scoreboard_client_add(board, client, SCOREBOARD_CLIENT_SESSIONS,
	    delta);
}

static uint64_t
sessions(const struct scoreboards *set, const struct scoreboard *own,
    const struct scoreboard_client *client)
{
	return scoreboards_client_sum(set, own, client,
	    SCOREBOARD_CLIENT_SESSIONS);
}

static void
others_are_added_up(void **state)
{
	struct scoreboard *own, *other;
	struct scoreboards *set = NULL;
	const struct scoreboard_client client = { .bucket = 77, .who = 5 };
	const struct scoreboard_client stranger = { .bucket = 78, .who = 5 };
	int fds[2], theirs[2];

	(void)state;
	fds[0] = scoreboard_create();
	fds[1] = scoreboard_create();
	theirs[0] = theirs[1] = read_only(fds[1]);	/* told twice */
	own = scoreboard_map_own(fds[0]);
	other = scoreboard_map_own(fds[1]);
	assert_non_null(own);
	assert_non_null(other);
	assert_null(scoreboard_map_own(theirs[0]));	/* cannot be written */
	assert_int_equal(scoreboards_update(&set, theirs, 2), 0);
	scoreboard_add(own, SCOREBOARD_SESSIONS_NOW, 3);
	scoreboard_add(other, SCOREBOARD_SESSIONS_NOW, 5);
	scoreboard_add(other, SCOREBOARD_SESSIONS_NOW, -1);
	scoreboard_add(other, SCOREBOARD_SESSIONS_TOTAL, 7);
	add_session(own, &client, 1);
	add_session(other, &client, 2);
	scoreboard_client_add(other, &client, SCOREBOARD_CLIENT_MEMORY_KIB,
	    3000000);
	assert_int_equal(scoreboards_sum(set, own, SCOREBOARD_SESSIONS_NOW),
	    7);
	assert_int_equal(scoreboards_sum(set, NULL, SCOREBOARD_SESSIONS_NOW),
	    4);
	assert_int_equal(sessions(set, own, &client), 3);
	assert_int_equal(sessions(set, own, &stranger), 0);
	assert_int_equal(scoreboards_client_sum(set, own, &client,
	    SCOREBOARD_CLIENT_MEMORY_KIB), 3000000);
	/* the owner dies, then its board goes */
	scoreboard_reset_gauges(fds[1]);
	assert_int_equal(scoreboards_sum(set, own, SCOREBOARD_SESSIONS_NOW),
	    3);
	assert_int_equal(sessions(set, own, &client), 1);
	assert_int_equal(scoreboards_client_sum(set, own, &client,
	    SCOREBOARD_CLIENT_MEMORY_KIB), 0);
	assert_int_equal(scoreboards_update(&set, NULL, 0), 0);
	assert_int_equal(scoreboards_sum(set, own, SCOREBOARD_SESSIONS_NOW),
	    3);
	assert_int_equal(scoreboards_sum(set, own,
	    SCOREBOARD_SESSIONS_TOTAL), 7);
	scoreboards_free(&set);
	scoreboard_unmap(&own);
	scoreboard_unmap(&other);
	close(fds[0]);
	close(fds[1]);
	close(theirs[0]);
}

static void
liars_are_bounded(void **state)
{
	int fd = scoreboard_create();
	struct scoreboard *liar = scoreboard_map_own(fd);
	struct scoreboards *set = NULL;
	const struct scoreboard_client client = { .bucket = 1, .who = 1 };

	(void)state;
	assert_int_equal(scoreboards_update(&set, &fd, 1), 0);
	scoreboard_add(liar, SCOREBOARD_SESSIONS_NOW, -1);
	add_session(liar, &client, -1);
	assert_int_equal(scoreboards_sum(set, NULL, SCOREBOARD_SESSIONS_NOW),
	    0);
	assert_int_equal(sessions(set, NULL, &client), 0);
	/* it cannot take the memory away from under its readers */
	assert_int_equal(ftruncate(fd, 0), -1);
	scoreboards_free(&set);
	scoreboard_unmap(&liar);
	close(fd);
}

static void
what_is_no_board_is_left_out(void **state)
{
	struct scoreboards *set = NULL;
	int fds[3];
	struct stat st;
	int real = scoreboard_create();

	(void)state;
	fstat(real, &st);
	fds[0] = memfd_create("small", MFD_ALLOW_SEALING);
	fds[1] = memfd_create("unsealed", MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fds[1], st.st_size), 0);
	fds[2] = open("/dev/zero", O_RDWR);
	assert_int_equal(scoreboards_update(&set, fds, 3), 0);
	assert_int_equal(scoreboards_sum(set, NULL, SCOREBOARD_SESSIONS_NOW),
	    0);
	for (int i = 0; i < 3; i++) {
		assert_null(scoreboard_map_own(fds[i]));
		close(fds[i]);
	}
	close(real);
	scoreboards_free(&set);
}

static void
a_client_has_one_bucket(void **state)
{
	static const uint8_t v4[4] = { 192, 0, 2, 7 };
	static const uint8_t mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xff, 0xff, 192, 0, 2, 7 };
	uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 3 };
	unsigned n_same = 0;
	int fds[2] = { scoreboard_create(), scoreboard_create() };
	struct scoreboard *a = scoreboard_map_own(fds[0]);
	struct scoreboard *b = scoreboard_map_own(fds[1]);
	uint32_t bucket = scoreboard_client_of(a, v6, sizeof v6).bucket;

	(void)state;
	assert_int_equal(scoreboard_client_of(a, v4, 4).bucket,
	    scoreboard_client_of(b, mapped, 16).bucket);
	v6[15] = 9;	/* another host of the same /64 */
	assert_int_equal(scoreboard_client_of(b, v6, sizeof v6).bucket,
	    bucket);
	for (unsigned i = 0; i < 256; i++) {
		v6[7] = (uint8_t)i;
		n_same += scoreboard_client_of(a, v6, sizeof v6).bucket ==
		    bucket;
	}
	assert_in_range(n_same, 1, 3);
	scoreboard_unmap(&a);
	scoreboard_unmap(&b);
	close(fds[0]);
	close(fds[1]);
}

static uint64_t
counted(const struct scoreboards *set, uint32_t bucket, uint32_t who,
    uint32_t window)
{
	const struct scoreboard_client client = { bucket, who };

	return scoreboards_client_counted(set, &client,
	    SCOREBOARD_CLIENT_MESSAGES, window);
}

static void
counts_are_of_one_client_and_window(void **state)
{
	int fds[2] = { scoreboard_create(), scoreboard_create() };
	struct scoreboard *boards[2];
	struct scoreboards *set = NULL;
	const struct scoreboard_client client = { .bucket = 7, .who = 1 };
	const struct scoreboard_client other = { .bucket = 7, .who = 2 };

	(void)state;
	assert_int_equal(scoreboards_update(&set, fds, 2), 0);
	for (int i = 0; i < 2; i++) {
		boards[i] = scoreboard_map_own(fds[i]);
		scoreboard_client_count(boards[i], &client,
		    SCOREBOARD_CLIENT_MESSAGES, 40, 20 + (uint32_t)i);
	}
	assert_int_equal(counted(set, 7, 1, 40), 41);
	assert_int_equal(counted(set, 7, 1, 41), 0);
	assert_int_equal(counted(set, 7, 2, 40), 0);
	assert_int_equal(counted(set, 8, 1, 40), 0);
	/* outlives its owner; the last of a bucket stays; no overflow */
	scoreboard_reset_gauges(fds[0]);
	assert_int_equal(counted(set, 7, 1, 40), 41);
	scoreboard_client_count(boards[0], &other,
	    SCOREBOARD_CLIENT_MESSAGES, 40, UINT32_MAX);
	assert_int_equal(counted(set, 7, 1, 40), 21);
	assert_int_equal(counted(set, 7, 2, 40), (1 << 24) - 1);
	scoreboards_free(&set);
	for (int i = 0; i < 2; i++) {
		scoreboard_unmap(&boards[i]);
		close(fds[i]);
	}
}

/* The oldest of all, and no sum; who does not know says 0. */
static void
the_greatest_stands_for_all(void **state)
{
	struct scoreboard *boards[3];
	struct scoreboards *set = NULL;
	const enum scoreboard_counter age = SCOREBOARD_SIGNATURES_AGE_S;
	int fds[3], theirs[3];

	(void)state;
	assert_int_equal(scoreboards_greatest(NULL, age), 0);
	for (int i = 0; i < 3; i++) {
		fds[i] = scoreboard_create();
		theirs[i] = read_only(fds[i]);
		boards[i] = scoreboard_map_own(fds[i]);
	}
	assert_int_equal(scoreboards_update(&set, theirs, 3), 0);
	assert_int_equal(scoreboards_greatest(set, age), 0);
	scoreboard_add(boards[0], age, 70);
	scoreboard_add(boards[1], age, 700);
	assert_int_equal(scoreboards_greatest(set, age), 700);
	scoreboard_add(boards[2], age, -1);	/* a liar */
	assert_int_equal(scoreboards_greatest(set, age), 700);
	scoreboard_add(boards[1], age, -695);
	assert_int_equal(scoreboards_greatest(set, age), 70);
	scoreboard_reset_gauges(fds[0]);	/* its owner died */
	assert_int_equal(scoreboards_greatest(set, age), 5);
	scoreboards_free(&set);
	for (int i = 0; i < 3; i++) {
		scoreboard_unmap(&boards[i]);
		close(fds[i]);
		close(theirs[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_has_a_name),
		cmocka_unit_test(others_are_added_up),
		cmocka_unit_test(the_greatest_stands_for_all),
		cmocka_unit_test(liars_are_bounded),
		cmocka_unit_test(what_is_no_board_is_left_out),
		cmocka_unit_test(a_client_has_one_bucket),
		cmocka_unit_test(counts_are_of_one_client_and_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
