/* SPDX-License-Identifier: ISC */
/*
 * test_guesses.c - what somebody who guesses might try with the table: have
 * his guesses forgotten, or others counted for them.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../auth/guesses.h"
#include "clock.h"
#include "table.h"

#define HOUR_US 3600000000ll
#define DAY_US (24 * HOUR_US)
#define MANY 100000		/* more than there are rows */

static int64_t now_us;

static void
pass(int64_t us)
{
	now_us += us;
	clock_set_for_tests(now_us, 1800000000000000ll + now_us);
}

static struct guesses *
open_table(unsigned per_network, unsigned per_account)
{
	const struct guesses_setup setup = { .fd = -1,
		.per_network = per_network, .per_account = per_account };
	struct guesses *g = guesses_new(&setup);

	assert_non_null(g);
	now_us = 10000 * HOUR_US;
	pass(0);
	return g;
}

static struct guesses_who
who(const char *network, const char *account)
{
	return (struct guesses_who){ slice_of(network), slice_of(account) };
}

/* How many are let through at once. */
static unsigned
n_allowed(struct guesses *g, struct guesses_who w)
{
	unsigned n = 0;

	while (n < 100 && guesses_charge(g, &w))
		n++;
	return n;
}

static void
log_in(struct guesses *g, struct guesses_who w)
{
	assert_true(guesses_charge(g, &w));
	guesses_refund(g, &w);
	guesses_note_success(g, &w);
}

/* With an account of his own, between guesses at another. */
static void
test_own_account(void **state)
{
	struct guesses *g = open_table(5, 0);
	const struct guesses_who victim = who("n", "victim");

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(guesses_charge(g, &victim));
		log_in(g, who("n", "own"));
	}
	assert_int_equal(n_allowed(g, victim), 1);
	guesses_free(&g);
}

/* Nor does its user, at home, make guesses from elsewhere free; and what
 * goes wrong at home keeps him out nowhere. */
static void
test_home_and_elsewhere(void **state)
{
	struct guesses *g = open_table(0, 3);
	const struct guesses_who home = who("home", "a");

	(void)state;
	log_in(g, home);
	assert_int_equal(n_allowed(g, home), 100);
	assert_int_equal(n_allowed(g, who("away", "a")), 3);
	log_in(g, home);
	assert_int_equal(n_allowed(g, who("away", "a")), 0);
	/* nor is another of both, whose octets are the same in a row */
	assert_int_equal(n_allowed(g, who("hom", "ea")), 3);
	guesses_free(&g);
}

static void
test_a_month(void **state)
{
	struct guesses *g = open_table(0, 3);

	(void)state;
	log_in(g, who("home", "a"));
	pass(29 * DAY_US);
	assert_int_equal(n_allowed(g, who("home", "a")), 100);
	pass(2 * DAY_US);
	assert_int_equal(n_allowed(g, who("home", "a")), 3);
	guesses_free(&g);
}

/* Guesses at names that nobody has; what comes in their places begins with
 * nothing. */
static void
test_many_names(void **state)
{
	static const char *const known[] = { "a", "b", "c", "d", "e", "f" };
	struct guesses *g = open_table(0, 5);
	char name[16];

	(void)state;
	for (size_t i = 0; i < N_OF(known); i++)
		assert_int_equal(n_allowed(g, who("n", known[i])), 5);
	for (unsigned i = 0; i < MANY; i++) {
		struct guesses_who x;

		snprintf(name, sizeof(name), "x%u", i);
		x = who("n", name);
		assert_true(guesses_charge(g, &x));
	}
	for (size_t i = 0; i < N_OF(known); i++)
		CHECK(known[i], n_allowed(g, who("n", known[i])) == 0);
	assert_int_equal(n_allowed(g, who("n", "new")), 5);
	guesses_free(&g);
}

/* One password, from everywhere: it is known from many networks. */
static void
test_many_networks(void **state)
{
	struct guesses *g = open_table(0, 5);
	const struct guesses_who a = who("n", "a");
	char network[16];

	(void)state;
	assert_int_equal(n_allowed(g, a), 5);
	for (unsigned i = 0; i < MANY; i++) {
		struct guesses_who own = who("", "own");

		snprintf(network, sizeof(network), "x%u", i);
		own.network = slice_of(network);
		log_in(g, own);
	}
	assert_int_equal(n_allowed(g, a), 0);
	guesses_free(&g);
}

/* Which rows share a set is the key's secret. */
static void
test_keys(void **state)
{
	struct guesses_setup setup = { .per_account = 2,
		.fd = memfd_create("guesses", MFD_ALLOW_SEALING) };
	struct guesses *g = guesses_new(&setup), *other;

	(void)state;
	setup.key[0] = 1;
	other = guesses_new(&setup);
	now_us = 10000 * HOUR_US;
	pass(0);
	assert_int_equal(n_allowed(g, who("n", "a")), 2);
	assert_int_equal(n_allowed(other, who("n", "a")), 2);
	guesses_free(&g);
	guesses_free(&other);
	close(setup.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_account),
		cmocka_unit_test(test_home_and_elsewhere),
		cmocka_unit_test(test_a_month),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_many_networks),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
