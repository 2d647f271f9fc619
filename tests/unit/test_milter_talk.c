/* SPDX-License-Identifier: ISC */
/*
 * The dialogue with one milter: a script answers each of our packets, whole
 * and octet by octet. What was said, what came of it, and what became of
 * the message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../../smtpd/milter_talk.h"
#include "sealed.h"
#include "table.h"

#define MESSAGE "From: a@b\nX-A: one\nX-A: two\n\tfolded\n\nHello.\n.\n"

/* "LETTER:reply" in order; a reply is letters with their data, as packets:
 * written here as {size, octets} of the stream. */
struct answer {
	char to;		/* our packet's letter; 0: the end */
	const char *octets;	/* NULL: says nothing */
	size_t size;
};
#define SAYS(letter, text) { letter, text, sizeof(text) - 1 }
#define GOES_ON(letter) SAYS(letter, "\0\0\0\1c")
#define OPTIONS(text) SAYS('O', "\0\0\0\x0dO\0\0\0\6" text)
#define ALL "\0\0\1\xff"
#define NONE "\0\0\0\0"
/* nothing but MAIL, RCPT and the end */
#define SHORT "\0\0\2\x73"

#define SCRIPT_MAX 16
static const struct script {
	const char *name;
	struct answer answers[SCRIPT_MAX];
	enum talk_stage stage;
	enum talk_state want;
	const char *said;		/* letters of our packets */
	const char *detail;		/* reply text or problem, a part */
	const char *message;		/* as changed, or NULL */
} scripts[] = {
	{ "continue at each step", { OPTIONS(ALL NONE), GOES_ON('C'),
	    GOES_ON('H'), GOES_ON('M'), GOES_ON('T'), GOES_ON('L'),
	    GOES_ON('N'), GOES_ON('B'), GOES_ON('E') }, TALK_MESSAGE,
	    TALK_PASSED, "ODCHDMDTLLLDNBDE", "", NULL },
	{ "steps that are not wanted", { OPTIONS(ALL SHORT), GOES_ON('M'),
	    GOES_ON('E') }, TALK_MESSAGE, TALK_PASSED, "ODDMDDDE", "",
	    NULL },
	{ "no replies", { OPTIONS(ALL "\0\x0f\xf0\x80"), SAYS('E',
	    "\0\0\0\1a") }, TALK_MESSAGE, TALK_PASSED, "ODCHDMDTLLLDNBDE",
	    "", NULL },
	{ "version 2 knows no DATA", { SAYS('O',
	    "\0\0\0\x0dO\0\0\0\2\0\0\0\x3f\0\0\0\x73"), GOES_ON('E'),
	    GOES_ON('M') }, TALK_MESSAGE, TALK_PASSED, "ODDMDDE", "", NULL },
	{ "accept at connect", { OPTIONS(ALL NONE), SAYS('C', "\0\0\0\1a") },
	    TALK_MESSAGE, TALK_PASSED, "ODC", "", NULL },
	{ "accept at MAIL", { OPTIONS(ALL SHORT), SAYS('M', "\0\0\0\1a") },
	    TALK_MESSAGE, TALK_PASSED, "ODDM", "", NULL },
	{ "reject at connect", { OPTIONS(ALL NONE), SAYS('C',
	    "\0\0\0\1r") }, TALK_HELO, TALK_REFUSED, "ODC", "refused",
	    NULL },
	{ "code at MAIL", { OPTIONS(ALL SHORT), SAYS('M',
	    "\0\0\0\x0by550 5.1 x\0") }, TALK_MAIL, TALK_REFUSED, "ODDM",
	    "5.1 x", NULL },
	{ "tempfail at the end", { OPTIONS(ALL SHORT), GOES_ON('M'),
	    SAYS('E', "\0\0\0\1t") }, TALK_MESSAGE, TALK_REFUSED,
	    "ODDMDDDE", "again later", NULL },
	{ "shutdown", { OPTIONS(ALL SHORT), SAYS('M', "\0\0\0\1" "4") },
	    TALK_MAIL, TALK_REFUSED, "ODDM", "ends this session", NULL },
	{ "skip", { OPTIONS(ALL "\0\0\6\x63"), GOES_ON('M'), GOES_ON('N'),
	    SAYS('B', "\0\0\0\1s"), GOES_ON('E') }, TALK_MESSAGE,
	    TALK_PASSED, "ODDMDDBDE", "", NULL },
	{ "progress, then continue", { OPTIONS(ALL SHORT), GOES_ON('M'),
	    SAYS('E', "\0\0\0\1p\0\0\0\1p\0\0\0\1c") }, TALK_MESSAGE,
	    TALK_PASSED, "ODDMDDDE", "", NULL },

	/* changes */
	{ "add and insert", { OPTIONS(ALL SHORT), GOES_ON('M'), SAYS('E',
	    "\0\0\0\7hX-N\0b\0" "\0\0\0\x0ai\0\0\0\0X-T\0\0" "\0\0\0\1c") },
	    TALK_MESSAGE, TALK_PASSED, "ODDMDDDE", "",
	    "X-T:\nFrom: a@b\nX-A: one\nX-A: two\n\tfolded\nX-N: b\n\n"
	    "Hello.\n.\n" },
	{ "insert by our Received, which counts", { OPTIONS(ALL SHORT),
	    GOES_ON('M'), SAYS('E', "\0\0\0\x0bi\0\0\0\1X-1\0b\0"
	    "\0\0\0\x0bi\0\0\0\3X-3\0b\0" "\0\0\0\x0bi\0\0\0\0X-0\0b\0"
	    "\0\0\0\x0bi\0\0\0\2X-2\0b\0" "\0\0\0\1c") },
	    TALK_MESSAGE, TALK_PASSED, "ODDMDDDE", "",
	    "X-0: b\nX-2: b\nX-1: b\nFrom: a@b\nX-3: b\nX-A: one\n"
	    "X-A: two\n\tfolded\n\nHello.\n.\n" },
	{ "change the second, delete the first", { OPTIONS(ALL SHORT),
	    GOES_ON('M'), SAYS('E', "\0\0\0\x0bm\0\0\0\2x-a\0n\0"
	    "\0\0\0\x0am\0\0\0\1X-A\0\0" "\0\0\0\1c") },
	    TALK_MESSAGE, TALK_PASSED, "ODDMDDDE", "",
	    "From: a@b\nX-A: n\n\nHello.\n.\n" },
	{ "change one that is not there", { OPTIONS(ALL SHORT),
	    GOES_ON('M'), SAYS('E', "\0\0\0\x0bm\0\0\0\3X-A\0n\0"
	    "\0\0\0\1c") }, TALK_MESSAGE, TALK_PASSED, "ODDMDDDE", "",
	    "From: a@b\nX-A: one\nX-A: two\n\tfolded\nX-A: n\n\n"
	    "Hello.\n.\n" },
	{ "folds of all kinds stay in the field", { OPTIONS(ALL SHORT),
	    GOES_ON('M'), SAYS('E', "\0\0\0\x1dhX-N\0a\r\n\tb\nEvil: c\n\n"
	    "\r\n \nBody\0" "\0\0\0\1c") }, TALK_MESSAGE, TALK_PASSED,
	    "ODDMDDDE", "", "From: a@b\nX-A: one\nX-A: two\n\tfolded\n"
	    "X-N: a\n\tb\n\tEvil: c\n\tBody\n\nHello.\n.\n" },
	{ "leading space as it is", { OPTIONS(ALL "\0\x10\2\x73"),
	    GOES_ON('M'), SAYS('E', "\0\0\0\7hX-N\0b\0" "\0\0\0\1c") },
	    TALK_MESSAGE, TALK_PASSED, "ODDMDDDE", "",
	    "From: a@b\nX-A: one\nX-A: two\n\tfolded\nX-N:b\n\n"
	    "Hello.\n.\n" },
	{ "a body in pieces", { OPTIONS(ALL SHORT), GOES_ON('M'), SAYS('E',
	    "\0\0\0\5bone\r\0\0\0\6b\ntwo\r\0\0\0\7bthr\nee\0\0\0\1a") },
	    TALK_MESSAGE, TALK_PASSED, "ODDMDDDE", "",
	    "From: a@b\nX-A: one\nX-A: two\n\tfolded\n\none\ntwo\nthr\nee"
	    "\n" },
	{ "an empty body", { OPTIONS(ALL SHORT), GOES_ON('M'), SAYS('E',
	    "\0\0\0\1b" "\0\0\0\1c") }, TALK_MESSAGE, TALK_PASSED,
	    "ODDMDDDE", "", "From: a@b\nX-A: one\nX-A: two\n\tfolded\n\n" },
	{ "changes before a refusal are nothing", { OPTIONS(ALL SHORT),
	    GOES_ON('M'), SAYS('E', "\0\0\0\7hX-N\0b\0" "\0\0\0\1r") },
	    TALK_MESSAGE, TALK_REFUSED, "ODDMDDDE", "refused", NULL },

	/* what no milter may do */
	{ "not negotiated", { OPTIONS("\0\0\0\2" SHORT), GOES_ON('M'),
	    SAYS('E', "\0\0\0\7hX-N\0b\0" "\0\0\0\1c") }, TALK_MESSAGE,
	    TALK_BROKEN, "ODDMDDDE", "not negotiated", NULL },
	{ "a change too early", { OPTIONS(ALL SHORT), SAYS('M',
	    "\0\0\0\7hX-N\0b\0" "\0\0\0\1c") }, TALK_MAIL, TALK_BROKEN,
	    "ODDM", "before the end", NULL },
	{ "a name with a space", { OPTIONS(ALL SHORT), GOES_ON('M'),
	    SAYS('E', "\0\0\0\7hX N\0b\0" "\0\0\0\1c") }, TALK_MESSAGE,
	    TALK_BROKEN, "ODDMDDDE", "field name", NULL },
	{ "a name with a colon and more", { OPTIONS(ALL SHORT), GOES_ON('M'),
	    SAYS('E', "\0\0\0\x09hX:1\nN\0b\0" "\0\0\0\1c") }, TALK_MESSAGE,
	    TALK_BROKEN, "ODDMDDDE", "field name", NULL },
	{ "a NUL in the body", { OPTIONS(ALL SHORT), GOES_ON('M'),
	    SAYS('E', "\0\0\0\4bx\0y" "\0\0\0\1c") }, TALK_MESSAGE,
	    TALK_BROKEN, "ODDMDDDE", "body", NULL },
	{ "a recipient that is none", { OPTIONS(ALL SHORT), GOES_ON('M'),
	    SAYS('E', "\0\0\0\6+a b@\0" "\0\0\0\1c") }, TALK_MESSAGE,
	    TALK_BROKEN, "ODDMDDDE", "address", NULL },
	{ "version 1", { SAYS('O',
	    "\0\0\0\x0dO\0\0\0\1\0\0\0\0\0\0\0\0") }, TALK_HELO,
	    TALK_BROKEN, "O", "version", NULL },
	{ "version 7", { SAYS('O',
	    "\0\0\0\x0dO\0\0\0\7\0\0\0\0\0\0\0\0") }, TALK_HELO,
	    TALK_BROKEN, "O", "version", NULL },
	{ "actions that were not offered", { OPTIONS("\0\0\2\0" NONE) },
	    TALK_HELO, TALK_BROKEN, "O", "not offered", NULL },
	{ "flags that were not offered", { OPTIONS(ALL "\0\0\x08\0") },
	    TALK_HELO, TALK_BROKEN, "O", "not offered", NULL },
	{ "continue instead of options", { GOES_ON('O') }, TALK_HELO,
	    TALK_BROKEN, "O", "does not fit", NULL },
	{ "options twice", { SAYS('O', "\0\0\0\x0dO\0\0\0\6\0\0\0\0\0\0\0\0"
	    "\0\0\0\x0dO\0\0\0\6\0\0\0\0\0\0\0\0") }, TALK_HELO,
	    TALK_BROKEN, "O", "does not fit", NULL },
	{ "an answer to nothing", { OPTIONS(ALL SHORT), SAYS('M',
	    "\0\0\0\1c\0\0\0\1c") }, TALK_MAIL, TALK_BROKEN, "ODDM",
	    "to nothing", NULL },
	{ "skip without leave", { OPTIONS(ALL "\0\0\2\x63"), GOES_ON('M'),
	    GOES_ON('N'), SAYS('B', "\0\0\0\1s") }, TALK_MESSAGE,
	    TALK_BROKEN, "ODDMDDB", "skip", NULL },
	{ "discard at HELO", { OPTIONS(ALL NONE), GOES_ON('C'), SAYS('H',
	    "\0\0\0\1d") }, TALK_HELO, TALK_BROKEN, "ODCH", "discard",
	    NULL },
	{ "rubbish", { SAYS('O', "HTTP/1.1 400 Bad Request\r\n") },
	    TALK_HELO, TALK_BROKEN, "O", "rubbish", NULL },
	{ "a code of success", { OPTIONS(ALL SHORT), SAYS('M',
	    "\0\0\0\x08y250 ok\0") }, TALK_MAIL, TALK_BROKEN, "ODDM",
	    "rubbish", NULL },
	{ "it cannot work", { OPTIONS(ALL SHORT), SAYS('M', "\0\0\0\1f") },
	    TALK_MAIL, TALK_BROKEN, "ODDM", "cannot work", NULL },
};

/* ---- the milter's side ---- */

struct fixture {
	struct milter_talk talk;
	struct draft draft;
	struct milter_changes changes;
	struct milter_facts facts;
	int fd;
	char said[64];
	size_t n_said;
};

static void
feed(struct fixture *f, const struct answer *a, bool in_octets)
{
	for (size_t i = 0; i < a->size && in_octets; i++)
		talk_input(&f->talk, (struct slice){ a->octets + i, 1 });
	if (!in_octets)
		talk_input(&f->talk, (struct slice){ a->octets, a->size });
}

/* Read what was said; answer the last packet that has an answer. */
static void
play(struct fixture *f, const struct answer *answers, bool in_octets)
{
	struct milter_packet packet;
	struct buf heard = { 0 };

	while (f->talk.out.size > 0 && f->talk.state != TALK_BROKEN) {
		assert_int_equal(buf_append_slice(&heard,
		    buf_slice(&f->talk.out)), 0);
		buf_free(&f->talk.out);
		talk_written(&f->talk);
		while (milter_take_packet(&packet, buf_slice(&heard)) > 0) {
			const struct answer *a = answers;

			assert_true(f->n_said < sizeof(f->said) - 1);
			f->said[f->n_said++] = packet.letter;
			buf_consume(&heard, packet.size);
			while (a->to != 0 && a->to != packet.letter)
				a++;
			if (a->octets != NULL)
				feed(f, a, in_octets);
		}
		assert_int_equal(heard.size, 0);
	}
	buf_free(&heard);
}

static void
fixture_open(struct fixture *f)
{
	static const char message[] = MESSAGE;

	memset(f, 0, sizeof(*f));
	talk_init(&f->talk, "unix:/m", DISPOSAL_JUNK);
	f->facts.host = SLICE("mx");
	f->facts.client_name = SLICE("[192.0.2.1]");
	f->facts.client_ip = SLICE("192.0.2.1");
	f->facts.helo = SLICE("there");
	f->facts.session = SLICE("id");
	f->facts.sender = SLICE("s@x");
	f->fd = sealed_create("test");
	assert_int_equal(write(f->fd, message, sizeof(message) - 1),
	    sizeof(message) - 1);
	assert_int_equal(sealed_finish(f->fd), 0);
	assert_int_equal(draft_open(&f->draft, f->fd, sizeof(message) - 1,
	    1 << 20), 0);
}

static void
fixture_close(struct fixture *f)
{
	talk_free(&f->talk);
	draft_close(&f->draft);
	milter_changes_free(&f->changes);
	close(f->fd);
}

/* MAIL goes before the message, as in a session. */
static void
talk_through(struct fixture *f, const struct script *s, bool in_octets)
{
	static const enum talk_stage stages[] = { TALK_HELO, TALK_MAIL,
		TALK_MESSAGE };

	for (size_t i = 0; i < N_OF(stages); i++) {
		if (stages[i] > s->stage)
			break;
		talk_begin(&f->talk, stages[i], &f->facts,
		    stages[i] == TALK_MESSAGE ? &f->draft : NULL,
		    &f->changes);
		play(f, s->answers, in_octets);
		if (f->talk.state != TALK_PASSED)
			break;
	}
}

static void
check_message(const struct script *s, struct fixture *f)
{
	char octets[4096];
	uint64_t size;
	int fd;

	CHECK(s->name, f->draft.is_changed == (s->message != NULL));
	if (s->message == NULL)
		return;
	fd = draft_seal(&f->draft, "test", &size);
	CHECK(s->name, fd >= 0 && size < sizeof(octets));
	CHECK(s->name, pread(fd, octets, sizeof(octets), 0) ==
	    (ssize_t)size);
	octets[size] = '\0';
	CHECK_STRING(s->name, octets, s->message);
	close(fd);
}

static void
run_scripts(bool in_octets)
{
	struct fixture f;

	for (size_t i = 0; i < N_OF(scripts); i++) {
		const struct script *s = &scripts[i];

		fixture_open(&f);
		talk_through(&f, s, in_octets);
		if (f.talk.state != s->want)
			fail_msg("%s: state %d (%s)", s->name, f.talk.state,
			    f.talk.problem ? f.talk.problem : "");
		CHECK_STRING(s->name, f.said, s->said);
		if (s->want == TALK_REFUSED)
			CHECK(s->name, strstr(f.talk.verdict.text, s->detail));
		if (s->want == TALK_BROKEN)
			CHECK(s->name, strstr(f.talk.problem, s->detail));
		check_message(s, &f);
		fixture_close(&f);
	}
}

static void
test_whole(void **state)
{
	(void)state;
	run_scripts(false);
}

static void
test_octets(void **state)
{
	(void)state;
	run_scripts(true);
}

/* ---- more than one stage ---- */

static void
test_refused_recipient(void **state)
{
	static const struct answer no[] = { OPTIONS(ALL SHORT), GOES_ON('M'),
		SAYS('R', "\0\0\0\1r"), { 0, NULL, 0 } };
	static const struct answer yes[] = { GOES_ON('R'), GOES_ON('E'),
		{ 0, NULL, 0 } };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	talk_begin(&f.talk, TALK_MAIL, &f.facts, NULL, &f.changes);
	/* SHORT does without RCPT */
	play(&f, (struct answer[]){ SAYS('O', "\0\0\0\x0dO\0\0\0\6"
	    "\0\0\1\xff\0\0\2\x73"), GOES_ON('M'), { 0, NULL, 0 } }, false);
	f.talk.protocol &= ~(uint32_t)MILTER_NO_RCPT;
	talk_begin(&f.talk, TALK_RCPT, &f.facts, NULL, &f.changes);
	play(&f, no, false);
	assert_int_equal(f.talk.state, TALK_REFUSED);
	/* the next one, and the message, are not refused by that */
	talk_begin(&f.talk, TALK_RCPT, &f.facts, NULL, &f.changes);
	play(&f, yes, false);
	assert_int_equal(f.talk.state, TALK_PASSED);
	talk_begin(&f.talk, TALK_MESSAGE, &f.facts, &f.draft, &f.changes);
	play(&f, yes, false);
	assert_int_equal(f.talk.state, TALK_PASSED);
	assert_string_equal(f.said, "ODDMDRDRDDDE");
	fixture_close(&f);
}

/* RSET: those that know of a message hear ABORT, others nothing. */
static void
test_abort(void **state)
{
	static const struct answer answers[] = { OPTIONS(ALL SHORT),
		GOES_ON('M'), GOES_ON('E'), { 0, NULL, 0 } };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	talk_begin(&f.talk, TALK_HELO, &f.facts, NULL, &f.changes);
	play(&f, answers, false);
	talk_end_transaction(&f.talk);
	assert_int_equal(f.talk.out.size, 0);
	talk_begin(&f.talk, TALK_MAIL, &f.facts, NULL, &f.changes);
	play(&f, answers, false);
	talk_end_transaction(&f.talk);
	assert_int_equal(f.talk.out.size, 5);
	assert_memory_equal(f.talk.out.data, "\0\0\0\1A", 5);
	buf_free(&f.talk.out);
	/* the next message on the same connection, and no ABORT after it */
	talk_begin(&f.talk, TALK_MAIL, &f.facts, NULL, &f.changes);
	play(&f, answers, false);
	talk_begin(&f.talk, TALK_MESSAGE, &f.facts, &f.draft, &f.changes);
	play(&f, answers, false);
	assert_int_equal(f.talk.state, TALK_PASSED);
	talk_end_transaction(&f.talk);
	assert_int_equal(f.talk.out.size, 0);
	assert_string_equal(f.said, "ODDMDMDDDE");
	fixture_close(&f);
}

/* Quit-new-connection: no options again, but all of the new session. */
static void
test_next_session(void **state)
{
	static const struct answer answers[] = { OPTIONS(ALL SHORT),
		GOES_ON('M'), GOES_ON('E'), { 0, NULL, 0 } };
	struct fixture f;

	(void)state;
	fixture_open(&f);
	talk_begin(&f.talk, TALK_HELO, &f.facts, NULL, &f.changes);
	play(&f, answers, false);
	talk_begin(&f.talk, TALK_MAIL, &f.facts, NULL, &f.changes);
	play(&f, answers, false);
	assert_false(talk_next_session(&f.talk));	/* a message is open */
	talk_end_transaction(&f.talk);
	buf_free(&f.talk.out);
	assert_true(talk_next_session(&f.talk));
	assert_memory_equal(f.talk.out.data, "\0\0\0\1K", 5);
	buf_free(&f.talk.out);
	f.talk.protocol = 0;
	talk_begin(&f.talk, TALK_MAIL, &f.facts, NULL, &f.changes);
	play(&f, (struct answer[]){ GOES_ON('C'), GOES_ON('H'), GOES_ON('M'),
	    { 0, NULL, 0 } }, false);
	assert_int_equal(f.talk.state, TALK_PASSED);
	assert_string_equal(f.said, "ODDMDCHDM");
	talk_end_transaction(&f.talk);
	f.talk.version = 4;
	assert_false(talk_next_session(&f.talk));
	fixture_close(&f);
}

static void
test_envelope(void **state)
{
	static const struct answer answers[] = { OPTIONS(ALL SHORT),
		GOES_ON('M'), SAYS('E', "\0\0\0\7+<a@b>\0" "\0\0\0\5-c@d\0"
		"\0\0\0\x0b" "2<e@f>\0X=1\0" "\0\0\0\4e<>\0" "\0\0\0\5qwhy\0"
		"\0\0\0\1a"), { 0, NULL, 0 } };
	struct script s = { .stage = TALK_MESSAGE };
	struct fixture f;

	(void)state;
	memcpy(s.answers, answers, sizeof(answers));
	fixture_open(&f);
	talk_through(&f, &s, true);
	assert_int_equal(f.talk.state, TALK_PASSED);
	assert_int_equal(f.changes.n_recipients, 3);
	assert_string_equal(f.changes.recipients[0].address, "a@b");
	assert_false(f.changes.recipients[0].is_removed);
	assert_string_equal(f.changes.recipients[1].address, "c@d");
	assert_true(f.changes.recipients[1].is_removed);
	assert_string_equal(f.changes.recipients[2].address, "e@f");
	assert_string_equal(f.changes.sender, "");
	assert_int_equal(f.changes.disposal, DISPOSAL_JUNK);
	assert_string_equal(f.changes.milter, "unix:/m");
	assert_string_equal(f.changes.reason, "why");
	assert_false(f.draft.is_changed);
	fixture_close(&f);
}

static void
test_discard(void **state)
{
	static const struct answer answers[] = { OPTIONS(ALL SHORT),
		SAYS('M', "\0\0\0\1d"), { 0, NULL, 0 } };
	struct script s = { .stage = TALK_MESSAGE };
	struct fixture f;

	(void)state;
	memcpy(s.answers, answers, sizeof(answers));
	fixture_open(&f);
	talk_through(&f, &s, false);
	assert_int_equal(f.talk.state, TALK_PASSED);
	assert_int_equal(f.changes.disposal, DISPOSAL_JUNK);
	assert_string_equal(f.changes.milter, "unix:/m");
	assert_string_equal(f.changes.reason, "discard");
	assert_string_equal(f.said, "ODDM");
	fixture_close(&f);
}

/* As a refusal it is this stage's, but of RCPT, which is one recipient. */
static void
test_discard_that_refuses(void **state)
{
	static const struct answer at_mail[] = { OPTIONS(ALL SHORT),
		SAYS('M', "\0\0\0\1d"), { 0, NULL, 0 } };
	static const struct answer at_rcpt[] = { OPTIONS(ALL SHORT),
		GOES_ON('M'), SAYS('R', "\0\0\0\1d"), { 0, NULL, 0 } };
	struct script s = { .stage = TALK_MAIL };
	struct fixture f;

	(void)state;
	memcpy(s.answers, at_mail, sizeof(at_mail));
	fixture_open(&f);
	f.talk.discard = DISPOSAL_REFUSE;
	talk_through(&f, &s, false);
	assert_int_equal(f.talk.state, TALK_REFUSED);
	assert_int_equal(f.talk.verdict.code, 550);
	fixture_close(&f);

	memcpy(s.answers, at_rcpt, sizeof(at_rcpt));
	fixture_open(&f);
	f.talk.discard = DISPOSAL_REFUSE;
	talk_through(&f, &s, false);
	talk_begin(&f.talk, TALK_RCPT, &f.facts, NULL, &f.changes);
	play(&f, s.answers, false);
	assert_int_equal(f.talk.state, TALK_PASSED);
	assert_int_equal(f.changes.disposal, DISPOSAL_REFUSE);
	fixture_close(&f);
}

static void
test_the_strictest_disposal_holds(void **state)
{
	struct milter_changes changes = { 0 };

	(void)state;
	milter_changes_dispose(&changes, DISPOSAL_JUNK, "a", SLICE("one"));
	milter_changes_dispose(&changes, DISPOSAL_DROP, "b", SLICE("two"));
	milter_changes_dispose(&changes, DISPOSAL_JUNK, "c", SLICE("three"));
	assert_int_equal(changes.disposal, DISPOSAL_DROP);
	assert_string_equal(changes.milter, "b");
	assert_string_equal(changes.reason, "two");
	milter_changes_free(&changes);
}

/* A large body goes in pieces of at most 65535, with CR LF, in order. */
static void
test_large_body(void **state)
{
	static const struct answer answers[] = { OPTIONS(ALL
	    "\0\x08\2\x63"), GOES_ON('M'), GOES_ON('N'), GOES_ON('E'),
		{ 0, NULL, 0 } };
	struct fixture f;
	struct buf text = { 0 };
	struct milter_packet packet;
	size_t n_body = 0, n_lines = 0;

	(void)state;
	fixture_open(&f);
	buf_puts(&text, "A: b\n\n");
	while (text.size < 300000)
		buf_puts(&text, "0123456789\n\n\n");
	draft_close(&f.draft);
	close(f.fd);
	f.fd = sealed_create("test");
	assert_int_equal(write(f.fd, text.data, text.size), text.size);
	assert_int_equal(draft_open(&f.draft, f.fd, text.size, 0), 0);
	talk_begin(&f.talk, TALK_MAIL, &f.facts, NULL, &f.changes);
	play(&f, answers, false);
	talk_begin(&f.talk, TALK_MESSAGE, &f.facts, &f.draft, &f.changes);
	for (int i = 0; i < 200 && f.talk.state == TALK_WAITS; i++) {
		while (milter_take_packet(&packet, buf_slice(&f.talk.out)) >
		    0) {
			char letter = packet.letter;

			assert_true(packet.data.size <= MILTER_CHUNK_MAX);
			for (size_t k = 0; letter == 'B' &&
			    k < packet.data.size; k++)
				n_lines += packet.data.data[k] == '\n';
			n_body += letter == 'B' ? packet.data.size : 0;
			buf_consume(&f.talk.out, packet.size);
			if (letter == 'N' || letter == 'E')
				talk_input(&f.talk,
				    (struct slice){ "\0\0\0\1c", 5 });
		}
		assert_true(f.talk.out.size < TALK_OUT_MAX + 70000);
		talk_written(&f.talk);
	}
	assert_int_equal(f.talk.state, TALK_PASSED);
	assert_int_equal(n_body, text.size - 6 + n_lines);
	buf_free(&text);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_refused_recipient),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_next_session),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_discard_that_refuses),
		cmocka_unit_test(test_the_strictest_disposal_holds),
		cmocka_unit_test(test_large_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
