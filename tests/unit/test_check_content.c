/* SPDX-License-Identifier: ISC */
/*
 * test_check_content.c - attachments by name, type and content, and the
 * limits of header and MIME: what is refused, and what is not.
 */
#include "table.h"
#include <stdio.h>
#include "../../policy/check.h"

#define MIXED "From: a@b\nContent-Type: multipart/mixed; boundary=xx\n\n"
#define ATTACHED(header) MIXED "--xx\n\nhello\n--xx\n" header "\n\nx\n--xx--\n"

static struct config config;

/* Its verdict as "CODE.SUBJECT.DETAIL TEXT", or "good". */
static const char *
said(check_fn *fn, struct slice message)
{
	static char text[700];
	struct facts facts = { 0 };
	struct judgement j = { 0 };
	struct check c = { .config = &config, .stage = JUDGE_DATA,
		.facts = &facts, .message = message, .judgement = &j };
	enum check_said word = fn(&c);

	assert_true(word == SAID_GOOD || word == SAID_BAD);
	if (word == SAID_GOOD)
		return "good";
	snprintf(text, sizeof text, "%u %u.%u %s", c.verdict.code,
	    c.verdict.subject, c.verdict.detail, c.verdict.text);
	return text;
}

static int
setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof config);
	config.limits.header_bytes = 65536;
	config.limits.header_fields = 1000;
	config.limits.mime_depth = 32;
	config.limits.mime_parts = 1000;
	return 0;
}

#define FOUND(where, what) "554 7.1 " where " of the message is \"" what \
	"\", which is not taken here"
#define UNCLEAR "554 6.0 the message does not say clearly where its parts begin"

static const struct {
	const char *name, *message, *want;
} attachments[] = {
	{ "plain", "Subject: evil.exe\n\nevil.exe\n", "good" },
	{ "a picture", ATTACHED("Content-Type: image/png; name=a.png"),
	    "good" },
	{ "a domain name", ATTACHED("Content-Type: text/html; "
	    "name=\"www.example.com\""), "good" },
	{ "a program", ATTACHED("Content-Disposition: attachment; "
	    "filename=setup.EXE"), FOUND("part 2", "setup.EXE") },
	{ "in pieces", ATTACHED("Content-Disposition: attachment;\n "
	    "filename*1*=%65xe; filename*0*=utf-8''x%2E"),
	    FOUND("part 2", "x.exe") },
	{ "in an encoded word", ATTACHED("Content-Type: a/b; "
	    "name=\"=?utf-8?B?c2V0dXAuZXhl?=\""),
	    FOUND("part 2", "setup.exe") },
	{ "the whole message", "Content-Type: a/b; name=x.vbs\n\nx\n",
	    FOUND("the body", "x.vbs") },
	{ "in a forwarded message", ATTACHED("Content-Type: message/rfc822\n"
	    "\nContent-Type: a/b; name=x.scr"), FOUND("part 2.1", "x.scr") },
	{ "in a posting", ATTACHED("Content-Type: message/news\n"
	    "\nContent-Type: a/b; name=x.scr"), FOUND("part 2.1", "x.scr") },
	{ "in a message in base64", ATTACHED("Content-Type: message/rfc822\n"
	    "Content-Transfer-Encoding: base64\n\n"
	    "Q29udGVudC1UeXBlOiBhL2I7IG5hbWU9eC5zY3IKCngK"),
	    FOUND("part 2", "x.scr") },
	{ "in a multipart in base64", "Content-Type: multipart/mixed; "
	    "boundary=B\nContent-Transfer-Encoding: BASE64\n\n"
	    "LS1CCkNvbnRlbnQtVHlwZTogYS9iOyBuYW1lPXguc2NyCgp4Ci0tQi0tCg==\n",
	    FOUND("the body", "x.scr") },
	{ "in a message in quoted-printable", ATTACHED(
	    "Content-Type: message/rfc822\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n"
	    "Content-Type: a/b; name=3Dx.sc=\nr\n\nx\n"),
	    FOUND("part 2", "x.scr") },
	{ "a message in base64, no more", ATTACHED("Content-Type: "
	    "message/rfc822\nContent-Transfer-Encoding: base64\n\n"
	    "U3ViamVjdDogeAoKeAo="), "good" },
	{ "the name of the second field", ATTACHED("Content-Disposition: "
	    "inline; filename=a.txt\nContent-Disposition: inline; "
	    "filename=b.pif"), FOUND("part 2", "b.pif") },
	{ "a type", ATTACHED("Content-Type: Application/HTA"),
	    FOUND("part 2", "application/hta") },
	{ "fragments", "Content-Type: message/partial; id=1\n\nx\n",
	    FOUND("the body", "message/partial") },
	{ "what cannot be shown", ATTACHED("Content-Disposition: attachment; "
	    "filename=\"\xc3\xbc\\\"\x01.exe\""),
	    FOUND("part 2", "???.exe") },
	{ "uuencoded", "Subject: x\n\nhello\nbegin 644 evil file.exe\nM\nend\n",
	    FOUND("the body", "evil file.exe") },
	{ "prose that begins", "Subject: x\n\nbegin with a.exe\n"
	    "begin 64 a.exe\nbegin 12345 a.exe\n begin 644 a.exe\n", "good" },
	{ "a line that is a boundary to some", "Content-Type: multipart/mixed; "
	    "boundary=B\n\n--B\n\nx\n--BB\nContent-Type: a/b; name=x.exe\n\n"
	    "--B--\n", UNCLEAR },
	{ "a boundary and a comment", "Content-Type: multipart/mixed; "
	    "boundary=B (x)\n\n--B\nContent-Type: a/b; name=x.exe\n\n"
	    "--B--\n", UNCLEAR },
	{ "no boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n"
	    "Content-Type: a/b; name=x.exe\n\nx\n----\n", UNCLEAR },
	{ "no subtype", "Content-Type: multipart/; boundary=B\n\n--B\n"
	    "Content-Type: a/b; name=x.exe\n\n--B--\n", UNCLEAR },
	{ "two types", "Content-Type: text/plain\nContent-Type: text/html\n"
	    "\nx\n", "554 6.0 a part of the message says twice what it is, "
	    "and not the same" },
};

static void
attachments_are_told_with_their_part(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(attachments); i++)
		CHECK_STRING(attachments[i].name, said(check_attachments,
		    slice_of(attachments[i].message)), attachments[i].want);
}

/* A 64-octet DOS header whose last number leads to "PE", in base64. */
static void
a_program_is_known_by_its_content(void **state)
{
	static const char coded[] = ATTACHED("Content-Type: image/png; "
	    "name=a.png\nContent-Transfer-Encoding: base64\n\n"
	    "TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	    "AAAAAAAAAAAAAAAAQAAAAFBFAABMAQMA");
	static const char dos[] = ATTACHED("Content-Type: image/png\n"
	    "Content-Transfer-Encoding: base64\n\nTVqQAAMAAAAEAAAA");

	(void)state;
	assert_string_equal(said(check_attachments, slice_of(coded)),
	    FOUND("part 2", "application/x-dosexec"));
	assert_string_equal(said(check_attachments, slice_of(dos)), "good");
}

static void
repeat(struct buf *b, const char *text, unsigned n)
{
	while (n-- > 0)
		assert_int_equal(buf_puts(b, text), 0);
}

/* Each of these would have all that is behind it decoded. */
static void
encoded_parts_are_not_decoded_for_ever(void **state)
{
	struct buf b = { 0 };

	(void)state;
	repeat(&b, "Content-Type: multipart/mixed; boundary=B\n"
	    "Content-Transfer-Encoding: base64\n\n--B\n", 30);
	repeat(&b, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
	    1000);
	assert_string_equal(said(check_attachments, buf_slice(&b)),
	    "554 6.0 the message has more parts or fields than can be "
	    "searched for attachments");
	buf_free(&b);
}

static void
lists_of_ones_own_stand_alone(void **state)
{
	char *names[] = { strdup("*.p?f"), strdup("inv*ice.*") };
	char *types[] = { strdup("image/*") };

	(void)state;
	config.checks.attachment_names = (struct config_strings){
		.items = names, .n = 2 };
	assert_string_equal(said(check_attachments, SLICE(ATTACHED(
	    "Content-Type: a/b; name=x.exe"))), "good");
	assert_string_equal(said(check_attachments, SLICE(ATTACHED(
	    "Content-Type: a/b; name=x.PDF"))), FOUND("part 2", "x.PDF"));
	assert_string_equal(said(check_attachments, SLICE(ATTACHED(
	    "Content-Type: a/b; name=invoivoice.z"))),
	    FOUND("part 2", "invoivoice.z"));
	assert_string_equal(said(check_attachments, SLICE(ATTACHED(
	    "Content-Type: image/png"))), "good");
	config.checks.attachment_types = (struct config_strings){
		.items = types, .n = 1 };
	assert_string_equal(said(check_attachments, SLICE(ATTACHED(
	    "Content-Type: image/png"))), FOUND("part 2", "image/png"));
	free(names[0]);
	free(names[1]);
	free(types[0]);
}

/* ---- limits ---- */

static void
expect(struct buf *message, const char *want)
{
	assert_string_equal(said(check_content, buf_slice(message)), want);
	buf_free(message);
}

static void
headers_have_a_size_and_a_number_of_fields(void **state)
{
	struct buf b = { 0 };

	(void)state;
	repeat(&b, "X: 67890123456789\n", 1000);
	repeat(&b, "\nbody\n", 1);
	expect(&b, "good");
	repeat(&b, "X: 67890123456789\n", 1001);
	expect(&b, "554 6.0 a header of the message has more than 1000 "
	    "fields");
	repeat(&b, "X: 4567890123456789012345678901234567890123456789012345"
	    "6789012345678901234\n", 900);
	expect(&b, "552 3.4 a header of the message is larger than 65536 "
	    "octets");
	config.limits.header_bytes = 0;
	config.limits.header_fields = 0;
	repeat(&b, "X: 67890123456789\n", 100000);
	expect(&b, "good");
}

static void
parts_have_a_depth_and_a_number(void **state)
{
	struct buf b = { 0 };

	(void)state;
	repeat(&b, "Content-Type: message/rfc822\n\n", 32);
	expect(&b, "good");
	repeat(&b, "Content-Type: message/rfc822\n\n", 33);
	expect(&b, "554 6.0 the message has parts in parts, more than 32 "
	    "deep");
	config.limits.mime_depth = 2;
	repeat(&b, "Content-Type: message/rfc822\n\n", 3);
	expect(&b, "554 6.0 the message has parts in parts, more than 2 "
	    "deep");
	repeat(&b, MIXED, 1);
	repeat(&b, "--xx\n\n", 999);
	repeat(&b, "--xx--\n", 1);
	expect(&b, "good");
	repeat(&b, MIXED, 1);
	repeat(&b, "--xx\n\n", 1000);
	expect(&b, "554 6.0 the message has more than 1000 parts");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup(f, setup)
		TEST(attachments_are_told_with_their_part),
		TEST(a_program_is_known_by_its_content),
		TEST(encoded_parts_are_not_decoded_for_ever),
		TEST(lists_of_ones_own_stand_alone),
		TEST(headers_have_a_size_and_a_number_of_fields),
		TEST(parts_have_a_depth_and_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
