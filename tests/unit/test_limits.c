/* SPDX-License-Identifier: ISC */
/*
 * What one client and all clients together may have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../smtpd/limits.h"
#include "clock.h"

static struct config config;

static struct limits *
make(uint64_t memory_bytes)
{
	struct limits_setup setup = { .config = &config,
		.memory_bytes = memory_bytes };
	struct limits *limits = limits_new(&setup);

	assert_non_null(limits);
	return limits;
}

static void
test_network(void **state)
{
	static const struct {
		const char *ip, *network;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1/32" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
		{ "::1", "::/64" },
	};
	char network[LIMITS_NETWORK_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		limits_network(network, cases[i].ip);
		assert_string_equal(network, cases[i].network);
	}
}

static void
test_sessions(void **state)
{
	struct limits *limits = make(0);
	struct client *a, *b, *c, *d;

	(void)state;
	config.limits.sessions = 3;
	config.limits.sessions_per_client = 2;
	assert_int_equal(limits_admit(limits, "2001:db8::1", &a), REPLY_COUNT);
	assert_int_equal(limits_admit(limits, "2001:db8::2", &b), REPLY_COUNT);
	assert_ptr_equal(a, b);		/* one /64 */
	assert_int_equal(limits_admit(limits, "2001:db8::3", &c),
	    REPLY_TOO_MANY_SESSIONS);
	assert_int_equal(limits_admit(limits, "2001:db8:0:1::1", &c),
	    REPLY_COUNT);
	assert_ptr_not_equal(a, c);
	assert_int_equal(limits_admit(limits, "192.0.2.1", &d),
	    REPLY_TOO_MANY_SESSIONS);
	limits_leave(limits, &b);
	assert_null(b);
	assert_int_equal(limits_admit(limits, "192.0.2.1", &d), REPLY_COUNT);
	limits_leave(limits, &a);
	limits_leave(limits, &c);
	limits_leave(limits, &d);
	limits_free(&limits);
	config.limits.sessions = config.limits.sessions_per_client = 0;
}

static void
test_messages(void **state)
{
	struct limits *limits = make(0);
	struct client *client;

	(void)state;
	clock_set_for_tests(5000000000, 5000000000);
	config.limits.messages_per_client = 2;
	limits_admit(limits, "192.0.2.1", &client);
	assert_true(limits_allow_mail(limits, client));
	assert_true(limits_allow_mail(limits, client));
	assert_false(limits_allow_mail(limits, client));
	clock_set_for_tests(5000000000 + 3600 * (int64_t)1000000, 1);
	assert_true(limits_allow_mail(limits, client));
	limits_leave(limits, &client);
	limits_free(&limits);
	config.limits.messages_per_client = 0;
	clock_set_for_tests(0, 0);
}

static void
test_memory(void **state)
{
	struct limits *limits = make(1 << 20);
	struct client *clients[5];
	uint64_t held[5] = { 0 };
	const char *const ips[5] = { "192.0.2.1", "192.0.2.2", "192.0.2.3",
		"192.0.2.4", "192.0.2.5" };
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++)
		limits_admit(limits, ips[i], &clients[i]);
	for (i = 0; i < 4; i++) {
		/* a quarter each, and not an octet more */
		assert_true(limits_reserve(limits, clients[i], &held[i],
		    1 << 18));
		assert_false(limits_reserve(limits, clients[i], &held[i],
		    (1 << 18) + 1));
		assert_int_equal(held[i], 1 << 18);
	}
	assert_false(limits_reserve(limits, clients[4], &held[4], 1));
	limits_unreserve(limits, clients[0], &held[0]);
	assert_int_equal(held[0], 0);
	assert_true(limits_reserve(limits, clients[4], &held[4], 1));
	assert_false(limits_reserve(limits, clients[4], &held[4],
	    UINT64_MAX));
	for (i = 0; i < 5; i++) {
		limits_unreserve(limits, clients[i], &held[i]);
		limits_leave(limits, &clients[i]);
	}
	limits_free(&limits);
}

static void
test_harvest(void **state)
{
	struct limits *limits = make(0);
	struct client *client, *again;
	int i;

	(void)state;
	clock_set_for_tests(5000000000, 5000000000);
	config.limits.unknown_recipients = 3;
	limits_admit(limits, "192.0.2.1", &client);
	/* as many known ones as unknown: a busy relay with a stale list */
	for (i = 0; i < 4; i++)
		limits_note_recipient(limits, client, false);
	for (i = 0; i < 4; i++)
		assert_false(limits_note_recipient(limits, client, true));
	assert_false(limits_is_harvester(limits, client));
	assert_true(limits_note_recipient(limits, client, true));
	assert_true(limits_is_harvester(limits, client));
	/* it is remembered over the end of its sessions */
	limits_leave(limits, &client);
	clock_set_for_tests(5000000000 + LIMITS_HARVEST_US - 1, 1);
	limits_admit(limits, "192.0.2.1", &again);
	assert_true(limits_is_harvester(limits, again));
	clock_set_for_tests(5000000000 + LIMITS_HARVEST_US, 1);
	assert_false(limits_is_harvester(limits, again));
	assert_false(limits_note_recipient(limits, again, true));
	limits_leave(limits, &again);
	limits_free(&limits);
	config.limits.unknown_recipients = 0;
	clock_set_for_tests(0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_harvest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
