/* SPDX-License-Identifier: ISC */
/*
 * test_trail.c - the trail: ids lead to their records, values come back as
 * they were, and a disk that fails costs records, never a wrong id.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "clock.h"
#include "trail.h"

#define VALUES(...) ((const struct log_value[]){ __VA_ARGS__, LOG_END })

static char path[64];
static struct trail *trail;

static int
setup(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof path, "/tmp/test_trail.XXXXXX");
	fd = mkostemp(path, O_APPEND);
	trail = trail_new();
	if (fd < 0 || trail == NULL)
		return -1;
	return trail_open_segment(trail, fd, 7, 0) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	clock_set_for_tests(0, 0);
	trail_free(&trail);
	return unlink(path);
}

/* The line that an id points to. */
static const char *
line_of(const char *id)
{
	static char line[TRAIL_LINE_MAX + 1];
	struct short_id at;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	assert_int_equal(short_id_decode(&at, slice_of(id)), 0);
	assert_int_equal(at.segment, 7);
	n = pread(fd, line, TRAIL_LINE_MAX, at.offset);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void
an_id_leads_to_its_record(void **state)
{
	char ids[200][SHORT_ID_SIZE], client[32], back[32];

	(void)state;
	clock_set_for_tests(1, 1795301999123456);
	for (int i = 0; i < 200; i++) {
		snprintf(client, sizeof client, "[192.0.2.%d]:%d", i, i * i);
		trail_begin(trail, ids[i], VALUES(LOG_S("stage", "connect"),
		    LOG_S("client", client)));
		if (i % 3 == 0)
			trail_add(trail, ids[i], 2, VALUES(
			    LOG_S("stage", "rcpt"), LOG_U("took_us", 42)));
		if (i % 5 == 0)
			trail_flush(trail);
	}
	trail_flush(trail);
	for (int i = 0; i < 200; i++) {
		char want[128];

		snprintf(want, sizeof want, "id=%.9s at=2026-11-21T22:59:59."
		    "123456Z stage=connect client=[192.0.2.%d]:%d", ids[i],
		    i, i * i);
		assert_string_equal(line_of(ids[i]), want);
		assert_true(trail_find(slice_of(line_of(ids[i])), "client",
		    back, sizeof back));
		assert_non_null(strstr(want, back));
	}
	assert_int_equal(trail_take_lost(trail), 0);
}

static void
values_come_back_as_they_were(void **state)
{
	static const struct slice values[] = {
		SLICE(""), SLICE("plain"), SLICE("two words"),
		SLICE("a\nid=000000000 code=250"), SLICE("\"quoted\""),
		SLICE("back\\slash\\x41"), SLICE("a=b"), SLICE("\0\1\377"),
		SLICE("Gr\303\274\303\237e"), SLICE("\r\n.\r\n"),
	};
	char id[SHORT_ID_SIZE], back[64];

	(void)state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct slice line;
		struct trail_field field;

		trail_begin(trail, id, VALUES(LOG_SL("asked", values[i]),
		    LOG_S("last", "x")));
		trail_flush(trail);
		line = slice_of(line_of(id));
		for (int k = 0; k < 3; k++)
			assert_true(trail_get_field(&line, &field));
		assert_true(slice_equals(field.key, SLICE("asked")));
		assert_int_equal(trail_unescape(back, sizeof back,
		    field.raw), values[i].size);
		assert_memory_equal(back, values[i].data, values[i].size);
		assert_true(trail_get_field(&line, &field));
		assert_true(slice_equals(field.raw, SLICE("x")));
		assert_false(trail_get_field(&line, &field));
	}
}

static void
long_values_are_cut_and_lines_stay_whole(void **state)
{
	char id[SHORT_ID_SIZE], big[4096];
	struct trail_field field;
	struct slice line;
	unsigned n;

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		memset(big, "x\n\""[kind], sizeof big);
		for (size_t size = 0; size < sizeof big; size += 61) {
			struct slice value = { big, size };

			trail_begin(trail, id, VALUES(LOG_SL("a", value),
			    LOG_SL("b", value), LOG_SL("c", value),
			    LOG_SL("d", value)));
			trail_flush(trail);
			line = slice_of(line_of(id));
			assert_true(line.size < TRAIL_LINE_MAX);
			for (n = 0; trail_get_field(&line, &field); n++)
				;
			assert_int_equal(line.size, 0);
			assert_true(n >= 3);
		}
	}
}

static void
malformed_lines_end(void **state)
{
	static const char *const lines[] = { "", " ", "=", "=x", "key",
		"key=\"", "key=\"a\\", "key=\"a\\\"", "key=\"a\"b", "a=b=c",
		"key=a\"b" };
	struct trail_field field;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct slice line = slice_of(lines[i]);

		assert_false(trail_get_field(&line, &field));
	}
}

static void
without_a_segment_ids_are_reserved(void **state)
{
	char ids[3][SHORT_ID_SIZE];
	struct trail *none = trail_new();
	struct short_id at;

	(void)state;
	assert_true(trail_wants_segment(none));
	for (int i = 0; i < 3; i++) {
		trail_begin(none, ids[i], VALUES(LOG_S("stage", "connect")));
		assert_int_equal(short_id_decode(&at, slice_of(ids[i])), 0);
		assert_int_equal(at.segment, TRAIL_SEGMENT_NONE);
	}
	assert_string_not_equal(ids[0], ids[1]);
	assert_string_not_equal(ids[1], ids[2]);
	trail_add(none, ids[0], 1, VALUES(LOG_S("stage", "rcpt")));
	trail_flush(none);
	assert_int_equal(trail_take_lost(none), 4);
	trail_free(&none);
}

static void
a_full_segment_asks_for_the_next(void **state)
{
	char id[SHORT_ID_SIZE], big[1000], next[80];
	struct short_id at;
	unsigned n = 0;
	int fd;

	(void)state;
	memset(big, 'x', sizeof big);
	for (; !trail_wants_segment(trail); n++)
		trail_begin(trail, id, VALUES(LOG_SL("x",
		    ((struct slice){ big, sizeof big }))));
	assert_in_range(n, 14000, 16000);
	do {	/* nobody brings one: the last ids of this one, then none */
		trail_begin(trail, id, VALUES(LOG_SL("x",
		    ((struct slice){ big, sizeof big }))));
		assert_int_equal(short_id_decode(&at, slice_of(id)), 0);
	} while (at.segment == 7 && ++n < 20000);
	assert_int_equal(at.segment, TRAIL_SEGMENT_NONE);
	snprintf(next, sizeof next, "%s.8", path);
	fd = open(next, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(trail_open_segment(trail, fd, 8, 0));
	assert_false(trail_wants_segment(trail));
	trail_begin(trail, id, VALUES(LOG_S("stage", "connect")));
	assert_int_equal(short_id_decode(&at, slice_of(id)), 0);
	assert_int_equal(at.segment, 8);
	assert_int_equal(at.offset, 0);
	unlink(next);
}

/* As a store that was taken over might hand out one end of a channel. */
static void
what_is_no_file_is_no_segment(void **state)
{
	char id[SHORT_ID_SIZE];
	struct short_id at;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_false(trail_open_segment(trail, ends[0], 8, 0));
	close(ends[1]);
	trail_begin(trail, id, VALUES(LOG_S("stage", "connect")));
	assert_int_equal(short_id_decode(&at, slice_of(id)), 0);
	assert_int_equal(at.segment, 7);
	trail_flush(trail);
	assert_int_equal(strncmp(line_of(id), "id=", 3), 0);
}

static void
a_full_disk_gives_the_segment_up(void **state)
{
	struct rlimit limit = { 1000, RLIM_INFINITY };
	char first[SHORT_ID_SIZE], id[SHORT_ID_SIZE];
	struct short_id at;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	trail_begin(trail, first, VALUES(LOG_S("stage", "connect")));
	trail_flush(trail);
	for (int i = 0; i < 40; i++)
		trail_begin(trail, id, VALUES(LOG_S("stage", "connect")));
	trail_flush(trail);
	assert_true(trail_wants_segment(trail));
	assert_int_equal(trail_take_lost(trail), 40);
	assert_int_equal(trail_error(trail), EFBIG);
	trail_begin(trail, id, VALUES(LOG_S("stage", "connect")));
	assert_int_equal(short_id_decode(&at, slice_of(id)), 0);
	assert_int_equal(at.segment, TRAIL_SEGMENT_NONE);
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(strncmp(line_of(first), "id=", 3), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(an_id_leads_to_its_record),
		TEST(values_come_back_as_they_were),
		TEST(long_values_are_cut_and_lines_stay_whole),
		TEST(malformed_lines_end),
		TEST(without_a_segment_ids_are_reserved),
		TEST(a_full_segment_asks_for_the_next),
		TEST(what_is_no_file_is_no_segment),
		TEST(a_full_disk_gives_the_segment_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
