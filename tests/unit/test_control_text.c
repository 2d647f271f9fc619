/* SPDX-License-Identifier: ISC */
/*
 * test_control_text.c - what the postmaster reads: why, status; and how a
 * request is split.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../control/control.h"
#include "../../control/status_text.h"
#include "../../control/why_text.h"

static const char session[] =
    "id=k3f9q2m7t at=2026-11-21T23:00:00.123456Z stage=connect "
    "client=192.0.2.7\n"
    "id=k3f9q2m7t n=1 at=2026-11-21T23:00:01.000000Z stage=rcpt "
    "check=recipient verdict=refuse code=550 enhanced=5.1.1 "
    "asked=one@example.org answer=\"no such mailbox here\" took_us=42 "
    "text=\"<one@example.org>: no such mailbox here\"\n"
    "id=k3f9q2m7t n=2 at=2026-11-21T23:00:02.000000Z stage=data "
    "check=delivery verdict=temporary code=452 enhanced=4.2.2 asked=\"\" "
    "answer=full took_us=2500000 score=\"7 of 9\" text=\"mailbox full\"\n"
    "id=k3f9q2m7t at=2026-11-21T23:00:03.000000Z stage=end messages=0 "
    "took_us=4980437\n";

static void
why_shows_the_whole_session(void **state)
{
	static const char want[] =
	    "Session k3f9q2m7t\n"
	    "\n"
	    "2026-11-21 23:00:00.123 UTC  connect  client 192.0.2.7\n"
	    "2026-11-21 23:00:03.000 UTC  end      messages 0 took 4.9 s\n"
	    "\n"
	    "Refusal 1, at RCPT TO, 2026-11-21 23:00:01.000 UTC\n"
	    "  Check     recipient\n"
	    "  Asked     one@example.org\n"
	    "  Answer    no such mailbox here\n"
	    "  Took      42 us\n"
	    "  Verdict   refuse: the client is not to try again\n"
	    "  Reply     550 5.1.1 <one@example.org>: no such mailbox here\n"
	    "  See also  `posternctl route` and the address: how it is "
	    "resolved, by which line\n"
	    "\n"
	    "Refusal 2, at the message, 2026-11-21 23:00:02.000 UTC\n"
	    "  Check     delivery\n"
	    "  Asked     (nothing)\n"
	    "  Answer    full\n"
	    "  Took      2.5 s\n"
	    "  Verdict   temporary: the client is to try again later\n"
	    "  score     7 of 9\n"
	    "  Reply     452 4.2.2 mailbox full\n";
	struct buf out = { 0 };

	(void)state;
	assert_true(why_text(&out, slice_of(session), 0));
	assert_string_equal(out.data, want);
	buf_free(&out);
}

static void
why_shows_one_refusal(void **state)
{
	struct buf out = { 0 };

	(void)state;
	assert_true(why_text(&out, slice_of(session), 2));
	assert_non_null(strstr(out.data, "192.0.2.7"));
	assert_non_null(strstr(out.data, "mailbox full"));
	assert_null(strstr(out.data, "one@example.org"));
	buf_free(&out);
	assert_false(why_text(&out, slice_of(session), 3));
	buf_free(&out);
}

/* Where no event is logged none is named. */
static void
why_says_where_to_look_next(void **state)
{
	static const struct { const char *line; bool says; } rows[] = {
		{ "n=1 check=mailbox code=451 enhanced=4.2.0\n", true },
		{ "n=1 check=mailbox code=452 enhanced=4.2.2\n", false },
		{ "n=1 check=virus code=451 answer=\"none: gone\"\n", true },
		{ "n=1 check=virus code=554 answer=Eicar\n", false },
		{ "n=1 check=milter code=451 answer=\"later\"\n", false },
		{ "n=1 check=dmarc code=451\n", true },
		{ "n=1 check=dmarc code=550\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out = { 0 };

		assert_true(why_text(&out, slice_of(rows[i].line), 1));
		assert_int_equal(strstr(out.data, "See also") != NULL,
		    rows[i].says);
		buf_free(&out);
	}
}

static void
why_shows_nothing_that_a_terminal_obeys(void **state)
{
	static const char line[] = "id=k3f9q2m7t n=1 at=x stage=\"\\x1b[2J\" "
	    "check=\"a\\x0db\\x0ac\" \x1b=\"\\x1b\" code=\"\\x07\" "
	    "text=\"\\x9b\\xc2\\x9b31m\" key=\"\\x00\"\n";
	struct buf out = { 0 };

	(void)state;
	for (unsigned number = 0; number < 2; number++) {
		why_text(&out, slice_of(line), number);
		for (size_t i = 0; i < out.size; i++) {
			unsigned char c = (unsigned char)out.data[i];

			assert_true(c == '\n' || (c >= ' ' && c < 0x7f));
		}
		buf_free(&out);
	}
}

static void
status_is_a_table_or_json(void **state)
{
	static const char lines[] =
	    "uptime_s=93784 generation=2 config=/etc/postern/postern.conf\n"
	    "compartment=store index=0 generation=2 pid=77 state=running "
	    "up_s=61 restarts=3\n"
	    "compartment=smtpd index=4 generation=2 pid=78 state=running "
	    "up_s=61 restarts=0 kind=local\n";
	static const char odd[] = "uptime_s=1 generation=1 "
	    "config=\"/a \\\"b\\\"/\\xc3\\xa9\\x01\\xe9\\x9b[2J\"\n";
	static const char resolver[] = "dnssec=off "
	    "dnssec_why=\"no signatures\" servers=192.0.2.1 asked=7";
	int fd = scoreboard_create();
	struct scoreboard *board = scoreboard_map_own(fd);
	struct scoreboards *boards = NULL;
	struct buf out = { 0 };

	(void)state;
	scoreboard_add(board, SCOREBOARD_MESSAGES_ACCEPTED, 12);
	assert_int_equal(scoreboards_update(&boards, &fd, 1), 0);
	status_text(&out, slice_of(lines), slice_of(resolver), boards);
	assert_non_null(strstr(out.data, "up for 1 d 2 h, generation 2"));
	assert_non_null(strstr(out.data, "running    1 min "));
	assert_non_null(strstr(out.data, "        3\nsmtpd "));
	assert_non_null(strstr(out.data, "        0  local\n"));
	assert_non_null(strstr(out.data, "messages_accepted                 "
	    "           12\n"));
	assert_non_null(strstr(out.data, "\nDNSSEC validation is off: no "
	    "signatures\nName servers: 192.0.2.1\n"));
	assert_non_null(strstr(out.data, "dns_asked                         "
	    "            7\n"));
	status_text_more(&out, "store", "", SLICE("greylist=7 seen=1"));
	status_text_more(&out, "queue", "queue_", SLICE("messages=3"));
	assert_non_null(strstr(out.data, "\ngreylist                      "
	    "                7\nseen "));
	assert_non_null(strstr(out.data, "\nqueue_messages                "
	    "                3\n"));
	status_text_more(&out, "queue", "queue_", SLICE(""));
	assert_non_null(strstr(out.data, "\nThe queue does not answer.\n"));
	buf_free(&out);
	status_json(&out, slice_of(lines), slice_of(resolver), boards);
	assert_non_null(strstr(out.data, "\"resolver\":{\"dnssec\":\"off\","
	    "\"dnssec_why\":\"no signatures\",\"servers\":\"192.0.2.1\","
	    "\"asked\":7}"));
	assert_non_null(strstr(out.data, "{\"server\":{\"uptime_s\":93784,"
	    "\"generation\":2,\"config\":\"/etc/postern/postern.conf\"},"
	    "\"compartments\":[{\"compartment\":\"store\",\"index\":0,"));
	assert_non_null(strstr(out.data, "\"messages_accepted\":12,"));
	status_json_more(&out, "store", SLICE("greylist=7 seen=1"));
	status_json_more(&out, "queue", SLICE("messages=3"));
	status_json_end(&out);
	assert_non_null(strstr(out.data, "},\"store\":{\"greylist\":7,"
	    "\"seen\":1},\"queue\":{\"messages\":3}}\n"));
	buf_free(&out);
	status_text(&out, slice_of(lines), SLICE(""), boards);
	assert_non_null(strstr(out.data, "The resolver does not answer.\n"));
	buf_free(&out);
	/* a path of the configuration with what a name may hold */
	status_text(&out, slice_of(odd), SLICE(""), boards);
	assert_non_null(strstr(out.data, "with /a \"b\"/\xc3\xa9 ??[2J\n"));
	buf_free(&out);
	status_json(&out, slice_of(odd), SLICE(""), boards);
	assert_non_null(strstr(out.data, "\"config\":\"/a \\\"b\\\"/\xc3\xa9"
	    "\\u0001\\u00e9\\u009b[2J\""));
	buf_free(&out);
	status_json(&out, SLICE(""), SLICE(""), NULL);
	assert_non_null(strstr(out.data, "{\"server\":{},\"compartments\":[],"
	    "\"resolver\":{},\"counters\":{\"sessions_now\":0,"));
	status_json_more(&out, "store", SLICE(""));
	status_json_end(&out);
	assert_non_null(strstr(out.data, "},\"store\":{}}\n"));
	buf_free(&out);
	scoreboards_free(&boards);
	scoreboard_unmap(&board);
	close(fd);
}

static void
requests_are_split_into_words(void **state)
{
	static const struct { struct slice line; bool is_good; size_t n; }
	rows[] = {
		{ SLICE("status"), true, 1 },
		{ SLICE("  why   k3f9q2m7t "), true, 2 },
		{ SLICE("route gr\303\274n@example.org"), true, 2 },
		{ SLICE("a b c d e f g h"), true, 8 },
		{ SLICE("a b c d e f g h i"), false, 0 },
		{ SLICE("route \"a  b\"@example.org"), true, 2 },
		{ SLICE("route <\"a \\\" b\"@example.org> x"), true, 3 },
		{ SLICE("sent \"a\\\\\" b"), true, 3 },
		{ SLICE("hold x he said \"no"), true, 5 },
		{ SLICE("hold x \"no no"), true, 3 },
		{ SLICE("hold x \"no\\"), true, 3 },
		{ SLICE(""), false, 0 },
		{ SLICE("   "), false, 0 },
		{ SLICE("a\tb"), false, 0 },
		{ SLICE("a\0b"), false, 0 },
		{ SLICE("a\177"), false, 0 },
	};
	struct slice words[8];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(request_split(rows[i].line, words, 8, &n),
		    rows[i].is_good);
		if (rows[i].is_good)
			assert_int_equal(n, rows[i].n);
	}
	assert_true(request_split(SLICE(" why  x "), words, 4, &n));
	assert_true(slice_equals(words[1], SLICE("x")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(why_shows_the_whole_session),
		cmocka_unit_test(why_shows_one_refusal),
		cmocka_unit_test(why_says_where_to_look_next),
		cmocka_unit_test(why_shows_nothing_that_a_terminal_obeys),
		cmocka_unit_test(status_is_a_table_or_json),
		cmocka_unit_test(requests_are_split_into_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
