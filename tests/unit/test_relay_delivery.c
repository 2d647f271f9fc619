/* SPDX-License-Identifier: ISC */
/*
 * test_relay_delivery.c - one delivery of relay's: what it leaves to the
 * next one in its connection, when it cannot be ended, and for which hosts
 * it is.
 */
#include "dialogue_fixture.h"

#define TAKEN "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n"
#define REFUSED "250 a\r\n550 b\r\n550 c\r\n550 d\r\n554 e\r\n"

/* What the first delivery of a connection was told; whether the next one
 * begins with RSET. */
static void
test_reset(void **state)
{
	static const struct {
		const char *replies;
		bool resets;
	} rows[] = {
		{ TAKEN "250 f\r\n", false }, { TAKEN "554 f\r\n", true },
		{ REFUSED, true },
		{ "550 a\r\n503 b\r\n503 c\r\n503 d\r\n503 e\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;
		bool resets;

		begin(&w, &plain, "x\n", true);
		says(&w, "220 x\r\n");
		says(&w, ALL);
		says(&w, rows[i].replies);
		assert_int_equal(w.d.phase, DIALOGUE_READY);
		buf_consume(&w.sent, w.sent.size);
		for (unsigned k = 0; k < N; k++)
			w.recipients[k].state = ERRAND_OPEN;
		dialogue_deliver(&w.d, &w.errand);
		go_on(&w);
		resets = strncmp(w.sent.data, "RSET\r\nMAIL ", 11) == 0;
		if (resets != rows[i].resets)
			fail_msg("row %zu: %s", i, w.sent.data);
		/* a reply to it that is none ends the connection */
		if (resets)
			says(&w, "550 what?\r\n");
		assert_int_equal(w.d.phase, resets ? DIALOGUE_OVER :
		    DIALOGUE_ENVELOPE);
		end(&w);
	}
}

/* QUIT would be a line of a message that is half sent. */
static void
test_no_quit_within_the_message(void **state)
{
	struct world w;

	(void)state;
	for (int is_within = 0; is_within < 2; is_within++) {
		begin(&w, &plain, "x\n", false);
		says(&w, "220 x\r\n");
		says(&w, ALL);
		if (is_within)
			dialogue_input(&w.d, SLICE(TAKEN));
		assert_int_equal(w.d.phase, is_within ? DIALOGUE_BODY :
		    DIALOGUE_ENVELOPE);
		dialogue_lost(&w.d, "the time limit passed");
		assert_int_equal(w.d.out.size, is_within ? 0 : 6);
		end(&w);
	}
}

/* Its file is shorter than queue said: no host can have it. */
static void
test_message_that_cannot_be_read(void **state)
{
	struct world w;

	(void)state;
	begin(&w, &plain, "x\n", false);
	w.errand.source.size++;
	says(&w, "220 x\r\n");
	says(&w, ALL);
	says(&w, TAKEN);
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(code_of(&w, i), 451);
	assert_null(memmem(w.sent.data, w.sent.size, "\r\n.\r\n", 5));
	end(&w);
}

/* How many chunks may wait for their replies. */
static void
test_chunks_wait(void **state)
{
	static const struct {
		const char *ehlo;
		unsigned n;
	} rows[] = { { "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n", 4 },
		{ "250-mx\r\n250 CHUNKING\r\n", 1 } };
	static char text[700000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		begin(&w, &plain, text, false);
		says(&w, "220 x\r\n");
		says(&w, rows[i].ehlo);
		for (unsigned k = 0; k <= N; k++)
			says(&w, "250 ok\r\n");
		assert_int_equal(w.d.phase, DIALOGUE_BODY);
		assert_int_equal(w.d.n_expected, rows[i].n);
		says(&w, "250 ok\r\n");
		assert_int_equal(w.d.n_expected, rows[i].n);
		end(&w);
	}
}

/* A server that asks for ever is told the password once. */
static void
test_login_asks_twice(void **state)
{
	struct dialogue_settings settings = plain;
	struct world w;

	(void)state;
	settings.wants_tls = settings.requires_tls = true;
	settings.user = "u";
	settings.password = "secret";
	begin(&w, &settings, "x", false);
	says(&w, "220 x\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n");
	dialogue_secured(&w.d);
	says(&w, "250-mx\r\n250 AUTH LOGIN\r\n");
	says(&w, "334 a\r\n");
	says(&w, "334 b\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_AUTH);
	says(&w, "334 c\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	assert_int_equal(w.d.failure.code, 451);
	end(&w);
}

/* Which hosts it is for; 0: MAIL was sent. */
static void
test_fitting_hosts(void **state)
{
	static const struct {
		const char *name, *ehlo;
		bool requires_tls, is_local;
		size_t size;
		unsigned code;
	} rows[] = {
		{ "REQUIRETLS in clear", "250-mx\r\n250 REQUIRETLS\r\n", true,
		    false, 1, 550 },
		{ "nobody between", "250 mx\r\n", true, true, 1, 0 },
		{ "as large as it takes", "250-mx\r\n250 SIZE 5\r\n", false,
		    false, 5, 0 },
		{ "larger", "250-mx\r\n250 SIZE 5\r\n", false, false, 6,
		    552 },
		{ "any size", "250-mx\r\n250 SIZE 0\r\n", false, false, 6,
		    0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dialogue_settings settings = plain;
		struct world w;

		settings.is_local = rows[i].is_local;
		begin(&w, &settings, "xxxxxx", false);
		w.errand.source.size = rows[i].size;
		w.errand.requires_tls = rows[i].requires_tls;
		says(&w, "220 x\r\n");
		says(&w, rows[i].ehlo);
		if (w.d.failure.code != rows[i].code || (w.d.phase ==
		    DIALOGUE_ENVELOPE) != (rows[i].code == 0))
			fail_msg("%s: %u", rows[i].name, w.d.failure.code);
		end(&w);
	}
}

/* RFC 3461 5.2.2 d; an LMTP server writes the sender into Return-Path. */
static void
test_sender_of_never(void **state)
{
	(void)state;
	for (int is_lmtp = 0; is_lmtp < 2; is_lmtp++) {
		struct world w;

		begin(&w, is_lmtp ? &lmtp : &plain, "x", false);
		for (unsigned i = 0; i < N; i++)
			w.recipients[i].notify = NOTIFY_NEVER;
		says(&w, "220 x\r\n");
		says(&w, "250 mx\r\n");
		assert_non_null(strstr(w.sent.data, is_lmtp ?
		    "MAIL FROM:<s@x>" : "MAIL FROM:<>"));
		end(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_no_quit_within_the_message),
		cmocka_unit_test(test_message_that_cannot_be_read),
		cmocka_unit_test(test_chunks_wait),
		cmocka_unit_test(test_login_asks_twice),
		cmocka_unit_test(test_fitting_hosts),
		cmocka_unit_test(test_sender_of_never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
