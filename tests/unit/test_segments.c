/* SPDX-License-Identifier: ISC */
/*
 * test_segments.c - the files of the trail, and sessions found in them.
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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "trail.h"
#include "../../store/segments.h"
#include "../../store/why.h"

#define VALUES(...) ((const struct log_value[]){ __VA_ARGS__, LOG_END })

static char folder[64];
static struct segments *segments;

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test_segments.XXXXXX");
	return mkdtemp(folder) == NULL ||
	    segments_open(&segments, folder) != 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	segments_close(&segments);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? 0 : -1;
}

static void
open_again(void)
{
	segments_close(&segments);
	assert_int_equal(segments_open(&segments, folder), 0);
}

static void
set_age(int fd, int64_t age_s)
{
	struct timespec times[2] = { { .tv_sec = 2000000000 - age_s },
		{ .tv_sec = 2000000000 - age_s } };

	assert_int_equal(futimens(fd, times), 0);
}

/* A segment of this size and age, its writer gone. */
static uint16_t
segment_of(uint64_t bytes, int64_t age_s)
{
	uint16_t number;
	int fd = segments_begin(segments, &number);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	set_age(fd, age_s);
	close(fd);
	segments_end(segments, number);
	return number;
}

static bool
exists(uint16_t number)
{
	int fd = segments_read(segments, number);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void
numbers_are_never_given_twice(void **state)
{
	uint16_t a = segment_of(10, 300), b = segment_of(10, 200), next;

	(void)state;
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	assert_int_equal(segment_of(0, 100), 2);	/* empty: it goes */
	assert_false(exists(2));
	open_again();
	assert_int_equal(segment_of(10, 50), 2);
	assert_int_equal(segment_of(0, 40), 3);
	assert_int_equal(segment_of(10, 30), 4);
	assert_true(segments_next(segments, a, &next));
	assert_int_equal(next, b);
	assert_true(segments_next(segments, 2, &next));
	assert_int_equal(next, 4);
	assert_false(segments_next(segments, 4, &next));
}

static void
numbers_wrap_around(void **state)
{
	char path[128];
	uint16_t next;
	int fd;

	(void)state;
	segment_of(10, 100);		/* 0 is still there */
	snprintf(path, sizeof path, "%s/65534", folder);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "x\n", 2), 2);
	set_age(fd, 50);
	close(fd);
	open_again();
	assert_int_equal(segment_of(10, 0), 1);
	assert_true(segments_next(segments, 65534, &next));
	assert_int_equal(next, 1);
}

static void
the_oldest_go(void **state)
{
	uint16_t old = segment_of(10, SEGMENTS_LIFE_S + 1);
	uint16_t a = segment_of(SEGMENTS_TOTAL_BYTES / 2, 30);
	uint16_t b = segment_of(SEGMENTS_TOTAL_BYTES / 4, 20);
	uint16_t c = segment_of(SEGMENTS_TOTAL_BYTES / 2, 10);

	(void)state;
	assert_int_equal(segments_expire(segments, 2000000000), 0);
	assert_false(exists(old));
	assert_false(exists(a));
	assert_true(exists(b));
	assert_true(exists(c));
	open_again();
	assert_true(exists(b));
	assert_false(exists(a));
}

static void
an_empty_one_lasts_a_day(void **state)
{
	uint16_t number;
	int fd = segments_begin(segments, &number);

	(void)state;
	set_age(fd, 80000);
	open_again();		/* its writer lives on */
	assert_int_equal(segments_expire(segments, 2000000000), 0);
	assert_true(exists(number));
	set_age(fd, 90000);
	assert_int_equal(segments_expire(segments, 2000000000), 0);
	assert_false(exists(number));
	close(fd);
}

static void
one_in_use_stays_but_not_at_any_size(void **state)
{
	uint16_t number;
	struct stat st;
	int fd = segments_begin(segments, &number);

	(void)state;
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(segments_expire(segments, INT64_MAX / 2), 0);
	assert_true(exists(number));
	assert_int_equal(ftruncate(fd, (off_t)TRAIL_SEGMENT_BYTES * 5), 0);
	assert_int_equal(segments_expire(segments, 0), 1);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
}

/* ---- why ---- */

/* The answer, or NULL. */
static const char *
why(const char *id)
{
	static char text[1 << 20];
	struct why *job;
	int error = why_begin(&job, segments, slice_of(id));
	ssize_t n;
	int fd;

	assert_true((job == NULL) == (error != 0));
	if (error == -ENOENT)
		return NULL;
	assert_int_equal(error, 0);
	while (why_step(job))
		;
	fd = why_result(job);
	why_free(&job);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);	/* sealed */
	n = pread(fd, text, sizeof text - 1, 0);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static unsigned
count_lines(const char *text)
{
	unsigned n = 0;

	for (; text != NULL && *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
give_segment(struct trail *trail)
{
	uint16_t number;
	int fd = segments_begin(segments, &number);

	assert_true(fd >= 0);
	assert_true(trail_open_segment(trail, fd, number, 0));
}

static void
a_session_is_found_whole(void **state)
{
	char ids[50][SHORT_ID_SIZE], numbered[SHORT_ID_NUMBERED_SIZE];
	struct trail *trail = trail_new();
	const char *text;

	(void)state;
	give_segment(trail);
	for (int i = 0; i < 50; i++)
		trail_begin(trail, ids[i], VALUES(LOG_S("stage", "connect")));
	for (unsigned n = 1; n < 4; n++)
		for (int i = 0; i < 50; i++)
			trail_add(trail, ids[i], n, VALUES(
			    LOG_S("text", ids[(i + 1) % 50])));
	give_segment(trail);	/* the rest is in the next one */
	for (int i = 0; i < 50; i++)
		trail_add(trail, ids[i], 0, VALUES(LOG_S("stage", "end")));
	trail_add(trail, ids[0], 9, VALUES(LOG_S("stage", "after")));
	trail_flush(trail);
	for (int i = 0; i < 50; i++) {
		text = why(ids[i]);
		assert_int_equal(count_lines(text), 5);
		assert_null(strstr(text, "after"));
	}
	assert_int_equal(short_id_with_number(numbered, ids[7], 2), 0);
	assert_int_equal(count_lines(why(numbered)), 5);
	trail_free(&trail);
}

static void
a_line_end_in_a_value_is_no_record(void **state)
{
	char id[SHORT_ID_SIZE], other[SHORT_ID_SIZE], forged[64];
	struct trail *trail = trail_new();

	(void)state;
	give_segment(trail);
	trail_begin(trail, id, VALUES(LOG_S("stage", "connect")));
	snprintf(forged, sizeof forged, "\nid=%s stage=end", id);
	trail_begin(trail, other, VALUES(LOG_S("helo", forged)));
	trail_add(trail, id, 0, VALUES(LOG_S("stage", "end")));
	trail_free(&trail);
	assert_int_equal(count_lines(why(id)), 2);
}

static void
ids_without_a_record_find_nothing(void **state)
{
	char id[SHORT_ID_SIZE];
	struct trail *trail = trail_new();
	uint16_t number;
	int fd;

	(void)state;
	assert_null(why("k3f9q2m7"));
	assert_int_equal(short_id_encode(id, 5, 160), 0);
	assert_null(why(id));				/* no such segment */
	give_segment(trail);
	trail_begin(trail, id, VALUES(LOG_S("stage", "connect")));
	trail_free(&trail);
	assert_non_null(why(id));
	assert_int_equal(short_id_encode(id, 0, 16), 0);
	assert_null(why(id));				/* inside of a line */
	assert_int_equal(short_id_encode(id, 0, 1600), 0);
	assert_null(why(id));				/* beyond the end */
	assert_int_equal(short_id_encode(id, TRAIL_SEGMENT_NONE, 0), 0);
	assert_null(why(id));
	/* a segment full of noise ends the search, too */
	fd = segments_begin(segments, &number);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	assert_int_equal(short_id_encode(id, 0, 0), 0);
	assert_int_equal(count_lines(why(id)), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(numbers_are_never_given_twice),
		TEST(numbers_wrap_around),
		TEST(the_oldest_go),
		TEST(an_empty_one_lasts_a_day),
		TEST(one_in_use_stays_but_not_at_any_size),
		TEST(a_session_is_found_whole),
		TEST(a_line_end_in_a_value_is_no_record),
		TEST(ids_without_a_record_find_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
