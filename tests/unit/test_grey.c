/* SPDX-License-Identifier: ISC */
/*
 * test_grey.c - the greylist and what was seen before, on a real table:
 * times, clocks set back, a kill, a flood, a full disk.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "clock.h"
#include "../../store/grey.h"

#define NOW 2000000000
#define DELAY 60
#define WINDOW 86400
#define LIFETIME (35 * 86400)

static char folder[64];
static struct kv *kv;
static struct hmac *hmac;
static struct grey *grey;
static struct notes *seen;

static void
set_clock(int64_t wall_s)
{
	clock_set_for_tests(1000000, wall_s * 1000000);
}

static void
open_all(void)
{
	assert_int_equal(kv_open(&kv, folder), 0);
	assert_int_equal(grey_open(&grey, kv, hmac), 0);
	assert_int_equal(notes_open(&seen, kv, "seen", 100), 0);
}

static void
close_all(void)
{
	grey_close(&grey);
	notes_close(&seen);
	kv_close(&kv);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test_grey.XXXXXX");
	if (mkdtemp(folder) == NULL || hmac_new(&hmac, "secret", 6) != 0)
		return -1;
	set_clock(NOW);
	open_all();
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	close_all();
	hmac_free(&hmac);
	clock_set_for_tests(0, 0);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? 0 : -1;
}

static int
commit(void)
{
	int put = notes_store(grey_notes(grey)), also = notes_store(seen);
	int error = kv_commit(kv);

	notes_stored(grey_notes(grey), error ? error : put);
	notes_stored(seen, error ? error : also);
	return error ? error : put ? put : also;
}

/* At a time after NOW; each question is a round of its own. */
static struct grey_answer
ask_about(const char *network, const char *sender, const char *recipient,
    int64_t at, bool notes)
{
	struct grey_ask q = { slice_of(network), slice_of(sender),
		slice_of(recipient), DELAY, WINDOW, LIFETIME, notes };
	struct grey_answer answer;

	set_clock(NOW + at);
	grey_ask(grey, &q, NOW + at, &answer);
	return answer;
}

static enum grey_state
ask(int64_t at)
{
	struct grey_answer a = ask_about("192.0.2.0/24", "a@x", "b@y", at,
	    true);

	assert_int_equal(commit(), 0);
	return a.state;
}

static void
a_triple_waits_then_passes(void **state)
{
	(void)state;
	assert_int_equal(ask(0), GREY_NEW);
	assert_int_equal(ask(DELAY - 1), GREY_EARLY);
	assert_int_equal(ask(DELAY), GREY_KNOWN);
	assert_int_equal(ask(DELAY + 1), GREY_KNOWN);
	assert_int_equal(ask(LIFETIME), GREY_KNOWN);	/* and lives on */
	assert_int_equal(ask(2 * LIFETIME - 1), GREY_KNOWN);
	assert_int_equal(ask(3 * LIFETIME), GREY_NEW);
}

static void
a_retry_after_the_window_begins_anew(void **state)
{
	(void)state;
	assert_int_equal(ask(0), GREY_NEW);
	assert_int_equal(ask(WINDOW + 1), GREY_LATE);
	assert_int_equal(ask(WINDOW + 2), GREY_EARLY);
	assert_int_equal(ask(WINDOW + 1 + DELAY), GREY_KNOWN);
}

static void
it_says_how_long_to_wait(void **state)
{
	(void)state;
	assert_int_equal(ask_about("n", "", "r", 0, true).wait_s, DELAY);
	assert_int_equal(ask_about("n", "", "r", 20, true).wait_s,
	    DELAY - 20);
	assert_int_equal(ask_about("n", "", "r", DELAY, true).wait_s, 0);
}

static void
a_look_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(ask_about("n", "s", "r", 0, false).state, GREY_NEW);
	assert_false(notes_have_waiting(grey_notes(grey)));
	assert_int_equal(ask_about("n", "s", "r", DELAY, true).state,
	    GREY_NEW);
	assert_int_equal(ask_about("n", "s", "r", 2 * DELAY, false).state,
	    GREY_KNOWN);
	/* that was no pass: the window counts on */
	assert_int_equal(ask_about("n", "s", "r", 2 * WINDOW, false).state,
	    GREY_LATE);
}

static void
each_part_counts(void **state)
{
	(void)state;
	assert_int_equal(ask(0), GREY_NEW);
	assert_int_equal(ask_about("192.0.3.0/24", "a@x", "b@y", DELAY,
	    false).state, GREY_NEW);
	assert_int_equal(ask_about("192.0.2.0/24", "", "b@y", DELAY,
	    false).state, GREY_NEW);
	assert_int_equal(ask_about("192.0.2.0/24", "a@x", "c@y", DELAY,
	    false).state, GREY_NEW);
	assert_int_equal(ask_about("192.0.2.0/24a@x", "", "b@y", DELAY,
	    false).state, GREY_NEW);
}

static void
a_clock_set_back_costs_one_delay(void **state)
{
	(void)state;
	assert_int_equal(ask(0), GREY_NEW);
	assert_int_equal(ask(-5000), GREY_EARLY);
	assert_int_equal(ask(-5000 + DELAY - 1), GREY_EARLY);
	assert_int_equal(ask(-5000 + DELAY), GREY_KNOWN);
	/* what is proven stays so, also when the clock goes back again */
	assert_int_equal(ask(-90000), GREY_KNOWN);
	assert_int_equal(ask(-90000 + LIFETIME - 1), GREY_KNOWN);
}

static void
it_outlives_the_process(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	close_all();
	pid = fork();
	if (pid == 0) {
		open_all();
		(void)ask(0);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	open_all();
	assert_int_equal(notes_count(grey_notes(grey)), 1);
	assert_int_equal(ask(DELAY), GREY_KNOWN);
}

static void
a_flood_of_one_network_is_bounded(void **state)
{
	char sender[32];

	(void)state;
	for (int i = 0; i < 2 * GREY_UNPROVEN_MAX; i++) {
		snprintf(sender, sizeof sender, "s%d@x", i);
		assert_int_equal(ask_about("203.0.113.0/24", sender, "r", 0,
		    true).state, GREY_NEW);
	}
	assert_int_equal(commit(), 0);
	assert_int_equal(notes_count(grey_notes(grey)), GREY_UNPROVEN_MAX);
	/* the first of them are remembered, and others have their room */
	assert_int_equal(ask_about("203.0.113.0/24", "s0@x", "r", DELAY,
	    true).state, GREY_KNOWN);
	assert_int_equal(ask_about("203.0.113.0/24", sender, "r", DELAY,
	    true).state, GREY_NEW);
	assert_int_equal(ask(0), GREY_NEW);
	assert_int_equal(ask(DELAY), GREY_KNOWN);
	/* an hour later it may try again */
	assert_int_equal(ask_about("203.0.113.0/24", "t@x", "r", 3600,
	    true).state, GREY_NEW);
	assert_int_equal(ask_about("203.0.113.0/24", "t@x", "r", 3700,
	    true).state, GREY_KNOWN);
}

static struct seen_answer
see(const char *key, int64_t at, uint32_t lifetime_s, bool notes)
{
	struct seen_ask q = { slice_of(key), lifetime_s, notes };
	struct seen_answer answer;

	set_clock(NOW + at);
	seen_ask(seen, hmac, &q, NOW + at, &answer);
	assert_int_equal(commit(), 0);
	return answer;
}

static void
what_was_seen_is_told_with_its_age(void **state)
{
	(void)state;
	assert_int_equal(see("k", 0, 1000, false).state, SEEN_NEVER);
	assert_int_equal(see("k", 0, 1000, true).state, SEEN_NEVER);
	assert_int_equal(see("k", 7, 1000, false).state, SEEN_BEFORE);
	assert_int_equal(see("k", 7, 1000, false).age_s, 7);
	assert_int_equal(see("K", 7, 1000, false).state, SEEN_NEVER);
	assert_int_equal(see("k", 999, 1000, true).age_s, 999);
	assert_int_equal(see("k", 1998, 1000, true).age_s, 1998);
	assert_int_equal(see("k", 2998, 1000, true).state, SEEN_NEVER);
	/* a clock set back makes it no older than now */
	assert_int_equal(see("k", 2000, 1000, false).age_s, 0);
}

/* The table of this test holds 100: those that end soonest go. */
static void
at_the_bound_the_soonest_to_end_go(void **state)
{
	char key[32];

	(void)state;
	for (int i = 0; i < 112; i++) {
		snprintf(key, sizeof key, "k%d", i);
		(void)see(key, 0, i < 50 ? 86400 : 20 * 86400, true);
	}
	assert_int_equal(notes_count(seen), 112);
	/* there is no more room before a sweep */
	(void)see("more", 0, 1000, true);
	assert_int_equal(see("more", 0, 1000, false).state, SEEN_NEVER);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(notes_sweep(seen, NOW), 0);
		assert_int_equal(commit(), 0);
	}
	assert_int_equal(notes_count(seen), 62);
	assert_int_equal(see("k0", 0, 1000, false).state, SEEN_NEVER);
	assert_int_equal(see("k111", 0, 1000, false).state, SEEN_BEFORE);
	(void)see("more", 0, 1000, true);
	assert_int_equal(see("more", 0, 1000, false).state, SEEN_BEFORE);
}

static void
what_has_expired_is_swept_and_counted(void **state)
{
	(void)state;
	(void)see("a", 0, 1000, true);
	(void)see("b", 0, 9000, true);
	assert_int_equal(notes_count(seen), 2);
	assert_int_equal(see("a", 2000, 5000, true).state, SEEN_NEVER);
	assert_int_equal(notes_count(seen), 2);	/* in the place of the old */
	assert_int_equal(notes_sweep(seen, NOW + 7500), 0);
	assert_int_equal(commit(), 0);
	assert_int_equal(notes_count(seen), 1);
	close_all();
	open_all();
	assert_int_equal(notes_count(seen), 1);
}

/* In a process of its own: no file may grow any more. */
static void
notes_while_the_disk_is_full(void)
{
	const struct rlimit full = { 4096, RLIM_INFINITY };
	const struct rlimit room = { RLIM_INFINITY, RLIM_INFINITY };
	struct grey_ask q = { SLICE("n"), SLICE("s"), SLICE("r"), DELAY,
		WINDOW, LIFETIME, true };
	struct grey_answer answer;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &full);
	grey_ask(grey, &q, NOW, &answer);
	if (answer.state != GREY_NEW || commit() == 0)
		_exit(1);
	/* from memory */
	grey_ask(grey, &q, NOW + 1, &answer);
	if (answer.state != GREY_EARLY)
		_exit(2);
	setrlimit(RLIMIT_FSIZE, &room);
	if (commit() != 0 || notes_count(grey_notes(grey)) != 1)
		_exit(3);
	close_all();
	open_all();
	grey_ask(grey, &q, NOW + DELAY, &answer);
	_exit(answer.state == GREY_KNOWN ? 0 : 4);
}

static void
a_full_disk_is_bridged_by_memory(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	/* a child that ends like this has leaked all that it had */
	if (getenv("UNDER_VALGRIND") != NULL)
		skip();
	close_all();
	pid = fork();
	if (pid == 0) {
		open_all();
		notes_while_the_disk_is_full();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	open_all();
}

/* More may wait for a disk than memory is kept for: then it says so. */
static void
what_finds_no_room_is_not_noted(void **state)
{
	struct notes *notes = grey_notes(grey);
	struct note note = { .expires_s = NOW + 1000 };
	uint8_t key[NOTES_KEY_SIZE] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < NOTES_WAITING_MAX; i++) {
		memcpy(key, &i, sizeof i);
		assert_int_equal(notes_put(notes, key, &note), 0);
	}
	assert_int_equal(notes_put(notes, key, &note), 0);	/* again */
	key[15] = 1;
	assert_int_equal(notes_put(notes, key, &note), -ENOSPC);
	assert_int_equal(notes_get(notes, key, NOW, &note), -ENOENT);
	assert_int_equal(commit(), 0);
	assert_int_equal(notes_count(notes), NOTES_WAITING_MAX);
	assert_int_equal(notes_put(notes, key, &note), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_triple_waits_then_passes),
		TEST(a_retry_after_the_window_begins_anew),
		TEST(it_says_how_long_to_wait),
		TEST(a_look_leaves_nothing),
		TEST(each_part_counts),
		TEST(a_clock_set_back_costs_one_delay),
		TEST(it_outlives_the_process),
		TEST(a_flood_of_one_network_is_bounded),
		TEST(what_was_seen_is_told_with_its_age),
		TEST(at_the_bound_the_soonest_to_end_go),
		TEST(what_has_expired_is_swept_and_counted),
		TEST(a_full_disk_is_bridged_by_memory),
		TEST(what_finds_no_room_is_not_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
