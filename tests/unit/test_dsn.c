/* SPDX-License-Identifier: ISC */
/*
 * test_dsn.c - reports in the forms of RFC 3464 and RFC 6533, and what
 * hostile words cannot do to them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "address.h"
#include "dsn.h"

static struct dsn_recipient to;
static struct dsn dsn;
static struct buf out;

static int
setup(void **state)
{
	(void)state;
	to = (struct dsn_recipient){ .address = SLICE("bob@example.net"),
		.action = DSN_FAILED, .code = 550, .subject = 1, .detail = 1,
		.text = SLICE("no such user"), .last_s = 1795334400,
		.host = SLICE("mx.example.net[192.0.2.1]") };
	dsn = (struct dsn){ .host = SLICE("mx.example.org"),
		.to = SLICE("prvs=1=alice@example.org"),
		.id = SLICE("65T3N3KRFB.f1"), .queue_id = SLICE("65T3N3KRFB"),
		.message = SLICE("Subject: hi\nMessage-ID: <a@b>\n\nbody\n"),
		.arrival_s = 1795334300, .when_s = 1795334400,
		.recipients = &to, .n_recipients = 1 };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

static void
has(const char *text)
{
	if (strstr(out.data, text) == NULL)
		fail_msg("not there: %s\nin\n%s", text, out.data);
}

static void
has_not(const char *text)
{
	if (strstr(out.data, text) != NULL)
		fail_msg("there: %s\nin\n%s", text, out.data);
}

static void
test_failure(void **state)
{
	(void)state;
	dsn.envid = SLICE("QQ+2B1");
	to.orcpt = SLICE("rfc822;bo+2Bb@example.net");
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("To: <prvs=1=alice@example.org>\n");
	has("From: Mail delivery <MAILER-DAEMON@mx.example.org>\n");
	has("Auto-Submitted: auto-replied\n");
	has("report-type=delivery-status;\n");
	has("Content-Type: message/delivery-status\n\n"
	    "Original-Envelope-Id: QQ+1\n"
	    "Reporting-MTA: dns; mx.example.org\n");
	has("\nOriginal-Recipient: rfc822;bo+b@example.net\n"
	    "Final-Recipient: rfc822; bob@example.net\nAction: failed\n"
	    "Status: 5.1.1\nRemote-MTA: dns; mx.example.net\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user\n");
	has("Content-Type: text/rfc822-headers\n\n"
	    "Subject: hi\nMessage-ID: <a@b>\n\n--");
	has("In-Reply-To: <a@b>\n");
	has_not("body\n");
}

static void
test_expired(void **state)
{
	(void)state;
	to.is_expired = true;
	to.code = 450;
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("Status: 5.4.7\n");
	has("Diagnostic-Code: smtp; 450 4.1.1 no such user\n");
	has("given up");
}

/* Nobody answered: the words are ours, and no SMTP reply is made up. */
static void
test_no_host(void **state)
{
	(void)state;
	to.host = SLICE("");
	to.text = SLICE("the domain does not exist");
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("Diagnostic-Code: x-postern; the domain does not exist\n");
	has_not("Remote-MTA");
	has("It could not be sent.");
}

static void
test_delay_and_success(void **state)
{
	(void)state;
	to.action = DSN_DELAYED;
	to.until_s = 1795334400 + 86400;
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("Subject: Your message is delayed\n");
	has("Action: delayed\nStatus: 4.1.1\n");
	has("Will-Retry-Until: ");
	has("Do not send it");
	buf_free(&out);
	to.action = DSN_RELAYED;
	to.code = 250;
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("Action: relayed\nStatus: 2.0.0\n");
	has("Subject: Your message has been sent on\n");
}

/* What is in a mailbox here, alone and beside what is not. */
static void
test_delivered(void **state)
{
	struct dsn_recipient two[2];

	(void)state;
	to.action = DSN_DELIVERED;
	to.code = 0;
	to.text = to.host = SLICE("");
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("Subject: Your message has been delivered\n");
	has("It is in the mailbox.\n");
	has("Action: delivered\nStatus: 2.0.0\n");
	has_not("Remote-MTA");
	has_not("Diagnostic-Code");
	buf_free(&out);
	two[0] = two[1] = to;
	two[1].action = DSN_RELAYED;
	two[1].host = SLICE("mx.example.net[192.0.2.1]");
	dsn.recipients = two;
	dsn.n_recipients = 2;
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("Subject: Your message has been sent on\n");
	has("Action: delivered\nStatus: 2.0.0\n");
	has("Action: relayed\nStatus: 2.0.0\n");
}

static void
test_global(void **state)
{
	(void)state;
	to.address = SLICE("b\xc3\xb6@example.net");
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("report-type=global-delivery-status;");
	has("Content-Type: message/global-delivery-status\n"
	    "Content-Transfer-Encoding: 8bit\n");
	has("Final-Recipient: utf-8; b\xc3\xb6@example.net\n");
	has("Content-Type: message/global-headers\n");
	buf_free(&out);
	/* whom it is for is as good a reason as whom it is about */
	to.address = SLICE("bob@example.net");
	dsn.to = SLICE("\xc3\xa4@example.org");
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("report-type=global-delivery-status;");
}

/* RET=FULL: message/rfc822, or message/global for a header in UTF-8. */
static void
test_whole(void **state)
{
	static const struct {
		struct slice message;
		bool is_utf8;
		const char *want;
	} rows[] = {
		{ SLICE("Subject: hi\n\nbody\n"), false,
		    "Content-Type: message/rfc822\n\nSubject: hi\n\nbody\n\n--" },
		{ SLICE("Subject: hi\n\nb\xc3\xb6\n"), false,
		    "Content-Type: message/rfc822\n"
		    "Content-Transfer-Encoding: 8bit\n\nSubject: hi\n" },
		{ SLICE("Subject: \xc3\xb6\n\nbody\n"), false,
		    "Content-Type: message/global\n"
		    "Content-Transfer-Encoding: 8bit\n\nSubject: \xc3\xb6\n" },
		{ SLICE("Subject: \xf6\n\nbody\n"), false,
		    "Content-Type: message/rfc822\n"
		    "Content-Transfer-Encoding: 8bit\n\nSubject: \xf6\n" },
		{ SLICE("Subject: hi\n\nbody\n"), true,
		    "Content-Type: message/global\n"
		    "Content-Transfer-Encoding: 8bit\n\nSubject: hi\n" },
		{ SLICE("no header at all\n"), false,
		    "Content-Type: message/rfc822\n\nno header at all\n\n--" },
		{ SLICE(""), false, "Content-Type: message/rfc822\n\n\n--" },
	};

	(void)state;
	dsn.is_whole = true;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		dsn.message = rows[i].message;
		dsn.is_utf8 = rows[i].is_utf8;
		assert_int_equal(dsn_write(&out, &dsn), 0);
		has(rows[i].want);
		buf_free(&out);
	}
	/* a body that would end the part */
	dsn.message = SLICE("Subject: hi\n\n--=_65T3N3KRFB.f1_0--\n");
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("boundary=\"=_65T3N3KRFB.f1_1\"");
}

/* An answer that would be a field, or a part, of its own. */
static void
test_hostile(void **state)
{
	(void)state;
	to.text = SLICE("no\r\nAction: delivered\n\n--=_65T3N3KRFB.f1_0--");
	to.orcpt = SLICE("rfc822;x+0D+0AAction:+20delivered");
	to.host = SLICE("a\nb[1]");
	dsn.envid = SLICE("x+0AReporting-MTA:+20dns;+20evil");
	dsn.message = SLICE("Subject: =_65T3N3KRFB.f1_0\nMessage-ID: <a\x01>\n");
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has_not("\nAction: delivered");
	has_not("\nReporting-MTA: dns; evil");
	has_not("\n--=_65T3N3KRFB.f1_0");
	has("boundary=\"=_65T3N3KRFB.f1_1\"");
	has_not("In-Reply-To");
	buf_free(&out);
	to.orcpt = SLICE("x\nAction: delivered\nX;y");
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has_not("\nAction: delivered");
}

/* What is too long for its field is not there, nor half of it. */
static void
test_long(void **state)
{
	static char text[ADDRESS_TEXT_MAX + 64], message[2 * DSN_HEADER_MAX];
	static const char field[] = "Subject: 0123456789 0123456789 0123456\n";
	size_t size = sizeof field - 1, n = sizeof message / size;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "rfc822;", 7);
	to.orcpt = (struct slice){ text, 7 + ADDRESS_TEXT_MAX };
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has("\nOriginal-Recipient: rfc822;xxx");
	buf_free(&out);
	to.orcpt.size++;
	dsn.envid = (struct slice){ text + 7, ADDRESS_TEXT_MAX + 1 };
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has_not("Original-Recipient");
	has_not("Original-Envelope-Id");
	buf_free(&out);
	memset(text, 'y', 30);
	text[30] = ';';
	to.orcpt.size = 40;
	assert_int_equal(dsn_write(&out, &dsn), 0);
	has_not("Original-Recipient");
	buf_free(&out);
	for (size_t i = 0; i < n; i++)
		memcpy(message + i * size, field, size);
	dsn.message = (struct slice){ message, n * size };
	assert_int_equal(dsn_write(&out, &dsn), 0);
	assert_in_range(out.size, DSN_HEADER_MAX - size, DSN_HEADER_MAX +
	    4096);
	has(" 0123456\n\n--=_");
}

static void
test_refused(void **state)
{
	(void)state;
	dsn.n_recipients = 0;
	assert_int_equal(dsn_write(&out, &dsn), -EINVAL);
	dsn.n_recipients = 1;
	dsn.id = SLICE("a b");
	assert_int_equal(dsn_write(&out, &dsn), -EINVAL);
	dsn.id = SLICE("a");
	dsn.to = SLICE("a@b\nTo: c@d");
	assert_int_equal(dsn_write(&out, &dsn), -EINVAL);
	dsn.to = SLICE("a@b");
	dsn.host = SLICE("a\nTo: c@d");
	assert_int_equal(dsn_write(&out, &dsn), -EINVAL);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_failure),
		TEST(test_expired),
		TEST(test_no_host),
		TEST(test_delay_and_success),
		TEST(test_delivered),
		TEST(test_global),
		TEST(test_whole),
		TEST(test_hostile),
		TEST(test_long),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
