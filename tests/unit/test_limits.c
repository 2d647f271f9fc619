/* SPDX-License-Identifier: ISC */
/*
 * What one client and all clients together may have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
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
	    REPLY_TOO_MANY_OF_CLIENT);
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
test_connections_in_a_minute(void **state)
{
	struct limits *limits = make(0);
	struct client *a, *b;

	(void)state;
	clock_set_for_tests(6000000000, 6000000000);
	config.limits.sessions_per_minute = 2;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(limits_admit(limits, "192.0.2.1", &a),
		    REPLY_COUNT);
		limits_leave(limits, &a);
	}
	assert_int_equal(limits_admit(limits, "192.0.2.1", &a),
	    REPLY_TOO_MANY_CONNECTS);
	assert_null(a);
	assert_int_equal(limits_admit(limits, "192.0.2.2", &b), REPLY_COUNT);
	clock_set_for_tests(6060000000, 6060000000);
	assert_int_equal(limits_admit(limits, "192.0.2.1", &a), REPLY_COUNT);
	limits_leave(limits, &a);
	limits_leave(limits, &b);
	limits_free(&limits);
	config.limits.sessions_per_minute = 0;
	clock_set_for_tests(0, 0);
}

static void
test_recipients_in_an_hour(void **state)
{
	struct limits *limits = make(0);
	struct client *client;

	(void)state;
	clock_set_for_tests(7200000000, 7200000000);
	limits_admit(limits, "192.0.2.1", &client);
	for (int i = 0; i < 10; i++)
		assert_true(limits_allow_rcpt(limits, client));
	config.limits.recipients_per_client = 2;
	assert_true(limits_allow_rcpt(limits, client));
	assert_true(limits_allow_rcpt(limits, client));
	assert_false(limits_allow_rcpt(limits, client));
	assert_true(limits_allow_rcpt(limits, NULL));
	clock_set_for_tests(7200000000 + 3600 * (int64_t)1000000, 1);
	assert_true(limits_allow_rcpt(limits, client));
	limits_leave(limits, &client);
	limits_free(&limits);
	config.limits.recipients_per_client = 0;
	clock_set_for_tests(0, 0);
}

/* It is remembered though the client has gone, and not for ever. */
static void
test_patience(void **state)
{
	struct limits *limits = make(0);
	struct client *client;

	(void)state;
	clock_set_for_tests(9000000000, 9000000000);
	limits_admit(limits, "192.0.2.1", &client);
	assert_false(limits_is_patient(client));
	assert_false(limits_is_patient(NULL));
	limits_note_patience(NULL);
	limits_note_patience(client);
	limits_leave(limits, &client);
	limits_admit(limits, "192.0.2.2", &client);
	assert_false(limits_is_patient(client));
	limits_leave(limits, &client);
	limits_admit(limits, "192.0.2.1", &client);
	assert_true(limits_is_patient(client));
	clock_set_for_tests(9000000000 + 3600 * (int64_t)1000000, 1);
	assert_false(limits_is_patient(client));
	limits_leave(limits, &client);
	limits_free(&limits);
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

/* Two processes, each of which sees the other's board. */
struct pair {
	int fds[2];
	struct scoreboard *boards[2];
	struct scoreboards *others[2];
	struct limits *limits[2];
	struct client *clients[2];
};

static void
pair_process(struct pair *pair, int i, uint64_t memory_bytes)
{
	struct limits_setup setup = { .config = &config,
		.memory_bytes = memory_bytes };

	setup.own = pair->boards[i] = scoreboard_map_own(pair->fds[i]);
	setup.others = &pair->others[i];
	scoreboards_update(&pair->others[i], &pair->fds[!i], 1);
	pair->limits[i] = limits_new(&setup);
	assert_non_null(pair->limits[i]);
	limits_admit(pair->limits[i], "192.0.2.1", &pair->clients[i]);
}

static void
pair_end_process(struct pair *pair, int i)
{
	limits_leave(pair->limits[i], &pair->clients[i]);
	limits_free(&pair->limits[i]);
	scoreboards_free(&pair->others[i]);
	scoreboard_unmap(&pair->boards[i]);
}

static void
pair_open(struct pair *pair, uint64_t memory_bytes)
{
	*pair = (struct pair){ { scoreboard_create(), scoreboard_create() },
		{ NULL }, { NULL }, { NULL }, { NULL } };
	pair_process(pair, 0, memory_bytes);
	pair_process(pair, 1, memory_bytes);
}

static void
pair_close(struct pair *pair)
{
	pair_end_process(pair, 0);
	pair_end_process(pair, 1);
	close(pair->fds[0]);
	close(pair->fds[1]);
}

static void
test_memory_of_all_processes(void **state)
{
	struct pair p;
	uint64_t held[3] = { 0 };
	struct client *other;

	(void)state;
	pair_open(&p, 4 << 20);
	assert_true(limits_reserve(p.limits[0], p.clients[0], &held[0],
	    900000));
	assert_false(limits_reserve(p.limits[1], p.clients[1], &held[1],
	    900000));
	assert_int_equal(held[1], 0);
	/* what is left of the quarter; and another network has its own */
	assert_true(limits_reserve(p.limits[1], p.clients[1], &held[1],
	    (1 << 20) - held[0]));
	assert_false(limits_reserve(p.limits[0], p.clients[0], &held[0],
	    held[0] + 1));
	limits_admit(p.limits[1], "198.51.100.1", &other);
	assert_true(limits_reserve(p.limits[1], other, &held[2], 900000));
	limits_unreserve(p.limits[1], other, &held[2]);
	limits_leave(p.limits[1], &other);
	limits_unreserve(p.limits[0], p.clients[0], &held[0]);
	assert_true(limits_reserve(p.limits[1], p.clients[1], &held[1],
	    1 << 20));
	limits_unreserve(p.limits[1], p.clients[1], &held[1]);
	pair_close(&p);
}

static void
test_messages_of_all_processes(void **state)
{
	struct client *other;
	struct pair p;

	(void)state;
	clock_set_for_tests(5000000000, 5000000000);
	config.limits.messages_per_client = 4;
	pair_open(&p, 0);
	assert_true(limits_allow_mail(p.limits[0], p.clients[0]));
	assert_true(limits_allow_mail(p.limits[1], p.clients[1]));
	assert_true(limits_allow_mail(p.limits[0], p.clients[0]));
	/* a new process has not forgotten what its predecessor counted */
	pair_end_process(&p, 0);
	scoreboard_reset_gauges(p.fds[0]);
	pair_process(&p, 0, 0);
	assert_true(limits_allow_mail(p.limits[0], p.clients[0]));
	assert_false(limits_allow_mail(p.limits[0], p.clients[0]));
	assert_false(limits_allow_mail(p.limits[1], p.clients[1]));
	limits_admit(p.limits[1], "198.51.100.1", &other);
	assert_true(limits_allow_mail(p.limits[1], other));
	limits_leave(p.limits[1], &other);
	clock_set_for_tests(5000000000 + 3600 * (int64_t)1000000, 1);
	assert_true(limits_allow_mail(p.limits[1], p.clients[1]));
	pair_close(&p);
	config.limits.messages_per_client = 0;
	clock_set_for_tests(0, 0);
}

static void
test_harvest_of_all_processes(void **state)
{
	struct pair p;
	int i;

	(void)state;
	clock_set_for_tests(5000000000, 5000000000);
	config.limits.unknown_recipients = 5;
	pair_open(&p, 0);
	for (i = 0; i < 5; i++)
		assert_false(limits_note_recipient(p.limits[i % 2],
		    p.clients[i % 2], true));
	/* as many known ones elsewhere count for it, too */
	for (i = 0; i < 6; i++)
		limits_note_recipient(p.limits[0], p.clients[0], false);
	assert_false(limits_note_recipient(p.limits[1], p.clients[1], true));
	assert_true(limits_note_recipient(p.limits[1], p.clients[1], true));
	assert_true(limits_is_harvester(p.limits[0], p.clients[0]));
	pair_close(&p);
	config.limits.unknown_recipients = 0;
	clock_set_for_tests(0, 0);
}

static void
test_message_bytes(void **state)
{
	static const struct {
		uint64_t message_size, memory, want;
	} cases[] = {
		{ 0, 0, 0 }, { 1000, 0, 1000 }, { 1000, 1 << 20, 1000 },
		{ 1 << 20, 1 << 20, 1 << 18 }, { 0, 1 << 20, 1 << 18 },
		/* reservations are of whole steps */
		{ 0, (1 << 20) + 400, 1 << 18 },
	};
	struct limits *limits;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		limits = make(cases[i].memory);
		config.limits.message_bytes = cases[i].message_size;
		assert_int_equal(limits_message_bytes(limits), cases[i].want);
		limits_free(&limits);
	}
	config.limits.message_bytes = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_connections_in_a_minute),
		cmocka_unit_test(test_recipients_in_an_hour),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_harvest),
		cmocka_unit_test(test_memory_of_all_processes),
		cmocka_unit_test(test_messages_of_all_processes),
		cmocka_unit_test(test_harvest_of_all_processes),
		cmocka_unit_test(test_message_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
