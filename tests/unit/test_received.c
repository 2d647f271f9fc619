/* SPDX-License-Identifier: ISC */
/*
 * test_received.c - our trace fields, and what a client may put in them.
 */
#include <errno.h>
#include "header.h"
#include "received.h"
#include "table.h"

#define DATE "Thu, 01 Jan 1970 00:00:00 +0000"
#define TEN "abcdefghij"
#define NAME63 TEN TEN TEN TEN TEN TEN "abc"

static const struct {
	const char *name;
	const char *helo, *rdns, *ip, *recipient;
	unsigned with;
	const char *want;
} fields[] = {
	{ "plain", "mx.a.example", "mail.a.example", "192.0.2.1",
	    "alice@example.org", RECEIVED_ESMTP | RECEIVED_TLS,
	    "Received: from mx.a.example (mail.a.example [192.0.2.1])\n"
	    "\tby mx.example.org (Postern) with ESMTPS id k3f9q2m7t\n"
	    "\tfor <alice@example.org>; " DATE "\n" },
	{ "several recipients", "a", "b", "192.0.2.1", "", RECEIVED_ESMTP,
	    "Received: from a (b [192.0.2.1])\n"
	    "\tby mx.example.org (Postern) with ESMTP id k3f9q2m7t;\n"
	    "\t" DATE "\n" },
	{ "no name, IPv6, HELO", "[IPv6:2001:db8::1]", "", "2001:db8::1", "",
	    0,
	    "Received: from [IPv6:2001:db8::1] (unknown [IPv6:2001:db8::1])\n"
	    "\tby mx.example.org (Postern) with SMTP id k3f9q2m7t;\n"
	    "\t" DATE "\n" },
	{ "nothing known", "", "", "", "", 0,
	    "Received: from unknown (unknown [unknown])\n"
	    "\tby mx.example.org (Postern) with SMTP id k3f9q2m7t;\n"
	    "\t" DATE "\n" },
	{ "long words fold", NAME63, "mail.a.example", "192.0.2.1",
	    "alice.with.a.long.name@department.example.org", RECEIVED_ESMTP,
	    "Received: from\n"
	    "\t" NAME63 "\n"
	    "\t(mail.a.example [192.0.2.1])\n"
	    "\tby mx.example.org (Postern) with ESMTP id k3f9q2m7t\n"
	    "\tfor <alice.with.a.long.name@department.example.org>;\n"
	    "\t" DATE "\n" },
	{ "a word longer than a line", NAME63 "." NAME63, "b", "192.0.2.1",
	    NAME63 "@" NAME63 ".org", RECEIVED_ESMTP,
	    "Received: from\n"
	    "\t" NAME63 "." NAME63 "\n"
	    "\t(b [192.0.2.1])\n"
	    "\tby mx.example.org (Postern) with ESMTP id k3f9q2m7t\n"
	    "\tfor <" NAME63 "@" NAME63 ".org>;\n"
	    "\t" DATE "\n" },
	{ "injection", "a\r\nX: y (\"b\\) by c; d, <e>\xc3\xb6\x7f",
	    "b)\n\tc [", "1.2.3.4]\n", "a\r\nX: b@c", RECEIVED_ESMTP,
	    "Received: from a??X:?y???b???by?c??d???e???? "
	    "(b???c?[ [1.2.3.4]?])\n"
	    "\tby mx.example.org (Postern) with ESMTP id k3f9q2m7t\n"
	    "\tfor <a??X: b@c>; " DATE "\n" },
	{ "UTF-8 recipient", "a", "b", "192.0.2.1", "j\xc3\xb6@b.c",
	    RECEIVED_ESMTP | RECEIVED_UTF8,
	    "Received: from a (b [192.0.2.1])\n"
	    "\tby mx.example.org (Postern) with UTF8SMTP id k3f9q2m7t\n"
	    "\tfor <j\xc3\xb6@b.c>; " DATE "\n" },
	{ "malformed UTF-8", "a", "b", "192.0.2.1", "j\xf6\xc2\x85@b.c", 0,
	    "Received: from a (b [192.0.2.1])\n"
	    "\tby mx.example.org (Postern) with SMTP id k3f9q2m7t\n"
	    "\tfor <j???@b.c>; " DATE "\n" },
};

static struct received
row(size_t i)
{
	return (struct received){
		.helo = slice_of(fields[i].helo),
		.rdns = slice_of(fields[i].rdns),
		.ip = slice_of(fields[i].ip),
		.host = SLICE("mx.example.org"),
		.with = fields[i].with,
		.id = SLICE("k3f9q2m7t"),
		.recipient = slice_of(fields[i].recipient),
		.when_s = 0,
	};
}

/* Whatever the client says, it is one field of a header. */
static void
check_is_one_field(const char *name, struct slice text)
{
	struct header_facts facts;

	header_facts_find(&facts, text, true);
	CHECK(name, facts.n_fields == 1 && facts.n_received == 1);
	CHECK(name, facts.size_bytes == text.size);
}

static void
test_received(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(fields); i++) {
		struct received r = row(i);
		struct buf out = { 0 };

		CHECK(fields[i].name, received_write(&out, &r) == 0);
		CHECK_STRING(fields[i].name, out.data, fields[i].want);
		check_is_one_field(fields[i].name, buf_slice(&out));
		buf_free(&out);
	}
}

/* A client that sends 64 KiB of name does not get them into the field. */
static void
test_received_is_bounded(void **state)
{
	static char big[65536];
	struct received r = row(0);
	struct buf out = { 0 };

	(void)state;
	memset(big, 'x', sizeof(big));
	r.helo = r.rdns = r.ip = r.recipient =
	    (struct slice){ big, sizeof(big) };
	assert_int_equal(received_write(&out, &r), 0);
	assert_in_range(out.size, 3 * 255 + 639, 3 * 255 + 639 + 200);
	buf_free(&out);
}

/* Folded when a line would reach 78 columns, and not before. */
static void
test_fold_column(void **state)
{
	char helo[100];
	struct received r = row(0);

	(void)state;
	memset(helo, 'x', sizeof(helo));
	for (size_t n = 1; n <= sizeof(helo); n++) {
		const char *want = strlen("Received: from ") + n < 78 ?
		    "Received: from x" : "Received: from\n\tx";
		struct buf out = { 0 };

		r.helo = (struct slice){ helo, n };
		assert_int_equal(received_write(&out, &r), 0);
		assert_memory_equal(out.data, want, strlen(want));
		buf_free(&out);
	}
}

/* NUL is cleaned like every other control. */
static void
test_received_nul(void **state)
{
	struct received r = row(0);
	struct buf out = { 0 };

	(void)state;
	r.helo = r.rdns = r.recipient = (struct slice){ "a\0b", 3 };
	assert_int_equal(received_write(&out, &r), 0);
	assert_int_equal(strlen(out.data), out.size);
	assert_non_null(strstr(out.data, "from a?b (a?b ["));
	assert_non_null(strstr(out.data, "for <a?b>;"));
	buf_free(&out);
}

/* Without room nothing of the field stays behind. */
static void
test_received_without_room(void **state)
{
	struct received r = row(0);
	struct buf whole = { 0 };

	(void)state;
	assert_int_equal(received_write(&whole, &r), 0);
	for (size_t room = 2; room < whole.size + 2; room++) {
		struct buf out = { .maximum = room };

		assert_int_equal(buf_puts(&out, "x\n"), 0);
		assert_int_equal(received_write(&out, &r), -ENOBUFS);
		assert_string_equal(out.data, "x\n");
		assert_int_equal(out.size, 2);
		buf_free(&out);
	}
	buf_free(&whole);
}

static void
test_tls(void **state)
{
	static const struct {
		const char *tls, *want;
	} rows[] = {
		{ "", "with ESMTPS id k3f9q2m7t\n" },
		{ "TLSv1.2 AES128-SHA", "with ESMTPS (TLSv1.2 AES128-SHA)\n"
		    "\tid k3f9q2m7t\n" },
		{ "TLSv1.3 TLS_AES_256_GCM_SHA384", "with ESMTPS (TLSv1.3\n"
		    "\tTLS_AES_256_GCM_SHA384) id k3f9q2m7t\n" },
		{ "x)( y\n;z", "with ESMTPS (x?? y??z) id k3f9q2m7t\n" },
		{ "x", "with ESMTPS (x unknown) id k3f9q2m7t\n" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct received r = row(0);
		struct buf out = { 0 };

		r.tls = slice_of(rows[i].tls);
		CHECK(rows[i].tls, received_write(&out, &r) == 0);
		CHECK_STRING(rows[i].tls, strstr(out.data, rows[i].want) ?
		    rows[i].want : out.data, rows[i].want);
		check_is_one_field(rows[i].tls, buf_slice(&out));
		buf_free(&out);
	}
}

static void
test_protocols(void **state)
{
	static const struct {
		unsigned with;
		const char *want;
	} rows[] = {
		{ 0, "SMTP" },
		{ RECEIVED_ESMTP, "ESMTP" },
		{ RECEIVED_ESMTP | RECEIVED_TLS, "ESMTPS" },
		{ RECEIVED_ESMTP | RECEIVED_AUTH, "ESMTPA" },
		{ RECEIVED_ESMTP | RECEIVED_TLS | RECEIVED_AUTH, "ESMTPSA" },
		{ RECEIVED_ESMTP | RECEIVED_UTF8, "UTF8SMTP" },
		{ RECEIVED_ESMTP | RECEIVED_UTF8 | RECEIVED_TLS,
		    "UTF8SMTPS" },
		{ RECEIVED_ESMTP | RECEIVED_UTF8 | RECEIVED_AUTH,
		    "UTF8SMTPA" },
		{ RECEIVED_ESMTP | RECEIVED_UTF8 | RECEIVED_TLS |
		    RECEIVED_AUTH, "UTF8SMTPSA" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_STRING(rows[i].want, received_protocol(rows[i].with),
		    rows[i].want);
}

static void
test_address_fields(void **state)
{
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(received_write_return_path(&out, SLICE("")), 0);
	assert_int_equal(received_write_return_path(&out,
	    SLICE("\"a b\"@c")), 0);
	assert_int_equal(received_write_delivered_to(&out,
	    SLICE("alice@b.c")), 0);
	assert_int_equal(received_write_delivered_to(&out,
	    SLICE("a\nX: b\r\n\n")), 0);
	assert_string_equal(out.data, "Return-Path: <>\n"
	    "Return-Path: <\"a b\"@c>\n"
	    "Delivered-To: alice@b.c\n"
	    "Delivered-To: a?X: b???\n");
	buf_free(&out);
}

/* A program of this host: no name or address that anybody gave. */
static void
test_local(void **state)
{
	const struct received r = { .helo = SLICE("x"), .ip = SLICE("local"),
		.host = SLICE("mx.example.org"), .with = RECEIVED_ESMTP,
		.id = SLICE("k3f9q2m7t"), .recipient = SLICE("a@b.example"),
		.user = SLICE("al)ice"), .uid = 1000 };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(received_write(&out, &r), 0);
	assert_string_equal(out.data, "Received: by mx.example.org (Postern, "
	    "from uid 1000 al?ice) with ESMTP\n\tid k3f9q2m7t\n"
	    "\tfor <a@b.example>; " DATE "\n");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_received),
		cmocka_unit_test(test_received_is_bounded),
		cmocka_unit_test(test_fold_column),
		cmocka_unit_test(test_received_nul),
		cmocka_unit_test(test_received_without_room),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_address_fields),
		cmocka_unit_test(test_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
