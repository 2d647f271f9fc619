/* SPDX-License-Identifier: ISC */
/*
 * test_mime.c - parts of real and of broken messages, file names, transfer
 * encodings, and that no message costs more than its size allows.
 */
#include "table.h"
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include "mime.h"

/* ---- the parts of a message ---- */

/* "kind path type [body]" of each part, one a line, then the faults. */
static const char *
parts_of(struct slice text)
{
	static const char kinds[] = { 'l', 'm', 'r' };
	static char out[65536];
	struct mime_walk walk;
	struct mime_part part;
	size_t size = 0;

	mime_walk_start(&walk, text);
	while (mime_next(&walk, &part))
		size += (size_t)snprintf(out + size, sizeof out - size,
		    "%c %s %s [%.*s]\n", kinds[part.kind], part.path,
		    part.type, (int)part.body.size, part.body.data);
	snprintf(out + size, sizeof out - size, "%x", walk.faults);
	return out;
}

#define MIXED "From: a@b\nContent-Type: multipart/mixed; boundary=\"xx\"\n\n"

#define MIXED_FIELD "Content-Type: multipart/mixed; boundary="
#define B_50 "12345678901234567890123456789012345678901234567890"
#define LONG_BOUNDARY B_50 B_50 B_50 B_50	/* MIME_BOUNDARY_MAX */
static const struct {
	const char *name, *text, *want;
} walks[] = {
	{ "nothing", "", "l  text/plain []\n0" },
	{ "no body", "Subject: x\n", "l  text/plain []\n0" },
	{ "plain", "Subject: x\n\nhello\n", "l  text/plain [hello\n]\n0" },
	{ "no header", "\nhello", "l  text/plain [hello]\n0" },
	{ "an attachment", MIXED "preamble\n--xx\n\ntext\n--xx\n"
	    "Content-Type: image/PNG; name=a.png\n"
	    "Content-Transfer-Encoding: base64\n\nAAAA\n--xx--\nepilogue\n",
	    "m  multipart/mixed []\nl 1 text/plain [text]\n"
	    "l 2 image/png [AAAA]\n0" },
	{ "CR LF", "Content-Type: multipart/mixed;\r\n\tboundary=xx\r\n\r\n"
	    "--xx\r\n\r\na\r\nb\r\n--xx--\r\n",
	    "m  multipart/mixed []\nl 1 text/plain [a\r\nb]\n0" },
	{ "CR alone", "Content-Type: multipart/mixed;\r boundary=xx\r\r"
	    "--xx\r\ra\rb\r--xx\rContent-Type: x/y\r\rc\r--xx--\r",
	    "m  multipart/mixed []\nl 1 text/plain [a\rb]\n"
	    "l 2 x/y [c]\n0" },
	{ "nested", MIXED "--xx\nContent-Type: multipart/alternative;"
	    "boundary=xxy\n\n--xxy\n\na\n--xxy\nContent-Type: text/html\n\n"
	    "b\n--xxy--\n\n--xx\n\nc\n--xx--\n",
	    "m  multipart/mixed []\nm 1 multipart/alternative []\n"
	    "l 1.1 text/plain [a]\nl 1.2 text/html [b]\n"
	    "l 2 text/plain [c]\n0" },
	{ "a bounce", "Content-Type: multipart/report; report-type="
	    "delivery-status; boundary=\"B/1\"\n\n--B/1\n\nSorry.\n--B/1\n"
	    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; h\n"
	    "\nAction: failed\n--B/1\nContent-Type: message/rfc822\n\n"
	    "Message-ID: <1@x>\nContent-Type: text/html\n\nbody\n--B/1--\n",
	    "m  multipart/report []\nl 1 text/plain [Sorry.]\n"
	    "l 2 message/delivery-status [Reporting-MTA: dns; h\n\n"
	    "Action: failed]\nr 3 message/rfc822 []\n"
	    "l 3.1 text/html [body]\n0" },
	{ "a message in a message with parts", MIXED "--xx\n"
	    "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; "
	    "boundary=in\n\n--in\n\na\n--in\n\nb\n--in--\n--xx\n\nc\n--xx--",
	    "m  multipart/mixed []\nr 1 message/rfc822 []\n"
	    "m 1.1 multipart/mixed []\nl 1.1 text/plain [a]\n"
	    "l 1.2 text/plain [b]\nl 2 text/plain [c]\n0" },
	{ "digest", "Content-Type: multipart/digest; boundary=xx\n\n--xx\n\n"
	    "Subject: 1\n\none\n--xx\n\nSubject: 2\n\ntwo\n--xx--\n",
	    "m  multipart/digest []\nr 1 message/rfc822 []\n"
	    "l 1.1 text/plain [one]\nr 2 message/rfc822 []\n"
	    "l 2.1 text/plain [two]\n0" },
	{ "an inner part that is not closed", MIXED "--xx\nContent-Type: "
	    "multipart/mixed; boundary=in\n\n--in\n\na\n--xx\n\nb\n--xx--\n",
	    "m  multipart/mixed []\nm 1 multipart/mixed []\n"
	    "l 1.1 text/plain [a]\nl 2 text/plain [b]\n40" },
	{ "cut off", MIXED "--xx\n\nabc",
	    "m  multipart/mixed []\nl 1 text/plain [abc]\n40" },
	{ "no boundary", "Content-Type: multipart/mixed\n\n--\n\nx\n",
	    "l  multipart/mixed [--\n\nx\n]\n20" },
	{ "a boundary that nothing has", MIXED "text\n",
	    "m  multipart/mixed []\n40" },
	{ "space behind a boundary", MIXED "--xx \t\n\na\n--xx-- \n",
	    "m  multipart/mixed []\nl 1 text/plain [a]\n0" },
	{ "a longer line is no boundary to us", MIXED
	    "--xx\n\n--xxx\n--xx--\n",
	    "m  multipart/mixed []\nl 1 text/plain [--xxx]\n400" },
	{ "a longer last line", MIXED "--xx\n\na\n--xx--x\n--xx\n\nb\n",
	    "m  multipart/mixed []\nl 1 text/plain [a]\n400" },
	{ "a longer line of what is outside", "Content-Type: multipart/mixed; "
	    "boundary=xxx\n\n--xxx\n" MIXED "--xx\n\na\n--xxx\n\nb\n--xxx--",
	    "m  multipart/mixed []\nm 1 multipart/mixed []\n"
	    "l 1.1 text/plain [a]\nl 2 text/plain [b]\n40" },
	{ "a header that a boundary ends", MIXED
	    "--xx\nContent-Type: a/b\n--xx\nContent-Type: c/d\n--xx--\n",
	    "m  multipart/mixed []\nl 1 a/b []\nl 2 c/d []\n0" },
	{ "a line that is no field", "Subject: x\nrubbish\n"
	    "Content-Type: a/b\n\nz",
	    "l  a/b [z]\n10" },
	{ "two types", "Content-Type: a/b\nContent-Type: c/d\n\n",
	    "l  a/b []\n80" },
	{ "two boundaries", MIXED_FIELD "xx\n" MIXED_FIELD "yy\n\n--xx\n\na\n"
	    "--xx--\n", "m  multipart/mixed []\nl 1 text/plain [a]\n80" },
	{ "a boundary as long as may be", MIXED_FIELD LONG_BOUNDARY "\n\n--"
	    LONG_BOUNDARY "\n\na\n--" LONG_BOUNDARY "--\n",
	    "m  multipart/mixed []\nl 1 text/plain [a]\n0" },
	{ "a longer one", MIXED_FIELD LONG_BOUNDARY "x\n\nb\n",
	    "l  multipart/mixed [b\n]\n20" },
	{ "two types alike", "Content-Type: a/b\nContent-Type: A/B; c=d\n\n",
	    "l  a/b []\n0" },
	{ "comments and folds", "Content-Type: (x)\n text (y(z)) / (\\)) "
	    "html\n\n", "l  text/html []\n0" },
	{ "a type that is none", "Content-Type: text\n\n",
	    "l  text/plain []\n0" },
	{ "an encoded message", "Content-Type: message/rfc822\n"
	    "Content-Transfer-Encoding: base64\n\nAAAA\n",
	    "l  message/rfc822 [AAAA\n]\n100" },
	{ "an encoding of its own", "Content-Transfer-Encoding: rot13\n\nx",
	    "l  text/plain [x]\n200" },
	{ "boundary in pieces", "Content-Type: multipart/mixed; boundary*0=x;"
	    " boundary*1=\"x\"\n\n--xx\n\na\n--xx--\n",
	    "m  multipart/mixed []\nl 1 text/plain [a]\n400" },
	{ "quoted pairs in a boundary", "Content-Type: multipart/mixed; "
	    "boundary=\"x\\x\"\n\n--xx\n\na\n--xx--\n",
	    "m  multipart/mixed []\nl 1 text/plain [a]\n400" },
};

static const struct {
	const char *value;
	bool is_clear;
} boundaries[] = {
	{ "a/b; boundary=x", true },
	{ " a/b ;\n\tboundary = \"x y\" ; charset=utf-8;", true },
	{ "a / b; type=text/html; start=<1@x>; boundary=----=_1_2.3:4", true },
	{ "a/b; micalg=sha1,md5; ; boundary=\"(x),\"", true },
	{ "a/b; boundary=x (y)", false },
	{ "a/b; boundary=x y", false },
	{ "a/b; boundary=(y)\"x\"", false },
	{ "a/b; boundary=\"x\"y", false },
	{ "a/b; boundary=\"x\" y", false },
	{ "a/b; boundary=\"x", false },
	{ "a/b; boundary=x\"y\"", false },
	{ "a/b; boundary=x,y", false },
	{ "a/b; boundary=<x>", false },
	{ "a/b; boundary=x; BOUNDARY=x", false },
	{ "a/b; boundary=x; boundary*=us-ascii''y", false },
	{ "a/b boundary=x", false },
	{ "a/b (x; boundary=y); boundary=x", false },
	{ "a/b; c=\\\"; boundary=x; d=\"", false },
};

static void
a_boundary_is_clear_to_all_or_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(boundaries); i++)
		CHECK(boundaries[i].value, mime_boundary_is_clear(
		    slice_of(boundaries[i].value)) == boundaries[i].is_clear);
}

static void
messages_fall_into_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(walks); i++)
		CHECK_STRING(walks[i].name, parts_of(slice_of(walks[i].text)),
		    walks[i].want);
}

/* ---- names ---- */

static bool
add_name(const char *name, void *arg)
{
	strcat(arg, "[");
	strcat(arg, name);
	strcat(arg, "]");
	return strlen(arg) < 900;
}

/* The last one of a program. */
static bool
keep_program(const char *name, void *arg)
{
	if (strstr(name, ".exe") != NULL)
		strcpy(arg, name);
	return true;
}

static bool
first_name(const char *name, void *arg)
{
	strcpy(arg, name);
	return false;
}

static const struct {
	const char *header, *want;
} names[] = {
	{ "Content-Type: text/plain", "" },
	{ "Content-Type: a/b; name=\"report.pdf\"", "[report.pdf]" },
	{ "Content-Disposition: attachment; filename=a.exe", "[a.exe]" },
	{ "content-disposition : attachment ; FileName = \"a.exe\" ; size=3",
	    "[a.exe]" },
	{ "Content-Type: a/b; name=x.txt\nContent-Disposition: attachment;\n"
	    "\tfilename=y.exe", "[x.txt][y.exe]" },
	{ "Content-Disposition: attachment; filename*=utf-8'en'"
	    "%e2%82%ac%20rates.exe", "[\xe2\x82\xac rates.exe]" },
	{ "Content-Disposition: attachment; filename*=iso-8859-1''"
	    "gr%fc%dfe.exe", "[gr\xc3\xbc\xc3\x9f" "e.exe]" },
	{ "Content-Disposition: attachment; filename*1=\".exe\"; "
	    "filename*0=\"evil\"", "[evil.exe]" },
	{ "Content-Disposition: attachment; filename*0*=utf-8''ev%69l;"
	    "\n filename*1=%2e; filename*2*=%65xe", "[evil%2eexe][evil.exe]" },
	{ "Content-Disposition: attachment; filename*0=\"ev\"; "
	    "filename*2=\"il.exe\"", "[ev][evil.exe]" },
	{ "Content-Disposition: attachment; filename*1=\"a.exe\"",
	    "[a.exe]" },
	{ "Content-Type: a/b; name=\"=?utf-7?Q?a.+AGUAeA-e?=\"",
	    "[a.exe][=?utf-7?Q?a.+AGUAeA-e?=]" },
	{ "Content-Type: a/b; name*=UTF-7''1+-1.+AGUAeABl", "[1+1.exe]" },
	{ "Content-Type: a/b; name=\"=?iso-2022-jp?B?YS5lGyhCeGU=?=\"",
	    "[a.exe][=?iso-2022-jp?B?YS5lGyhCeGU=?=]" },
	{ "Content-Type: a/b; name=\"=?hz-gb-2312?Q?a~~b.e~{~}xe?=\"",
	    "[a~b.exe][=?hz-gb-2312?Q?a~~b.e~{~}xe?=]" },
	{ "Content-Type: a/b; name*=IBM037''%81%4B%85%a7%85", "[a.exe]" },
	{ "Content-Disposition: attachment; filename=ok.txt; "
	    "filename*=utf-8''evil.exe", "[ok.txt][evil.exe]" },
	{ "Content-Type: a/b; name=\"=?utf-8?B?ZXZpbC5leGU=?=\"",
	    "[evil.exe][=?utf-8?B?ZXZpbC5leGU=?=]" },
	{ "Content-Type: a/b; name=\"=?utf-8?Q?ev?=\n =?utf-8?q?il=2Eexe?=\"",
	    "[evil.exe][=?utf-8?Q?ev?= =?utf-8?q?il=2Eexe?="
	    "][=?utf-8?Q?ev?=]" },
	{ "Content-Type: a/b; name=\"=?utf-8?Q?a?= =?utf-8?Q?=2Ee?="
	    " =?utf-8?Q?xe?=\"", "[a.exe][=?utf-8?Q?a?= =?utf-8?Q?=2Ee?="
	    " =?utf-8?Q?xe?=][=?utf-8?Q?a?=]" },
	{ "Content-Type: a/b; name=\"=?utf-16?B?AGUAeABlAC4AZQB4AGU=?=\"",
	    "[exe.exe][=?utf-16?B?AGUAeABlAC4AZQB4AGU=?=]" },
	{ "Content-Disposition: attachment; filename=\"evil.exe. .\"",
	    "[evil.exe]" },
	{ "Content-Disposition: attachment; filename=\"evil.exe",
	    "[evil.exe]" },
	{ "Content-Disposition: attachment; filename=evil.exe (really)",
	    "[evil.exe (really)][evil.exe]" },
	{ "Content-Disposition: attachment; filename=\"a;b.exe\"; x=y",
	    "[a;b.exe]" },
	{ "Content-Disposition: attachment; filename=\"c:\\\\d\\\\e.exe\"",
	    "[c:\\d\\e.exe]" },
	{ "Content-Disposition: attachment; filename=\"ev\x01il.e\x7fxe\"",
	    "[evil.exe]" },
	{ "Content-Disposition: filename=a.exe", "[a.exe]" },
	{ "Content-Type: name=a.exe; a/b", "[a.exe]" },
	{ "Content-Disposition: attachment; filename*0=a.txt; "
	    "filename*0=b.exe", "[a.txt][b.exe]" },
	{ "Content-Disposition: attachment; filename*2001=\".exe\"; "
	    "filename*2000=a", "[a.exe]" },
	{ "Content-Disposition: attachment; filename=", "" },
	{ "Content-Disposition: attachment; filename*=", "" },
	{ "Content-Disposition: attachment; =; filename; filename*1000000=x", "" },
};

static void
file_names_are_found_however_written(void **state)
{
	char got[2048];

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		struct mime_part part = { .header =
		    slice_of(names[i].header) };

		got[0] = '\0';
		mime_names(&part, add_name, got);
		CHECK_STRING(names[i].header, got, names[i].want);
	}
}

/* A name that is too long is told by its beginning and its end. */
static void
long_names_keep_their_end(void **state)
{
	static const char *const units[] = { "x", "\xc3\xa4",
		"=?iso-8859-1?Q?=e4=e4=e4=e4=e4=e4=e4=e4?= " };
	struct mime_part part = { 0 };
	struct buf text = { 0 };
	char got[4 * MIME_NAME_MAX], name[MIME_NAME_MAX + 1], *last;

	(void)state;
	for (size_t i = 0; i < N_OF(units); i++) {
		text.size = 0;
		buf_puts(&text, "Content-Disposition: attachment; "
		    "filename=\"first");
		while (text.size < 3 * MIME_NAME_MAX)
			buf_puts(&text, units[i]);
		buf_puts(&text, ".exe\"");
		part.header = buf_slice(&text);
		got[0] = '\0';
		mime_names(&part, keep_program, got);
		CHECK(units[i], strncmp(got, "first", 5) == 0);
		CHECK(units[i], strlen(got) > MIME_NAME_MAX / 4);
		last = got + strlen(got) - 4;
		CHECK_STRING(units[i], last, ".exe");
	}
	/* encoded in more octets than a file system takes for a name */
	text.size = 0;
	buf_puts(&text, "Content-Type: a/b; name=\"");
	for (int i = 0; i < 12; i++)
		buf_puts(&text, "=?utf-8?B?0YHRh9GR0YIg0L3QsA==?= ");
	buf_puts(&text, "=?utf-8?B?LmV4ZQ==?=\"");
	part.header = buf_slice(&text);
	name[0] = '\0';
	mime_names(&part, first_name, name);
	assert_int_equal(strlen(name), 12 * 13 + 4);
	assert_string_equal(name + 12 * 13, ".exe");
	buf_free(&text);
}

static bool
stop_at_once(const char *name, void *arg)
{
	(void)name;
	++*(int *)arg;
	return false;
}

static void
names_stop_when_told(void **state)
{
	struct mime_part part = { .header = SLICE("Content-Type: a/b; "
	    "name=a; filename=b; name*=c\nContent-Type: a/b; name=d") };
	int n = 0;

	(void)state;
	mime_names(&part, stop_at_once, &n);
	assert_int_equal(n, 1);
}

static void
parameters_are_cut_at_their_room(void **state)
{
	char to[5];

	(void)state;
	assert_true(mime_param(SLICE("a/b; x=123456"), "X", to, sizeof to));
	assert_string_equal(to, "1234");
	assert_false(mime_param(SLICE("a/b; xx=1"), "x", to, sizeof to));
	assert_string_equal(to, "");
	mime_words_decode(SLICE("\xc3\xbc=?iso-8859-1?q?=fc=fc=fc?="), to,
	    sizeof to);
	assert_string_equal(to, "\xc3\xbc\xc3\xbc");
}

/* ---- transfer encodings ---- */

static const struct {
	enum mime_encoding encoding;
	const char *coded, *want;
} codes[] = {
	{ MIME_IDENTITY, "a=3D\nb", "a=3D\nb" },
	{ MIME_UNKNOWN_ENCODING, "abc", "abc" },
	{ MIME_BASE64, "", "" },
	{ MIME_BASE64, "aGVsbG8sIHdvcmxk", "hello, world" },
	{ MIME_BASE64, "aGVs\r\nbG8s\n IHd-vcmx_k!", "hello, world" },
	{ MIME_BASE64, "aGk=", "hi" },
	{ MIME_BASE64, "aGk=aGk=", "hihi" },
	{ MIME_BASE64, "aA==", "h" },
	{ MIME_BASE64, "a", "" },
	{ MIME_BASE64, "aGk", "hi" },
	{ MIME_QUOTED_PRINTABLE, "a=3Db=e4", "a=b\xe4" },
	{ MIME_QUOTED_PRINTABLE, "one=\ntwo= \t\r\nthree=\rfour",
	    "onetwothreefour" },
	{ MIME_QUOTED_PRINTABLE, "line\nnext", "line\nnext" },
	{ MIME_QUOTED_PRINTABLE, "=zz=", "=zz" },
	{ MIME_QUOTED_PRINTABLE, "=4", "=4" },
};

static void
transfer_encodings_are_undone(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(codes); i++)
		for (size_t room = 1; room < 20; room += 3) {
			struct mime_decode decode;
			char got[64] = "", piece[32];
			size_t n;

			mime_decode_start(&decode, codes[i].encoding,
			    slice_of(codes[i].coded));
			while ((n = mime_decode_next(&decode, piece, room)) >
			    0)
				strncat(got, piece, n);
			CHECK_STRING(codes[i].coded, got, codes[i].want);
		}
}

/* ---- limits and cost ---- */

struct cost {
	unsigned n_parts, faults;
	double steps_per_octet;
};

static struct cost
cost_of(struct buf *text)
{
	struct cost cost = { 0 };
	struct mime_walk walk;
	struct mime_part part;

	mime_walk_start(&walk, buf_slice(text));
	while (mime_next(&walk, &part))
		cost.n_parts++;
	cost.faults = walk.faults;
	cost.steps_per_octet = (double)walk.n_steps / (double)text->size;
	buf_free(text);
	return cost;
}

static void
depth_is_bounded_and_linear(void **state)
{
	struct buf text = { 0 };
	struct cost cost;

	(void)state;
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "Content-Type: multipart/mixed; "
		    "boundary=b%d\n\n--b%d\n", i, i);
	cost = cost_of(&text);
	assert_true(cost.faults & MIME_TOO_DEEP);
	assert_int_equal(cost.n_parts, MIME_DEPTH_MAX + 1);
	assert_true(cost.steps_per_octet < 4);
	for (int i = 0; i < 20000; i++)
		buf_puts(&text, "Content-Type: message/rfc822\n\n");
	cost = cost_of(&text);
	assert_true(cost.faults & MIME_TOO_DEEP);
	assert_true(cost.steps_per_octet < 4);
}

static void
many_parts_are_bounded_and_linear(void **state)
{
	struct buf text = { 0 };
	struct cost cost;

	(void)state;
	buf_puts(&text, MIXED);
	for (int i = 0; i < 100000; i++)
		buf_puts(&text, "--xx\n");
	cost = cost_of(&text);
	assert_int_equal(cost.n_parts, MIME_PARTS_MAX);
	assert_int_equal(cost.faults, MIME_TOO_MANY_PARTS);
	assert_true(cost.steps_per_octet < 4);
}

/* Each of 32 levels is compared with each line that looks like one. */
static void
lines_like_boundaries_are_linear(void **state)
{
	struct buf text = { 0 };
	struct cost cost;

	(void)state;
	for (int i = 0; i < MIME_DEPTH_MAX; i++)
		buf_printf(&text, "Content-Type: multipart/mixed; "
		    "boundary=b%d\n\n--b%d\n", i, i);
	buf_puts(&text, "\n");
	for (int i = 0; i < 100000; i++)
		buf_puts(&text, "--b");
	for (int i = 0; i < 100000; i++)
		buf_puts(&text, "--b\n");
	cost = cost_of(&text);
	assert_true(cost.steps_per_octet < MIME_DEPTH_MAX);
}

/* One kind of line end that never comes is looked for once. */
static void
any_line_ends_are_linear(void **state)
{
	static const char *const lines[] = { "x\n", "x\r", "x\r\n", "\r",
		"--x\r", "x: y\r", "x:\n" };

	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++) {
		struct buf text = { 0 };

		buf_puts(&text, MIXED "--xx\n");
		for (int n = 0; n < 100000; n++)
			buf_puts(&text, lines[i]);
		CHECK(lines[i], cost_of(&text).steps_per_octet < 5);
	}
}

static void
headers_are_bounded(void **state)
{
	struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < MIME_FIELDS_MAX; i++)
		buf_puts(&text, "a:\n");
	assert_int_equal(cost_of(&text).faults, 0);
	for (int i = 0; i <= MIME_FIELDS_MAX; i++)
		buf_puts(&text, "a:\n");
	assert_int_equal(cost_of(&text).faults, MIME_TOO_MANY_FIELDS);
	buf_puts(&text, "a:");
	for (int i = 0; i < MIME_HEADER_MAX; i++)
		buf_puts(&text, "a");
	assert_int_equal(cost_of(&text).faults, MIME_HEADER_TOO_LARGE);
}

/* Nothing in a field makes the search for its names quadratic. */
static void
names_of_hostile_fields_come_soon(void **state)
{
	static const char *const pieces[] = { ";\"", ";a=\"", ";name=\"x\"",
		";name*1=x", ";(", "\";", "=?", ";name==?x?q?a?= ", "\r ",
		";name*0*='" };

	(void)state;
	for (size_t i = 0; i < N_OF(pieces); i++) {
		struct mime_part part = { 0 };
		struct buf text = { 0 };
		char got[2048] = "";
		clock_t began = clock();

		buf_puts(&text, "Content-Type: a/b");
		while (text.size < 2000000)
			buf_puts(&text, pieces[i]);
		part.header = buf_slice(&text);
		mime_names(&part, add_name, got);
		buf_free(&text);
		/* 0.03 s; under valgrind 2; quadratic would be minutes */
		CHECK(pieces[i], clock() - began < 20 * CLOCKS_PER_SEC);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_fall_into_parts),
		cmocka_unit_test(a_boundary_is_clear_to_all_or_not),
		cmocka_unit_test(file_names_are_found_however_written),
		cmocka_unit_test(long_names_keep_their_end),
		cmocka_unit_test(names_stop_when_told),
		cmocka_unit_test(parameters_are_cut_at_their_room),
		cmocka_unit_test(transfer_encodings_are_undone),
		cmocka_unit_test(depth_is_bounded_and_linear),
		cmocka_unit_test(many_parts_are_bounded_and_linear),
		cmocka_unit_test(lines_like_boundaries_are_linear),
		cmocka_unit_test(any_line_ends_are_linear),
		cmocka_unit_test(headers_are_bounded),
		cmocka_unit_test(names_of_hostile_fields_come_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
