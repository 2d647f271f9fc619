/* SPDX-License-Identifier: ISC */
/*
 * test_relay_dialogue.c - relay's dialogue with servers that stand in
 * tables: what is sent, what each recipient gets, and that an end that comes
 * anywhere is never a success. Each script runs with its octets at once and
 * one by one.
 */
#include <errno.h>
#include "dialogue_fixture.h"
#include "../../relay/seven_bit.h"

/* ---- tables ---- */

struct script {
	const char *name;
	const char *ehlo;
	const char *envelope;		/* to MAIL, RCPT x 3, DATA */
	const char *last;		/* to the end of the message */
	unsigned codes[N];		/* 0: may be tried elsewhere */
	bool is_over;
};

static const struct script scripts[] = {
	{ "all taken", ALL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 2.0.0 ok\r\n", { 250, 250, 250 }, false },
	{ "251 and 252 are taken too", ALL,
	    "250 a\r\n251 b\r\n250 c\r\n252 d\r\n354 e\r\n",
	    "299 ok\r\n", { 250, 250, 250 }, false },
	{ "one refused", ALL,
	    "250 a\r\n550 5.1.1 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 ok\r\n", { 550, 250, 250 }, false },
	{ "all refused", ALL,
	    "250 a\r\n550 b\r\n450 c\r\n553 d\r\n554 e\r\n", "",
	    { 550, 450, 553 }, false },
	{ "all refused, and it wants data", ALL,
	    "250 a\r\n550 b\r\n450 c\r\n553 d\r\n354 e\r\n",
	    "250 taken, what?\r\n", { 550, 450, 553 }, false },
	{ "MAIL refused for good", ALL,
	    "550 5.7.1 a\r\n503 b\r\n503 c\r\n503 d\r\n503 e\r\n", "",
	    { 550, 550, 550 }, false },
	{ "MAIL refused for now", ALL,
	    "450 a\r\n503 b\r\n503 c\r\n503 d\r\n503 e\r\n", "",
	    { 0, 0, 0 }, false },
	{ "MAIL refused, data wanted", ALL,
	    "450 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "",
	    { 0, 0, 0 }, true },
	{ "DATA refused", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n451 4.3.0 e\r\n", "",
	    { 451, 451, 451 }, false },
	{ "the end refused", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "554-5.7.1 no\r\n554 5.7.1 way\r\n", { 554, 554, 554 }, false },
	{ "354 to MAIL", ALL, "354 a\r\n", "", { 0, 0, 0 }, true },
	{ "354 to RCPT", ALL, "250 a\r\n354 b\r\n", "", { 0, 0, 0 }, true },
	{ "250 to DATA", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n250 e\r\n", "",
	    { 0, 0, 0 }, true },
	{ "421 to RCPT", ALL, "250 a\r\n250 b\r\n421 c\r\n", "", { 0, 0, 0 },
	    true },
	{ "421 to the end", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "421 x\r\n",
	    { 421, 421, 421 }, true },
	{ "354 to the end", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "354 x\r\n",
	    { 451, 451, 451 }, true },
	{ "355 to DATA", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n355 e\r\n", "",
	    { 0, 0, 0 }, true },
	{ "lines that differ, good at last", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "550-x\r\n250 y\r\n", { 451, 451, 451 }, true },
	{ "lines that differ, bad at last", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250-x\r\n550 y\r\n", { 451, 451, 451 }, true },
	{ "199 to the end", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "199 x\r\n",
	    { 451, 451, 451 }, true },
	{ "600 to the end", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n", "600 x\r\n",
	    { 451, 451, 451 }, true },
	{ "600 to RCPT", ALL, "250 a\r\n600 b\r\n", "", { 0, 0, 0 }, true },
	{ "no reply at all", ALL, "hello\r\n", "", { 0, 0, 0 }, true },
	{ "a reply too many", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 ok\r\n250 ok\r\n", { 250, 250, 250 }, true },
};

/* LMTP: as many replies to the end as were taken (RFC 2033 4.2). */
static const struct script lmtp_scripts[] = {
	{ "all taken", ALL, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 x\r\n250 y\r\n251 z\r\n", { 250, 250, 250 }, false },
	{ "answers that differ", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 x\r\n550 y\r\n452-a\r\n452 z\r\n", { 250, 550, 452 },
	    false },
	{ "one refused at RCPT", ALL,
	    "250 a\r\n250 b\r\n550 c\r\n250 d\r\n354 e\r\n",
	    "450 x\r\n250 z\r\n", { 450, 550, 250 }, false },
	{ "it waits for all of them", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 x\r\n550 y\r\n", { 250, 550, 0 }, false },
	{ "a reply too many", ALL,
	    "250 a\r\n250 b\r\n550 c\r\n250 d\r\n354 e\r\n",
	    "250 x\r\n250 y\r\n250 z\r\n", { 250, 550, 250 }, true },
	{ "421 among them, it waits", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 x\r\n421 y\r\n", { 250, 421, 0 }, false },
	{ "250 behind 421", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "421 x\r\n550 y\r\n250 z\r\n", { 421, 550, 250 }, true },
	{ "421 and 421", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 x\r\n421 y\r\n421 z\r\n", { 250, 421, 421 }, true },
	{ "354 behind 421", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "421 x\r\n354 y\r\n250 z\r\n", { 421, 421, 421 }, true },
	{ "354 among them", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 x\r\n354 y\r\n", { 250, 451, 451 }, true },
	{ "DATA refused", ALL,
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n451 4.3.0 e\r\n", "",
	    { 451, 451, 451 }, false },
	{ "nobody taken, DATA refused", ALL,
	    "250 a\r\n550 b\r\n450 c\r\n553 d\r\n503 e\r\n", "",
	    { 550, 450, 553 }, false },
	{ "nobody taken, and it wants data", ALL,
	    "250 a\r\n550 b\r\n450 c\r\n553 d\r\n354 e\r\n", "",
	    { 550, 450, 553 }, true },
	{ "CHUNKING is not used", "250-mx\r\n250 CHUNKING\r\n",
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n",
	    "250 x\r\n250 y\r\n250 z\r\n", { 250, 250, 250 }, false },
};

static void
run(const struct script *s, bool is_split,
    const struct dialogue_settings *settings)
{
	struct world w;

	begin(&w, settings, "Subject: x\n\n.dot\nend", is_split);
	says(&w, "220-hi\r\n220 there\r\n");
	says(&w, s->ehlo);
	assert_int_equal(w.d.phase, DIALOGUE_ENVELOPE);
	says(&w, s->envelope);
	says(&w, s->last);
	for (unsigned i = 0; i < N; i++)
		if (code_of(&w, i) != s->codes[i])
			fail_msg("%s: recipient %u has %u", s->name, i,
			    code_of(&w, i));
	if ((w.d.phase == DIALOGUE_OVER) != s->is_over)
		fail_msg("%s: phase %d", s->name, (int)w.d.phase);
	end(&w);
}

static void
test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		run(&scripts[i], false, &plain);
		run(&scripts[i], true, &plain);
	}
	for (size_t i = 0; i < sizeof lmtp_scripts / sizeof *lmtp_scripts;
	    i++) {
		run(&lmtp_scripts[i], false, &lmtp);
		run(&lmtp_scripts[i], true, &lmtp);
	}
}

static void
test_what_is_sent(void **state)
{
	static const char wanted[] = "EHLO me.example\r\n"
	    "MAIL FROM:<s@x> SIZE=20\r\nRCPT TO:<r0@y>\r\nRCPT TO:<r1@y>\r\n"
	    "RCPT TO:<r2@y>\r\nDATA\r\n"
	    "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";
	struct world w;

	(void)state;
	begin(&w, &plain, "Subject: x\n\n.dot\nend", true);
	says(&w, "220 x\r\n" ALL);
	says(&w, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n");
	assert_int_equal(w.sent.size, sizeof wanted - 1);
	assert_memory_equal(w.sent.data, wanted, sizeof wanted - 1);
	assert_int_equal(code_of(&w, 0), 250);
	end(&w);
}

/* ---- probes: MAIL, RCPT, RSET, and no message ---- */

struct probe_script {
	const char *name;
	const char *ehlo;
	const char *replies;		/* to MAIL, RCPT, RSET */
	unsigned code;			/* of the recipient; 0: open */
	bool is_said, is_over;
};

static const struct probe_script probes[] = {
	{ "taken", ALL, "250 a\r\n250 b\r\n250 c\r\n", 250, true, false },
	{ "251", ALL, "250 a\r\n251 b\r\n250 c\r\n", 250, true, false },
	{ "refused", ALL, "250 a\r\n550 b\r\n250 c\r\n", 550, true, false },
	{ "later", ALL, "250 a\r\n450 b\r\n250 c\r\n", 450, true, false },
	{ "too many", ALL, "250 a\r\n552 b\r\n250 c\r\n", 452, true, false },
	{ "too many, by its enhanced code", ALL,
	    "250 a\r\n550 5.5.3 b\r\n250 c\r\n", 452, true, false },
	{ "one by one", "250 mx\r\n", "250 a\r\n550 b\r\n250 c\r\n", 550,
	    true, false },
	{ "with CHUNKING", "250-mx\r\n250 CHUNKING\r\n",
	    "250 a\r\n250 b\r\n250 c\r\n", 250, true, false },
	/* what RCPT is told after that is about MAIL */
	{ "MAIL refused", ALL, "550 a\r\n503 b\r\n250 c\r\n", 550, false,
	    false },
	{ "MAIL deferred", ALL, "450 a\r\n503 b\r\n250 c\r\n", 0, false,
	    false },
	{ "MAIL refused, one by one", "250 mx\r\n", "550 a\r\n", 550,
	    false, false },
	{ "421 to RCPT", ALL, "250 a\r\n421 b\r\n", 0, false, true },
	{ "354 to RCPT", ALL, "250 a\r\n354 b\r\n", 0, false, true },
	{ "RSET refused", ALL, "250 a\r\n550 b\r\n500 c\r\n", 550, true,
	    true },
	{ "no reply", ALL, "250 a\r\n", 0, false, false },
};

static void
run_probe(const struct probe_script *s, bool is_split)
{
	struct world w;

	begin(&w, &plain, "", is_split);
	w.errand.is_probe = true;
	w.errand.n_recipients = 1;
	says(&w, "220 x\r\n");
	says(&w, s->ehlo);
	says(&w, s->replies);
	if (code_of(&w, 0) != s->code ||
	    w.recipients[0].is_said != s->is_said)
		fail_msg("%s: %u", s->name, code_of(&w, 0));
	if ((w.d.phase == DIALOGUE_OVER) != s->is_over)
		fail_msg("%s: phase %d", s->name, (int)w.d.phase);
	assert_null(memmem(w.sent.data, w.sent.size, "DATA", 4));
	assert_null(memmem(w.sent.data, w.sent.size, "BDAT", 4));
	assert_null(memmem(w.sent.data, w.sent.size, "SIZE", 4));
	end(&w);
}

static void
test_probes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
		run_probe(&probes[i], false);
		run_probe(&probes[i], true);
	}
}

/* The next one in the same connection needs no RSET before it. */
static void
test_after_a_probe(void **state)
{
	static const char wanted[] = "EHLO me.example\r\n"
	    "MAIL FROM:<s@x>\r\nRCPT TO:<r0@y>\r\nRSET\r\n"
	    "MAIL FROM:<s@x> SIZE=3\r\nRCPT TO:<r0@y>\r\nDATA\r\n";
	struct world w;

	(void)state;
	begin(&w, &plain, "abc", false);
	w.errand.is_probe = true;
	w.errand.n_recipients = 1;
	says(&w, "220 x\r\n");
	says(&w, ALL);
	says(&w, "250 a\r\n250 b\r\n250 c\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_READY);
	w.recipients[0].state = ERRAND_OPEN;
	w.errand.is_probe = false;
	dialogue_deliver(&w.d, &w.errand);
	go_on(&w);
	assert_int_equal(w.sent.size, sizeof wanted - 1);
	assert_memory_equal(w.sent.data, wanted, sizeof wanted - 1);
	end(&w);
}

/* A connection that ends after n octets of what the server says. */
static void
cut(const char *whole, size_t n, size_t all)
{
	struct world w;

	begin(&w, &plain, "Subject: x\n\nend\n", true);
	hear(&w, whole, n);
	dialogue_lost(&w.d, "it closed the connection");
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	for (unsigned i = 0; i < N; i++) {
		unsigned code = code_of(&w, i);

		/* taken only when all of it was heard; after the end was sent
		 * it is temporary, before that it may be tried elsewhere */
		assert_int_equal(code, n == all ? 250 :
		    n >= all - 8 ? 451 : 0);
	}
	end(&w);
}

static void
test_closed_anywhere(void **state)
{
	static const char whole[] = "220 x\r\n" ALL
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 ok\r\n";
	size_t all = sizeof whole - 1;

	(void)state;
	for (size_t n = 0; n <= all; n++)
		cut(whole, n, all);
}

/* Whose reply has come whole keeps it; the others may have the message. */
static void
test_lmtp_closed_anywhere(void **state)
{
	static const char whole[] = "220 x\r\n" ALL
	    "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n"
	    "250 x\r\n550 y\r\n250 z\r\n";
	static const unsigned codes[N] = { 250, 550, 250 };
	size_t sent = sizeof whole - 1 - N * 7;
	struct world w;

	(void)state;
	for (size_t n = 0; n < sizeof whole; n++) {
		begin(&w, &lmtp, "Subject: x\n\nend\n", true);
		hear(&w, whole, n);
		dialogue_lost(&w.d, "it closed the connection");
		for (unsigned i = 0; i < N; i++)
			assert_int_equal(code_of(&w, i),
			    n < sent ? 0 : n >= sent + (i + 1) * 7 ?
			    codes[i] : 451);
		end(&w);
	}
}

static void
test_lmtp_what_is_sent(void **state)
{
	static const char wanted[] = "LHLO me.example\r\n"
	    "MAIL FROM:<s@x> SIZE=20\r\nRCPT TO:<r0@y>\r\nRCPT TO:<r1@y>\r\n"
	    "RCPT TO:<r2@y>\r\nDATA\r\n"
	    "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";
	struct world w;

	(void)state;
	begin(&w, &lmtp, "Subject: x\n\n.dot\nend", true);
	says(&w, "220 x\r\n" ALL);
	says(&w, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n");
	assert_int_equal(w.sent.size, sizeof wanted - 1);
	assert_memory_equal(w.sent.data, wanted, sizeof wanted - 1);
	end(&w);
	/* no HELO for one that has no LHLO */
	begin(&w, &lmtp, "x", false);
	says(&w, "220 x\r\n500 what?\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	assert_null(memmem(w.sent.data, w.sent.size, "HELO", 4));
	end(&w);
}

static void
test_long_lines_and_replies(void **state)
{
	static char line[2 << 20];
	struct world w;

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "220 ", 4);
	line[sizeof line - 2] = '\r';
	line[sizeof line - 1] = '\n';
	begin(&w, &plain, "x", false);
	hear(&w, line, sizeof line);
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	end(&w);
	/* without an end to it, and many lines */
	begin(&w, &plain, "x", false);
	for (unsigned i = 0; i < 40; i++)
		hear(&w, line, 30000);
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	end(&w);
	begin(&w, &plain, "x", false);
	for (unsigned i = 0; i < 20000; i++)
		says(&w, "220-x\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	end(&w);
	/* one that is long, but not too long, is a reply */
	line[5000] = '\r';
	line[5001] = '\n';
	begin(&w, &plain, "x", false);
	hear(&w, line, 5002);
	assert_int_equal(w.d.phase, DIALOGUE_EHLO);
	end(&w);
}

/* Replies to what has not been asked are no replies. */
static void
test_server_that_speaks_ahead(void **state)
{
	struct world w;

	(void)state;
	begin(&w, &plain, "x", false);
	says(&w, "220 x\r\n" ALL "250 a\r\n250 b\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	end(&w);
	begin(&w, &plain, "x", false);
	says(&w, "220 x\r\n");
	says(&w, ALL);
	says(&w, "250 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	assert_int_equal(code_of(&w, 0), 0);
	end(&w);
}

static void
test_words(void **state)
{
	static const struct {
		const char *reply;
		unsigned code, subject, detail;
		const char *words;
	} rows[] = {
		{ "550 5.1.1 no such user\r\n", 550, 1, 1, "no such user" },
		{ "550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user\r\n", 550,
		    1, 1, "no such user" },
		{ "550 4.1.1 it lies\r\n", 550, 0, 0, "4.1.1 it lies" },
		{ "550\r\n", 550, 0, 0, "(no words)" },
		{ "450 a\x01\x1b[2Jb\x80\r\n", 450, 0, 0, "a [2Jb?" },
		{ "450 4.999.1 x\n", 450, 0, 0, "4.999.1 x" },
		{ "452 4.2.2\r\n", 452, 2, 2, "(no words)" },
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		begin(&w, &plain, "x", true);
		says(&w, "220 x\r\n" ALL "250 a\r\n");
		says(&w, rows[i].reply);
		assert_int_equal(code_of(&w, 0), rows[i].code);
		assert_int_equal(w.recipients[0].verdict.subject,
		    rows[i].subject);
		assert_int_equal(w.recipients[0].verdict.detail,
		    rows[i].detail);
		assert_string_equal(w.recipients[0].verdict.text,
		    rows[i].words);
		end(&w);
	}
}

static void
test_tls(void **state)
{
	struct dialogue_settings settings = plain;
	struct world w;

	(void)state;
	settings.wants_tls = settings.requires_tls = true;
	begin(&w, &settings, "x", false);
	says(&w, "220 x\r\n250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n");
	says(&w, "220 go\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_HANDSHAKE);
	dialogue_secured(&w.d);
	go_on(&w);
	assert_int_equal(w.d.phase, DIALOGUE_EHLO);
	assert_int_equal(w.d.features.has, 0);	/* none of before */
	says(&w, "250 mx\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_ENVELOPE);
	end(&w);
	/* octets behind the 220; not offered */
	begin(&w, &settings, "x", false);
	says(&w, "220 x\r\n250-mx\r\n250 STARTTLS\r\n");
	says(&w, "220 go\r\n250 injected\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	end(&w);
	begin(&w, &settings, "x", false);
	says(&w, "220 x\r\n" ALL);
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	assert_int_equal(w.d.failure_stage, RELAY_AT_TLS);
	end(&w);
}

static void
test_no_password_in_the_clear(void **state)
{
	struct dialogue_settings settings = plain;
	struct world w;

	(void)state;
	settings.user = "u";
	settings.password = "secret";
	begin(&w, &settings, "x", false);
	says(&w, "220 x\r\n250-mx\r\n250 AUTH PLAIN LOGIN\r\n");
	assert_int_equal(w.d.phase, DIALOGUE_OVER);
	assert_int_equal(w.d.failure_stage, RELAY_AT_AUTH);
	assert_null(memmem(w.sent.data, w.sent.size, "AUTH", 4));
	end(&w);
}

/* ---- 8 bits into 7 ---- */

static void
converts(const char *from, const char *to)
{
	struct encoder_source source = { .fd = memfd_create("m",
		MFD_CLOEXEC), .size = strlen(from) };
	struct seven_bit *s = NULL;
	const char *why = NULL;
	char out[4096];
	ssize_t n;
	size_t size = 0;
	int error;

	assert_int_equal(write(source.fd, from, strlen(from)), strlen(from));
	error = seven_bit_new(&s, &source, &why);
	if (to == NULL) {
		assert_int_equal(error, -EBADMSG);
		assert_non_null(why);
		close(source.fd);
		return;
	}
	assert_int_equal(error, 0);
	while ((n = seven_bit_next(s, out + size, 100)) > 0)
		size += (size_t)n;
	out[size] = '\0';
	assert_string_equal(out, to);
	seven_bit_free(&s);
	close(source.fd);
}

/* queue's file is no sealed memfd: a broken queue may cut it off. */
static void
test_conversion_of_what_shrinks(void **state)
{
	const char text[] = "Subject: x\n\n\303\251\n";
	struct encoder_source source = { .fd = memfd_create("m",
		MFD_CLOEXEC), .size = sizeof text - 1 };
	struct seven_bit *s = NULL;
	const char *why = NULL;
	char out[4096] = "";

	(void)state;
	assert_int_equal(write(source.fd, text, sizeof text - 1),
	    sizeof text - 1);
	assert_int_equal(seven_bit_new(&s, &source, &why), 0);
	assert_int_equal(ftruncate(source.fd, 0), 0);
	while (seven_bit_next(s, out, sizeof out - 1) > 0)
		;
	assert_non_null(strstr(out, "\n\n=C3=A9\n"));
	seven_bit_free(&s);
	assert_int_equal(seven_bit_new(&s, &source, &why), -EIO);
	close(source.fd);
}

static void
test_conversion(void **state)
{
	(void)state;
	converts("Subject: x\n\nh\303\251 = \n", "Subject: x\n"
	    "MIME-Version: 1.0\nContent-Type: text/plain; "
	    "charset=unknown-8bit\nContent-Transfer-Encoding: "
	    "quoted-printable\n\nh=C3=A9 =3D=20\n");
	converts("MIME-Version: 1.0\nContent-Type: multipart/mixed; "
	    "boundary=b\nContent-Transfer-Encoding: 8bit\n\n--b\n"
	    "Content-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\nX: y\n\n\303\251\n--b\n"
	    "Content-Type: image/x\n\n\377\nz\n--b\n\nplain\n--b--\n",
	    "MIME-Version: 1.0\nContent-Type: multipart/mixed; "
	    "boundary=b\nContent-Transfer-Encoding: 7bit\n\n--b\n"
	    "Content-Type: text/plain; charset=utf-8\nX: y\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n=C3=A9\n--b\n"
	    "Content-Type: image/x\nContent-Transfer-Encoding: base64\n\n"
	    "/w0Keg==\n--b\n\nplain\n--b--\n");
	/* a message within keeps its frame; only its part is encoded */
	converts("MIME-Version: 1.0\nContent-Type: message/rfc822\n\n"
	    "Subject: in\n\n\303\251\n", "MIME-Version: 1.0\nContent-Type: "
	    "message/rfc822\n\nSubject: in\nContent-Type: text/plain; "
	    "charset=unknown-8bit\nContent-Transfer-Encoding: "
	    "quoted-printable\n\n=C3=A9\n");
	converts("Subject: \303\251\n\nx\n", NULL);
	/* behind the boundary that ends a header, in no part's body */
	converts("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	    "X: y\n--b--\303\251\n", NULL);
	converts("MIME-Version: 1.0\nContent-Type: multipart/signed; "
	    "boundary=b\n\n--b\n\n\303\251\n--b\n\nx\n--b--\n", NULL);
	/* what says 8bit and has none is not touched where it is signed */
	converts("Content-Type: multipart/mixed; boundary=a\n\n--a\n"
	    "Content-Type: multipart/signed; boundary=b\n"
	    "Content-Transfer-Encoding: 8bit\n\n--b\n"
	    "Content-Transfer-Encoding: 8bit\n\nx\n--b\n\nsum\n--b--\n--a\n"
	    "Content-Transfer-Encoding: 8bit\n\n\303\251\n--a--\n",
	    "Content-Type: multipart/mixed; boundary=a\n\n--a\n"
	    "Content-Type: multipart/signed; boundary=b\n"
	    "Content-Transfer-Encoding: 7bit\n\n--b\n"
	    "Content-Transfer-Encoding: 8bit\n\nx\n--b\n\nsum\n--b--\n--a\n"
	    "Content-Type: text/plain; charset=unknown-8bit\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n=C3=A9\n"
	    "--a--\n");
	converts("MIME-Version: 1.0\nContent-Type: multipart/mixed; "
	    "boundary=b\n\n\303\251 preamble\n--b\n\nx\n--b--\n", NULL);
	converts("MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n"
	    "\303\251\n", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_after_a_probe),
		cmocka_unit_test(test_closed_anywhere),
		cmocka_unit_test(test_lmtp_closed_anywhere),
		cmocka_unit_test(test_lmtp_what_is_sent),
		cmocka_unit_test(test_long_lines_and_replies),
		cmocka_unit_test(test_server_that_speaks_ahead),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_no_password_in_the_clear),
		cmocka_unit_test(test_conversion),
		cmocka_unit_test(test_conversion_of_what_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
