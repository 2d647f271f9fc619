/* SPDX-License-Identifier: ISC */
/*
 * Packets of the milter protocol: what is written, octet for octet, and
 * what is read, cut and bent in every place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "milter.h"
#include "table.h"

#define OCTETS(text) { text, sizeof(text) - 1 }

/* ---- commands ---- */

static void
check_written(const struct buf *out, const char *want, size_t size)
{
	assert_int_equal(out->size, size);
	assert_memory_equal(out->data, want, size);
}
#define CHECK_WRITTEN(out, want) check_written(out, want, sizeof(want) - 1)

static void
test_commands(void **state)
{
	struct buf out = { 0 };
	const struct slice macros[] = { SLICE("i"), SLICE("abc"),
		SLICE("{mail_addr}"), SLICE("") };
	const struct slice path[] = { SLICE("<a@b>"), SLICE("SIZE=1") };

	(void)state;
	assert_int_equal(milter_put_options(&out, 0x1ff, 0x1ff7ff), 0);
	CHECK_WRITTEN(&out, "\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff");
	out.size = 0;
	assert_int_equal(milter_put_connect(&out, SLICE("[::1]"), '6', 25,
	    SLICE("::1")), 0);
	CHECK_WRITTEN(&out, "\0\0\0\x0e" "C[::1]\0006\0\x19::1\0");
	out.size = 0;
	assert_int_equal(milter_put_connect(&out, SLICE("x"), 'U', 25,
	    SLICE("")), 0);
	CHECK_WRITTEN(&out, "\0\0\0\4Cx\0U");
	out.size = 0;
	assert_int_equal(milter_put_macros(&out, 'M', macros, 4), 0);
	CHECK_WRITTEN(&out, "\0\0\0\x15" "DMi\0abc\0{mail_addr}\0\0");
	out.size = 0;
	assert_int_equal(milter_put_texts(&out, 'M', path, 2), 0);
	assert_int_equal(milter_put_body(&out, "x\0y", 3), 0);
	assert_int_equal(milter_put_command(&out, 'E'), 0);
	CHECK_WRITTEN(&out, "\0\0\0\x0e" "M<a@b>\0SIZE=1\0"
	    "\0\0\0\4Bx\0y" "\0\0\0\1E");
	buf_free(&out);
}

/* A NUL would end a text early: another argument, another macro. */
static void
test_refused_commands(void **state)
{
	struct buf out = { 0 };
	const struct slice bad[] = { OCTETS("a\0b") };
	static char large[MILTER_CHUNK_MAX + 1];

	(void)state;
	assert_int_equal(milter_put_command(&out, 'T'), 0);
	assert_int_equal(milter_put_texts(&out, 'H', bad, 1), -EINVAL);
	assert_int_equal(milter_put_macros(&out, 'C', bad, 1), -EINVAL);
	assert_int_equal(milter_put_connect(&out, bad[0], 'U', 0,
	    SLICE("")), -EINVAL);
	assert_int_equal(milter_put_body(&out, large, sizeof(large)),
	    -EINVAL);
	out.maximum = 20;
	assert_int_equal(milter_put_body(&out, large, 100), -ENOBUFS);
	CHECK_WRITTEN(&out, "\0\0\0\1T");
	buf_free(&out);
}

/* ---- packets ---- */

static void
test_packets(void **state)
{
	static const char two[] = "\0\0\0\1c\0\0\0\3hx\0";
	struct milter_packet packet;

	(void)state;
	for (size_t n = 0; n < 5; n++)
		assert_int_equal(milter_take_packet(&packet,
		    (struct slice){ two, n }), 0);
	assert_int_equal(milter_take_packet(&packet,
	    (struct slice){ two, 12 }), 1);
	assert_int_equal(packet.letter, 'c');
	assert_int_equal(packet.size, 5);
	assert_int_equal(packet.data.size, 0);
	assert_int_equal(milter_take_packet(&packet,
	    (struct slice){ two + 5, 6 }), 0);
	assert_int_equal(milter_take_packet(&packet,
	    (struct slice){ two + 5, 7 }), 1);
	assert_int_equal(packet.letter, 'h');
	assert_int_equal(packet.data.size, 2);
	assert_int_equal(milter_take_packet(&packet,
	    (struct slice)OCTETS("\0\0\0\0")), -EBADMSG);
	assert_int_equal(milter_take_packet(&packet,
	    (struct slice)OCTETS("\0\x10\0\1")), -EBADMSG);
	assert_int_equal(milter_take_packet(&packet,
	    (struct slice)OCTETS("HTTP/1.1")), -EBADMSG);
}

/* ---- replies ---- */

static const struct reply_row {
	char letter;
	struct slice data;
	bool is_good;
	enum milter_reply_kind kind;
	const char *name, *value;
	uint32_t index, action;
} replies[] = {
	{ 'c', OCTETS(""), true, MILTER_CONTINUE, "", "", 0, 0 },
	{ 'a', OCTETS(""), true, MILTER_ACCEPT, "", "", 0, 0 },
	{ 'r', OCTETS(""), true, MILTER_REJECT, "", "", 0, 0 },
	{ 't', OCTETS(""), true, MILTER_TEMPFAIL, "", "", 0, 0 },
	{ 'd', OCTETS(""), true, MILTER_DISCARD, "", "", 0, 0 },
	{ 's', OCTETS(""), true, MILTER_SKIP, "", "", 0, 0 },
	{ 'p', OCTETS(""), true, MILTER_PROGRESS, "", "", 0, 0 },
	{ '4', OCTETS(""), true, MILTER_SHUTDOWN, "", "", 0, 0 },
	{ 'f', OCTETS(""), true, MILTER_CONNECTION_FAILED, "", "", 0, 0 },
	{ 'h', OCTETS("X-A\0 b\0"), true, MILTER_ADD_HEADER, "X-A", " b", 0,
	    MILTER_ADD_HEADERS },
	{ 'i', OCTETS("\0\0\0\2X-A\0b\n\tc\0"), true, MILTER_INSERT_HEADER,
	    "X-A", "b\n\tc", 2, MILTER_ADD_HEADERS },
	{ 'm', OCTETS("\0\0\0\1X-A\0\0"), true, MILTER_CHANGE_HEADER, "X-A",
	    "", 1, MILTER_CHANGE_HEADERS },
	{ 'b', OCTETS("line\r\n"), true, MILTER_REPLACE_BODY, "", "line\r\n",
	    0, MILTER_CHANGE_BODY },
	{ '+', OCTETS("<a@b>\0"), true, MILTER_ADD_RECIPIENT, "<a@b>", "", 0,
	    MILTER_ADD_RECIPIENTS },
	{ '2', OCTETS("<a@b>\0X=1\0"), true, MILTER_ADD_RECIPIENT, "<a@b>",
	    "X=1", 0, MILTER_ADD_RECIPIENTS_ARGS },
	{ '2', OCTETS("<a@b>\0"), true, MILTER_ADD_RECIPIENT, "<a@b>", "", 0,
	    MILTER_ADD_RECIPIENTS_ARGS },
	{ '-', OCTETS("<a@b>\0"), true, MILTER_DELETE_RECIPIENT, "<a@b>", "",
	    0, MILTER_DELETE_RECIPIENTS },
	{ 'e', OCTETS("<>\0"), true, MILTER_SENDER, "<>", "", 0,
	    MILTER_CHANGE_SENDER },
	{ 'e', OCTETS("<a@b>\0SIZE=1\0"), true, MILTER_SENDER, "<a@b>",
	    "SIZE=1", 0, MILTER_CHANGE_SENDER },
	{ 'q', OCTETS("why\0"), true, MILTER_HOLD, "", "why", 0,
	    MILTER_QUARANTINE },
	/* malformed */
	{ 'c', OCTETS("x"), false, 0, "", "", 0, 0 },
	{ 'Z', OCTETS(""), false, 0, "", "", 0, 0 },
	{ '\0', OCTETS(""), false, 0, "", "", 0, 0 },
	{ 'h', OCTETS(""), false, 0, "", "", 0, 0 },
	{ 'h', OCTETS("X-A\0"), false, 0, "", "", 0, 0 },
	{ 'h', OCTETS("X-A\0b"), false, 0, "", "", 0, 0 },
	{ 'h', OCTETS("X-A\0b\0c"), false, 0, "", "", 0, 0 },
	{ 'i', OCTETS("\0\0\0"), false, 0, "", "", 0, 0 },
	{ 'm', OCTETS("\0\0\0\1X"), false, 0, "", "", 0, 0 },
	{ '+', OCTETS("<a@b>"), false, 0, "", "", 0, 0 },
	{ '+', OCTETS("<a@b>\0x\0"), false, 0, "", "", 0, 0 },
	{ '2', OCTETS("<a@b>\0x"), false, 0, "", "", 0, 0 },
	{ 'q', OCTETS("why"), false, 0, "", "", 0, 0 },
	{ 'O', OCTETS("\0\0\0\6\0\0\0\0"), false, 0, "", "", 0, 0 },
};

static void
test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(replies); i++) {
		const struct reply_row *row = &replies[i];
		struct milter_packet packet = { row->letter, row->data, 0 };
		struct milter_reply reply;
		char name[2] = { row->letter, 0 };

		CHECK(name, (milter_read_reply(&reply, &packet) == 0) ==
		    row->is_good);
		if (!row->is_good)
			continue;
		CHECK(name, reply.kind == row->kind);
		CHECK(name, reply.index == row->index);
		CHECK(name, slice_equals(reply.name, slice_of(row->name)));
		CHECK(name, slice_equals(reply.value, slice_of(row->value)));
		CHECK(name, milter_reply_action(&reply) == row->action);
	}
}

static const struct code_row {
	struct slice data;
	unsigned code, subject, detail;		/* code 0: malformed */
	const char *text;
} codes[] = {
	{ OCTETS("550 5.7.1 no\0"), 550, 7, 1, "no" },
	{ OCTETS("451 4.7.1 later\0"), 451, 7, 1, "later" },
	{ OCTETS("550 no\0"), 550, 0, 0, "no" },
	{ OCTETS("550\0"), 550, 0, 0, "" },
	{ OCTETS("550 4.7.1 odd\0"), 550, 0, 0, "4.7.1 odd" },
	{ OCTETS("550 5.7 odd\0"), 550, 0, 0, "5.7 odd" },
	{ OCTETS("550 5.999.1 odd\0"), 550, 0, 0, "5.999.1 odd" },
	{ OCTETS("554-5.7.1 one\r\n554-5.7.1 two\r\n554 5.7.1 three\0"), 554,
	    7, 1, "one\ntwo\nthree" },
	{ OCTETS("554-5.7.1 one\n554 5.7.1 two\0"), 554, 7, 1, "one\ntwo" },
	{ OCTETS("554 5.7.1 100%% sure %d %%s\0"), 554, 7, 1,
	    "100% sure %d %s" },
	/* controls never get through */
	{ OCTETS("550 5.7.1 a\tb\001c\033[m\0"), 550, 7, 1, "a b c [m" },
	{ OCTETS("550 5.7.1 a\rb\0"), 550, 7, 1, "a b" },
	/* an injected reply is no line of this one */
	{ OCTETS("550 5.7.1 no\r\n250 ok\0"), 0, 0, 0, "" },
	{ OCTETS("550 5.7.1 no\r\nRCPT TO:<x>\0"), 0, 0, 0, "" },
	{ OCTETS("550-5.7.1 a\r\n551 5.7.1 b\0"), 0, 0, 0, "" },
	{ OCTETS("250 ok\0"), 0, 0, 0, "" },
	{ OCTETS("354 go\0"), 0, 0, 0, "" },
	{ OCTETS("650 x\0"), 0, 0, 0, "" },
	{ OCTETS("55 x\0"), 0, 0, 0, "" },
	{ OCTETS("550x\0"), 0, 0, 0, "" },
	{ OCTETS("\0"), 0, 0, 0, "" },
	{ OCTETS("550 no"), 0, 0, 0, "" },
	{ OCTETS("550 no\0x"), 0, 0, 0, "" },
};

static void
test_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(codes); i++) {
		const struct code_row *row = &codes[i];
		struct milter_packet packet = { 'y', row->data, 0 };
		struct milter_reply reply;

		CHECK(row->data.data, (milter_read_reply(&reply, &packet) ==
		    0) == (row->code != 0));
		if (row->code == 0)
			continue;
		CHECK(row->data.data, reply.verdict.code == row->code);
		CHECK(row->data.data, reply.verdict.subject == row->subject);
		CHECK(row->data.data, reply.verdict.detail == row->detail);
		CHECK_STRING(row->data.data, reply.verdict.text, row->text);
	}
}

static void
test_options(void **state)
{
	static const char data[] = "\0\0\0\6\0\0\0\1\0\0\0\x40"
	    "\0\0\0\2i {mail_addr}\0\0\0\0\5\0";
	struct milter_packet packet = { 'O', { data, sizeof(data) - 1 }, 0 };
	struct milter_reply reply;
	enum milter_macros stage;
	struct slice names;

	(void)state;
	assert_int_equal(milter_read_reply(&reply, &packet), 0);
	assert_int_equal(reply.version, 6);
	assert_int_equal(reply.actions, 1);
	assert_int_equal(reply.protocol, 0x40);
	assert_int_equal(milter_next_symbols(&reply.symbols, &stage, &names),
	    1);
	assert_int_equal(stage, MILTER_AT_MAIL);
	assert_true(slice_equals(names, SLICE("i {mail_addr}")));
	assert_int_equal(milter_next_symbols(&reply.symbols, &stage, &names),
	    1);
	assert_int_equal(stage, MILTER_AT_END);
	assert_int_equal(names.size, 0);
	assert_int_equal(milter_next_symbols(&reply.symbols, &stage, &names),
	    0);
	/* every cut but those after a whole list */
	for (size_t n = 0; n < sizeof(data) - 1; n++) {
		packet.data.size = n;
		assert_int_equal(milter_read_reply(&reply, &packet),
		    n == 12 || n == 30 ? 0 : -EBADMSG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_refused_commands),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
