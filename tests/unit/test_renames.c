/* SPDX-License-Identifier: ISC */
/*
 * test_renames.c - what workers note outlives them, each in its own ring, and
 * what the supervisor wishes reaches every worker. Workers are children.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../deliver/renames.h"
#include "sealed.h"
#include "table.h"

/* The child's part succeeds or not; it has kept this ring. */
static void
in_worker(unsigned ring, bool (*part)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		renames_keep(ring);
		_exit(part() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int
set_up(void **state)
{
	(void)state;
	return renames_open(-1);
}

static bool
notes_two(void)
{
	renames_note(SLICE("one"));
	renames_note(SLICE("two"));
	return true;
}

static bool
notes_three_not_four(void)
{
	renames_note(SLICE("four"));
	renames_note(SLICE("three"));
	renames_forget(SLICE("four"));
	return true;
}

static void
test_what_was_noted_is_known_afterwards(void **state)
{
	(void)state;
	assert_false(renames_has(SLICE("one")));
	in_worker(0, notes_two);
	assert_true(renames_has(SLICE("one")));
	assert_true(renames_has(SLICE("two")));
	assert_false(renames_has(SLICE("three")));
	in_worker(RENAMES_RINGS - 1, notes_three_not_four);
	assert_true(renames_has(SLICE("three")));
	assert_false(renames_has(SLICE("four")));
	/* it came back to a worker of the same ring */
	in_worker(RENAMES_RINGS, notes_three_not_four);
	assert_true(renames_has(SLICE("one")));
	assert_true(renames_has(SLICE("two")));
	assert_false(renames_has(SLICE("four")));
}

static bool
notes_many(void)
{
	char name[16];

	for (int i = 0; i < RENAMES_NAMES + 10; i++) {
		int n = snprintf(name, sizeof name, "copy%d", i);

		renames_note((struct slice){ name, (size_t)n });
	}
	return true;
}

/* The oldest make room, no others. */
static void
test_a_ring_remembers_its_last(void **state)
{
	char name[16];
	unsigned n_known = 0;

	(void)state;
	in_worker(7, notes_many);
	for (int i = 0; i < RENAMES_NAMES + 10; i++) {
		int n = snprintf(name, sizeof name, "copy%d", i);
		bool is_known = renames_has((struct slice){ name, (size_t)n });

		CHECK(name, is_known == (i >= 10));
		n_known += is_known;
	}
	assert_int_equal(n_known, RENAMES_NAMES);
}

static bool
is_cancelled(void)
{
	return renames_is_cancelled(SLICE("left")) &&
	    !renames_is_cancelled(SLICE("stays"));
}

static bool
is_not_cancelled(void)
{
	return !renames_is_cancelled(SLICE("left"));
}

static bool
does_nothing(void)
{
	return true;
}

static void
test_a_wish_reaches_every_worker(void **state)
{
	(void)state;
	/* only rings that somebody has kept are written to */
	in_worker(0, does_nothing);
	in_worker(RENAMES_RINGS - 1, does_nothing);
	renames_cancel(SLICE("left"));
	in_worker(0, is_cancelled);
	in_worker(RENAMES_RINGS - 1, is_cancelled);
	in_worker(1, is_not_cancelled);
	/* a wish that a copy be not moved says nothing of its having been */
	assert_false(renames_has(SLICE("left")));
	for (int i = 1; i < RENAMES_CANCELS; i++)
		renames_cancel(SLICE("another"));
	in_worker(0, is_cancelled);
	renames_cancel(SLICE("another"));
	in_worker(0, is_not_cancelled);
}

/* How much of the shared memory is mapped here. */
static bool
has_its_own_alone(void)
{
	unsigned long begin, end, size = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
		if (strstr(line, "memfd:renames") != NULL &&
		    sscanf(line, "%lx-%lx", &begin, &end) == 2)
			size += end - begin;
	renames_note(SLICE("its own"));
	return size == 32768;
}

/* A worker that is taken over can lie about its own copies alone. */
static void
test_a_worker_holds_no_other_ring(void **state)
{
	int fd = sealed_create("renames");

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(renames_open(fd), 0);
	in_worker(0, has_its_own_alone);
	in_worker(100, has_its_own_alone);
	in_worker(RENAMES_RINGS - 1, has_its_own_alone);
	/* whoever opens it next knows it, too */
	assert_int_equal(renames_open(fd), 0);
	assert_true(renames_has(SLICE("its own")));
	close(fd);
	assert_true(renames_open(fd) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_what_was_noted_is_known_afterwards,
		    set_up),
		cmocka_unit_test_setup(test_a_ring_remembers_its_last, set_up),
		cmocka_unit_test_setup(test_a_wish_reaches_every_worker,
		    set_up),
		cmocka_unit_test(test_a_worker_holds_no_other_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
