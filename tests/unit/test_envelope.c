/* SPDX-License-Identifier: ISC */
/*
 * test_envelope.c - an envelope comes back as it was, and nothing else is
 * taken for one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../queue/envelope.h"
#include "../../queue/envelope_words.h"

static struct envelope *
example(void)
{
	struct envelope *e = envelope_new(3);

	assert_non_null(e);
	e->id = 0x1234567890aull;
	e->time_s = 1795334400;
	e->user = SLICE("alice@example.com");
	e->home = SLICE("alice@example.com");
	e->session = SLICE("k3f9q2m7t");
	e->from = SLICE("alice@example.com");
	e->size_bytes = 4096;
	e->is_8bit = e->requires_tls = true;
	e->ret = DSN_RET_FULL;
	e->envid = SLICE("QQ");
	e->message_id = SLICE("<a b@example.com>");
	e->tag_day = 20779;
	e->tag = SLICE("prvs=0123abcdef=alice@example.com");
	e->delayed_s = e->time_s + 4;
	e->report_next_s = e->time_s + 5;
	e->report_tries = 2;
	e->report_text = SLICE("mailbox is full; really");
	e->holds[e->n_holds++] = (struct envelope_hold){ .owner =
	    SLICE("root"), .reason = SLICE("a; b "), .since_s = e->time_s };
	e->holds[e->n_holds++] = (struct envelope_hold){ .owner =
	    SLICE("uid7"), .reason = SLICE(""), .since_s = e->time_s,
	    .until_s = e->time_s + 60 };
	e->n_recipients = 3;
	e->recipients[0] = (struct envelope_recipient){
		.address = SLICE("b\xc3\xb6@example.net"),
		.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE,
		.orcpt = SLICE("utf-8;x"), .tries = 3,
		.next_s = e->time_s + 9,
		.last = { .when_s = e->time_s + 1, .code = 450, .subject = 2,
		.detail = 255, .text = SLICE("later; 1 2") },
		.host = SLICE("mx[192.0.2.1]") };
	e->recipients[1] = (struct envelope_recipient){ .state =
	    RECIPIENT_FAILED, .owes = REPORT_FAILURE,
	    .address = SLICE("\"a to b\"@example.net") };
	e->recipients[2] = (struct envelope_recipient){ .state =
	    RECIPIENT_SENT, .address = SLICE("c@[192.0.2.1]") };
	return e;
}

static struct buf
text_of(const struct envelope *e)
{
	struct buf text = { 0 };

	assert_int_equal(envelope_write(&text, e), 0);
	return text;
}

static void
test_round_trip(void **state)
{
	struct envelope *e = example(), *again;
	struct buf text = text_of(e), second;

	(void)state;
	assert_int_equal(envelope_parse(&again, buf_slice(&text)), 0);
	second = text_of(again);
	assert_string_equal(text.data, second.data);
	assert_true(again->id == e->id && again->time_s == e->time_s);
	assert_int_equal(again->n_holds, 2);
	assert_true(slice_equals(again->holds[0].reason, SLICE("a; b ")));
	assert_int_equal(again->holds[1].until_s, e->time_s + 60);
	assert_int_equal(again->recipients[0].notify, 6);
	assert_int_equal(again->recipients[0].last.code, 450);
	assert_true(slice_equals(again->recipients[0].last.text,
	    SLICE("later; 1 2")));
	assert_int_equal(again->recipients[1].owes, REPORT_FAILURE);
	assert_int_equal(again->report_tries, 2);
	assert_true(again->is_8bit && !again->is_utf8 && again->requires_tls);
	buf_free(&text);
	buf_free(&second);
	envelope_free(&e);
	envelope_free(&again);
}

/* Also where the checksum would not tell: it is made anew. */
static int
parse_signed(const char *from, const char *to)
{
	char sum[ENVELOPE_SUM_SIZE];
	struct envelope *e = example(), *again = NULL;
	struct buf text = text_of(e), changed = { 0 };
	const char *at = strstr(text.data, from);
	int error;

	assert_non_null(at);
	buf_append(&changed, text.data, (size_t)(at - text.data));
	buf_puts(&changed, to);
	buf_puts(&changed, at + strlen(from));
	changed.size = (size_t)(strstr(changed.data, "\nend ") -
	    changed.data) + 1;
	assert_int_equal(envelope_checksum(sum, buf_slice(&changed)), 0);
	buf_printf(&changed, "end %s\n", sum);
	error = envelope_parse(&again, buf_slice(&changed));
	buf_free(&text);
	buf_free(&changed);
	envelope_free(&e);
	envelope_free(&again);
	return error;
}

static void
test_strict(void **state)
{
	static const struct { const char *from, *to; int want; } rows[] = {
		{ "user alice", "user bob", 0 },
		{ "envelope 1", "envelope 2", -EBADMSG },
		{ "id 01", "id 1", -EBADMSG },
		{ "id 0", "id U", -EBADMSG },
		{ "size 4096", "size 04096", -EBADMSG },
		{ "size 4096", "size -1", -EBADMSG },
		{ "flags 8bit requiretls", "flags requiretls 8bit", -EBADMSG },
		{ "flags 8bit", "flags 9bit", -EBADMSG },
		{ "ret full", "ret all", -EBADMSG },
		{ "user alice", "user al\tice", -EBADMSG },
		{ "user alice@example.com\n", "", -EBADMSG },
		{ "session k3f9q2m7t\n", "session k3f9q2m7t\nmore x\n",
		  -EBADMSG },
		{ " state waiting", " state asleep", -EBADMSG },
		{ " state sent", " state delivered", 0 },
		{ " state waiting\n", "", -EBADMSG },
		{ "; 450 4.2.255", "; 450 5.2.255", -EBADMSG },
		{ "; 450 4.2.255", "; 450 4.2.256", -EBADMSG },
		{ "; 450 4.2.255", "; 150 1.2.255", -EBADMSG },
		{ "; never; root", "; ; root", -EBADMSG },
		{ " tries 3", " tries 65536", -EBADMSG },
		{ " notify success failure", " notify failure success",
		  -EBADMSG },
		{ " owes failure", " owes none", -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		print_message("%s\n", rows[i].to);
		assert_int_equal(parse_signed(rows[i].from, rows[i].to),
		    rows[i].want);
	}
}

/* Any changed octet, any missing end. */
static void
test_damage(void **state)
{
	struct envelope *e = example(), *again;
	struct buf text = text_of(e);

	(void)state;
	for (size_t i = 0; i < text.size; i++) {
		text.data[i] ^= 0x10;
		assert_int_equal(envelope_parse(&again, buf_slice(&text)),
		    -EBADMSG);
		text.data[i] ^= 0x10;
		assert_int_equal(envelope_parse(&again, (struct slice){
		    text.data, i }), -EBADMSG);
	}
	buf_puts(&text, "\n");
	assert_int_equal(envelope_parse(&again, buf_slice(&text)), -EBADMSG);
	buf_free(&text);
	envelope_free(&e);
}

/* What could not be read again is not written. */
static void
test_unwritable(void **state)
{
	struct envelope *e = example();
	struct buf text = { 0 };

	(void)state;
	e->recipients[2].address = SLICE("a@b\nto eve@example.com");
	assert_int_equal(envelope_write(&text, e), -EINVAL);
	assert_int_equal(text.size, 0);
	e->recipients[2].address = SLICE("a@b");
	e->holds[0].owner = SLICE("two words");
	assert_int_equal(envelope_write(&text, e), -EINVAL);
	envelope_free(&e);
	buf_free(&text);
}

static void
test_keep(void **state)
{
	struct envelope *e = envelope_new(0);
	bool failed = false;

	(void)state;
	assert_string_equal(envelope_keep(e, SLICE("a\r\nb\x7f"), 99,
	    &failed).data, "a  b ");
	/* no half characters */
	assert_string_equal(envelope_keep(e, SLICE("ab\xc3\xb6"), 3,
	    &failed).data, "ab");
	assert_false(failed);
	envelope_free(&e);
}

static void
test_ids(void **state)
{
	char text[ENVELOPE_ID_SIZE], later[ENVELOPE_ID_SIZE];
	uint64_t id;

	(void)state;
	envelope_id_write(text, 217715371000000ull);
	envelope_id_write(later, 217715371000001ull);
	assert_int_equal(strlen(text), 10);
	assert_true(strcmp(text, later) < 0);
	assert_true(envelope_id_parse(&id, slice_of(text)));
	assert_true(id == 217715371000000ull);
	assert_false(envelope_id_parse(&id, SLICE("65T3N3KRFb")));
	assert_false(envelope_id_parse(&id, SLICE("65T3N3KRF")));
	assert_false(envelope_id_parse(&id, SLICE("0065T3N3KRFB")));
	assert_false(envelope_id_parse(&id, SLICE("../../etc/")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_unwritable),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
