/* SPDX-License-Identifier: ISC */
/*
 * The ledger on a real table: found by message and recipient alone, believed
 * once, gone after 35 days, and no address in the file that leads to whom
 * somebody wrote.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "clock.h"
#include "../../store/proofs.h"
#include "../../store/sent.h"

#define NOW 2000000000

static char folder[64];
static struct kv *kv;
static struct hmac *hmac;
static struct ledger *ledger;

static void
open_all(void)
{
	assert_int_equal(kv_open(&kv, folder), 0);
	assert_int_equal(ledger_open(&ledger, kv, hmac), 0);
}

static void
close_all(void)
{
	ledger_close(&ledger);
	kv_close(&kv);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test_ledger.XXXXXX");
	if (mkdtemp(folder) == NULL || hmac_new(&hmac, "secret", 6) != 0)
		return -1;
	clock_set_for_tests(1000000, NOW * (int64_t)1000000);
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
	return system(command);
}

static void
put_of(const char *sender, const char *message_id, const char *recipient,
    int64_t when_s)
{
	const struct ledger_entry entry = {
		.message_id = slice_of(message_id),
		.recipient = slice_of(recipient),
		.sender = slice_of(sender),
		.time_s = (uint64_t)when_s, .queue_id = SLICE("q1w2e3"),
		.user = { sender, strcspn(sender, "@") } };

	assert_int_equal(ledger_put(ledger, &entry), 0);
}

static void
put(const char *message_id, const char *recipient, int64_t when_s)
{
	put_of("alice@example.org", message_id, recipient, when_s);
}

static int
find(const char *message_id, const char *recipient,
    struct ledger_found *found)
{
	const struct ledger_name name = { slice_of(message_id),
		slice_of(recipient), SLICE("ALICE@example.org") };

	return ledger_find(ledger, &name, found);
}

static void
test_found(void **state)
{
	struct ledger_found found;

	(void)state;
	put("1@e.org", "Bob@B.net", NOW);
	assert_int_equal(kv_commit(kv), 0);
	close_all();
	open_all();
	assert_int_equal(find("1@e.org", "bob@b.NET", &found), 0);
	assert_int_equal(found.time_s, NOW);
	assert_int_equal(found.reports, 0);
	assert_string_equal(found.queue_id, "q1w2e3");
	assert_string_equal(found.sender, "alice@example.org");
	assert_string_equal(found.user, "alice");
	assert_int_equal(find("1@E.org", "bob@b.net", &found), -ENOENT);
	assert_int_equal(find("1@e.org", "carol@b.net", &found), -ENOENT);
	assert_int_equal(find("bob@b.net", "1@e.org", &found), -ENOENT);
}

static struct proof_ask
pair(enum proof_action action, const char *message_id, const char *recipient)
{
	return (struct proof_ask){ 1, action, SLICE("Alice@example.org"),
		slice_of(message_id), slice_of(recipient), SLICE("") };
}

static struct proof_ask
trace(enum proof_action action, const char *id, const char *recipient)
{
	return (struct proof_ask){ 1, action, SLICE("alice@example.org"),
		SLICE(""), slice_of(recipient), slice_of(id) };
}

static enum proof_state
state_of(struct proof_ask q)
{
	uint8_t key[LEDGER_KEY_SIZE];
	struct proof_answer a;

	assert_int_equal(ledger_prove(ledger, &q, &a, key), 0);
	return a.state;
}

static void
report(struct proof_ask q)
{
	struct ledger_spending what;

	assert_int_equal(ledger_spending(ledger, &q, &what), 0);
	assert_int_equal(ledger_spend(ledger, &what, NOW), 0);
}

static void
test_believed_once(void **state)
{
	struct proof_ask bob = pair(PROOF_FAILED, "1@e.org", "bob@b.net");
	struct proof_ask other = pair(PROOF_FAILED, "2@e.org", "bob@b.net");
	struct ledger_spending what;
	struct ledger_found found;

	(void)state;
	put("1@e.org", "bob@b.net", NOW);
	put("1@e.org", "carol@b.net", NOW);
	assert_int_equal(state_of(bob), PROOF_GOOD);
	report(bob);
	assert_int_equal(state_of(bob), PROOF_USED);
	assert_int_equal(state_of(pair(PROOF_FAILED, "1@e.org",
	    "Bob@B.net")), PROOF_USED);
	assert_int_equal(state_of(pair(PROOF_FAILED, "1@e.org",
	    "carol@b.net")), PROOF_GOOD);
	assert_int_equal(find("1@e.org", "bob@b.net", &found), 0);
	assert_int_equal(found.reports, 1);
	assert_string_equal(found.queue_id, "q1w2e3");
	/* a proof of another's mail */
	bob = pair(PROOF_FAILED, "1@e.org", "carol@b.net");
	bob.sender = SLICE("mallory@example.org");
	assert_int_equal(state_of(bob), PROOF_NONE);
	bob = pair(PROOF_FAILED, "1@e.org", "bob@b.net");
	/* sent again: it may come back again */
	put("1@e.org", "bob@b.net", NOW + 1);
	assert_int_equal(state_of(bob), PROOF_GOOD);
	assert_int_equal(state_of(other), PROOF_NONE);
	assert_int_equal(ledger_spending(ledger, &other, &what), 0);
	assert_int_equal(ledger_spend(ledger, &what, NOW), -ENOENT);
}

/* Mallory writes alice's Message-ID into mail of his own, to the same
 * recipient: her entry stays, and he has one for himself. */
static void
test_borrowed_id(void **state)
{
	struct proof_ask alice = pair(PROOF_FAILED, "1@e.org", "bob@b.net");
	struct proof_ask mallory = alice;
	struct ledger_found found;

	(void)state;
	mallory.sender = SLICE("mallory@example.org");
	put("1@e.org", "bob@b.net", NOW);
	put_of("mallory@example.org", "1@e.org", "bob@b.net", NOW + 1);
	assert_int_equal(find("1@e.org", "bob@b.net", &found), 0);
	assert_string_equal(found.sender, "alice@example.org");
	assert_int_equal(state_of(alice), PROOF_GOOD);
	report(alice);
	put_of("mallory@example.org", "1@e.org", "bob@b.net", NOW + 2);
	assert_int_equal(state_of(alice), PROOF_USED);
	assert_int_equal(state_of(mallory), PROOF_GOOD);
	/* quotes, case and tags are no other sender */
	put_of("\"Alice\"@EXAMPLE.org", "1@e.org", "bob@b.net", NOW + 3);
	assert_int_equal(state_of(alice), PROOF_GOOD);
}

/* Late, late, failed: each is news; but not without end. */
static void
test_each_report_by_itself(void **state)
{
	struct proof_ask delay = pair(PROOF_DELAYED, "1@e.org", "b@b.net");
	struct proof_ask failed = pair(PROOF_FAILED, "1@e.org", "b@b.net");

	(void)state;
	put("1@e.org", "b@b.net", NOW);
	for (int i = 0; i < LEDGER_DELAYS_MAX; i++) {
		assert_int_equal(state_of(delay), PROOF_GOOD);
		report(delay);
	}
	assert_int_equal(state_of(delay), PROOF_USED);
	assert_int_equal(state_of(failed), PROOF_GOOD);
	report(failed);
	assert_int_equal(state_of(failed), PROOF_USED);
	report(pair(PROOF_DELIVERED, "1@e.org", "b@b.net"));
	assert_int_equal(state_of(pair(PROOF_DELIVERED, "1@e.org",
	    "b@b.net")), PROOF_USED);
	assert_int_equal(state_of(delay), PROOF_USED);
}

static void
test_traces(void **state)
{
	char recipient[32];

	(void)state;
	assert_int_equal(state_of(trace(PROOF_FAILED, "t1", "b@b.net")),
	    PROOF_GOOD);
	report(trace(PROOF_FAILED, "t1", "b@b.net"));
	assert_int_equal(state_of(trace(PROOF_FAILED, "t1", "b@b.net")),
	    PROOF_USED);
	assert_int_equal(state_of(trace(PROOF_FAILED, "t1", "")), PROOF_GOOD);
	assert_int_equal(state_of(trace(PROOF_DELAYED, "t1", "b@b.net")),
	    PROOF_GOOD);
	/* nobody invents recipients without end */
	for (int i = 1; i < LEDGER_TRACED_MAX; i++) {
		snprintf(recipient, sizeof recipient, "%d@b.net", i);
		report(trace(PROOF_FAILED, "t1", recipient));
	}
	assert_int_equal(state_of(trace(PROOF_FAILED, "t1", "new@b.net")),
	    PROOF_USED);
	assert_int_equal(state_of(trace(PROOF_FAILED, "t2", "b@b.net")),
	    PROOF_GOOD);
}

static void
test_claims(void **state)
{
	struct proofs *proofs = proofs_new(ledger);
	struct proof_ask bob = pair(PROOF_FAILED, "1@e.org", "bob@b.net");
	struct proof_answer a;
	int one, other;

	(void)state;
	assert_non_null(proofs);
	put("1@e.org", "bob@b.net", NOW);
	bob.transaction = 0;
	assert_int_equal(proofs_ask(proofs, &one, &bob, &a), 0);
	assert_int_equal(a.state, PROOF_GOOD);
	assert_int_equal(a.time_s, NOW);
	bob.transaction = 7;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(proofs_ask(proofs, &one, &bob, &a), 0);
		assert_int_equal(a.state, PROOF_GOOD);
		assert_int_equal(proofs_ask(proofs, &other, &bob, &a), 0);
		assert_int_equal(a.state, PROOF_BUSY);
	}
	proofs_drop(proofs, &other, 7);
	proofs_drop(proofs, &one, 8);
	assert_int_equal(proofs_ask(proofs, &other, &bob, &a), 0);
	assert_int_equal(a.state, PROOF_BUSY);
	proofs_drop(proofs, &one, 7);
	assert_int_equal(proofs_ask(proofs, &other, &bob, &a), 0);
	assert_int_equal(a.state, PROOF_GOOD);
	proofs_owner_gone(proofs, &other);
	assert_int_equal(proofs_ask(proofs, &one, &bob, &a), 0);
	assert_int_equal(a.state, PROOF_GOOD);
	proofs_free(&proofs);
}

/* The round fails, and with it all that was put: it is used all the same,
 * and stands in the ledger once there is room. */
static void
test_taken_while_the_disk_is_full(void **state)
{
	struct proofs *proofs = proofs_new(ledger);
	struct proof_ask bob = pair(PROOF_FAILED, "1@e.org", "bob@b.net");
	struct proof_ask late = pair(PROOF_DELAYED, "1@e.org", "bob@b.net");
	struct proof_answer a;
	int one;

	(void)state;
	assert_non_null(proofs);
	put("1@e.org", "bob@b.net", NOW);
	assert_int_equal(proofs_take(proofs, &bob, NOW), 0);
	put("1@e.org", "bob@b.net", NOW);	/* as after a rollback */
	proofs_committed(proofs, -ENOSPC);
	assert_int_equal(proofs_ask(proofs, &one, &bob, &a), 0);
	assert_int_equal(a.state, PROOF_USED);
	assert_int_equal(proofs_ask(proofs, &one, &late, &a), 0);
	assert_int_equal(a.state, PROOF_GOOD);
	assert_int_equal(proofs_take(proofs, &late, NOW), 0);
	put("1@e.org", "bob@b.net", NOW);
	proofs_committed(proofs, -ENOSPC);
	proofs_drop(proofs, &one, 1);
	assert_int_equal(proofs_ask(proofs, &one, &late, &a), 0);
	assert_int_equal(a.state, PROOF_BUSY);

	proofs_write(proofs, NOW);
	proofs_committed(proofs, 0);
	assert_int_equal(state_of(bob), PROOF_USED);
	assert_int_equal(proofs_ask(proofs, &one, &late, &a), 0);
	assert_int_equal(a.state, PROOF_GOOD);
	put("1@e.org", "bob@b.net", NOW + 1);
	proofs_drop(proofs, &one, 1);
	assert_int_equal(proofs_ask(proofs, &one, &bob, &a), 0);
	assert_int_equal(a.state, PROOF_GOOD);
	proofs_free(&proofs);
}

static void
test_too_many_are_taken(void **state)
{
	struct proofs *proofs = proofs_new(ledger);
	struct proof_ask q = trace(PROOF_FAILED, "t1", "b@b.net");

	(void)state;
	assert_non_null(proofs);
	for (int i = 0; i < PROOFS_TAKEN_MAX; i++)
		assert_int_equal(proofs_take(proofs, &q, NOW), 0);
	assert_int_equal(proofs_take(proofs, &q, NOW), -EBUSY);
	proofs_committed(proofs, 0);
	assert_int_equal(proofs_take(proofs, &q, NOW), 0);
	proofs_free(&proofs);
}

static void
test_claims_have_a_limit(void **state)
{
	struct proofs *proofs = proofs_new(ledger);
	struct proof_answer a;
	struct proof_ask q;
	char id[32];

	(void)state;
	for (int i = 0; i <= PROOFS_OF_TRANSACTION_MAX; i++) {
		snprintf(id, sizeof id, "t%d", i);
		q = trace(PROOF_FAILED, id, "");
		assert_int_equal(proofs_ask(proofs, &q, &q, &a), i <
		    PROOFS_OF_TRANSACTION_MAX ? 0 : -EBUSY);
		assert_int_equal(a.state, i < PROOFS_OF_TRANSACTION_MAX ?
		    PROOF_GOOD : PROOF_UNKNOWN);
	}
	proofs_free(&proofs);
}

static void
test_expires(void **state)
{
	struct ledger_found found;
	char name[32];
	int more, n = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "%d@e.org", i);
		put(name, "bob@b.net", NOW + (i % 2) * 100);
	}
	assert_int_equal(kv_commit(kv), 0);
	clock_set_for_tests(1000000, (NOW + LEDGER_LIFE_S + 50) *
	    (int64_t)1000000);
	assert_int_equal(find("0@e.org", "bob@b.net", &found), -ENOENT);
	assert_int_equal(find("1@e.org", "bob@b.net", &found), 0);
	do {
		more = ledger_expire(ledger, NOW + LEDGER_LIFE_S + 50, 10);
		assert_in_range(more, 0, 1);
		n++;
	} while (more == 1);
	assert_in_range(n, 10, 12);
	assert_int_equal(find("1@e.org", "bob@b.net", &found), 0);
}

/* ---- sent ---- */

/* The lines of an answer, each without its time. */
static void
say_sent(char *text, size_t room, const char *word, const char *user)
{
	const struct sent_ask q = { slice_of(word), slice_of(user) };
	struct sent *sent = sent_begin(ledger, &q);
	char raw[4096];
	ssize_t n;
	int fd;

	assert_non_null(sent);
	while (sent_step(sent) == 1)
		continue;
	fd = sent_result(sent);
	assert_true(fd >= 0);
	n = pread(fd, raw, sizeof raw - 1, 0);
	close(fd);
	sent_free(&sent);
	assert_true(n > 0);
	raw[n] = '\0';
	*text = '\0';
	for (char *line = strtok(raw, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		snprintf(text + strlen(text), room - strlen(text), "%s\n",
		    strncmp(line, "2033-05-18T", 11) == 0 ? line + 21 : line);
}

#define NONE "Nothing of that kind was sent to other hosts in the last 35 " \
	"days.\n"
#define FROM "q1w2e3 from alice@example.org to "

static void
test_sent(void **state)
{
	static const struct {
		const char *word, *user, *want;
	} rows[] = {
		{ "1@e.org", "", FROM "a recipient: a failure was reported\n"
		    FROM "a recipient: nothing came back\n" },
		{ "<1@e.org>", "alice", FROM "a recipient: a failure was "
		    "reported\n" FROM "a recipient: nothing came back\n" },
		{ "Carol@b.net", "", FROM "Carol@b.net: nothing came back\n"
		    FROM "Carol@b.net: delivery was reported, a delay was "
		    "reported, times 2\n" },
		{ "2@e.org", "alice", FROM "a recipient: delivery was "
		    "reported, a delay was reported, times 2\n" },
		{ "2@e.org", "mallory", NONE },
		{ "carol@b.net", "mallory", NONE },
		{ "", "mallory", NONE },
		{ "3@e.org", "", NONE },
		{ "nobody@b.net", "", NONE },
	};
	char text[4096];

	(void)state;
	put("1@e.org", "bob@b.net", NOW);
	put("1@e.org", "carol@b.net", NOW + 1);
	put("2@e.org", "carol@b.net", NOW + 2);
	report(pair(PROOF_FAILED, "1@e.org", "bob@b.net"));
	report(pair(PROOF_DELAYED, "2@e.org", "carol@b.net"));
	report(pair(PROOF_DELAYED, "2@e.org", "carol@b.net"));
	report(pair(PROOF_DELIVERED, "2@e.org", "carol@b.net"));
	report(trace(PROOF_FAILED, "t1", "carol@b.net"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		say_sent(text, sizeof text, rows[i].word, rows[i].user);
		assert_string_equal(text, rows[i].want);
	}
	for (size_t i = 0; i < 3; i++) {
		static const char *const all[] = { "", "Q1W2E3",
			"alice@EXAMPLE.org" };

		say_sent(text, sizeof text, all[i], "alice");
		assert_int_equal(strlen(text), 3 * strlen(FROM
		    "a recipient: ") + strlen("a failure was reported\n"
		    "nothing came back\ndelivery was reported, a delay was "
		    "reported, times 2\n"));
	}
}

/* Who steals the file learns no correspondents. */
static void
test_names_nobody(void **state)
{
	char command[200];

	(void)state;
	put("secret-id@e.org", "secret-recipient@b.net", NOW);
	assert_int_equal(kv_commit(kv), 0);
	close_all();
	snprintf(command, sizeof command,
	    "grep -rq -e secret-recipient -e secret-id %s", folder);
	assert_int_not_equal(system(command), 0);
	snprintf(command, sizeof command, "grep -rq q1w2e3 %s", folder);
	assert_int_equal(system(command), 0);
	open_all();
}

static void
test_too_long(void **state)
{
	static char octets[700];
	struct ledger_entry entry = { .message_id = SLICE("1@e.org"),
		.recipient = SLICE("b@b.net"), .queue_id = SLICE("q"),
		.sender = { octets, sizeof octets } };

	(void)state;
	memset(octets, 'x', sizeof octets);
	assert_int_equal(ledger_put(ledger, &entry), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_believed_once, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_borrowed_id, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_each_report_by_itself,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_traces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_taken_while_the_disk_is_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_are_taken,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_claims_have_a_limit,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_expires, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_names_nobody, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
