/* SPDX-License-Identifier: ISC */
/*
 * test_schedule.c - turns of senders and destinations, bad hosts, time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../queue/schedule.h"

#define N_PARTS 60000

static struct schedule *s;
static struct part *parts;
static size_t n_parts;

static int
setup(void **state)
{
	const struct schedule_settings settings = { .per_destination = 4,
		.most = 8, .retry_first_s = 300, .retry_longest_s = 3600,
		.seed = 7 };

	(void)state;
	s = schedule_new(&settings);
	parts = calloc(N_PARTS, sizeof *parts);
	n_parts = 0;
	return s == NULL || parts == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_parts; i++) {
		schedule_leave(s, &parts[i]);
		word_drop(&parts[i].user);
	}
	schedule_free(&s);
	free(parts);
	/* every word was counted */
	return words_count() != 0;
}

static struct part *
add(const char *user, const char *domain, int64_t due_s)
{
	struct part *part = &parts[n_parts++];

	part->user = word_get(slice_of(user));
	assert_int_equal(schedule_join(s, part, slice_of(domain)), 0);
	assert_int_equal(schedule_wait(s, part, due_s), 0);
	return part;
}

static void
done(struct part *part, enum host_state host, int64_t now_s)
{
	schedule_done(s, part, host, SLICE("no route"), now_s);
}

static void
test_time(void **state)
{
	struct part *late = add("a", "x", 100), *early = add("a", "y", 50);

	(void)state;
	assert_null(schedule_take(s, 49));
	assert_int_equal(schedule_next_s(s), 50);
	assert_ptr_equal(schedule_take(s, 50), early);
	assert_null(schedule_take(s, 50));
	assert_ptr_equal(schedule_take(s, 100), late);
	assert_true(schedule_next_s(s) == INT64_MAX);
	done(early, HOST_IS_GOOD, 100);
	assert_int_equal(schedule_wait(s, early, 120), 0);
	assert_ptr_equal(schedule_take(s, 130), early);
}

static void
test_limits(void **state)
{
	struct part *first;
	unsigned n = 1;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		add("a", "x", 0);
	first = schedule_take(s, 1);
	while (schedule_take(s, 1) != NULL)
		n++;
	assert_int_equal(n, 4);		/* at one destination */
	for (unsigned i = 0; i < 10; i++)
		add("a", "y", 0);
	for (n = 0; schedule_take(s, 1) != NULL; n++)
		continue;
	assert_int_equal(n, 4);		/* over all of them */
	done(first, HOST_UNKNOWN, 1);
	assert_non_null(schedule_take(s, 1));
	assert_null(schedule_take(s, 1));
}

/* 50,000 messages to many places do not hold up one to one of them. */
static void
test_senders_take_turns(void **state)
{
	struct part *small, *part;
	char domain[16];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 50000; i++) {
		snprintf(domain, sizeof domain, "d%u", i % 2500);
		add("big", domain, 0);
	}
	assert_non_null(part = schedule_take(s, 1));
	small = add("small", "d2499", 0);
	for (;;) {
		struct part *next = schedule_take(s, 1);

		if (next == small)
			break;
		if (next == NULL) {	/* the one before ends */
			done(part, HOST_IS_GOOD, 1);
			continue;
		}
		part = next;
		assert_true(++n < 20);
	}
}

/* At one destination too, where all places are taken by the other. */
static void
test_turns_at_one_destination(void **state)
{
	struct part *running[4], *small;
	unsigned n;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		add("big", "x", 0);
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(running[i] = schedule_take(s, 1));
	assert_null(schedule_take(s, 1));
	small = add("small", "x", 1);
	for (n = 0; n < 10; n++) {
		done(running[n % 4], HOST_IS_GOOD, 1);
		running[n % 4] = schedule_take(s, 1);
		assert_non_null(running[n % 4]);
		if (running[n % 4] == small)
			break;
	}
	assert_true(n < 3);
}

static void
test_bad_host(void **state)
{
	struct part *probe, *other;
	int64_t next;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		add("a", "bad", 0);
	probe = schedule_take(s, 10);
	done(probe, HOST_IS_BAD, 10);
	assert_true(part_host_is_bad(probe));
	assert_int_equal(schedule_wait(s, probe, 10), 0);
	assert_string_equal(part_reason(&parts[5]).data, "no route");
	/* the others are not held up, and it is left alone */
	other = add("a", "good", 0);
	assert_ptr_equal(schedule_take(s, 11), other);
	assert_null(schedule_take(s, 200));
	next = schedule_next_s(s);
	assert_in_range(next, 10 + 270, 10 + 360);
	/* then one of them tries, alone */
	assert_non_null(probe = schedule_take(s, next));
	assert_null(schedule_take(s, next + 1000));
	done(probe, HOST_IS_BAD, next);
	assert_int_equal(schedule_wait(s, probe, next), 0);
	assert_null(schedule_take(s, next + 500));	/* twice as long */
	assert_non_null(probe = schedule_take(s, next + 700));
	done(probe, HOST_IS_GOOD, next + 700);
	assert_false(part_host_is_bad(probe));
	/* and it comes back slowly: one, two, four */
	assert_non_null(probe = schedule_take(s, next + 700));
	assert_null(schedule_take(s, next + 700));
	done(probe, HOST_IS_GOOD, next + 700);
	assert_non_null(schedule_take(s, next + 700));
	assert_non_null(schedule_take(s, next + 700));
	assert_null(schedule_take(s, next + 700));
}

/* Jobs that ran beside the first failure do not make it worse. */
static void
test_bad_once(void **state)
{
	struct part *running[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add("a", "bad", 0);
	for (unsigned i = 0; i < 4; i++)
		running[i] = schedule_take(s, 10);
	for (unsigned i = 0; i < 4; i++)
		done(running[i], HOST_IS_BAD, 10);
	assert_in_range(schedule_next_s(s), 280, 370);
	assert_int_equal(schedule_counts(s).n_bad, 1);
}

static void
test_flush(void **state)
{
	struct part *bad = add("a", "bad", 0), *later = add("a", "x", 9999);
	struct part *other = add("a", "y", 9999);

	(void)state;
	assert_ptr_equal(schedule_take(s, 1), bad);
	done(bad, HOST_IS_BAD, 1);
	assert_int_equal(schedule_wait(s, bad, 1), 0);
	assert_null(schedule_take(s, 2));
	schedule_flush(s, SLICE("X"));
	assert_ptr_equal(schedule_take(s, 2), later);
	assert_null(schedule_take(s, 2));
	assert_true(later->is_asked_for);
	assert_false(bad->is_asked_for);
	schedule_flush(s, SLICE(""));
	assert_non_null(schedule_take(s, 2));
	assert_non_null(schedule_take(s, 2));
	assert_null(schedule_take(s, 2));
	assert_true(bad->is_asked_for && other->is_asked_for);
}

/* One that is asked for, and no other: whether it waits or its host is bad. */
static void
test_retry(void **state)
{
	struct part *bad = add("a", "bad", 0), *later = add("a", "x", 9999);
	struct part *other = add("a", "x", 9999);

	(void)state;
	assert_ptr_equal(schedule_take(s, 1), bad);
	schedule_retry(s, bad);		/* it runs */
	done(bad, HOST_IS_BAD, 1);
	assert_int_equal(schedule_wait(s, bad, 1), 0);
	assert_null(schedule_take(s, 2));
	schedule_retry(s, later);
	assert_ptr_equal(schedule_take(s, 2), later);
	assert_true(later->is_asked_for);
	assert_null(schedule_take(s, 2));
	schedule_retry(s, bad);
	assert_ptr_equal(schedule_take(s, 2), bad);
	assert_null(schedule_take(s, 2));
	assert_false(other->is_asked_for);
}

/* Parts leave in any state, and nothing of them stays. */
static void
test_leave(void **state)
{
	struct part *waiting = add("a", "x", 99), *ready = add("b", "x", 0);
	struct part *running = add("c", "x", 0);

	(void)state;
	assert_ptr_equal(schedule_take(s, 1), ready);
	assert_ptr_equal(schedule_take(s, 1), running);
	done(ready, HOST_UNKNOWN, 1);
	assert_int_equal(schedule_wait(s, ready, 1), 0);
	schedule_leave(s, waiting);
	schedule_leave(s, running);
	assert_int_equal(schedule_counts(s).n_running, 0);
	assert_ptr_equal(schedule_take(s, 1), ready);
	schedule_rest(s, ready);	/* does nothing to one that runs */
	assert_int_equal(ready->state, PART_RUNNING);
	done(ready, HOST_UNKNOWN, 1);
	schedule_leave(s, ready);
	assert_int_equal(schedule_counts(s).n_destinations, 0);
}

static void
test_delay(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_in_range(schedule_delay_s(s, 1), 270, 335);
		assert_in_range(schedule_delay_s(s, 2), 540, 670);
		assert_in_range(schedule_delay_s(s, 5), 3240, 4020);
		assert_in_range(schedule_delay_s(s, 60000), 3240, 4020);
	}
}

static void
test_heap(void **state)
{
	static struct heap_item items[2000];
	struct heap h = { 0 };
	uint32_t random = 1;
	int64_t last = 0;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		random = random * 1664525 + 1013904223;
		assert_int_equal(heap_put(&h, &items[i], random >> 12), 0);
	}
	for (size_t i = 0; i < 2000; i += 3)
		heap_take(&h, &items[i]);
	for (size_t i = 1; i < 2000; i += 3)
		assert_int_equal(heap_put(&h, &items[i],
		    (int64_t)(i * 37 % 999)), 0);
	for (; heap_first(&h) != NULL; n++) {
		assert_true(heap_first(&h)->due_s >= last);
		last = heap_first(&h)->due_s;
		heap_take(&h, heap_first(&h));
	}
	assert_int_equal(n, 2000 - 667);
	heap_free(&h);
}

/* What is moved stands where it belongs, up or down, and so does the item that
 * takes a place that became free. */
static void
test_heap_moves(void **state)
{
	static const int64_t dues[] = { 1, 10, 2, 11, 12, 3, 4 };
	static const int64_t wanted[] = { 2, 3, 4, 10, 12, 20 };
	struct heap_item items[7] = { 0 };
	struct heap h = { 0 };

	(void)state;
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(heap_put(&h, &items[i], dues[i]), 0);
	heap_take(&h, &items[3]);	/* the 4 goes there, below the 10 */
	assert_int_equal(heap_put(&h, &items[0], 20), 0);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(heap_first(&h)->due_s, wanted[i]);
		heap_take(&h, heap_first(&h));
	}
	assert_null(heap_first(&h));
	heap_free(&h);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_time),
		TEST(test_limits),
		TEST(test_senders_take_turns),
		TEST(test_turns_at_one_destination),
		TEST(test_bad_host),
		TEST(test_bad_once),
		TEST(test_flush),
		TEST(test_retry),
		TEST(test_leave),
		TEST(test_delay),
		TEST(test_heap),
		TEST(test_heap_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
