/* SPDX-License-Identifier: ISC */
/*
 * test_ask_hop.c - questions to a next hop and its replies: round trips,
 * each truncation, something left over, and what must not come through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "ask.h"

static const struct relay_probe probe = { { { "example.net", 11 }, false,
	{ "prvs=1234abcdef=alice@example.org", 33 }, true, false },
	{ "bob@example.net", 15 } };
static const struct queue_probe own = { .voucher = {
	.user = { "alice", 5 }, .address = { "alice@example.org", 17 },
	.session = { "k3f9q2m7t", 9 }, .expires_s = 99 },
	.reverse_path = { "alice@example.org", 17 },
	.address = { "bob@example.net", 15 }, .requires_tls = true };
static const struct hop_reply reply = { true, RELAY_AT_RCPT,
	{ 550, 1, 1, "no such user" }, { "mx.example.net[192.0.2.1]", 25 },
	7 };

static void
same(struct slice a, struct slice b)
{
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, b.size);
}

static bool
takes_probe(const struct relay_probe *from, struct relay_probe *to)
{
	static struct ipc_writer w;
	struct ipc_reader r;

	ipc_writer_init(&w);
	put_relay_probe(&w, from);
	ipc_reader_init(&r, w.data, w.size);
	return get_relay_probe(&r, to);
}

static bool
takes_own(const struct queue_probe *from, struct queue_probe *to)
{
	static struct ipc_writer w;
	struct ipc_reader r;

	ipc_writer_init(&w);
	put_queue_probe(&w, from);
	ipc_reader_init(&r, w.data, w.size);
	return get_queue_probe(&r, to);
}

static bool
takes_reply(const struct hop_reply *from, struct hop_reply *to)
{
	static struct ipc_writer w;
	struct ipc_reader r;

	ipc_writer_init(&w);
	put_hop_reply(&w, from);
	ipc_reader_init(&r, w.data, w.size);
	return get_hop_reply(&r, to);
}

static void
test_round_trips(void **state)
{
	struct relay_probe p;
	struct queue_probe q;
	struct hop_reply a;

	(void)state;
	assert_true(takes_probe(&probe, &p));
	same(p.envelope.domain, probe.envelope.domain);
	same(p.envelope.reverse_path, probe.envelope.reverse_path);
	same(p.address, probe.address);
	assert_true(p.envelope.is_utf8 && !p.envelope.requires_tls &&
	    !p.envelope.is_smart_host);
	assert_true(takes_own(&own, &q));
	same(q.voucher.user, own.voucher.user);
	same(q.reverse_path, own.reverse_path);
	same(q.address, own.address);
	assert_true(!q.is_utf8 && q.requires_tls);
	assert_true(takes_reply(&reply, &a));
	assert_true(a.is_said && hop_refuses(&a));
	assert_int_equal(a.stage, RELAY_AT_RCPT);
	assert_int_equal(a.verdict.code, 550);
	assert_int_equal(a.verdict.detail, 1);
	assert_string_equal(a.verdict.text, "no such user");
	same(a.remote_host, reply.remote_host);
	assert_int_equal(a.age_s, 7);
}

typedef bool get_fn(struct ipc_reader *r);

static bool
get_probe(struct ipc_reader *r)
{
	struct relay_probe q;

	return get_relay_probe(r, &q);
}

static bool
get_own(struct ipc_reader *r)
{
	struct queue_probe q;

	return get_queue_probe(r, &q);
}

static bool
get_reply(struct ipc_reader *r)
{
	struct hop_reply a;

	return get_hop_reply(r, &a);
}

static void
cut(struct ipc_writer *w, get_fn *get)
{
	struct ipc_reader r;

	for (size_t n = 0; n < w->size; n++) {
		ipc_reader_init(&r, w->data, n);
		assert_false(get(&r));
	}
	ipc_put_u8(w, 0);
	ipc_reader_init(&r, w->data, w->size);
	assert_false(get(&r));
}

static void
test_cut_and_left_over(void **state)
{
	static struct ipc_writer w;

	(void)state;
	ipc_writer_init(&w);
	put_relay_probe(&w, &probe);
	cut(&w, get_probe);
	ipc_writer_init(&w);
	put_queue_probe(&w, &own);
	cut(&w, get_own);
	ipc_writer_init(&w);
	put_hop_reply(&w, &reply);
	cut(&w, get_reply);
}

static void
test_commands_in_arguments(void **state)
{
	struct relay_probe p = probe, got;
	struct queue_probe q = own, own_got;

	(void)state;
	p.address = SLICE("a@b>\r\nRCPT TO:<c@d");
	assert_false(takes_probe(&p, &got));
	p = probe;
	p.address = SLICE("");
	assert_false(takes_probe(&p, &got));
	p = probe;
	p.envelope.reverse_path = SLICE("a@b\n");
	assert_false(takes_probe(&p, &got));
	p = probe;
	p.envelope.domain = SLICE("");
	assert_false(takes_probe(&p, &got));
	p.envelope.domain = SLICE("a b");
	assert_false(takes_probe(&p, &got));
	p = probe;
	p.envelope.reverse_path = SLICE("");	/* null */
	assert_true(takes_probe(&p, &got));
	q.address = SLICE("a@b\r\n");
	assert_false(takes_own(&q, &own_got));
	q = own;
	q.address = SLICE("");
	assert_false(takes_own(&q, &own_got));
	q = own;
	q.reverse_path = SLICE("\n");
	assert_false(takes_own(&q, &own_got));
}

/* A refusal has to be somebody's, and RCPT's. */
static void
test_replies_that_are_none(void **state)
{
	static const uint16_t bad[] = { 0, 199, 220, 251, 354, 399, 600 };
	struct hop_reply a, got;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		a = reply;
		a.verdict.code = bad[i];
		assert_false(takes_reply(&a, &got));
	}
	a = reply;
	a.stage = RELAY_AT_MAIL;
	assert_false(takes_reply(&a, &got));
	a.stage = RELAY_STAGE_COUNT;
	assert_false(takes_reply(&a, &got));
	a = reply;
	a.remote_host = SLICE("");
	assert_false(takes_reply(&a, &got));
	a.remote_host = SLICE("mx\r\n");
	assert_false(takes_reply(&a, &got));
	a = reply;
	memcpy(a.verdict.text, "a\r\nb", 5);
	assert_false(takes_reply(&a, &got));
	a = reply;
	a.is_said = false;		/* "not asked" is no 250 */
	a.verdict.code = 250;
	assert_false(takes_reply(&a, &got));
	a.verdict.code = 451;
	a.remote_host = SLICE("");
	assert_true(takes_reply(&a, &got));
}

static void
test_what_refuses(void **state)
{
	static const struct {
		bool is_said;
		uint16_t code;
		bool refuses;
	} rows[] = { { true, 550, true }, { true, 554, true },
		{ true, 450, false }, { true, 250, false },
		{ false, 550, false }, { false, 451, false } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct hop_reply a = { .is_said = rows[i].is_said,
			.verdict.code = rows[i].code };

		assert_int_equal(hop_refuses(&a), rows[i].refuses);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_cut_and_left_over),
		cmocka_unit_test(test_commands_in_arguments),
		cmocka_unit_test(test_replies_that_are_none),
		cmocka_unit_test(test_what_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
