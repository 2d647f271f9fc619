/* SPDX-License-Identifier: ISC */
/*
 * test_relay_hosts.c - what MX records amount to, who is us, which hosts
 * are left alone, and which TLSA records can be used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "../../relay/hosts.h"
#include "../../relay/penalties.h"

#define PORT 25

static struct own_addresses *own;
static struct hosts_settings settings = { .hostname = "mx.example.org",
	.port = PORT, .has_ipv4 = true, .has_ipv6 = true };

/* "10 a" as the octets of dns.h. */
static void
mx_add(struct dns_answer *a, char octets[64], unsigned preference,
    const char *name)
{
	octets[0] = (char)(preference >> 8);
	octets[1] = (char)(preference & 255);
	memcpy(octets + 2, name, strlen(name));
	a->records[a->n_records++].data = (struct slice){ octets,
		2 + strlen(name) };
	a->status = DNS_OK;
}

static void
start(struct hosts *h)
{
	memset(h, 0, sizeof *h);
	settings.own = own;
	h->settings = &settings;
	h->port = PORT;
	snprintf(h->domain, sizeof h->domain, "example.net");
}

static void
give_address(struct hosts *h, const char *name, const char *ip)
{
	for (unsigned i = 0; i < h->n; i++)
		if (strcmp(h->list[i].name, name) == 0)
			assert_true(net_address_parse(&h->list[i].addresses[
			    h->list[i].n_addresses++], ip));
}

static void
test_status(void **state)
{
	static const struct {
		enum dns_status status;
		unsigned code, subject, detail;
	} rows[] = { { DNS_FAILED, 451, 4, 3 }, { DNS_NO_NAME, 550, 1, 2 },
	    { DNS_NO_DATA, 0, 0, 0 } };
	static struct hosts h;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct dns_answer a = { .status = rows[i].status };

		start(&h);
		hosts_take_mx(&h, &a);
		assert_int_equal(h.verdict.code, rows[i].code);
		assert_int_equal(h.verdict.subject, rows[i].subject);
		assert_int_equal(h.verdict.detail, rows[i].detail);
	}
	assert_true(h.is_implicit && h.n == 1);
	assert_string_equal(h.list[0].name, "example.net");
}

static void
test_null_mx(void **state)
{
	static struct dns_answer a;
	static struct hosts h;
	char one[64], two[64];

	(void)state;
	mx_add(&a, one, 0, "");
	start(&h);
	hosts_take_mx(&h, &a);
	assert_int_equal(h.verdict.code, 556);
	assert_int_equal(h.verdict.detail, 10);
	/* beside another it is a mistake, and passed over */
	mx_add(&a, two, 10, "a.example");
	start(&h);
	hosts_take_mx(&h, &a);
	assert_int_equal(h.verdict.code, 0);
	assert_int_equal(h.n, 1);
}

static void
test_order(void **state)
{
	static struct dns_answer a;
	static struct hosts h;
	char octets[5][64];
	unsigned n_first = 0;

	(void)state;
	mx_add(&a, octets[0], 300, "c.example");
	mx_add(&a, octets[1], 20, "b1.example");
	mx_add(&a, octets[2], 10, "A.example");
	mx_add(&a, octets[3], 20, "b2.example");
	mx_add(&a, octets[4], 30, "a.example");		/* the same host */
	for (unsigned i = 0; i < 200; i++) {
		start(&h);
		hosts_take_mx(&h, &a);
		assert_int_equal(h.n, 4);
		for (unsigned k = 0; k < h.n; k++)
			give_address(&h, h.list[k].name, "192.0.2.1");
		hosts_finish(&h);
		assert_int_equal(h.verdict.code, 0);
		assert_string_equal(h.list[0].name, "a.example");
		assert_int_equal(h.list[0].preference, 10);
		assert_string_equal(h.list[3].name, "c.example");
		n_first += strcmp(h.list[1].name, "b1.example") == 0;
	}
	assert_in_range(n_first, 50, 150);
}

static void
test_many(void **state)
{
	static struct dns_answer a;
	static char octets[DNS_RECORDS_MAX][64];
	static struct hosts h;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < DNS_RECORDS_MAX; i++) {
		snprintf(name, sizeof name, "h%u.example", i);
		mx_add(&a, octets[i], DNS_RECORDS_MAX - i, name);
	}
	start(&h);
	hosts_take_mx(&h, &a);
	assert_int_equal(h.n, HOSTS_MAX);	/* the best ones */
	assert_int_equal(h.list[0].preference, 1);
	/* what the others have nobody knows: no failure for good */
	hosts_finish(&h);
	assert_int_equal(h.verdict.code, 451);
	a.n_records = HOSTS_MAX;
	start(&h);
	hosts_take_mx(&h, &a);
	assert_int_equal(h.n, HOSTS_MAX);
	hosts_finish(&h);
	assert_int_equal(h.verdict.code, 550);
}

/* The host with our name, or our address, and all behind it. */
static void
test_us(void **state)
{
	static struct dns_answer a;
	static struct hosts h;
	char octets[3][64];

	(void)state;
	mx_add(&a, octets[0], 10, "first.example");
	mx_add(&a, octets[1], 20, "MX.example.org");
	mx_add(&a, octets[2], 20, "equal.example");
	start(&h);
	hosts_take_mx(&h, &a);
	give_address(&h, "first.example", "192.0.2.1");
	give_address(&h, "equal.example", "192.0.2.2");
	hosts_finish(&h);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.list[0].name, "first.example");
	start(&h);
	hosts_take_mx(&h, &a);
	give_address(&h, "first.example", "127.0.0.1");
	give_address(&h, "equal.example", "192.0.2.2");
	hosts_finish(&h);
	assert_int_equal(h.verdict.code, 554);
	assert_int_equal(h.verdict.detail, 6);
	/* the same address at another port is somebody else */
	start(&h);
	h.port = PORT + 1;
	hosts_take_mx(&h, &a);
	give_address(&h, "first.example", "127.0.0.1");
	hosts_finish(&h);
	assert_int_equal(h.verdict.code, 0);
	assert_int_equal(h.n, 1);
}

/* "0.0.0.0" and "::" are all addresses, as "*" is, of one family each. */
static void
test_all_of_a_family(void **state)
{
	static const struct {
		const char *listens, *address;
		bool is_us;
	} rows[] = {
		{ "0.0.0.0", "127.0.0.1", true }, { "0.0.0.0", "::1", false },
		{ "0.0.0.0", "0.0.0.0", true }, { "::", "::1", true },
		{ "::", "127.0.0.1", false }, { "*", "::1", true },
		{ "0.0.0.0", "192.0.2.1", false },
		{ "192.0.2.1", "127.0.0.1", false },
		{ "192.0.2.1", "192.0.2.1", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[16];
		struct config_listen listen = { .address = text, .port = PORT,
			.role = LISTEN_MX };
		const struct config config = { .listens = &listen,
			.n_listens = 1 };
		struct own_addresses *o;
		struct net_address a;

		snprintf(text, sizeof text, "%s", rows[i].listens);
		o = own_addresses_new(&config);
		assert_true(net_address_parse(&a, rows[i].address));
		if (own_addresses_has(o, &a, PORT) != rows[i].is_us)
			fail_msg("row %zu", i);
		own_addresses_free(&o);
	}
}

static void
test_no_address(void **state)
{
	static struct dns_answer a;
	static struct hosts h;
	char octets[64];

	(void)state;
	mx_add(&a, octets, 10, "a.example");
	start(&h);
	hosts_take_mx(&h, &a);
	hosts_finish(&h);
	assert_int_equal(h.verdict.code, 550);
	start(&h);
	hosts_take_mx(&h, &a);
	h.list[0].is_unknown = true;
	hosts_finish(&h);
	assert_int_equal(h.verdict.code, 451);
}

/* One that nobody can look for now beside one that there is. */
static void
test_one_is_missing(void **state)
{
	static struct dns_answer a;
	static struct hosts h;
	char octets[2][64];

	(void)state;
	mx_add(&a, octets[0], 10, "a.example");
	mx_add(&a, octets[1], 20, "b.example");
	for (unsigned i = 0; i < 4; i++) {
		start(&h);
		hosts_take_mx(&h, &a);
		give_address(&h, "b.example", "192.0.2.1");
		/* 0: it has no address; 1: no answer; 2: one of its family;
		 * 3: no answer about one behind us */
		h.list[0].is_unknown = i == 1 || i == 2;
		if (i == 2)
			give_address(&h, "a.example", "198.51.100.1");
		if (i == 3) {
			give_address(&h, "a.example", "127.0.0.1");
			h.list[1].n_addresses = 0;
			h.list[1].is_unknown = true;
		}
		hosts_finish(&h);
		assert_int_equal(h.verdict.code, i == 3 ? 554 : 0);
		assert_int_equal(h.missing.code, i == 1 ? 451 : 0);
	}
}

static void
test_penalties(void **state)
{
	struct penalties *p = penalties_new();
	struct net_address a, b;
	const struct verdict *why;
	struct verdict v = { .code = 451 };
	int64_t now = 1000000;
	unsigned wanted = PENALTY_FIRST_S;

	(void)state;
	assert_true(net_address_parse(&a, "192.0.2.1"));
	assert_true(net_address_parse(&b, "2001:db8::1"));
	for (unsigned i = 0; i < 8; i++) {
		penalties_add(p, &a, 25, &v, now);
		assert_int_equal(penalties_find(p, &a, 25, now, &why),
		    wanted);
		penalties_add(p, &a, 25, &v, now);	/* no worse by that */
		assert_int_equal(penalties_find(p, &a, 25, now, &why),
		    wanted);
		now += (int64_t)wanted * 1000000;
		assert_int_equal(penalties_find(p, &a, 25, now, &why), 0);
		wanted = wanted * 2 < PENALTY_LONGEST_S ? wanted * 2 :
		    PENALTY_LONGEST_S;
	}
	assert_int_equal(penalties_find(p, &b, 25, 0, &why), 0);
	assert_int_equal(penalties_find(p, &a, 26, 0, &why), 0);
	penalties_remove(p, &a, 25);
	assert_int_equal(penalties_find(p, &a, 25, 0, &why), 0);
	/* many hosts: the table is full, and still works */
	for (unsigned i = 0; i < 3 * PENALTIES_MAX; i++) {
		a.as.v4.s_addr = i;
		penalties_add(p, &a, 25, &v, now + i);
	}
	assert_int_equal(penalties_count(p, now), PENALTIES_MAX);
	assert_true(penalties_find(p, &a, 25, now, &why) > 0);
	penalties_free(&p);
}

static void
test_tlsa(void **state)
{
	static const char data[64];
	static const struct {
		unsigned usage, selector, matching;
		size_t size;
		bool is_usable;
	} rows[] = {
		{ 3, 1, 1, 32, true }, { 2, 0, 1, 32, true },
		{ 3, 0, 2, 64, true }, { 3, 1, 0, 40, true },
		{ 0, 1, 1, 32, false }, { 1, 1, 1, 32, false },
		{ 4, 1, 1, 32, false }, { 3, 2, 1, 32, false },
		{ 3, 1, 3, 32, false }, { 3, 1, 1, 31, false },
		{ 3, 1, 2, 32, false }, { 3, 1, 0, 0, false },
		{ 255, 255, 255, 32, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct tls_tlsa t = { (uint8_t)rows[i].usage,
			(uint8_t)rows[i].selector,
			(uint8_t)rows[i].matching, { data, rows[i].size } };

		if (tls_tlsa_is_usable(&t) != rows[i].is_usable)
			fail_msg("row %zu", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_null_mx),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_us),
		cmocka_unit_test(test_all_of_a_family),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_one_is_missing),
		cmocka_unit_test(test_penalties),
		cmocka_unit_test(test_tlsa),
	};
	static char any[] = "*";
	static struct config_listen listens[] = { { .address = any,
		.port = PORT, .role = LISTEN_MX } };
	const struct config config = { .listens = listens, .n_listens = 1 };
	int result;

	own = own_addresses_new(&config);
	result = cmocka_run_group_tests(tests, NULL, NULL);
	own_addresses_free(&own);
	return result;
}
