/* SPDX-License-Identifier: ISC */
/*
 * test_smtp_command.c - command lines, ESMTP parameters, BDAT, HELO.
 */
#include "smtp_command.h"
#include "table.h"

#define MX (COMMAND_SIZE | COMMAND_BODY | COMMAND_SMTPUTF8 | COMMAND_PRDR)
#define DSN (COMMAND_RET | COMMAND_ENVID | COMMAND_NOTIFY | COMMAND_ORCPT)
#define ALL (MX | DSN | COMMAND_AUTH | COMMAND_REQUIRETLS)

static const struct {
	const char *line;
	size_t size;		/* 0: strlen */
	enum command_result want;
	const char *verb, *argument;
} lines[] = {
	{ "QUIT", 0, COMMAND_OK, "QUIT", "" },
	{ "quit  \t ", 0, COMMAND_OK, "quit", "" },
	{ "MAIL FROM:<>", 0, COMMAND_OK, "MAIL", "FROM:<>" },
	{ "MAIL\t FROM:<> \t", 0, COMMAND_OK, "MAIL", "FROM:<>" },
	{ "", 0, COMMAND_OK, "", "" },
	{ " QUIT", 0, COMMAND_OK, "", "QUIT" },
	{ "a:b/c d  e", 0, COMMAND_OK, "a:b/c", "d  e" },
	{ "HELO a\rb", 0, COMMAND_BAD_OCTETS, "", "" },
	{ "HELO a\nb", 0, COMMAND_BAD_OCTETS, "", "" },
	{ "QUIT\r", 0, COMMAND_BAD_OCTETS, "", "" },
	{ "HELO a\0b", 8, COMMAND_BAD_OCTETS, "", "" },
	{ "\177", 0, COMMAND_BAD_OCTETS, "", "" },
	{ "NOOP \xff\xfb\x1f", 0, COMMAND_BAD_OCTETS, "", "" },
	{ "NOOP \xf6", 0, COMMAND_BAD_OCTETS, "", "" },
	{ "NOOP \xc3\xb6", 0, COMMAND_OK, "NOOP", "\xc3\xb6" },
};

static void
test_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++) {
		struct slice line = { lines[i].line, lines[i].size ?
		    lines[i].size : strlen(lines[i].line) };
		struct command c;

		CHECK(lines[i].line,
		    command_split(&c, line) == lines[i].want);
		CHECK(lines[i].line,
		    slice_equals(c.verb, slice_of(lines[i].verb)));
		CHECK(lines[i].line,
		    slice_equals(c.argument, slice_of(lines[i].argument)));
	}
}

static void
test_http(void **state)
{
	static const struct {
		const char *line;
		bool want;
	} rows[] = {
		{ "GET / HTTP/1.1", true },
		{ "POST /a?b c HTTP/1.0", true },
		{ "PRI * HTTP/2.0", true },
		{ "host: mx.example.org", true },
		{ "Host:", true },
		{ "HTTP/1.1", false },
		{ "GET /", false },
		{ "Subject: HTTP/1.1 and more", false },
		{ "AUTH PLAIN AAAA", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct command c;

		CHECK(rows[i].line, command_split(&c,
		    slice_of(rows[i].line)) == COMMAND_OK);
		CHECK(rows[i].line, command_is_http(&c) == rows[i].want);
	}
}

static const struct {
	const char *argument;
	unsigned offered;
	enum command_result want;
	unsigned given;
	uint64_t size_bytes;
	const char *wrong;	/* keyword named, or NULL */
} mails[] = {
	{ "FROM:<a@b.c>", 0, COMMAND_OK, 0, 0, NULL },
	{ "from:<>", 0, COMMAND_OK, 0, 0, NULL },
	{ "FROM:  \t<a@b.c>  ", 0, COMMAND_OK, 0, 0, NULL },
	{ "FROM: <a@b.c> SIZE=1000", MX, COMMAND_OK, COMMAND_SIZE, 1000,
	    NULL },
	{ "FROM:<a@b.c> size=0", MX, COMMAND_OK, COMMAND_SIZE, 0, NULL },
	{ "FROM:<a@b.c>\tSIZE=1 \t BODY=8BITMIME", MX, COMMAND_OK,
	    COMMAND_SIZE | COMMAND_BODY, 1, NULL },
	{ "FROM:<a@b.c> BODY=7bit PRDR SMTPUTF8", MX, COMMAND_OK,
	    COMMAND_BODY | COMMAND_PRDR | COMMAND_SMTPUTF8, 0, NULL },
	{ "FROM:<\"a> SIZE=9\"@b.c> SIZE=2", MX, COMMAND_OK, COMMAND_SIZE, 2,
	    NULL },
	{ "FROM:<a@b.c> SIZE=18446744073709551615", MX, COMMAND_OK,
	    COMMAND_SIZE, UINT64_MAX, NULL },
	{ "FROM:<a@b.c> SIZE=18446744073709551616", MX, COMMAND_OK,
	    COMMAND_SIZE, UINT64_MAX, NULL },
	{ "FROM:<a@b.c> SIZE=99999999999999999999", MX, COMMAND_OK,
	    COMMAND_SIZE, UINT64_MAX, NULL },
	{ "FROM:<a@b.c> SIZE=00000000000000000001", MX, COMMAND_OK,
	    COMMAND_SIZE, 1, NULL },
	{ "FROM:<a@b.c> SIZE=000000000000000000001", MX, COMMAND_BAD_PARAM,
	    0, 0, "SIZE" },
	{ "FROM:<a@b.c> SIZE", MX, COMMAND_BAD_PARAM, 0, 0, "SIZE" },
	{ "FROM:<a@b.c> SIZE=", MX, COMMAND_BAD_PARAM, 0, 0, "SIZE" },
	{ "FROM:<a@b.c> SIZE=-1", MX, COMMAND_BAD_PARAM, 0, 0, "SIZE" },
	{ "FROM:<a@b.c> SIZE=1k", MX, COMMAND_BAD_PARAM, 0, 0, "SIZE" },
	{ "FROM:<a@b.c> SIZE=1 SIZE=1", MX, COMMAND_DUPLICATE_PARAM,
	    COMMAND_SIZE, 1, "SIZE" },
	{ "FROM:<a@b.c> PRDR prdr", MX, COMMAND_DUPLICATE_PARAM,
	    COMMAND_PRDR, 0, "prdr" },
	{ "FROM:<a@b.c> BODY=BINARYMIME", MX, COMMAND_BAD_PARAM, 0, 0,
	    "BODY" },
	{ "FROM:<a@b.c> BODY", MX, COMMAND_BAD_PARAM, 0, 0, "BODY" },
	{ "FROM:<a@b.c> PRDR=1", MX, COMMAND_BAD_PARAM, 0, 0, "PRDR" },
	{ "FROM:<a@b.c> PRDR=", MX, COMMAND_BAD_PARAM, 0, 0, "PRDR" },
	{ "FROM:<a@b.c> FOO=bar", MX, COMMAND_UNKNOWN_PARAM, 0, 0, "FOO" },
	{ "FROM:<a@b.c> X", MX, COMMAND_UNKNOWN_PARAM, 0, 0, "X" },
	{ "FROM:<a@b.c> ENVID=a", ALL, COMMAND_OK, COMMAND_ENVID, 0, NULL },
	{ "FROM:<a@b.c> FOO", MX, COMMAND_UNKNOWN_PARAM, 0, 0, "FOO" },
	{ "FROM:<a@b.c> SIZE=1", 0, COMMAND_UNKNOWN_PARAM, 0, 0, "SIZE" },
	{ "FROM:<a@b.c> RET=FULL", MX, COMMAND_UNKNOWN_PARAM, 0, 0, "RET" },
	{ "FROM:<a@b.c> NOTIFY=NEVER", ALL, COMMAND_UNKNOWN_PARAM, 0, 0,
	    "NOTIFY" },
	{ "FROM:<a@b.c> SIZEX=1", MX, COMMAND_UNKNOWN_PARAM, 0, 0, "SIZEX" },
	{ "FROM:<a@b.c> SIZ=1", MX, COMMAND_UNKNOWN_PARAM, 0, 0, "SIZ" },
	{ "FROM:<a@b.c> =1", MX, COMMAND_BAD_SYNTAX, 0, 0, NULL },
	{ "FROM:<a@b.c> -X=1", MX, COMMAND_BAD_SYNTAX, 0, 0, NULL },
	{ "FROM:<a@b.c> S!ZE=1", MX, COMMAND_BAD_SYNTAX, 0, 0, NULL },
	{ "FROM:<a@b.c> <d@e.f>", MX, COMMAND_BAD_SYNTAX, 0, 0, NULL },
	{ "FROM:<a@b.c> RET=HDRS ENVID=a+2Bb AUTH=<> REQUIRETLS", ALL,
	    COMMAND_OK, COMMAND_RET | COMMAND_ENVID | COMMAND_AUTH |
	    COMMAND_REQUIRETLS, 0, NULL },
	{ "FROM:<a@b.c> RET=NONE", ALL, COMMAND_BAD_PARAM, 0, 0, "RET" },
	{ "FROM:<a@b.c> ENVID=a+2bb", ALL, COMMAND_BAD_PARAM, 0, 0, "ENVID" },
	{ "FROM:<a@b.c> ENVID=a+2", ALL, COMMAND_BAD_PARAM, 0, 0, "ENVID" },
	{ "FROM:<a@b.c> ENVID=a=b", ALL, COMMAND_BAD_PARAM, 0, 0, "ENVID" },
	{ "FROM:<a@b.c> ENVID=\xc3\xb6", ALL, COMMAND_BAD_PARAM, 0, 0,
	    "ENVID" },
	{ "FROM:<a@b.c> AUTH=", ALL, COMMAND_BAD_PARAM, 0, 0, "AUTH" },
	{ "FROM:<a@b.c>SIZE=1", MX, COMMAND_BAD_PATH, 0, 0, NULL },
	{ "FROM:<a@b.c>>", MX, COMMAND_BAD_PATH, 0, 0, NULL },
	{ "FROM:a@b.c", MX, COMMAND_BAD_PATH, 0, 0, NULL },
	{ "FROM:<postmaster>", MX, COMMAND_BAD_PATH, 0, 0, NULL },
	{ "FROM:", MX, COMMAND_BAD_PATH, 0, 0, NULL },
	{ "FROM :<a@b.c>", MX, COMMAND_BAD_SYNTAX, 0, 0, NULL },
	{ "FROM<a@b.c>", MX, COMMAND_BAD_SYNTAX, 0, 0, NULL },
	{ "TO:<a@b.c>", MX, COMMAND_BAD_SYNTAX, 0, 0, NULL },
	{ "", MX, COMMAND_BAD_SYNTAX, 0, 0, NULL },
	{ "FROM:<j\xc3\xb6@b.c> SMTPUTF8", MX, COMMAND_OK, COMMAND_SMTPUTF8,
	    0, NULL },
	{ "FROM:<j\xc3\xb6@b.c>", MX, COMMAND_NEEDS_SMTPUTF8, 0, 0, NULL },
	{ "FROM:<j\xc3\xb6@b.c> SMTPUTF8", 0, COMMAND_UNKNOWN_PARAM, 0, 0,
	    "SMTPUTF8" },
	{ "FROM:<j\xf6@b.c> SMTPUTF8", MX, COMMAND_BAD_PATH, 0, 0, NULL },
};

static void
test_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(mails); i++) {
		const char *name = mails[i].argument;
		struct mail_params p;
		struct address a;

		CHECK(name, command_parse_mail(slice_of(name),
		    mails[i].offered, &a, &p) == mails[i].want);
		CHECK(name, p.given == mails[i].given);
		CHECK(name, p.size_bytes == mails[i].size_bytes);
		CHECK(name, slice_equals(p.wrong, slice_of(mails[i].wrong)));
		CHECK(name, (p.path != ADDRESS_OK) ==
		    (mails[i].want == COMMAND_BAD_PATH));
	}
}

static void
test_mail_values(void **state)
{
	struct mail_params p;
	struct address a;

	(void)state;
	assert_int_equal(command_parse_mail(SLICE("FROM:<a@B.c> BODY=8bitmime "
	    "RET=full ENVID=x+2By AUTH=e+3Df"), ALL, &a, &p), COMMAND_OK);
	assert_string_equal(a.text, "a@B.c");
	assert_string_equal(a.domain, "b.c");
	assert_int_equal(p.body, COMMAND_BODY_8BITMIME);
	assert_int_equal(p.ret, COMMAND_RET_FULL);
	assert_true(slice_equals(p.envid, SLICE("x+2By")));
	assert_true(slice_equals(p.auth, SLICE("e+3Df")));
	assert_int_equal(command_parse_mail(SLICE("FROM:<> BODY=7BIT RET=HDRS"),
	    ALL, &a, &p), COMMAND_OK);
	assert_true(a.is_null);
	assert_int_equal(p.body, COMMAND_BODY_7BIT);
	assert_int_equal(p.ret, COMMAND_RET_HDRS);
}

/* RFC 3461 4.4: an envelope id has at most 100 octets. */
static void
test_envid_limit(void **state)
{
	char text[160] = "FROM:<> ENVID=";
	size_t start = strlen(text);
	struct mail_params p;
	struct address a;

	(void)state;
	memset(text + start, 'x', 101);
	assert_int_equal(command_parse_mail((struct slice){ text,
	    start + 100 }, ALL, &a, &p), COMMAND_OK);
	assert_int_equal(command_parse_mail((struct slice){ text,
	    start + 101 }, ALL, &a, &p), COMMAND_BAD_PARAM);
}

#define NEVER COMMAND_NOTIFY_NEVER
#define SUCCESS COMMAND_NOTIFY_SUCCESS
#define FAILURE COMMAND_NOTIFY_FAILURE
#define DELAY COMMAND_NOTIFY_DELAY

static const struct {
	const char *argument;
	unsigned offered;
	enum command_result want;
	unsigned notify;	/* when want is COMMAND_OK */
	const char *orcpt;
} rcpts[] = {
	{ "TO:<a@b.c>", 0, COMMAND_OK, 0, NULL },
	{ "to: <a@b.c>", 0, COMMAND_OK, 0, NULL },
	{ "TO:<postmaster>", 0, COMMAND_OK, 0, NULL },
	{ "TO:<@x.y:a@b.c>", 0, COMMAND_OK, 0, NULL },
	{ "TO:<>", 0, COMMAND_BAD_PATH, 0, NULL },
	{ "TO:<a>", 0, COMMAND_BAD_PATH, 0, NULL },
	{ "TO:a@b.c", 0, COMMAND_BAD_PATH, 0, NULL },
	{ "TO:<a@b.c>,<d@e.f>", 0, COMMAND_BAD_PATH, 0, NULL },
	{ "TO:<a@b.c> <d@e.f>", 0, COMMAND_BAD_SYNTAX, 0, NULL },
	{ "TO :<a@b.c>", 0, COMMAND_BAD_SYNTAX, 0, NULL },
	{ "FROM:<a@b.c>", 0, COMMAND_BAD_SYNTAX, 0, NULL },
	{ "TO:<j\xc3\xb6@b.c>", 0, COMMAND_NEEDS_SMTPUTF8, 0, NULL },
	{ "TO:<j\xc3\xb6@b.c>", COMMAND_SMTPUTF8, COMMAND_OK, 0, NULL },
	{ "TO:<a@b.c> NOTIFY=NEVER", 0, COMMAND_UNKNOWN_PARAM, 0, NULL },
	{ "TO:<a@b.c> SIZE=1", ALL, COMMAND_UNKNOWN_PARAM, 0, NULL },
	{ "TO:<a@b.c> NOTIFY=NEVER", ALL, COMMAND_OK, NEVER, NULL },
	{ "TO:<a@b.c> NOTIFY=success,FAILURE,Delay", ALL, COMMAND_OK,
	    SUCCESS | FAILURE | DELAY, NULL },
	{ "TO:<a@b.c> NOTIFY=DELAY", ALL, COMMAND_OK, DELAY, NULL },
	{ "TO:<a@b.c> NOTIFY=NEVER,DELAY", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> NOTIFY=DELAY,", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> NOTIFY=,DELAY", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> NOTIFY=", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> NOTIFY", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> NOTIFY=ALWAYS", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> NOTIFY=DELAY NOTIFY=DELAY", ALL,
	    COMMAND_DUPLICATE_PARAM, 0, NULL },
	{ "TO:<a@b.c> ORCPT=rfc822;x+2B@y.z", ALL, COMMAND_OK, 0,
	    "rfc822;x+2B@y.z" },
	{ "TO:<a@b.c> ORCPT=rfc822", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> ORCPT=rfc822;", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> ORCPT=;x", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> ORCPT=a_b;x", ALL, COMMAND_BAD_PARAM, 0, NULL },
	{ "TO:<a@b.c> ORCPT=rfc822;x+zz", ALL, COMMAND_BAD_PARAM, 0, NULL },
};

static void
test_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rcpts); i++) {
		const char *name = rcpts[i].argument;
		struct rcpt_params p;
		struct address a;

		CHECK(name, command_parse_rcpt(slice_of(name),
		    rcpts[i].offered, &a, &p) == rcpts[i].want);
		CHECK(name, (p.path != ADDRESS_OK) ==
		    (rcpts[i].want == COMMAND_BAD_PATH ||
		    rcpts[i].want == COMMAND_NEEDS_SMTPUTF8));
		if (rcpts[i].want != COMMAND_OK)
			continue;
		CHECK(name, p.notify == rcpts[i].notify);
		CHECK(name, slice_equals(p.orcpt, slice_of(rcpts[i].orcpt)));
	}
}

static const struct {
	const char *argument;
	enum command_result want;
	uint64_t size_bytes;
	bool is_last;
} bdats[] = {
	{ "0", COMMAND_OK, 0, false },
	{ "0 LAST", COMMAND_OK, 0, true },
	{ "1000 last", COMMAND_OK, 1000, true },
	{ "1000 \t LAST ", COMMAND_OK, 1000, true },
	{ "007", COMMAND_OK, 7, false },
	{ "18446744073709551615", COMMAND_OK, UINT64_MAX, false },
	{ "18446744073709551616", COMMAND_BAD_SYNTAX, 0, false },
	{ "", COMMAND_BAD_SYNTAX, 0, false },
	{ "LAST", COMMAND_BAD_SYNTAX, 0, false },
	{ "-1", COMMAND_BAD_SYNTAX, 0, false },
	{ "+1", COMMAND_BAD_SYNTAX, 0, false },
	{ "0x10", COMMAND_BAD_SYNTAX, 0, false },
	{ "10LAST", COMMAND_BAD_SYNTAX, 0, false },
	{ "10 LASTX", COMMAND_BAD_SYNTAX, 0, false },
	{ "10 LAST LAST", COMMAND_BAD_SYNTAX, 0, false },
	{ "1 0", COMMAND_BAD_SYNTAX, 0, false },
};

static void
test_bdat(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(bdats); i++) {
		const char *name = bdats[i].argument;
		uint64_t size = 77;
		bool is_last = true;

		CHECK(name, command_parse_bdat(slice_of(name), &size,
		    &is_last) == bdats[i].want);
		CHECK(name, size == bdats[i].size_bytes);
		CHECK(name, is_last == bdats[i].is_last);
	}
}

static const struct {
	const char *argument;
	enum command_result want;
} helos[] = {
	{ "mx.example.org", COMMAND_OK },
	{ "localhost", COMMAND_OK },
	{ "my_host.local", COMMAND_OK },
	{ "[192.0.2.1]", COMMAND_OK },
	{ "[IPv6:2001:db8::1]", COMMAND_OK },
	{ "192.0.2.1", COMMAND_OK },
	{ "example.org.", COMMAND_OK },
	{ "", COMMAND_BAD_SYNTAX },
	{ "a b", COMMAND_BAD_SYNTAX },
	{ "a\tb", COMMAND_BAD_SYNTAX },
	{ "a\r\nb", COMMAND_BAD_SYNTAX },
	{ "a\177", COMMAND_BAD_SYNTAX },
	{ "b\xc3\xbc.c", COMMAND_BAD_SYNTAX },
};

static void
test_helo(void **state)
{
	char text[COMMAND_HELO_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(helos); i++)
		CHECK(helos[i].argument, command_check_helo(
		    slice_of(helos[i].argument)) == helos[i].want);
	memset(text, 'x', sizeof(text));
	assert_int_equal(command_check_helo((struct slice){ text,
	    COMMAND_HELO_MAX }), COMMAND_OK);
	assert_int_equal(command_check_helo((struct slice){ text,
	    COMMAND_HELO_MAX + 1 }), COMMAND_BAD_SYNTAX);
	assert_int_equal(command_check_helo((struct slice){ "a\0b", 3 }),
	    COMMAND_BAD_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_mail_values),
		cmocka_unit_test(test_envid_limit),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_bdat),
		cmocka_unit_test(test_helo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
