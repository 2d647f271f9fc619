/* SPDX-License-Identifier: ISC */
/*
 * test_records.c - delivery records: each life of a record, told as a
 * script of steps; restarts of store, reboots, deaths of smtpd.
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
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "clock.h"
#include "kv.h"
#include "../../store/records.h"

static char folder[64], path[96];
static struct kv *kv;
static struct records_parts parts;
static struct records *records;
static const char peer_a, peer_b;	/* only their addresses matter */

static void
start(uint8_t boot)
{
	assert_int_equal(kv_open(&kv, folder), 0);
	assert_int_equal(ended_open(&parts.ended, kv), 0);
	assert_int_equal(slots_open(&parts.slots, path), 0);
	assert_int_equal(hmac_new(&parts.hmac, "secret", 6), 0);
	memset(parts.boot, boot, sizeof parts.boot);
	assert_int_equal(records_open(&records, &parts), 0);
	assert_int_equal(kv_commit(kv), 0);
}

static void
stop(void)
{
	records_close(&records);
	hmac_free(&parts.hmac);
	slots_close(&parts.slots);
	ended_close(&parts.ended);
	kv_close(&kv);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test_records.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/live", folder);
	start(1);
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	clock_set_for_tests(0, 0);
	if (records != NULL)
		stop();
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? 0 : -1;
}

/* BEGIN with one copy for each letter of who; the states as "NDO". "!" and "#" are
 * of a last participant, without a file. */
static const char *
begin(const char *peer, uint64_t transaction, const char *who)
{
	static char text[RECORD_BEGIN_MAX + 1];
	struct record_begin q = { .transaction = transaction,
		.reverse_path = SLICE("alice@example.org") };
	struct record_states states;
	size_t n = strlen(who);

	q.n_entries = (uint16_t)n;
	for (size_t i = 0; i < n; i++)
		q.entries[i] = (struct record_entry){
			.recipient = { who + i, 1 }, .uid = 1000, .gid = 1000,
			.maildir = who[i] <= '#' ? SLICE(RECORD_LAST
			    "smtp:h:25/a@b") : SLICE("/home/x/Maildir"),
			.file = { who + i, 1 } };
	if (!records_begin(records, peer, &q, &states))
		return "malformed";
	assert_int_equal(states.n_entries, n);
	for (size_t i = 0; i < n; i++)
		text[i] = "NDO"[states.states[i]];
	text[n] = '\0';
	return text;
}

static void
store_now(void)
{
	int error = records_store(records);

	assert_int_equal(error, 0);
	records_stored(records, kv_commit(kv));
}

static uint32_t
n_live(void)
{
	struct records_counts counts;

	records_get_counts(records, &counts);
	return counts.n_live;
}

/* Answer every question about unresolved files with one resolution. */
static unsigned
resolve_all(enum resolution resolution)
{
	struct resolve_ask ask;
	uint32_t slot;
	unsigned n = 0;

	while ((slot = records_next_unresolved(records, &ask)) != SLOT_NONE) {
		assert_true(slice_equals(ask.maildir,
		    SLICE("/home/x/Maildir")));
		assert_int_equal(ask.uid, 1000);
		records_resolved(records, slot, resolution,
		    clock_monotonic_us());
		n++;
	}
	return n;
}

static struct record_list
all_of(uint64_t transaction)
{
	return (struct record_list){ .transaction = transaction };
}

static void
deliver(const char *peer, uint64_t transaction, const char *who)
{
	struct record_list all = all_of(transaction);
	char new[RECORD_BEGIN_MAX + 1];

	memset(new, 'N', sizeof new);
	new[strlen(who)] = '\0';
	assert_string_equal(begin(peer, transaction, who), new);
	assert_int_equal(records_intent(records, peer, transaction),
	    RECORDS_OK);
	assert_int_equal(records_done(records, peer, &all), RECORDS_OK);
}

/* BEGIN that is INTENT at once, as before DELIVER. */
static void
an_intent_from_the_beginning(void **state)
{
	struct record_begin q = { .transaction = 1, .is_intent = true,
		.reverse_path = SLICE("alice@example.org"), .n_entries = 1 };
	struct record_states states;

	(void)state;
	q.entries[0] = (struct record_entry){ .recipient = SLICE("a"),
		.uid = 1000, .gid = 1000, .maildir = SLICE("/home/x/Maildir"),
		.file = SLICE("a") };
	assert_true(records_begin(records, &peer_a, &q, &states));
	assert_int_equal(states.states[0], RECORD_IS_NEW);
	/* its session dies: nothing may be said before deliver was asked */
	records_peer_gone(records, &peer_a);
	assert_string_equal(begin(&peer_b, 2, "a"), "O");
	assert_int_equal(resolve_all(RESOLVED_NOT_DELIVERED), 1);
	/* met by a record, it is not */
	deliver(&peer_b, 3, "a");
	q.transaction = 4;
	assert_true(records_begin(records, &peer_a, &q, &states));
	assert_int_equal(states.states[0], RECORD_IS_DONE);
}

/* What a BEGIN that was told would have answered. */
static void
what_begin_has_said(void **state)
{
	struct record_states states;

	(void)state;
	records_look(records, &peer_a, 1, &states);
	assert_int_equal(states.n_entries, 1);
	assert_int_equal(states.states[0], RECORD_IS_OPEN);
	deliver(&peer_a, 1, "a");
	records_look(records, &peer_a, 1, &states);
	assert_int_equal(states.states[0], RECORD_IS_NEW);
	/* another's transaction of that number */
	records_look(records, &peer_b, 1, &states);
	assert_int_equal(states.states[0], RECORD_IS_OPEN);
	assert_string_equal(begin(&peer_b, 1, "a"), "D");
	records_look(records, &peer_b, 1, &states);
	assert_int_equal(states.states[0], RECORD_IS_DONE);
	assert_string_equal(begin(&peer_a, 2, "b"), "N");
	assert_string_equal(begin(&peer_b, 2, "b"), "O");
	records_look(records, &peer_b, 2, &states);
	assert_int_equal(states.n_entries, 1);
	assert_int_equal(states.states[0], RECORD_IS_OPEN);
	/* a long list: as much as one message holds */
	assert_string_equal(begin(&peer_a, 3, "bcd"), "ONN");
	records_look(records, &peer_a, 3, &states);
	assert_int_equal(states.n_entries, 3);
	assert_int_equal(states.states[0], RECORD_IS_OPEN);
	assert_int_equal(states.states[2], RECORD_IS_NEW);
}

static void
a_confirmed_message_leaves_nothing(void **state)
{
	(void)state;
	deliver(&peer_a, 1, "abc");
	assert_int_equal(n_live(), 3);
	records_confirm(records, &peer_a, 1);
	assert_int_equal(n_live(), 0);
	assert_false(records_have_unstored(records));
	assert_false(kv_has_transaction(kv));	/* no touch of the disk */
	assert_string_equal(begin(&peer_a, 2, "abc"), "NNN");
}

static void
an_unconfirmed_one_is_done_for_48_hours(void **state)
{
	const int64_t s = 1000000;

	(void)state;
	clock_set_for_tests(s, 1000000000 * s);
	deliver(&peer_a, 1, "a");
	/* the same client is faster than the end of its first session */
	assert_string_equal(begin(&peer_b, 1, "ab"), "DN");
	records_end(records, &peer_b, 1);
	resolve_all(RESOLVED_NOT_DELIVERED);
	records_end(records, &peer_a, 1);
	assert_string_equal(begin(&peer_b, 2, "a"), "D");
	records_end(records, &peer_b, 2);
	assert_true(records_have_unstored(records));
	store_now();
	assert_false(records_have_unstored(records));
	assert_int_equal(n_live(), 0);
	assert_string_equal(begin(&peer_b, 3, "ab"), "DN");
	clock_set_for_tests(s, (1000000000 + 48 * 3600 - 1) * s);
	assert_string_equal(begin(&peer_b, 4, "a"), "D");
	clock_set_for_tests(s, (1000000000 + 48 * 3600 + 1) * s);
	assert_string_equal(begin(&peer_b, 5, "a"), "N");
}

static void
a_confirmed_retry_removes_what_it_met(void **state)
{
	(void)state;
	deliver(&peer_a, 1, "a");
	records_end(records, &peer_a, 1);
	store_now();
	deliver(&peer_a, 2, "b");		/* met in memory */
	assert_string_equal(begin(&peer_b, 1, "ab"), "DD");
	records_confirm(records, &peer_b, 1);
	assert_int_equal(kv_commit(kv), 0);
	assert_int_equal(n_live(), 0);
	assert_string_equal(begin(&peer_b, 2, "ab"), "NN");
	/* the first owner's own messages about it reach nothing */
	records_end(records, &peer_a, 2);
	assert_string_equal(begin(&peer_b, 3, "b"), "O");
	assert_int_equal(n_live(), 2);
}

static void
a_running_attempt_is_open(void **state)
{
	struct record_list first = { 1, 1, (uint16_t[]){ 0 } };

	(void)state;
	assert_string_equal(begin(&peer_a, 1, "ab"), "NN");
	assert_string_equal(begin(&peer_b, 1, "ab"), "OO");
	assert_int_equal(records_intent(records, &peer_a, 1), RECORDS_OK);
	assert_string_equal(begin(&peer_b, 2, "ab"), "OO");
	assert_int_equal(records_done(records, &peer_a, &first), RECORDS_OK);
	assert_string_equal(begin(&peer_b, 3, "ab"), "DO");
}

static void
one_transaction_may_name_a_copy_twice(void **state)
{
	(void)state;
	assert_string_equal(begin(&peer_a, 1, "aa"), "NN");
	records_confirm(records, &peer_a, 1);
	assert_int_equal(resolve_all(RESOLVED_NOT_DELIVERED), 2);
	assert_int_equal(n_live(), 0);
}

static void
withdrawn_is_new_again(void **state)
{
	struct record_list second = { 1, 1, (uint16_t[]){ 1 } };
	struct record_list all = all_of(1);

	(void)state;
	assert_string_equal(begin(&peer_a, 1, "abc"), "NNN");
	assert_int_equal(records_withdraw(records, &peer_a, &second),
	    RECORDS_OK);
	assert_int_equal(records_withdraw(records, &peer_a, &second),
	    RECORDS_OK);	/* twice is once */
	assert_string_equal(begin(&peer_b, 1, "abc"), "ONO");
	assert_int_equal(records_withdraw(records, &peer_a, &all),
	    RECORDS_OK);
	assert_int_equal(n_live(), 1);
	assert_int_equal(records_withdraw(records, &peer_a, &all),
	    RECORDS_UNKNOWN);
}

static void
withdrawn_may_begin_again(void **state)
{
	struct record_list first = { 1, 1, (uint16_t[]){ 0 } };

	(void)state;
	deliver(&peer_b, 1, "b");
	assert_string_equal(begin(&peer_a, 1, "ab"), "ND");
	assert_int_equal(records_withdraw(records, &peer_a, &first),
	    RECORDS_OK);
	assert_string_equal(begin(&peer_a, 1, "a"), "N");
	assert_string_equal(begin(&peer_a, 1, "a"), "malformed");
}

static void
prepared_but_not_committed_is_not_delivered(void **state)
{
	(void)state;
	assert_string_equal(begin(&peer_a, 1, "a"), "N");
	assert_string_equal(begin(&peer_b, 1, "a"), "O");
	records_end(records, &peer_b, 1);
	records_peer_gone(records, &peer_a);
	assert_string_equal(begin(&peer_b, 2, "a"), "N");
	/* the file may never have been written: "not in tmp/" says nothing */
	assert_int_equal(resolve_all(RESOLVED_DELIVERED), 1);
	assert_string_equal(begin(&peer_a, 3, "a"), "O");
	records_peer_gone(records, &peer_b);
	assert_string_equal(begin(&peer_a, 4, "a"), "N");
}

static void
a_death_in_commit_is_resolved(void **state)
{
	const struct { enum resolution answer; const char *then; } rows[] = {
		{ RESOLVED_NOT_DELIVERED, "N" },
		{ RESOLVED_DELIVERED, "D" },
		{ RESOLVED_UNKNOWN, "O" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char who[2] = { (char)('p' + i), '\0' };

		assert_string_equal(begin(&peer_a, 1, who), "N");
		assert_int_equal(records_intent(records, &peer_a, 1),
		    RECORDS_OK);
		records_peer_gone(records, &peer_a);
		assert_string_equal(begin(&peer_b, i, who), "O");
		assert_int_equal(resolve_all(rows[i].answer), 1);
		assert_string_equal(begin(&peer_b, 10 + i, who),
		    rows[i].then);
	}
}

static void
unknown_is_asked_again_with_pauses(void **state)
{
	const int64_t s = 1000000;
	int64_t now = s;
	unsigned n_asked = 0;

	(void)state;
	clock_set_for_tests(now, 1000000000 * s);
	assert_string_equal(begin(&peer_a, 1, "a"), "N");
	records_intent(records, &peer_a, 1);
	records_settle(records, &peer_a, 1);
	for (unsigned second = 0; second < 600; second++, now += s) {
		clock_set_for_tests(now, 1000000000 * s + now);
		records_wake(records, now);
		n_asked += resolve_all(RESOLVED_UNKNOWN);
	}
	assert_in_range(n_asked, 10, 20);
	now += 60 * s;
	records_wake(records, now);
	assert_int_equal(resolve_all(RESOLVED_DELIVERED), 1);
	assert_string_equal(begin(&peer_b, 1, "a"), "D");
}

static void
restart_keeps_what_this_boot_may_have_delivered(void **state)
{
	struct record_list all = all_of(2);

	(void)state;
	assert_string_equal(begin(&peer_a, 1, "b"), "N");
	assert_string_equal(begin(&peer_a, 2, "i"), "N");
	records_intent(records, &peer_a, 2);
	deliver(&peer_a, 3, "d");
	stop();
	start(1);
	assert_string_equal(begin(&peer_b, 1, "bid"), "NOD");
	/* whoever was in the middle of COMMIT has time to end it */
	assert_int_equal(resolve_all(RESOLVED_DELIVERED), 0);
	records_wake(records, clock_monotonic_us() + RECORDS_GRACE_US / 2);
	assert_int_equal(resolve_all(RESOLVED_DELIVERED), 0);
	records_wake(records, clock_monotonic_us() + RECORDS_GRACE_US);
	assert_int_equal(resolve_all(RESOLVED_DELIVERED), 2);
	assert_string_equal(begin(&peer_b, 2, "i"), "D");
	/* the old transactions are unknown: no COMMIT, tmp/ files stay */
	assert_int_equal(records_intent(records, &peer_a, 2),
	    RECORDS_UNKNOWN);
	assert_int_equal(records_withdraw(records, &peer_a, &all),
	    RECORDS_UNKNOWN);
}

static void
reboot_drops_intents_and_keeps_what_is_done(void **state)
{
	(void)state;
	assert_string_equal(begin(&peer_a, 2, "i"), "N");
	records_intent(records, &peer_a, 2);
	deliver(&peer_a, 3, "d");
	stop();
	start(2);
	assert_int_equal(n_live(), 1);
	store_now();
	assert_int_equal(n_live(), 0);
	stop();
	start(3);
	assert_string_equal(begin(&peer_b, 1, "id"), "ND");
}

static void
peers_reach_only_their_own(void **state)
{
	struct record_list all = all_of(1);

	(void)state;
	assert_string_equal(begin(&peer_a, 1, "a"), "N");
	assert_int_equal(records_done(records, &peer_b, &all),
	    RECORDS_UNKNOWN);
	assert_int_equal(records_withdraw(records, &peer_b, &all),
	    RECORDS_UNKNOWN);
	records_confirm(records, &peer_b, 1);
	records_peer_gone(records, &peer_b);
	assert_int_equal(n_live(), 1);
	assert_string_equal(begin(&peer_b, 2, "a"), "O");
}

static void
malformed_messages_are_told(void **state)
{
	static const struct record_entry bad[] = {
		{ .maildir = SLICE("/m"), .file = SLICE("") },
		{ .maildir = SLICE("/m"), .file = SLICE("../f") },
		{ .maildir = SLICE("/m"), .file = SLICE("f\0g") },
		{ .maildir = SLICE("m"), .file = SLICE("f") },
		{ .maildir = SLICE(""), .file = SLICE("f") },
		{ .maildir = SLICE("/m\0"), .file = SLICE("f") },
	};
	struct record_list beyond = { 50, 1, (uint16_t[]){ 1 } };
	struct record_states states;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct record_begin q = { .transaction = i, .n_entries = 1,
			.entries = { bad[i] } };

		assert_false(records_begin(records, &peer_a, &q, &states));
	}
	assert_string_equal(begin(&peer_a, 50, "a"), "N");
	assert_string_equal(begin(&peer_a, 50, "a"), "malformed");
	assert_int_equal(records_done(records, &peer_a, &beyond),
	    RECORDS_MALFORMED);
}

static void
long_lists_come_in_parts(void **state)
{
	struct record_begin q = { .transaction = 1, .n_entries = 64 };
	uint16_t last[] = { 639 };
	struct record_list one = { 1, 1, last };
	struct record_list all = all_of(1);
	struct record_states states;
	char names[64][8];

	(void)state;
	for (unsigned part = 0; part < 10; part++) {
		q.first = (uint16_t)(part * 64);
		for (unsigned i = 0; i < 64; i++) {
			snprintf(names[i], sizeof *names, "%u.%u", part, i);
			q.entries[i] = (struct record_entry){
				.recipient = slice_of(names[i]),
				.maildir = SLICE("/m"), .file = SLICE("f") };
		}
		assert_true(records_begin(records, &peer_a, &q, &states));
		assert_int_equal(states.first, q.first);
		assert_int_equal(states.states[63], RECORD_IS_NEW);
	}
	assert_int_equal(n_live(), 640);
	assert_int_equal(records_withdraw(records, &peer_a, &one),
	    RECORDS_OK);
	assert_int_equal(n_live(), 639);
	assert_int_equal(records_withdraw(records, &peer_a, &all),
	    RECORDS_OK);
	assert_int_equal(n_live(), 0);
	/* store was restarted in between: the rest of a list is open */
	q.transaction = 2;
	assert_true(records_begin(records, &peer_a, &q, &states));
	assert_int_equal(states.states[0], RECORD_IS_OPEN);
}

static void
no_room_is_open_and_not_new(void **state)
{
	struct record_begin q = { .n_entries = 64 };
	struct record_states states;
	unsigned n_new = 0;
	char letters[64];

	(void)state;
	for (unsigned i = 0; i < sizeof letters; i++)
		letters[i] = (char)(' ' + i);
	for (unsigned t = 0; t < SLOTS_MAX / 64 + 2; t++) {
		q.transaction = t;
		memcpy(q.digest, &t, sizeof t);
		for (unsigned i = 0; i < 64; i++)
			q.entries[i] = (struct record_entry){
				.recipient = { letters + i, 1 },
				.uid = 1000,
				.maildir = SLICE("/home/x/Maildir"),
				.file = SLICE("f") };
		assert_true(records_begin(records, &peer_a, &q, &states));
		for (unsigned i = 0; i < 64; i++)
			n_new += states.states[i] == RECORD_IS_NEW;
	}
	assert_int_equal(n_new, SLOTS_MAX);
	records_peer_gone(records, &peer_a);
	resolve_all(RESOLVED_NOT_DELIVERED);
	assert_int_equal(n_live(), 0);
}

static void
a_failed_commit_keeps_the_record_in_memory(void **state)
{
	(void)state;
	deliver(&peer_a, 1, "a");
	records_end(records, &peer_a, 1);
	assert_int_equal(records_store(records), 0);
	records_stored(records, -ENOSPC);
	assert_true(records_have_unstored(records));
	assert_int_equal(n_live(), 1);
	assert_string_equal(begin(&peer_b, 1, "a"), "D");
	store_now();
	assert_int_equal(n_live(), 0);
	assert_string_equal(begin(&peer_b, 2, "a"), "D");
}

static void
forgotten_transactions_end(void **state)
{
	const int64_t s = 1000000;

	(void)state;
	clock_set_for_tests(s, 1000000000 * s);
	deliver(&peer_a, 1, "a");
	records_expire(records, s + s * RECORDS_TRANSACTION_LIFE_S,
	    1000000000);
	assert_false(records_have_unstored(records));
	records_expire(records, s + s * RECORDS_TRANSACTION_LIFE_S + 1,
	    1000000000);
	assert_true(records_have_unstored(records));
}

/*
 * A child delivers for ever and tells each message that reached INTENT and
 * each that is DONE; it is killed; none of them may then be NEW.
 */
static void
deliver_until_killed(int to)
{
	char who[2] = "?";

	for (uint64_t t = 0;; t++) {
		char told[2] = { (char)('0' + t % 64), 'i' };
		struct record_list all = all_of(t);

		who[0] = told[0];
		begin(&peer_a, t, who);
		records_intent(records, &peer_a, t);
		if (write(to, told, 2) != 2)
			_exit(0);
		told[1] = 'd';
		records_done(records, &peer_a, &all);
		if (write(to, told, 2) != 2)
			_exit(0);
		if (t % 64 == 63)	/* all are confirmed */
			for (uint64_t u = t - 63; u <= t; u++)
				records_confirm(records, &peer_a, u);
	}
}

/* What the last round of the child, which is dead by now, told of each. */
static void
read_told(int from, char states[64])
{
	char told[2];

	memset(states, 0, 64);
	while (read(from, told, 2) == 2) {
		if (told[0] == '0' && told[1] == 'i')
			memset(states, 0, 64);
		states[told[0] - '0'] = told[1];
	}
}

static void
assert_remembered(const char states[64])
{
	char who[2] = "?";

	if (states[63] == 'd')
		return;		/* CONFIRMs may have begun */
	for (unsigned i = 0; i < 63; i++) {
		who[0] = (char)('0' + i);
		if (states[i] == 'd')
			assert_string_equal(begin(&peer_b, i, who), "D");
		else if (states[i] == 'i')
			assert_string_not_equal(begin(&peer_b, i, who), "N");
	}
}

static void
a_kill_forgets_no_intent(void **state)
{
	char states[64];
	int fds[2];
	pid_t pid;

	(void)state;
	stop();
	for (unsigned attempt = 0; attempt < 20; attempt++) {
		unlink(path);
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (pid == 0) {
			close(fds[0]);
			start(1);
			deliver_until_killed(fds[1]);
		}
		close(fds[1]);
		for (unsigned n = 0; n < 200 + attempt * 7; n++)
			assert_int_equal(read(fds[0], states, 2), 2);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		read_told(fds[0], states);
		close(fds[0]);
		start(1);
		assert_remembered(states);
		stop();
	}
	start(1);
}

static void
a_happy_message_costs_little(void **state)
{
	enum { N = 20000 };
	struct record_list all;
	int64_t us = clock_monotonic_us();

	(void)state;
	for (uint64_t t = 0; t < N; t++) {
		begin(&peer_a, t, "a");
		records_intent(records, &peer_a, t);
		all = all_of(t);
		records_done(records, &peer_a, &all);
		records_confirm(records, &peer_a, t);
	}
	us = clock_monotonic_us() - us;
	print_message("%.2f us a message\n", (double)us / N);
	if (getenv("UNDER_VALGRIND") == NULL)
		assert_true(us / N < 200);	/* sanitizers, too */
	assert_false(kv_has_transaction(kv));
}

/* What a next hop has taken stays DONE whatever becomes of the others; what
 * nobody knows of it is NEW for the retry, and deliver is not asked. */
static void
what_a_next_hop_has_stays_done(void **state)
{
	const uint16_t taken = 1, others[] = { 0, 2 };
	struct record_list done = { 1, 1, &taken }, undone = { 1, 2, others };

	(void)state;
	assert_string_equal(begin(&peer_a, 1, "a!b"), "NNN");
	assert_int_equal(records_intent(records, &peer_a, 1), RECORDS_OK);
	assert_int_equal(records_done(records, &peer_a, &done), RECORDS_OK);
	assert_int_equal(records_withdraw(records, &peer_a, &undone),
	    RECORDS_OK);
	records_end(records, &peer_a, 1);
	store_now();
	assert_string_equal(begin(&peer_a, 2, "a!b"), "NDN");
	records_peer_gone(records, &peer_a);
	(void)resolve_all(RESOLVED_NOT_DELIVERED);
	/* its end was sent, and nothing was heard: INTENT for the files */
	assert_string_equal(begin(&peer_a, 3, "c#d"), "NNN");
	assert_int_equal(records_intent(records, &peer_a, 3), RECORDS_OK);
	records_peer_gone(records, &peer_a);
	assert_string_equal(begin(&peer_b, 4, "c#d"), "ONO");
	assert_int_equal(resolve_all(RESOLVED_NOT_DELIVERED), 2);
	records_peer_gone(records, &peer_b);
	assert_int_equal(resolve_all(RESOLVED_NOT_DELIVERED), 0);
	assert_int_equal(n_live(), 0);
}

/* One BEGIN of several of a transaction: who is a string of names. */
static const char *
begin_more(uint64_t transaction, uint16_t first, const char *who,
    bool is_intent)
{
	static char text[RECORD_BEGIN_MAX + 1];
	struct record_begin q = { .transaction = transaction, .first = first,
		.is_intent = is_intent,
		.reverse_path = SLICE("alice@example.org") };
	struct record_states states;
	size_t n = strlen(who);

	q.n_entries = (uint16_t)n;
	for (size_t i = 0; i < n; i++)
		q.entries[i] = (struct record_entry){
			.recipient = { who + i, 1 }, .uid = 1000, .gid = 1000,
			.maildir = SLICE("/home/x/Maildir"),
			.file = { who + i, 1 } };
	if (!records_begin(records, &peer_a, &q, &states))
		return "malformed";
	for (size_t i = 0; i < n; i++)
		text[i] = "NDO"[states.states[i]];
	text[n] = '\0';
	return text;
}

/* Entries keep their records when their list grows. */
static void
the_first_of_a_list_are_its_own(void **state)
{
	const uint16_t numbers[] = { 0, 1 };
	struct record_list first = { 1, 2, numbers };

	(void)state;
	assert_string_equal(begin_more(1, 0, "ab", false), "NN");
	assert_string_equal(begin_more(1, 2, "cdefg", false), "NNNNN");
	assert_int_equal(records_withdraw(records, &peer_a, &first),
	    RECORDS_OK);
	assert_string_equal(begin(&peer_b, 2, "abcg"), "NNOO");
}

/* A slot that came back to the same transaction is another's record. */
static void
a_slot_used_again_is_another_record(void **state)
{
	const uint16_t zero = 0;
	struct record_list first = { 1, 1, &zero };

	(void)state;
	assert_string_equal(begin_more(1, 0, "a", false), "N");
	assert_int_equal(records_intent(records, &peer_a, 1), RECORDS_OK);
	assert_int_equal(records_done(records, &peer_a, &first), RECORDS_OK);
	/* the client has come again meanwhile, and knows */
	assert_string_equal(begin(&peer_b, 1, "a"), "D");
	records_confirm(records, &peer_b, 1);
	assert_string_equal(begin_more(1, 1, "b", false), "N");
	assert_int_equal(records_done(records, &peer_a, &first), RECORDS_OK);
	assert_string_equal(begin(&peer_b, 2, "b"), "O");
}

/* Store was started anew in the middle of a list: smtpd does not know, and
 * names what it told. */
static void
a_list_that_was_cut_is_nobodys_fault(void **state)
{
	const uint16_t beyond = 6;
	struct record_list list = { 1, 1, &beyond };

	(void)state;
	assert_string_equal(begin_more(1, 0, "ab", false), "NN");
	assert_string_equal(begin_more(1, 5, "cd", false), "OO");
	assert_int_equal(records_done(records, &peer_a, &list), RECORDS_OK);
	assert_string_equal(begin_more(1, 7, "e", false), "O");
}

/* Where one is not new, deliver goes the long way: nothing is INTENT yet, or
 * a death before its file is written would count as a delivery. */
static void
no_intent_beside_what_is_done(void **state)
{
	(void)state;
	deliver(&peer_b, 1, "a");
	assert_string_equal(begin_more(1, 0, "ab", true), "DN");
	records_peer_gone(records, &peer_a);
	assert_string_equal(begin(&peer_b, 2, "b"), "N");
}

static void
done_stays_done(void **state)
{
	(void)state;
	deliver(&peer_a, 1, "a");
	assert_int_equal(records_intent(records, &peer_a, 1), RECORDS_OK);
	assert_string_equal(begin(&peer_b, 1, "a"), "D");
}

/* Also those that nobody can tell of, as long as a client may come again. */
static void
unknown_is_kept_for_48_hours(void **state)
{
	const int64_t s = 1000000;

	(void)state;
	clock_set_for_tests(s, 1000000000 * s);
	assert_string_equal(begin(&peer_a, 1, "a"), "N");
	records_intent(records, &peer_a, 1);
	records_peer_gone(records, &peer_a);
	assert_int_equal(resolve_all(RESOLVED_UNKNOWN), 1);
	records_expire(records, s, 1000000000 + 48 * 3600);
	assert_string_equal(begin(&peer_b, 1, "a"), "O");
	records_expire(records, s, 1000000000 + 48 * 3600 + 1);
	assert_string_equal(begin(&peer_b, 2, "a"), "N");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(an_intent_from_the_beginning),
		TEST(what_begin_has_said),
		TEST(a_confirmed_message_leaves_nothing),
		TEST(an_unconfirmed_one_is_done_for_48_hours),
		TEST(a_confirmed_retry_removes_what_it_met),
		TEST(a_running_attempt_is_open),
		TEST(one_transaction_may_name_a_copy_twice),
		TEST(withdrawn_is_new_again),
		TEST(withdrawn_may_begin_again),
		TEST(prepared_but_not_committed_is_not_delivered),
		TEST(a_death_in_commit_is_resolved),
		TEST(unknown_is_asked_again_with_pauses),
		TEST(restart_keeps_what_this_boot_may_have_delivered),
		TEST(reboot_drops_intents_and_keeps_what_is_done),
		TEST(peers_reach_only_their_own),
		TEST(malformed_messages_are_told),
		TEST(long_lists_come_in_parts),
		TEST(no_room_is_open_and_not_new),
		TEST(a_failed_commit_keeps_the_record_in_memory),
		TEST(forgotten_transactions_end),
		TEST(a_kill_forgets_no_intent),
		TEST(a_happy_message_costs_little),
		TEST(what_a_next_hop_has_stays_done),
		TEST(the_first_of_a_list_are_its_own),
		TEST(a_slot_used_again_is_another_record),
		TEST(a_list_that_was_cut_is_nobodys_fault),
		TEST(no_intent_beside_what_is_done),
		TEST(done_stays_done),
		TEST(unknown_is_kept_for_48_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
