/* SPDX-License-Identifier: ISC */
/*
 * test_transaction.c - the recipients of a transaction: who is accepted, who
 * still needs delivery, and what stays counted when one is taken out again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../../smtpd/checks.h"
#include "../../smtpd/finish.h"
#include "../../smtpd/rcpt.h"
#include "../../smtpd/transaction.h"
#include "clock.h"
#include "table.h"

static struct transaction *
begin(void)
{
	const struct mail_params params = { 0 };
	struct address sender;
	struct transaction *tx;

	assert_int_equal(address_parse(&sender, SLICE("a@example.org"), false),
	    ADDRESS_OK);
	tx = transaction_begin(&sender, &params);
	assert_non_null(tx);
	assert_string_equal(tx->reverse_path, "a@example.org");
	return tx;
}

/* All are out again: nothing of them may be left behind. */
static void
end(struct transaction *tx)
{
	struct session s = { .tx = tx };

	while (tx->n_recipients > 0)
		transaction_remove(&s, tx->n_recipients / 2);
	assert_int_equal(tx->n_lists, 0);
	assert_int_equal(tx->n_remote, 0);
	assert_int_equal(tx->routes_bytes, 0);
	transaction_drop_rcpt(tx);
	free(tx->recipients);
	free(tx->reverse_path);
	free(tx->key);
	free(tx);
}

static struct slice
octets(size_t size)
{
	char *data = calloc(1, size);

	assert_non_null(data);
	return (struct slice){ data, size };
}

static int
accept_as(struct transaction *tx, const char *address, size_t members)
{
	assert_int_equal(address_parse(&tx->rcpt, slice_of(address), false),
	    ADDRESS_OK);
	if (members > 0)
		tx->rcpt_members = octets(members);
	return transaction_accept(tx, members > 0 ? ROUTE_LIST :
	    ROUTE_DISCARD);
}

static void
test_who_is_accepted_and_taken_out(void **state)
{
	struct transaction *tx = begin();
	struct session s = { .tx = tx };

	(void)state;
	assert_int_equal(accept_as(tx, "none@example.org", 0), 0);
	assert_int_equal(accept_as(tx, "list@example.org", 100), 0);
	assert_int_equal(address_parse(&tx->rcpt, SLICE("far@example.net"),
	    false), ADDRESS_OK);
	assert_int_equal(transaction_accept_remote(tx), 0);
	assert_int_equal(accept_as(tx, "list2@example.org", 50), 0);
	assert_int_equal(tx->n_recipients, 4);
	assert_int_equal(tx->n_lists, 2);
	assert_int_equal(tx->n_remote, 1);
	assert_int_equal(tx->routes_bytes, 150);
	assert_int_equal(tx->rcpt_members.size, 0);	/* taken over */
	assert_true(tx->recipients[0].is_discarded);
	assert_true(tx->recipients[2].is_remote);
	/* the others stay as they are, and no number is used again */
	transaction_remove(&s, 1);
	assert_int_equal(tx->n_recipients, 3);
	assert_int_equal(tx->n_lists, 1);
	assert_int_equal(tx->routes_bytes, 50);
	assert_string_equal(tx->recipients[1].address, "far@example.net");
	assert_string_equal(tx->recipients[2].address, "list2@example.org");
	assert_int_equal(tx->recipients[2].members.size, 50);
	assert_int_equal(accept_as(tx, "last@example.org", 0), 0);
	assert_int_equal(tx->recipients[3].index, 4);
	end(tx);
}

/* Who did not find room was not accepted: a 250 would lose his mail. */
static void
test_too_many_routes(void **state)
{
	struct transaction *tx = begin();

	(void)state;
	assert_int_equal(accept_as(tx, "a@example.org",
	    TRANSACTION_ROUTES_MAX - 1), 0);
	assert_int_equal(accept_as(tx, "b@example.org", 2), -EMSGSIZE);
	transaction_drop_rcpt(tx);
	assert_int_equal(tx->n_recipients, 1);
	assert_int_equal(accept_as(tx, "c@example.org", 1), 0);
	assert_int_equal(accept_as(tx, "d@example.org", 1), -EMSGSIZE);
	end(tx);
}

/* One who takes two places may step over the last one. */
static void
test_how_many_fit(void **state)
{
	struct transaction *tx = begin();

	(void)state;
	tx->n_probed = TRANSACTION_MAX_RECIPIENTS - 1;
	assert_false(rcpt_is_full(tx));
	assert_int_equal(accept_as(tx, "mailbox@example.org", 0), 0);
	assert_true(rcpt_is_full(tx));
	assert_int_equal(address_parse(&tx->rcpt, SLICE("far@example.net"),
	    false), ADDRESS_OK);
	assert_int_equal(transaction_accept_remote(tx), 0);
	assert_true(rcpt_is_full(tx));
	end(tx);
}

/* What is no route leads nowhere: it is an error, not a recipient. */
static void
test_routes_that_do_not_open(void **state)
{
	struct transaction *tx = begin();
	struct answer answer = { .fd = -1 };

	(void)state;
	assert_false(rcpt_keep_route(tx, &answer));
	answer.as.route.sealed = octets(100);
	assert_false(rcpt_keep_route(tx, &answer));
	slice_free(&answer.as.route.sealed);
	transaction_drop_rcpt(tx);
	assert_int_equal(address_parse(&tx->rcpt, SLICE("a@example.org"),
	    false), ADDRESS_OK);
	tx->rcpt_hop = octets(100);
	assert_int_equal(transaction_accept(tx, ROUTE_HOP), -EBADMSG);
	transaction_drop_rcpt(tx);
	assert_int_equal(tx->n_recipients, 0);
	assert_int_equal(tx->n_probed, 0);
	assert_int_equal(tx->routes_bytes, 0);
	end(tx);
}

/* For nobody: it leaves this host for none of them. */
static void
test_discard(void **state)
{
	struct transaction *tx = begin();
	struct session s = { .tx = tx };

	(void)state;
	assert_int_equal(accept_as(tx, "list@example.org", 9), 0);
	assert_int_equal(address_parse(&tx->rcpt, SLICE("far@example.net"),
	    false), ADDRESS_OK);
	assert_int_equal(transaction_accept_remote(tx), 0);
	transaction_discard(&s);
	assert_int_equal(tx->n_remote + tx->n_lists, 0);
	for (size_t i = 0; i < 2; i++) {
		assert_true(tx->recipients[i].is_discarded);
		assert_false(tx->recipients[i].is_remote);
		assert_int_equal(tx->recipients[i].members.size, 0);
		assert_int_equal(tx->recipients[i].hop.size, 0);
	}
	tx->routes_bytes = 0;	/* what members had stays counted */
	end(tx);
}

/* Nobody gets it twice: neither who has failed nor who has it already. */
static void
test_who_still_needs_it(void **state)
{
	struct verdict failure = { 0 };
	struct recipient r = { .hop = { "x", 1 },
		.route = { .program = { "x", 1 } } };

	(void)state;
	assert_false(recipient_is_mailbox(&r));
	assert_true(recipient_has_hop(&r));
	assert_true(recipient_has_program(&r));
	r.is_last_done = true;
	assert_false(recipient_has_hop(&r));
	assert_false(recipient_has_program(&r));
	r.is_last_done = false;
	r.failure = &failure;
	assert_false(recipient_has_hop(&r));
	assert_false(recipient_has_program(&r));
	r.route.n_leaves = 1;
	assert_false(recipient_is_mailbox(&r));
	r.failure = NULL;
	assert_true(recipient_is_mailbox(&r));
	r.hop.size = r.route.program.size = 0;
	assert_false(recipient_has_hop(&r));
	assert_false(recipient_has_program(&r));
}

/* What one worker may take in one step: mailboxes of one owner alone. */
static void
test_one_job(void **state)
{
	struct route_leaf leaves[2] = {
		{ .uid = 1, .gid = 1, .maildir = SLICE("/m") },
		{ .uid = 1, .gid = 1, .maildir = SLICE("/n") } };
	struct recipient both[2] = { { .route = { .leaves = leaves,
		.n_leaves = 1 } }, { .route = { .leaves = leaves + 1,
		.n_leaves = 1 } } };
	char sender[] = "a@b.example";
	struct transaction tx = { .recipients = both, .n_recipients = 2,
		.reverse_path = sender };
	size_t used = strlen(sender) + deliver_leaf_size(&leaves[0]) +
	    deliver_leaf_size(&leaves[1]);

	(void)state;
	assert_true(copies_are_one_job(&tx, 0));
	assert_true(copies_are_one_job(&tx, DELIVER_ROOM - used));
	assert_false(copies_are_one_job(&tx, DELIVER_ROOM - used + 1));
	leaves[1].uid = 2;
	assert_false(copies_are_one_job(&tx, 0));
	leaves[1].uid = 1;
	leaves[1].gid = 2;
	assert_false(copies_are_one_job(&tx, 0));
	leaves[1].gid = 1;
	both[1].route.n_leaves = 0;
	assert_false(copies_are_one_job(&tx, 0));
	tx.n_recipients = 1;
	assert_true(copies_are_one_job(&tx, 0));
	tx.n_recipients = 0;
	assert_false(copies_are_one_job(&tx, 0));
}

/* Others know a transaction by it, also when it is over. */
static void
test_no_number_twice(void **state)
{
	struct transaction *first = begin(), *second;
	uint64_t number = first->number;

	(void)state;
	assert_true(number > 0);
	assert_int_equal(transaction_last_number(), number);
	end(first);
	second = begin();
	assert_true(second->number > number);
	assert_int_equal(transaction_last_number(), second->number);
	end(second);
}

static void
test_time_left(void **state)
{
	const struct {
		const char *name;
		int64_t used_ms;
		uint32_t want_ms;
	} table[] = {
		{ "all but one step", 1000, (CHECKS_BUDGET_S - 5) * 1000 },
		{ "the last step", (CHECKS_BUDGET_S - 4) * 1000, 5000 },
		{ "used up", CHECKS_BUDGET_S * 1000, 0 },
		{ "long over", 2 * CHECKS_BUDGET_S * 1000, 0 },
	};
	struct transaction tx = { 0 };

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		tx.dot_us = clock_monotonic_us() - table[i].used_ms * 1000;
		CHECK(table[i].name, transaction_time_left_ms(&tx) ==
		    table[i].want_ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_accepted_and_taken_out),
		cmocka_unit_test(test_too_many_routes),
		cmocka_unit_test(test_how_many_fit),
		cmocka_unit_test(test_routes_that_do_not_open),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_who_still_needs_it),
		cmocka_unit_test(test_one_job),
		cmocka_unit_test(test_no_number_twice),
		cmocka_unit_test(test_time_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
