/* SPDX-License-Identifier: ISC */
/*
 * test_hop_route.c - what is sealed comes back, and nothing else does; and
 * what smtpd and relay say of it to each other.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ask.h"
#include "hop_route.h"
#include "mac.h"

/* As SLICE, where it must be constant. */
#define TEXT(literal) { (literal), sizeof(literal) - 1 }

static const uint8_t key[MAC_KEY_SIZE] = { 1, 2, 3 }, other[MAC_KEY_SIZE];

static const struct hop_route example = {
	.recipient = TEXT("Bob@inner.example"),
	.session = TEXT("k3f9q2m7t"), .expires_s = 1795334400,
	.destination = TEXT("smtp:[10.0.0.2]:25"), .is_forward = true,
	.srs_domain = TEXT("ours.example"), .address = TEXT("bob@inner.example") };

static struct buf
sealed_example(void)
{
	struct buf sealed = { 0 };

	assert_int_equal(hop_route_seal(&sealed, &example, key), 0);
	return sealed;
}

static void
test_round_trip(void **state)
{
	struct buf sealed = sealed_example();
	struct hop_route r;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(hop_route_open(&r, buf_slice(&sealed),
		    i == 0 ? key : NULL), 0);
		assert_true(slice_equals(r.recipient, example.recipient));
		assert_true(slice_equals(r.session, example.session));
		assert_true(slice_equals(r.destination, example.destination));
		assert_true(slice_equals(r.address, example.address));
		assert_int_equal(r.expires_s, example.expires_s);
		assert_true(r.is_forward && !r.is_smart_host);
		assert_true(slice_equals(r.srs_domain, example.srs_domain));
	}
	buf_free(&sealed);
}

/* Each octet, each length, and another key. */
static void
test_forged(void **state)
{
	struct buf sealed = sealed_example();
	struct hop_route r;

	(void)state;
	assert_int_equal(hop_route_open(&r, buf_slice(&sealed), other),
	    -EBADMSG);
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.data[i] ^= 1;
		assert_int_equal(hop_route_open(&r, buf_slice(&sealed), key),
		    -EBADMSG);
		sealed.data[i] ^= 1;
		assert_int_equal(hop_route_open(&r, (struct slice){
		    sealed.data, i }, key), -EBADMSG);
		assert_int_equal(hop_route_open(&r, (struct slice){
		    sealed.data, i }, NULL), -EBADMSG);
	}
	buf_free(&sealed);
}

static void
test_what_is_not_sealed(void **state)
{
	static char much[ASK_ADDRESS_MAX];
	struct buf out = { 0 };
	struct hop_route r;

	(void)state;
	memset(much, 'x', sizeof much);
	for (unsigned i = 0; i < 10; i++) {
		r = example;
		if (i == 0)
			r.recipient = SLICE("");
		else if (i == 1)
			r.session = SLICE("012345678901234567890123");
		else if (i == 2)
			r.destination = SLICE("");
		else if (i == 3)
			r.destination = SLICE("smtp:[10.0.0.2]:25 x");
		else if (i == 4)
			r.destination = (struct slice){ much,
				HOP_DESTINATION_MAX };
		else if (i == 5)
			r.address = SLICE("a@b>\r\nRCPT TO:<c@d");
		else if (i == 6)
			r.address = (struct slice){ much, sizeof much };
		else if (i == 7)
			r.address = SLICE("");
		else if (i == 8)
			r.srs_domain = SLICE("");
		else
			r.is_forward = false;
		assert_int_equal(hop_route_seal(&out, &r, key), -EINVAL);
		assert_int_equal(out.size, 0);
	}
	buf_free(&out);
}

static void
test_same_hop(void **state)
{
	struct hop_route r = example;

	(void)state;
	r.address = SLICE("carol@inner.example");
	assert_true(hop_route_is_same_hop(&example, &r));
	r.is_forward = false;
	r.srs_domain = SLICE("");
	assert_false(hop_route_is_same_hop(&example, &r));
	r = example;
	r.srs_domain = SLICE("another.example");
	assert_false(hop_route_is_same_hop(&example, &r));
	r = example;
	r.is_smart_host = true;
	assert_false(hop_route_is_same_hop(&example, &r));
	r = example;
	r.destination = SLICE("smtp:[10.0.0.2]:26");
	assert_false(hop_route_is_same_hop(&example, &r));
}

/* ---- ask_forward.h ---- */

static const struct hop_mail mail = {
	.reverse_path = TEXT("a@b.example"), .size_bytes = 1234,
	.is_8bit = true, .requires_tls = true, .is_authenticated = true };

static struct ipc_reader
reader_of(const struct ipc_writer *w)
{
	struct ipc_reader r;

	assert_false(w->failed);
	ipc_reader_init(&r, w->data, w->size);
	return r;
}

/* Whatever is cut off or stands behind it is malformed. */
#define CHECK_FORM(w, get, to) do {					\
	struct ipc_reader reader = reader_of(w);			\
	assert_true(get(&reader, to));					\
	for (size_t cut = 0; cut < (w)->size; cut++) {			\
		ipc_reader_init(&reader, (w)->data, cut);		\
		assert_false(get(&reader, to));				\
	}								\
	ipc_put_u8(w, 0);						\
	reader = reader_of(w);						\
	assert_false(get(&reader, to));					\
	(w)->size--;							\
	reader = reader_of(w);						\
	assert_true(get(&reader, to));					\
} while (0)

static void
is_mail(const struct hop_mail *m)
{
	assert_true(slice_equals(m->reverse_path, mail.reverse_path));
	assert_int_equal(m->size_bytes, mail.size_bytes);
	assert_true(m->is_8bit && !m->is_utf8 && m->requires_tls);
}

static void
test_questions(void **state)
{
	static struct ipc_writer w;
	const struct hop_rcpt rcpt = { SLICE("k3f9q2m7t"), SLICE("192.0.2.1"),
		SLICE("seal"), mail };
	const struct hop_recipient one = { 7, 3, SLICE("k3f9q2m7t"),
		SLICE("seal") };
	const struct hop_send send = { 7, mail, SLICE("Received: x\n"), 99,
		HOP_RECIPIENTS_MAX };
	struct hop_rcpt rcpt2;
	struct hop_recipient one2;
	struct hop_send send2;

	(void)state;
	ipc_writer_init(&w);
	put_hop_rcpt(&w, &rcpt);
	CHECK_FORM(&w, get_hop_rcpt, &rcpt2);
	assert_true(slice_equals(rcpt2.session, rcpt.session));
	assert_true(slice_equals(rcpt2.client, rcpt.client));
	assert_true(slice_equals(rcpt2.sealed, rcpt.sealed));
	is_mail(&rcpt2.mail);
	ipc_writer_init(&w);
	put_hop_recipient(&w, &one);
	CHECK_FORM(&w, get_hop_recipient, &one2);
	assert_true(one2.transaction == 7 && one2.index == 3);
	assert_true(slice_equals(one2.sealed, one.sealed));
	ipc_writer_init(&w);
	put_hop_send(&w, &send);
	CHECK_FORM(&w, get_hop_send, &send2);
	is_mail(&send2.mail);
	assert_true(send2.transaction == 7 && send2.message_size == 99);
	assert_true(slice_equals(send2.trace, send.trace));
	assert_int_equal(send2.n_recipients, HOP_RECIPIENTS_MAX);
}

static bool
takes_mail(const char *reverse_path, struct slice sealed, uint16_t n)
{
	static struct ipc_writer w;
	struct hop_mail m = mail;
	struct hop_rcpt rcpt = { SLICE("k3f9q2m7t"), SLICE("::1"), sealed,
		mail };
	struct hop_send send = { 7, mail, SLICE(""), 99, n };
	struct ipc_reader r;

	m.reverse_path = slice_of(reverse_path);
	rcpt.mail = send.mail = m;
	ipc_writer_init(&w);
	put_hop_rcpt(&w, &rcpt);
	r = reader_of(&w);
	if (!get_hop_rcpt(&r, &rcpt))
		return false;
	ipc_writer_init(&w);
	put_hop_send(&w, &send);
	r = reader_of(&w);
	return get_hop_send(&r, &send);
}

static void
test_hostile_questions(void **state)
{
	static char much[HOP_ROUTE_MAX_BYTES + 1];

	(void)state;
	assert_true(takes_mail("", SLICE("x"), 1));
	assert_false(takes_mail("a@b>\r\nRSET", SLICE("x"), 1));
	assert_false(takes_mail("", SLICE(""), 1));
	assert_false(takes_mail("", (struct slice){ much, sizeof much }, 1));
	assert_false(takes_mail("", SLICE("x"), 0));
	assert_false(takes_mail("", SLICE("x"), HOP_RECIPIENTS_MAX + 1));
}

/* ---- HOP_SENT ---- */

static struct hop_sent sent, got;

static bool
takes_sent(void)
{
	static struct ipc_writer w;
	struct ipc_reader r;

	ipc_writer_init(&w);
	put_hop_sent(&w, &sent);
	r = reader_of(&w);
	return get_hop_sent(&r, &got);
}

/* As many as there can be, each with as many words: it fits one message. */
static void
sent_round_trip(uint16_t n, size_t text_max)
{
	static char host[ASK_ADDRESS_MAX], tls[257];
	char words[VERDICT_TEXT_MAX + 1];

	memset(words, 'w', sizeof words - 1);
	words[sizeof words - 1] = '\0';
	memset(host, 'h', sizeof host - 1);
	memset(tls, 't', sizeof tls - 1);
	sent = (struct hop_sent){ .remote_host = slice_of(host),
		.tls = slice_of(tls), .n = n };
	for (uint16_t i = 0; i < sent.n; i++) {
		sent.results[i] = (struct hop_result){ .index = i,
			.stage = RELAY_AT_END, .is_said = i % 2 == 0 };
		verdict_set(&sent.results[i].verdict, i % 3 == 0 ? 250 : 554,
		    6, 0, "%s", words);
	}
	assert_true(takes_sent());
	assert_int_equal(got.n, n);
	assert_true(slice_equals(got.tls, sent.tls));
	for (uint16_t i = 0; i < got.n; i++) {
		assert_int_equal(got.results[i].index, i);
		assert_int_equal(got.results[i].verdict.code,
		    sent.results[i].verdict.code);
		assert_int_equal(got.results[i].is_said, i % 2 == 0);
		assert_int_equal(strlen(got.results[i].verdict.text),
		    text_max);
	}
}

static void
test_sent(void **state)
{
	(void)state;
	sent_round_trip(HOP_RESULTS_MANY, HOP_RESULT_TEXT_MAX);
	sent_round_trip(HOP_RECIPIENTS_MAX, HOP_RESULT_TEXT_OF_MANY_MAX);
}

static void
test_hostile_sent(void **state)
{
	struct hop_result *a = &sent.results[0];

	(void)state;
	sent = (struct hop_sent){ .remote_host = SLICE("x"),
		.tls = SLICE(""), .n = 1 };
	*a = (struct hop_result){ .stage = RELAY_AT_END };
	verdict_set(&a->verdict, 250, 0, 0, "ok");
	assert_true(takes_sent());
	/* nothing is taken before its end */
	a->stage = RELAY_AT_DATA;
	assert_false(takes_sent());
	a->stage = RELAY_AT_END;
	a->verdict.code = 251;
	assert_false(takes_sent());
	a->verdict.code = 354;
	assert_false(takes_sent());
	verdict_set(&a->verdict, 554, 0, 0, "ok");
	assert_true(takes_sent());
	memcpy(a->verdict.text, "a\nb", 4);
	assert_false(takes_sent());
	memcpy(a->verdict.text, "a", 2);
	sent.remote_host = SLICE("a\nb");
	assert_false(takes_sent());
	sent.remote_host = SLICE("a");
	sent.n = 0;
	assert_false(takes_sent());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_what_is_not_sealed),
		cmocka_unit_test(test_same_hop),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_hostile_questions),
		cmocka_unit_test(test_sent),
		cmocka_unit_test(test_hostile_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
