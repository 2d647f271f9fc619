/* SPDX-License-Identifier: ISC */
/*
 * Runs tests/dialogue/ files against the session core, each three times:
 * every block of client lines in one piece, line by line, and octet by
 * octet. tests/dialogue/README says what the lines mean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <fnmatch.h>
#include <glob.h>
#include "../../smtpd/checks_run.h"
#include "fake_host.h"

#define LINE_MAX_OCTETS 65536

enum pieces { IN_BLOCKS, IN_LINES, IN_OCTETS };

struct dialogue {
	struct host host;
	const char *path;
	unsigned line;
	enum pieces pieces;
	struct buf config, block;
	size_t read;			/* of host.sent */
	bool is_open;
	enum config_tls_mode tls_mode;
	char user[64];
	bool is_holding;		/* no question is answered */
	int64_t now_us;
};

static void
dialogue_fail(const struct dialogue *d, const char *what, const char *detail)
{
	fail_msg("%s:%u (%s): %s: %s", d->path, d->line,
	    d->pieces == IN_BLOCKS ? "in blocks" : d->pieces == IN_LINES ?
	    "in lines" : "in octets", what, detail);
}

static const char *const kind_names[QUESTION_COUNT] = {
	[QUESTION_ROUTE] = "route",
	[QUESTION_PROBE] = "probe",
	[QUESTION_FAILURE] = "failure",
	[QUESTION_PREPARE] = "prepare",
	[QUESTION_RECORDS] = "records",
	[QUESTION_BEGIN] = "begin",
	[QUESTION_LOOK] = "look",
	[QUESTION_INTENT] = "intent",
	[QUESTION_WITHDRAW] = "withdraw",
	[QUESTION_COMMIT] = "commit",
	[QUESTION_DELIVER] = "deliver",
	[QUESTION_RELEASE] = "release",
	[QUESTION_JUDGE] = "judge",
	[QUESTION_DNS] = "dns",
	[QUESTION_GREY] = "grey",
	[QUESTION_SEEN] = "seen",
	[QUESTION_MILTERS] = "milters",
	[QUESTION_SCAN] = "scan",
	[QUESTION_MAY] = "may",
	[QUESTION_QUEUE] = "queue",
	[QUESTION_QUEUE_COMMIT] = "queue-commit",
	[QUESTION_PROGRAM] = "program",
	[QUESTION_HOP] = "hop",
	[QUESTION_HOP_RCPT] = "hop-rcpt",
	[QUESTION_HOP_SEND] = "hop-send",
	[QUESTION_HOP_RECIPIENT] = "hop-recipient",
	[QUESTION_HOP_CANCEL] = "hop-cancel",
	[QUESTION_PROOF] = "proof",
	[QUESTION_PROOF_TAKE] = "proof-take",
	[QUESTION_PROOF_DROP] = "proof-drop",
	[QUESTION_TRACE_CHECK] = "trace-check",
	[QUESTION_TAG_CHECK] = "tag-check",
	[QUESTION_SRS_CHECK] = "srs-check",
	[QUESTION_TRACE] = "vault-trace",
	[QUESTION_DKIM] = "dkim",
	[QUESTION_AUTH_PEER] = "auth-peer",
	[QUESTION_AUTH_STEP] = "auth-step",
	[QUESTION_AUTH_FORGET] = "auth-forget",
	[QUESTION_CANCEL] = "cancel",
	[QUESTION_DONE] = "done",
	[QUESTION_DONE_NOW] = "done-now",
	[QUESTION_SETTLE] = "settle",
	[QUESTION_CONFIRM] = "confirm",
	[QUESTION_END] = "end",
	[QUESTION_FAILED] = "failed",
	[QUESTION_MILTERS_END] = "milters-end",
	[QUESTION_QUEUE_RECIPIENT] = "queue-recipient",
	[QUESTION_QUEUE_MEMBERS] = "queue-members",
	[QUESTION_QUEUE_ABORT] = "queue-abort",
};

static enum question_kind
kind_find(const struct dialogue *d, const char *name)
{
	unsigned i;

	for (i = 0; i < QUESTION_COUNT; i++)
		if (kind_names[i] != NULL && strcmp(name, kind_names[i]) == 0)
			return (enum question_kind)i;
	dialogue_fail(d, "no such question", name);
	return QUESTION_COUNT;
}

/* ---- the client's side ---- */

static void
feed(struct dialogue *d, const char *data, size_t size)
{
	if (d->host.is_handshaking)
		dialogue_fail(d, "said in a handshake", data);
	if (d->host.s != NULL)
		session_input(d->host.s, (struct slice){ data, size });
	while (!d->is_holding && host_answer(&d->host))
		;
}

static size_t
piece_size(const struct dialogue *d, struct slice rest)
{
	size_t lf;

	if (d->pieces == IN_OCTETS)
		return 1;
	lf = slice_find(rest, '\n');
	if (d->pieces == IN_BLOCKS || lf == rest.size)
		return rest.size;
	return lf + 1;
}

/* The configuration is complete once somebody speaks. */
static void
open_now(struct dialogue *d)
{
	if (d->is_open)
		return;
	host_open(&d->host, d->config.data ? d->config.data : "");
	d->host.tls_mode = d->tls_mode;
	memcpy(d->host.user, d->user, sizeof(d->user));
	host_connect(&d->host, false);
	d->is_open = true;
}

static void
send_block(struct dialogue *d)
{
	struct slice rest = buf_slice(&d->block);
	size_t n;

	if (rest.size == 0)
		return;
	open_now(d);
	while (rest.size > 0 && d->host.s != NULL) {
		n = piece_size(d, rest);
		feed(d, rest.data, n);
		rest.data += n;
		rest.size -= n;
	}
	d->block.size = 0;
}

/* \r \n \0 \\ \xHH, and \* followed by COUNT times the next octet. */
static void
put_escaped(struct buf *out, const char *text)
{
	char octet;
	unsigned long n;
	char *end;

	while (*text != '\0') {
		octet = *text++;
		if (octet == '\\' && *text == '*') {
			n = strtoul(text + 1, &end, 10);
			for (; n > 0; n--)
				buf_append(out, end, 1);
			text = end + 1;
			continue;
		}
		if (octet == '\\') {
			octet = *text++;
			if (octet == 'x') {
				char hex[3] = { text[0], text[1], 0 };

				octet = (char)strtoul(hex, NULL, 16);
				text += 2;
			} else {
				octet = octet == 'r' ? '\r' : octet == 'n' ?
				    '\n' : octet == '0' ? '\0' : octet;
			}
		}
		buf_append(out, &octet, 1);
	}
}

/* ---- the server's side ---- */

static bool
next_reply(struct dialogue *d, char *line, size_t room)
{
	struct slice rest = { d->host.sent.data + d->read,
		d->host.sent.size - d->read };
	size_t lf = rest.size > 0 ? slice_find(rest, '\n') : 0;

	if (lf >= rest.size || lf == 0 || lf >= room)
		return false;
	memcpy(line, rest.data, lf - 1);
	line[lf - 1] = '\0';
	d->read += lf + 1;
	return true;
}

static void
expect_reply(struct dialogue *d, const char *pattern)
{
	char line[2048];

	open_now(d);
	if (strcmp(pattern, "(closed)") == 0) {
		if (d->read != d->host.sent.size)
			dialogue_fail(d, "more was said",
			    d->host.sent.data + d->read);
		if (!d->host.is_closed)
			dialogue_fail(d, "still open", "");
		return;
	}
	if (!next_reply(d, line, sizeof(line)))
		dialogue_fail(d, "nothing was said, expected", pattern);
	if (fnmatch(pattern, line, 0) != 0)
		dialogue_fail(d, pattern, line);
}

/* Whatever was said must have been expected. */
static void
expect_quiet(struct dialogue *d)
{
	if (d->is_open && d->read != d->host.sent.size)
		dialogue_fail(d, "not expected", d->host.sent.data + d->read);
}

/* ---- the other lines ---- */

/* What policy says of a bounce that returns two of our messages. */
static void
believe_bounce(struct dialogue *d)
{
	static const struct slice keys = SLICE(
	    "failed\nalice@example.org\n1@example.org\nx@b.example\n\0"
	    "failed\nalice@example.org\n2@example.org\nx@b.example\n");
	struct session *s = d->host.s;

	if (s == NULL || s->tx == NULL || s->checks == NULL)
		dialogue_fail(d, "there is no transaction", "");
	s->checks->claimed_for = s->tx->number;
	assert_int_equal(facts_add(&s->checks->transaction, FACT_RESULT,
	    SLICE("bounce"), keys), 0);
}

static void
set_fake(struct dialogue *d, char *text)
{
	char kind[32], how[32];
	unsigned a = 0, b = 0, c = 0, which = 0, left = 0;
	struct host_fake *fake;
	int n = sscanf(text, "%31s %31s %u %u %u %u %u", kind, how, &a, &b,
	    &c, &which, &left);

	if (n < 2)
		dialogue_fail(d, "fake", text);
	if (strcmp(kind, "remembered") == 0) {
		d->host.settings.n_remembered_failures =
		    (uint32_t)strtoul(how, NULL, 10);
		return;
	}
	if (strcmp(kind, "self-test") == 0) {
		d->host.settings.failing = (unsigned)strtoul(how, NULL, 10);
		return;
	}
	if (strcmp(kind, "memory") == 0) {
		limits_count(d->host.settings.limits,
		    SCOREBOARD_MEMORY_MESSAGES_BYTES, strtol(how, NULL, 10));
		return;
	}
	if (strcmp(kind, "clearance") == 0) {
		d->host.is_late = true;
		return;
	}
	if (strcmp(kind, "bounce") == 0) {
		believe_bounce(d);
		return;
	}
	fake = &d->host.fakes[kind_find(d, kind)];
	memset(fake, 0, sizeof(*fake));
	fake->is_set = true;
	fake->is_unknown = strcmp(how, "unknown") == 0;
	fake->is_of_message = strcmp(how, "message") == 0;
	fake->is_own = fake->is_of_message || strcmp(how, "own") == 0;
	fake->is_all = strcmp(how, "all") == 0;
	fake->is_short = strcmp(how, "short") == 0;
	if (fake->is_all)
		fake->state = RECORD_IS_DONE;
	if (strcmp(how, "done") == 0 || strcmp(how, "open") == 0) {
		fake->state = *how == 'd' ? RECORD_IS_DONE : RECORD_IS_OPEN;
		fake->which = a;
		fake->n_left = b;
		return;
	}
	if (strcmp(how, "changes") == 0) {
		sscanf(text, "%*s %*s %c", &fake->change);
		fake->which = TALK_MESSAGE + 1;
		return;
	}
	fake->which = which;
	fake->n_left = left;
	if (a != 0)
		verdict_set(&fake->verdict, (int)a, (int)b, (int)c, "faked");
}

static void
want_count(struct dialogue *d, const char *text)
{
	char kind[32];
	unsigned want, is;

	if (sscanf(text, "%31s %u", kind, &want) != 2)
		dialogue_fail(d, "want", text);
	if (strcmp(kind, "kept") == 0)
		is = d->host.n_released_kept;
	else if (strcmp(kind, "released") == 0)
		is = d->host.n_released_all;
	else if (strcmp(kind, "skipped") == 0)
		is = d->host.n_skipped;
	else if (strcmp(kind, "digests") == 0)
		is = d->host.n_digests;
	else if (strcmp(kind, "skipped-recipient") == 0)
		is = d->host.skipped_recipient;
	else if (strcmp(kind, "skipped-leaf") == 0)
		is = d->host.skipped_leaf;
	else if (strcmp(kind, "recipients") == 0)
		is = d->host.n_recipients;
	else if (strcmp(kind, "junk") == 0)
		is = d->host.is_junk;
	else if (strcmp(kind, "entries") == 0)
		is = d->host.n_entries;
	else if (strcmp(kind, "remembered-code") == 0)
		is = d->host.remembered_code;
	else if (strcmp(kind, "withdrawn") == 0)
		is = d->host.n_withdrawn;
	else if (strcmp(kind, "done-entries") == 0)
		is = d->host.n_done;
	else if (strcmp(kind, "intended") == 0)
		is = d->host.is_intent;
	else if (strcmp(kind, "probed") == 0)
		is = d->host.probed;
	else if (strcmp(kind, "unconfirmed") == 0)
		is = d->host.unconfirmed != 0;
	else if (strcmp(kind, "sends") == 0)
		is = d->pieces == IN_BLOCKS ? (unsigned)d->host.n_sends : want;
	else
		is = d->host.asked[kind_find(d, kind)];
	if (is != want) {
		snprintf(kind, sizeof(kind), "%u", is);
		dialogue_fail(d, text, kind);
	}
}

static void
want_message(struct dialogue *d, const char *text)
{
	struct buf want = { 0 };

	put_escaped(&want, text);
	if (!slice_equals(buf_slice(&want), buf_slice(&d->host.message)))
		dialogue_fail(d, "message", d->host.message.data);
	buf_free(&want);
}

static void
want_trace(struct dialogue *d, const char *pattern)
{
	if (d->host.trace.data == NULL ||
	    fnmatch(pattern, d->host.trace.data, 0) != 0)
		dialogue_fail(d, pattern, d->host.trace.data != NULL ?
		    d->host.trace.data : "(no message)");
}

/* Seconds pass in steps: the timer goes off once each time that it is set. */
static void
pass_time(struct dialogue *d, unsigned seconds)
{
	int64_t until_us = d->now_us + (int64_t)seconds * 1000000;

	open_now(d);
	while (d->host.s != NULL && d->host.timer_ms != 0 &&
	    d->host.timer_due_us <= until_us) {
		d->now_us = d->host.timer_due_us;
		clock_set_for_tests(d->now_us, d->now_us);
		d->host.timer_ms = 0;
		session_timeout(d->host.s);
	}
	d->now_us = until_us;
	clock_set_for_tests(d->now_us, d->now_us);
}

static void
reconnect(struct dialogue *d, bool has_talked)
{
	if (!d->is_open)
		host_open(&d->host, d->config.data ? d->config.data : "");
	else if (d->host.s != NULL)
		session_hang_up(d->host.s);
	while (host_answer(&d->host))
		;
	d->is_open = true;
	d->read = d->host.sent.size;
	d->host.presence = PRESENCE_IDLE;
	host_connect(&d->host, has_talked);
}

static void
stop(struct dialogue *d, bool is_cutting)
{
	d->host.settings.is_stopping = true;
	d->host.settings.is_cutting = is_cutting;
	session_stop(d->host.s);
}

static void
end_handshake(struct dialogue *d, bool is_good)
{
	open_now(d);
	if (!d->host.is_handshaking)
		dialogue_fail(d, "there is no handshake", "");
	host_end_handshake(&d->host, is_good);
}

static void
set_tls(struct dialogue *d, const char *mode)
{
	static const char *const modes[] = { "off", "optional", "required",
		"implicit" };

	for (unsigned i = 0; i < 4; i++)
		if (strcmp(mode, modes[i]) == 0) {
			d->tls_mode = (enum config_tls_mode)i;
			return;
		}
	dialogue_fail(d, "no such mode", mode);
}

/* What a listener is for, and who was let in there. */
static void
set_role(struct dialogue *d, const char *role)
{
	unsigned code = 1;

	if (sscanf(role, "caller %u", &code) == 1)
		d->host.caller = code;
	d->host.role = d->host.caller != 0 || strcmp(role, "local") == 0 ?
	    LISTEN_LOCAL : LISTEN_SUBMISSION;
}

static void
want_like(struct dialogue *d, const struct buf *is, const char *pattern)
{
	struct buf want = { 0 };

	put_escaped(&want, pattern);
	if (is->data == NULL || fnmatch(want.data, is->data, 0) != 0)
		dialogue_fail(d, pattern, is->data != NULL ? is->data :
		    "(nothing)");
	buf_free(&want);
}

/* Whether it was about the questions that are out. */
static bool
do_answers(struct dialogue *d, const char *what)
{
	if (strcmp(what, "hold") == 0) {
		d->is_holding = true;
	} else if (strcmp(what, "answer") == 0) {
		if (!host_answer(&d->host))
			dialogue_fail(d, "no question is out", "");
	} else if (strcmp(what, "go on") == 0) {
		d->is_holding = false;
		while (host_answer(&d->host))
			;
	} else {
		return false;
	}
	return true;
}

static void
do_event(struct dialogue *d, const char *what)
{
	if (do_answers(d, what))
		return;
	if (strcmp(what, "gone") == 0)
		d->host.presence = PRESENCE_GONE;
	else if (strcmp(what, "sent") == 0)
		d->host.presence = PRESENCE_HAS_SENT;
	else if (strcmp(what, "idle") == 0)
		d->host.presence = PRESENCE_IDLE;
	else if (strcmp(what, "expired") == 0)
		d->host.s->user->voucher.expires_s =
		    (uint64_t)clock_wall_s();
	else if (strcmp(what, "left") == 0)
		session_client_left(d->host.s);
	else if (strcmp(what, "hang up") == 0)
		session_hang_up(d->host.s);
	else if (strcmp(what, "reconnect") == 0)
		reconnect(d, false);
	else if (strcmp(what, "talk early") == 0)
		reconnect(d, true);
	else if (strcmp(what, "secured") == 0)
		end_handshake(d, true);
	else if (strcmp(what, "insecure") == 0)
		end_handshake(d, false);
	else if (strcmp(what, "stop") == 0)
		stop(d, false);
	else if (strcmp(what, "cut") == 0)
		stop(d, true);
	else
		dialogue_fail(d, "no such event", what);
}

static void
run_line(struct dialogue *d, char *line)
{
	char *text = strchr(line, ':');

	if (line[0] == '#' || line[0] == '\0')
		return;
	if (text == NULL)
		dialogue_fail(d, "malformed", line);
	*text++ = '\0';
	if (*text == ' ')
		text++;
	if (strcmp(line, "c") == 0 || strcmp(line, "c-") == 0) {
		expect_quiet(d);
		put_escaped(&d->block, text);
		if (line[1] == '\0')
			buf_puts(&d->block, "\r\n");
		return;
	}
	send_block(d);
	if (strcmp(line, "s") == 0)
		expect_reply(d, text);
	else if (strcmp(line, "config") == 0)
		buf_printf(&d->config, "%s\n", text);
	else if (strcmp(line, "fake") == 0)
		set_fake(d, text);
	else if (strcmp(line, "want") == 0)
		want_count(d, text);
	else if (strcmp(line, "message") == 0)
		want_message(d, text);
	else if (strcmp(line, "trace") == 0)
		want_trace(d, text);
	else if (strcmp(line, "time") == 0)
		pass_time(d, (unsigned)strtoul(text, NULL, 10));
	else if (strcmp(line, "tls") == 0)
		set_tls(d, text);
	else if (strcmp(line, "role") == 0)
		set_role(d, text);
	else if (strcmp(line, "user") == 0)
		slice_copy(d->user, sizeof(d->user), slice_of(text));
	else if (strcmp(line, "envelope") == 0)
		want_like(d, &d->host.envelope, text);
	else if (strcmp(line, "queued") == 0)
		want_like(d, &d->host.queued, text);
	else if (strcmp(line, "key") == 0)
		want_like(d, &d->host.key, text);
	else if (strcmp(line, "event") == 0)
		do_event(d, text);
	else if (strcmp(line, "needs") == 0 && strcmp(text, "blocks") == 0)
		d->pieces = IN_BLOCKS;	/* it is about what came together */
	else if (strcmp(line, "needs") != 0)
		dialogue_fail(d, "unknown line", line);
}

static void
run_file(const char *path, enum pieces pieces)
{
	struct dialogue d = { .path = path, .pieces = pieces,
		.now_us = 1000000000000 };
	static char line[LINE_MAX_OCTETS];
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	clock_set_for_tests(d.now_us, d.now_us);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		d.line++;
		run_line(&d, line);
	}
	fclose(f);
	send_block(&d);
	expect_quiet(&d);
	assert_true(d.is_open);
	host_close(&d.host);
	clock_set_for_tests(0, 0);
	buf_free(&d.block);
	buf_free(&d.config);
}

static void
test_file(void **state)
{
	const char *path = *state;

	run_file(path, IN_BLOCKS);
	run_file(path, IN_LINES);
	run_file(path, IN_OCTETS);
}

int
main(int argc, char **argv)
{
	const char *pattern = argc > 1 ? argv[1] : "tests/dialogue/*.dlg";
	struct CMUnitTest *tests;
	glob_t found;
	size_t i;
	int result;

	if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc == 0) {
		fprintf(stderr, "no dialogues: %s\n", pattern);
		return 1;
	}
	log_open("test", open("/dev/null", O_WRONLY | O_CLOEXEC),
	    LOG_TARGET_STDERR, LOG_FORMAT_LOGFMT);
	tests = calloc(found.gl_pathc, sizeof(*tests));
	if (tests == NULL)
		return 1;
	for (i = 0; i < found.gl_pathc; i++)
		tests[i] = (struct CMUnitTest){ .name = found.gl_pathv[i],
			.test_func = test_file,
			.initial_state = found.gl_pathv[i] };
	result = _cmocka_run_group_tests("dialogues", tests, found.gl_pathc,
	    NULL, NULL);
	free(tests);
	globfree(&found);
	return result;
}
