/* SPDX-License-Identifier: ISC */
/*
 * test_ask_relay.c - relay's questions and answers: round trips, each
 * truncation, something left over, and values that must not come through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "ask.h"

static const struct relay_recipient recipient = { 7, 3,
	{ "bob@example.net", 15 }, NOTIFY_FAILURE | NOTIFY_DELAY,
	{ "rfc822;Bob+40example.net", 24 } };
static const struct relay_send send_ask = { 7, { "example.net", 11 }, false,
	{ "prvs=1234abcdef=alice@example.org", 33 }, DSN_RET_HDRS,
	{ "QQ314159", 8 }, true, false, true, 512, 1ull << 33, 50, true };
static const struct relay_result result = { 7, 3, RELAY_AT_RCPT,
	{ 550, 1, 1, "no such user" }, { "mx.example.net[192.0.2.1]", 25 },
	true };
static const struct relay_results results = { 7, true,
	{ "TLSv1.3 dane", 12 }, 90 };

static const struct relay_home home = { { "65TVSKHCPE", 10 },
	{ "sealed", 6 }, 700, true, false };

static void
same(struct slice a, struct slice b)
{
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, b.size);
}

static void
put(struct ipc_writer *w, unsigned kind)
{
	ipc_writer_init(w);
	switch (kind) {
	case 0:
		put_relay_recipient(w, &recipient);
		break;
	case 1:
		put_relay_send(w, &send_ask);
		break;
	case 2:
		put_relay_result(w, &result);
		break;
	case 3:
		put_relay_home(w, &home);
		break;
	default:
		put_relay_results(w, &results);
		break;
	}
	assert_false(w->failed);
}

static bool
get_recipient(struct ipc_reader *r)
{
	struct relay_recipient q;

	if (!get_relay_recipient(r, &q))
		return false;
	assert_int_equal(q.job, recipient.job);
	assert_int_equal(q.index, recipient.index);
	same(q.address, recipient.address);
	assert_int_equal(q.notify, recipient.notify);
	same(q.orcpt, recipient.orcpt);
	return true;
}

static bool
get_send(struct ipc_reader *r)
{
	struct relay_send q;

	if (!get_relay_send(r, &q))
		return false;
	assert_int_equal(q.job, send_ask.job);
	same(q.domain, send_ask.domain);
	assert_false(q.is_smart_host);
	same(q.reverse_path, send_ask.reverse_path);
	assert_int_equal(q.ret, DSN_RET_HDRS);
	same(q.envid, send_ask.envid);
	assert_true(q.is_8bit && !q.is_utf8 && q.requires_tls);
	assert_int_equal(q.message_offset, 512);
	assert_true(q.message_size == 1ull << 33);
	assert_int_equal(q.n_recipients, 50);
	assert_true(q.is_asked_for);
	return true;
}

static bool
get_result(struct ipc_reader *r)
{
	struct relay_result a;

	if (!get_relay_result(r, &a))
		return false;
	assert_int_equal(a.job, 7);
	assert_int_equal(a.index, 3);
	assert_int_equal(a.stage, RELAY_AT_RCPT);
	assert_int_equal(a.verdict.code, 550);
	assert_int_equal(a.verdict.subject, 1);
	assert_string_equal(a.verdict.text, "no such user");
	same(a.remote_host, result.remote_host);
	assert_true(a.passes_dsn);
	return true;
}

static bool
get_results(struct ipc_reader *r)
{
	struct relay_results a;

	if (!get_relay_results(r, &a))
		return false;
	assert_int_equal(a.job, 7);
	assert_true(a.is_host_bad);
	same(a.tls, results.tls);
	assert_int_equal(a.delay_s, 90);
	return true;
}

static bool
get_home(struct ipc_reader *r)
{
	struct relay_home q;

	if (!get_relay_home(r, &q))
		return false;
	same(q.session, home.session);
	same(q.sealed, home.sealed);
	assert_true(q.message_size == 700);
	assert_true(q.is_8bit && !q.is_utf8);
	return true;
}

typedef bool get_fn(struct ipc_reader *r);
static get_fn *const getters[] = { get_recipient, get_send, get_result,
	get_home, get_results };

static void
test_round_trips(void **state)
{
	struct ipc_writer w;
	struct ipc_reader r;

	(void)state;
	for (unsigned kind = 0; kind < 5; kind++) {
		put(&w, kind);
		ipc_reader_init(&r, w.data, w.size);
		assert_true(getters[kind](&r));
		for (size_t n = 0; n < w.size; n++) {
			ipc_reader_init(&r, w.data, n);
			assert_false(getters[kind](&r));
		}
		ipc_put_u8(&w, 0);
		ipc_reader_init(&r, w.data, w.size);
		assert_false(getters[kind](&r));
	}
}

static bool
takes_recipient(struct relay_recipient q)
{
	struct ipc_writer w;
	struct ipc_reader r;

	ipc_writer_init(&w);
	put_relay_recipient(&w, &q);
	ipc_reader_init(&r, w.data, w.size);
	return get_relay_recipient(&r, &q);
}

static bool
takes_send(struct relay_send q)
{
	struct ipc_writer w;
	struct ipc_reader r;

	ipc_writer_init(&w);
	put_relay_send(&w, &q);
	ipc_reader_init(&r, w.data, w.size);
	return get_relay_send(&r, &q);
}

static bool
takes_result(struct relay_result a)
{
	struct ipc_writer w;
	struct ipc_reader r;

	ipc_writer_init(&w);
	put_relay_result(&w, &a);
	ipc_reader_init(&r, w.data, w.size);
	return get_relay_result(&r, &a);
}

static void
test_commands_in_arguments(void **state)
{
	struct relay_recipient q = recipient;
	struct relay_send s = send_ask;

	(void)state;
	q.address = SLICE("a@b>\r\nRCPT TO:<c@d");
	assert_false(takes_recipient(q));
	q.address = SLICE("");
	assert_false(takes_recipient(q));
	q = recipient;
	q.orcpt = SLICE("rfc822;a NOTIFY=NEVER");
	assert_false(takes_recipient(q));
	q = recipient;
	q.notify = 16;
	assert_false(takes_recipient(q));
	s.reverse_path = SLICE("a@b\n");
	assert_false(takes_send(s));
	s = send_ask;
	s.envid = SLICE("x SIZE=1");
	assert_false(takes_send(s));
	s = send_ask;
	s.n_recipients = RELAY_JOB_RECIPIENTS + 1;
	assert_false(takes_send(s));
	s.n_recipients = 0;
	assert_false(takes_send(s));
	s = send_ask;
	s.message_size = UINT64_MAX;
	assert_false(takes_send(s));
}

static void
test_results_that_are_none(void **state)
{
	struct relay_result a = result;
	static const uint16_t bad[] = { 0, 199, 221, 251, 354, 600 };

	(void)state;
	assert_true(takes_result(a));
	a.verdict.code = 250;
	assert_true(takes_result(a));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		a.verdict.code = bad[i];
		assert_false(takes_result(a));
	}
	a = result;
	a.stage = RELAY_STAGE_COUNT;
	assert_false(takes_result(a));
	a = result;
	a.remote_host = SLICE("mx\r\n");
	assert_false(takes_result(a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_commands_in_arguments),
		cmocka_unit_test(test_results_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
