/* SPDX-License-Identifier: ISC */
/*
 * test_sendmail.c - the command line of sendmail, the message that it reads
 * and what it makes of it for SMTP.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>
#include "../../commands/complain.h"
#include "../../commands/addressing.h"
#include "../../commands/letter.h"
#include "../../commands/sendmail_options.h"
#include "../../commands/transmit.h"
#include "table.h"

/* ---- options ---- */

#define WORDS_MAX 14
#define TEN "0123456789"
#define ENVID_100 TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* want: mode, flags in the order t i v q, sender, name, n_recipients; "!"
 * for a bad command line. "-" stands for what was not given. */
static const struct {
	const char *words[WORDS_MAX];
	const char *want;
} lines[] = {
	{ { "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root" },
	    "0 i - CronDaemon root" },
	{ { "sendmail", "-FAnacron", "-odi", "root" }, "0 - - Anacron root" },
	{ { "/usr/sbin/sendmail", "-oi", "-f", "a@x.example", "-t" },
	    "0 ti a@x.example -" },
	{ { "sendmail", "-i", "-f", "a", "--", "b", "c" }, "0 i a - b c" },
	{ { "sendmail", "-oem", "-oi", "-N", "failure,delay", "-R", "hdrs",
	    "--", "b" }, "0 i - - b" },
	{ { "sendmail", "-oi", "-f", "", "b" }, "0 i  - b" },
	{ { "sendmail", "-f", "<>", "--", "b" }, "0 - <> - b" },
	{ { "sendmail", "-r", "a", "b" }, "0 - a - b" },
	{ { "sendmail", "-fa@x.example", "-oi", "b" }, "0 i a@x.example - b" },
	{ { "sendmail", "-o", "i", "b" }, "0 i - - b" },
	{ { "sendmail", "-O", "IgnoreDots=true", "b" }, "0 i - - b" },
	{ { "sendmail", "-O", "ignoredots", "b" }, "0 i - - b" },
	{ { "sendmail", "-O", "Timeout=1h", "b" }, "0 - - - b" },
	{ { "sendmail", "-oeq", "-v", "b" }, "0 vq - - b" },
	{ { "sendmail", "-eq", "b" }, "0 q - - b" },
	{ { "sendmail", "-oee", "b" }, "0 - - - b" },
	{ { "sendmail", "-oXYZ", "-om", "-o7", "-oMsSMTP", "-odb", "b" },
	    "0 - - - b" },
	{ { "sendmail", "-U", "-G", "-n", "-m", "-A", "c", "-L", "tag", "-h",
	    "12", "b" }, "0 - - - b" },
	{ { "sendmail", "-Ac", "-X", "/tmp/log", "-V", "id", "-C/x", "-p",
	    "ESMTP:h", "b" }, "0 - - - b" },
	{ { "sendmail", "-bm", "-i", "b" }, "0 i - - b" },
	{ { "sendmail", "-bs" }, "1 - - -" },
	{ { "sendmail", "-bv", "b" }, "2 - - - b" },
	{ { "sendmail", "-bp" }, "3 - - -" },
	{ { "/usr/bin/mailq" }, "3 - - -" },
	{ { "mailq", "-v" }, "3 v - -" },
	{ { "sendmail", "-q" }, "4 - - -" },
	{ { "sendmail", "-q30m" }, "4 - - -" },
	{ { "sendmail", "-bi" }, "5 - - -" },
	{ { "sendmail", "-I" }, "5 - - -" },
	{ { "/usr/bin/newaliases" }, "5 - - -" },
	{ { "sendmail", "-bd", "-q30m" }, "6 - - -" },
	{ { "sendmail", "-d0.1", "-bv", "root" }, "2 - - - root" },
	{ { "sendmail", "--", "-b@x.example" }, "0 - - - -b@x.example" },
	{ { "sendmail", "b", "--", "c" }, "!" },
	/* not to be guessed at */
	{ { "sendmail", "b", "-f", "a" }, "!" },
	{ { "sendmail", "-K", "b" }, "!" },
	{ { "sendmail", "-f" }, "!" },
	{ { "sendmail", "-bz" }, "!" },
	{ { "sendmail", "-N", "sometimes", "b" }, "!" },
	{ { "sendmail", "-N", "never,delay", "b" }, "!" },
	{ { "sendmail", "-N", "delay,", "b" }, "!" },
	{ { "sendmail", "-N", "", "b" }, "!" },
	{ { "sendmail", "-R", "some", "b" }, "!" },
	{ { "sendmail", "-V", "", "b" }, "!" },
	{ { "sendmail", "-V", ENVID_100, "b" }, "0 - - - b" },
	{ { "sendmail", "-V", ENVID_100 "x", "b" }, "!" },
	{ { "sendmail", "-V", TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678+",
	    "b" }, "!" },
};

static void
write_options(char *to, size_t room, const struct sendmail_options *o)
{
	size_t n = (size_t)snprintf(to, room, "%d %s%s%s%s%s %s %s",
	    (int)o->mode, o->reads_recipients ? "t" : "",
	    o->ignores_dots ? "i" : "", o->is_verbose ? "v" : "",
	    o->is_quiet ? "q" : "",
	    o->reads_recipients || o->ignores_dots || o->is_verbose ||
	    o->is_quiet ? "" : "-",
	    o->sender != NULL ? o->sender : "-",
	    o->full_name != NULL ? o->full_name : "-");

	for (int i = 0; i < o->n_recipients; i++)
		n += (size_t)snprintf(to + n, room - n, " %s",
		    o->recipients[i]);
}

static void
test_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++) {
		struct sendmail_options o;
		char *argv[WORDS_MAX + 1] = { NULL };
		char got[300] = "!";
		int argc = 0;

		for (; lines[i].words[argc] != NULL; argc++)
			argv[argc] = strdup(lines[i].words[argc]);
		optind = 0;	/* glibc: begin anew */
		if (sendmail_options_read(&o, argc, argv))
			write_options(got, sizeof got, &o);
		CHECK_STRING(lines[i].want, got, lines[i].want);
		for (int j = 0; j < argc; j++)
			free(argv[j]);
	}
}

/* ---- the message ---- */

static int
input_of(const char *text, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int
collect(void *arg, struct slice piece)
{
	return buf_append_slice(arg, piece);
}

static void
as_sent(struct buf *out, const char *text, size_t size, bool ignores_dots)
{
	const struct letter_limits limits = { .ignores_dots = ignores_dots };
	struct letter letter;
	int fd = input_of(text, size);

	assert_int_equal(letter_read(&letter, fd, &limits), 0);
	assert_int_equal(letter_send(&letter, collect, out), 0);
	letter_free(&letter);
	close(fd);
}

#define TEXT(literal) literal, sizeof(literal) - 1
static const struct {
	const char *name, *input;
	size_t size;
	bool ignores_dots;
	const char *want;
} messages[] = {
	{ "plain", TEXT("A: b\n\nbody\n"), false, "A: b\r\n\r\nbody\r\n" },
	{ "empty", TEXT(""), false, "\r\n" },
	{ "no header", TEXT("hello there\n"), false, "\r\nhello there\r\n" },
	{ "no blank line", TEXT("A: b\nhello there\n"), false,
	    "A: b\r\n\r\nhello there\r\n" },
	{ "header only", TEXT("A: b\n"), false, "A: b\r\n\r\n" },
	{ "last line open", TEXT("A: b\n\nx"), false, "A: b\r\n\r\nx\r\n" },
	{ "open header", TEXT("A: b"), false, "A: b\r\n\r\n" },
	{ "CR LF", TEXT("A: b\r\n\r\nx\r\ny\r\n"), false,
	    "A: b\r\n\r\nx\r\ny\r\n" },
	{ "CR CR LF", TEXT("A: b\r\r\n\r\r\nx\r\r\n"), false,
	    "A: b\r\n\r\nx\r\n" },
	{ "mixed ends", TEXT("A: b\r\nC: d\n\nx\r\ny\n"), false,
	    "A: b\r\nC: d\r\n\r\nx\r\ny\r\n" },
	{ "bare CR in the body", TEXT("\n10%\r20%\rdone\n"), false,
	    "\r\n10%\r\n20%\r\ndone\r\n" },
	{ "a dot between bare CRs", TEXT("\nx\r.\ry\n"), false,
	    "\r\nx\r\n..\r\ny\r\n" },
	{ "a dot after a bare CR", TEXT("\nx\r.\ny\n"), false,
	    "\r\nx\r\n..\r\ny\r\n" },
	{ "bare CR is no field", TEXT("A: b\rBcc: c\n\nx\n"), false,
	    "A: b Bcc: c\r\n\r\nx\r\n" },
	{ "NUL", TEXT("A: b\0c\n\nx\0y\0\n"), false,
	    "A: bc\r\n\r\nxy\r\n" },
	{ "a dot ends it", TEXT("A: b\n\nx\n.\ny\n"), false,
	    "A: b\r\n\r\nx\r\n" },
	{ "a dot with CR", TEXT("A: b\n\nx\n.\r\ny\n"), false,
	    "A: b\r\n\r\nx\r\n" },
	{ "a dot in the header", TEXT("A: b\n.\ny\n"), false,
	    "A: b\r\n\r\n" },
	{ "a dot does not", TEXT("A: b\n\nx\n.\ny\n"), true,
	    "A: b\r\n\r\nx\r\n..\r\ny\r\n" },
	{ "dots", TEXT("A: b\n\n.x\n..\n...\nx.\n"), false,
	    "A: b\r\n\r\n..x\r\n...\r\n....\r\nx.\r\n" },
	{ "dot first", TEXT(".x: y\n\n"), false, "..x: y\r\n\r\n" },
	{ "eight bits", TEXT("A: \xc3\xb6\n\n\xff\xfe\n"), false,
	    "A: \xc3\xb6\r\n\r\n\xff\xfe\r\n" },
	{ "mbox", TEXT("From a@b Sat Jan  1\nA: b\n\nx\n"), false,
	    "A: b\r\n\r\nx\r\n" },
	{ "quoted mbox", TEXT(">From a@b Sat Jan  1\nA: b\n\nx\n"), false,
	    "A: b\r\n\r\nx\r\n" },
	{ "From in the body", TEXT("A: b\n\nFrom x\n"), false,
	    "A: b\r\n\r\nFrom x\r\n" },
	{ "fold", TEXT("A: b\n c\n\td\n\nx\n"), false,
	    "A: b\r\n c\r\n\td\r\n\r\nx\r\n" },
	{ "a fold of nothing", TEXT("A: b\n \nC: d\n\nx\n"), false,
	    "A: b\r\nC: d\r\n\r\nx\r\n" },
	{ "a fold first", TEXT(" b\nA: b\n"), false,
	    "\r\n b\r\nA: b\r\n" },
	{ "space before the colon", TEXT("A : b\n\n"), false,
	    "A : b\r\n\r\n" },
	{ "blank lines", TEXT("\n\nx\n"), false, "\r\n\r\nx\r\n" },
};

static void
test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(messages); i++) {
		struct buf out = { 0 };
		char want[300];

		as_sent(&out, messages[i].input, messages[i].size,
		    messages[i].ignores_dots);
		snprintf(want, sizeof want, "%s.\r\n", messages[i].want);
		CHECK_STRING(messages[i].name, out.data, want);
		buf_free(&out);
	}
}

/* A large body lies in a file; cut and joined anywhere it is the same. */
static void
test_large(void **state)
{
	struct buf in = { 0 }, want = { 0 }, out = { 0 };

	(void)state;
	buf_puts(&in, "A: b\n\n");
	buf_puts(&want, "A: b\r\n\r\n");
	for (unsigned i = 0; in.size < (5u << 20); i++) {
		buf_printf(&in, "%.*s%u\n", (int)(i % 5), "....", i);
		buf_printf(&want, "%s%.*s%u\r\n", i % 5 ? "." : "",
		    (int)(i % 5), "....", i);
	}
	buf_puts(&want, ".\r\n");
	as_sent(&out, in.data, in.size, true);
	assert_int_equal(out.size, want.size);
	assert_memory_equal(out.data, want.data, want.size);
	buf_free(&in);
	buf_free(&want);
	buf_free(&out);
}

static void
test_too_large(void **state)
{
	const struct letter_limits limits = { .message_bytes = 1000 };
	struct letter letter;
	char text[4000];
	int fd;

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t i = 99; i < sizeof text; i += 100)
		text[i] = '\n';
	fd = input_of(text, sizeof text);
	assert_int_equal(letter_read(&letter, fd, &limits), EX_DATAERR);
	/* all of it was read: nobody writes to a closed pipe */
	assert_int_equal(lseek(fd, 0, SEEK_CUR), sizeof text);
	letter_free(&letter);
	close(fd);
}

static void
test_long_lines(void **state)
{
	struct buf in = { 0 }, out = { 0 };
	size_t column = 0;

	(void)state;
	buf_puts(&in, "To: ");
	for (unsigned i = 0; i < 5000; i++)
		buf_printf(&in, "user%u@example.org, ", i);
	buf_puts(&in, "root\n\n");
	for (unsigned i = 0; i < 40000; i++)
		buf_puts(&in, "\xc3\xb6");
	as_sent(&out, in.data, in.size, false);
	for (size_t i = 0; i < out.size; i++) {
		column = out.data[i] == '\n' ? 0 : column + 1;
		assert_true(column < LETTER_LINE_MAX + 3);
		/* no character is cut in two */
		if (column == 1 && i > 200000)
			assert_true((unsigned char)out.data[i] != 0xb6);
	}
	/* the header's lines are folded between recipients */
	assert_non_null(memmem(out.data, out.size, ",\r\n user", 8));
	assert_null(memmem(out.data, 100000, "\r\nuser", 6));
	buf_free(&in);
	buf_free(&out);
}

/* ---- recipients and fields ---- */

static const struct server_place place = { .origin = "example.org" };

static const struct {
	const char *name, *header;
	const char *recipients;		/* "!" for none to be guessed */
	const char *kept;		/* the header that is left */
} headers[] = {
	{ "all three", "To: a@x.example, b\nCc: C <c@y.example>\n"
	    "Bcc: d\nSubject: x\n",
	    "a@x.example b@example.org c@y.example d@example.org ",
	    "To: a@x.example, b\nCc: C <c@y.example>\nSubject: x\n" },
	{ "case and folds", "TO: a,\n b\nbcc:\n c\n",
	    "a@example.org b@example.org c@example.org ", "TO: a,\n b\n" },
	{ "twice", "To: a\nTo: a, b\nCc: b@example.org\n",
	    "a@example.org b@example.org ",
	    "To: a\nTo: a, b\nCc: b@example.org\n" },
	{ "resent", "Resent-To: r\nResent-Bcc: s\nTo: a\nCc: b\nBcc: c\n",
	    "r@example.org s@example.org ", "Resent-To: r\nTo: a\nCc: b\n" },
	{ "resent by nobody yet", "Resent-From: r\nTo: a\n",
	    "a@example.org ", "Resent-From: r\nTo: a\n" },
	{ "others", "Reply-To: a\nApparently-To: b\nTo: c\n",
	    "c@example.org ", "Reply-To: a\nApparently-To: b\nTo: c\n" },
	{ "no address", "To: Alice Smith\n", "!", "" },
	{ "nobody", "Subject: x\n", "", "Subject: x\n" },
	{ "a group", "To: Us: a, b;\n", "a@example.org b@example.org ",
	    "To: Us: a, b;\n" },
};

static void
test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(headers); i++) {
		struct addressing e = { .sender = NULL };
		struct letter letter = { .fd = -1 };
		char got[300] = "";
		size_t n = 0;
		int status;

		buf_puts(&letter.header, headers[i].header);
		status = addressing_take_header(&e, &letter, &place);
		for (size_t j = 0; j < e.n_recipients; j++)
			n += (size_t)snprintf(got + n, sizeof got - n, "%s ",
			    e.recipients[j].address);
		if (status != 0) {
			assert_int_equal(status, EX_DATAERR);
			CHECK_STRING(headers[i].name, "!",
			    headers[i].recipients);
		} else {
			CHECK_STRING(headers[i].name, got,
			    headers[i].recipients);
			CHECK_STRING(headers[i].name, letter.header.data,
			    headers[i].kept);
		}
		letter_free(&letter);
		addressing_free(&e);
	}
}

static const struct {
	const char *sender, *name;
	const char *want;	/* of the From field */
} senders[] = {
	{ "a@x.example", "Alice Smith", "Alice Smith <a@x.example>" },
	{ "alice", "Alice Smith", "Alice Smith <alice@example.org>" },
	{ "Joe <joe@x.example>", "J", "J <joe@x.example>" },
	{ "<a@x.example>", "CronDaemon", "CronDaemon <a@x.example>" },
	{ "a", "Smith, \"A\" \\", "\"Smith, \\\"A\\\" \\\\\" "
	    "<a@example.org>" },
	{ "a", "J\xc3\xb6rg", "=?utf-8?q?=4A=C3=B6=72=67?= <a@example.org>" },
	{ "a", "J\xf6rg", "=?unknown-8bit?q?=4A=F6=72=67?= <a@example.org>" },
	{ "a", "x\nBcc: y", "\"x Bcc: y\" <a@example.org>" },
	{ "a", "", "<a@example.org>" },
	{ "a b", "x", NULL },
	{ "a, b", "x", NULL },
	{ "a@", "x", NULL },
};

static void
test_senders(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(senders); i++) {
		const struct sendmail_options o = {
			.sender = senders[i].sender,
			.full_name = senders[i].name };
		struct addressing e = { .sender = NULL };
		struct letter letter = { .fd = -1 };
		char want[200];
		int status = addressing_set_sender(&e, &o, &place);

		if (senders[i].want == NULL) {
			assert_int_equal(status, EX_USAGE);
			continue;
		}
		assert_int_equal(status, 0);
		buf_puts(&letter.header, "Date: today\n");
		assert_int_equal(addressing_complete(&e, &letter, &o, &place),
		    0);
		snprintf(want, sizeof want, "Date: today\nFrom: %s\n",
		    senders[i].want);
		CHECK_STRING(senders[i].name, letter.header.data, want);
		letter_free(&letter);
		addressing_free(&e);
	}
}

/* A field that is there stays as it is. */
static void
test_complete(void **state)
{
	const struct sendmail_options o = { .sender = "" };
	struct addressing e = { .sender = NULL };
	struct letter letter = { .fd = -1 };

	(void)state;
	assert_int_equal(addressing_set_sender(&e, &o, &place), 0);
	assert_string_equal(e.sender, "");
	buf_puts(&letter.header, "FROM: x\nSubject: y\n");
	assert_int_equal(addressing_complete(&e, &letter, &o, &place), 0);
	assert_memory_equal(letter.header.data, "FROM: x\nSubject: y\nDate: ",
	    25);
	letter_free(&letter);
	addressing_free(&e);
}

/* ---- what the server says ---- */

static const struct {
	unsigned code, subject, detail;
	int want;
} replies[] = {
	{ 450, 1, 1, EX_TEMPFAIL }, { 421, 3, 2, EX_TEMPFAIL },
	{ 452, 3, 1, EX_TEMPFAIL }, { 550, 1, 1, EX_NOUSER },
	{ 550, 1, 2, EX_NOHOST }, { 556, 1, 10, EX_NOHOST },
	{ 501, 1, 3, EX_DATAERR }, { 550, 2, 1, EX_NOUSER },
	{ 553, 7, 1, EX_NOPERM }, { 554, 7, 1, EX_NOPERM },
	{ 552, 3, 4, EX_DATAERR }, { 500, 5, 1, EX_PROTOCOL },
	{ 553, 1, 4, EX_NOUSER }, { 550, 0, 0, EX_UNAVAILABLE },
	{ 554, 4, 6, EX_UNAVAILABLE },
};

static void
test_statuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(replies); i++) {
		const struct smtp_reply reply = { .code = replies[i].code,
			.subject = replies[i].subject,
			.detail = replies[i].detail };

		assert_int_equal(transmit_status(&reply), replies[i].want);
	}
}

/* A temporary file that has become shorter is no shorter message. */
static void
test_body_is_cut(void **state)
{
	const char text[] = "one\ntwo\n";
	struct letter letter = { .fd = input_of(text, sizeof text - 1),
		.file_bytes = sizeof text };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(letter_send(&letter, collect, &out), -EIO);
	/* nothing that would be the end of a message to the server */
	assert_null(memmem(out.data, out.size, "\r\n.\r\n", 5));
	letter_free(&letter);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_body_is_cut),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_statuses),
	};

	complain_quietly();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
