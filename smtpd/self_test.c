/* SPDX-License-Identifier: ISC */
/*
 * self_test.c - the client's side of self_test.h: a table of what is said,
 * one step after the other, and what each answer means.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "address.h"
#include "connection.h"
#include "fault.h"
#include "limits.h"
#include "log.h"
#include "self_test.h"
#include "signatures.h"
#include "stream.h"

#define EVERY_MS (FAULT_ENV("POSTERN_SELF_TEST_OFTEN") ? 500 : 600000)
#define LIMIT_MS 180000		/* the checks of one message have 60 s */
#define REPLY_LINE_MAX 2048
#define RESERVED SELF_TEST_LOCAL "@" SELF_TEST_DOMAIN

/* What the answer to a step must be like. */
enum wanted {
	WANTS_GO_ON,		/* 2yz or 3yz, or no more can be tried */
	WANTS_NO_250,
	WANTS_252,		/* the answer to VRFY and to nothing else */
	WANTS_NOTHING,		/* QUIT: it is over */
};

struct test_step {
	const char *text;	/* %h our name, %u an unknown recipient */
	enum wanted wanted;
	enum self_test_stage stage;
};

/*
 * Each false end of data is followed by a command; whatever reads one of
 * them answers it, and the answer to VRFY is then not the next one.
 */
#define SMUGGLED(end) "x" end "NOOP\r\n"
#define SMUGGLING "Subject: self-test\r\n\r\n" SMUGGLED("\n.\n") \
	SMUGGLED("\n.\r\n") SMUGGLED("\r\n.\n") SMUGGLED("\r.\r") \
	SMUGGLED("\r\n.\r") SMUGGLED("\n.\r") SMUGGLED("\r.\r\n") \
	SMUGGLED("\r\n\0.\r\n") "\r\n.\r\n"
/* The EICAR test file, encoded: our own program must not look like it. */
#define EICAR "Subject: self-test\r\nMIME-Version: 1.0\r\n" \
	"Content-Type: application/octet-stream\r\n" \
	"Content-Transfer-Encoding: base64\r\n\r\n" \
	"WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FSLVNUQU5EQVJELUFOVElW" \
	"\r\nSVJVUy1URVNULUZJTEUhJEgrSCo=\r\n.\r\n"

/* As a stranger, whatever the listener is for. */
static const struct test_step main_steps[] = {
	{ "", WANTS_GO_ON, 0 },				/* the greeting */
	{ "EHLO " SELF_TEST_DOMAIN "\r\n", WANTS_GO_ON, 0 },
	{ "MAIL FROM:<postmaster@%h>\r\n", WANTS_GO_ON, 0 },
	{ "RCPT TO:<nobody@" SELF_TEST_DOMAIN ">\r\n", WANTS_NO_250,
	    SELF_TEST_RECIPIENT },
	{ "RCPT TO:<%u>\r\n", WANTS_NO_250, SELF_TEST_RECIPIENT },
	{ "RSET\r\n", WANTS_GO_ON, 0 },
	{ "MAIL FROM:<postmaster@%h>\r\n", WANTS_GO_ON, 0 },
	{ "RCPT TO:<" RESERVED ">\r\n", WANTS_GO_ON, 0 },
	{ "DATA\r\n", WANTS_GO_ON, 0 },
	{ SMUGGLING, WANTS_NO_250, SELF_TEST_SMUGGLING },
	{ "VRFY self-test\r\n", WANTS_252, SELF_TEST_SMUGGLING },
	{ "RSET\r\n", WANTS_GO_ON, 0 },
	{ "MAIL FROM:<postmaster@%h>\r\n", WANTS_GO_ON, SELF_TEST_SCANNER },
	{ "RCPT TO:<" RESERVED ">\r\n", WANTS_GO_ON, SELF_TEST_SCANNER },
	{ "DATA\r\n", WANTS_GO_ON, SELF_TEST_SCANNER },
	{ EICAR, WANTS_NO_250, SELF_TEST_SCANNER },
	{ "QUIT\r\n", WANTS_NOTHING, 0 },
};
/* As one of our own users who has not said who he is. */
static const struct test_step login_steps[] = {
	{ "", WANTS_GO_ON, 0 },
	{ "EHLO " SELF_TEST_DOMAIN "\r\n", WANTS_GO_ON, 0 },
	{ "MAIL FROM:<>\r\n", WANTS_NO_250, SELF_TEST_LOGIN },
	{ "RSET\r\n", WANTS_GO_ON, 0 },
	{ "MAIL FROM:<postmaster@%h>\r\n", WANTS_NO_250, SELF_TEST_LOGIN },
	{ "QUIT\r\n", WANTS_NOTHING, 0 },
};
#define N_OF(list) (sizeof(list) / sizeof *(list))
static const size_t smuggling_size = sizeof SMUGGLING - 1;	/* has a NUL */

static const struct {
	enum self_test_stage stage;
	const char *problem, *effect;
} stages[] = {
	{ SELF_TEST_RECIPIENT, "the self-test was answered 250 to a recipient "
	    "that does not exist", "RCPT is answered 451" },
	{ SELF_TEST_SMUGGLING, "in the self-test, commands inside of a "
	    "message were taken for commands", "DATA and BDAT are answered "
	    "451" },
	{ SELF_TEST_SCANNER, "the self-test was answered 250 to the EICAR "
	    "test virus", "DATA and BDAT are answered 451" },
	{ SELF_TEST_LOGIN, "the self-test was answered 250 to MAIL without a "
	    "login", "MAIL is answered 451" },
};

struct self_test {
	struct server *server;
	struct loop_timer timer;	/* the next test, or this one's limit */
	struct stream stream;
	struct buf in;
	const struct test_step *steps;	/* of the part that is under way */
	size_t n_steps;
	size_t at;			/* the step whose answer is awaited */
	bool is_between;		/* two parts of one test */
	unsigned tried, failed;		/* enum self_test_stage */
	struct signatures *signatures;	/* NULL: not asked for */
	bool has_ended;			/* one test at least */
	struct loop_timer first_timer;
	void (*first_done)(void *arg);	/* NULL: was called */
	void *arg;
};

bool
self_test_is_reserved(const struct address *rcpt)
{
	return strcmp(rcpt->local, SELF_TEST_LOCAL) == 0 &&
	    strcmp(rcpt->domain, SELF_TEST_DOMAIN) == 0;
}

/* ---- results ---- */

static void
tell_first(struct self_test *t)
{
	void (*done)(void *arg) = t->first_done;

	t->first_done = NULL;
	loop_timer_stop(t->server->loop, &t->first_timer);
	if (done != NULL)
		done(t->arg);
}

/* Both are known: what is filtered, and how old clamd's signatures are. */
static void
tell_if_over(void *arg)
{
	struct self_test *t = arg;

	if (t->has_ended && !signatures_are_asked(t->signatures))
		tell_first(t);
}

static void
on_first_too_long(struct loop_timer *timer, void *arg)
{
	(void)timer;
	tell_first(arg);
}

static void
judge_stage(struct self_test *t, size_t i)
{
	struct session_settings *settings = &t->server->settings;
	unsigned stage = stages[i].stage;
	bool was_bad = settings->failing & stage;
	bool is_bad = t->failed & stage;

	if (!(t->tried & stage))
		return;
	if (is_bad)
		log_error("alarm", LOG_S("problem", stages[i].problem),
		    LOG_S("effect", stages[i].effect), LOG_END);
	else if (was_bad)
		log_notice("self_test_passed", LOG_S("was",
		    stages[i].problem), LOG_END);
	settings->failing = is_bad ? settings->failing | stage :
	    settings->failing & ~stage;
	limits_count(settings->limits, SCOREBOARD_SELF_TEST_FAILING,
	    (int)is_bad - (int)was_bad);
}

static void on_time(struct loop_timer *timer, void *arg);

/* It has come to its end, or no further. */
static void
test_end(struct self_test *t)
{
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
		judge_stage(t, i);
	limits_count(t->server->settings.limits, SCOREBOARD_SELF_TESTS, 1);
	stream_close(&t->stream);
	buf_free(&t->in);
	loop_timer_start(t->server->loop, &t->timer, EVERY_MS, on_time, t);
	t->has_ended = true;
	tell_if_over(t);
}

static void
part_end(struct self_test *t)
{
	if (t->steps == main_steps) {
		test_end(t);
		return;
	}
	stream_close(&t->stream);
	t->is_between = true;
	loop_timer_start(t->server->loop, &t->timer, 1, on_time, t);
}

static void
test_break_off(struct self_test *t, const char *why, unsigned code)
{
	log_warning("self_test", LOG_S("problem", why), LOG_U("step", t->at),
	    LOG_U("code", code), LOG_S("effect", "what was not tried is as "
	    "it was before"), LOG_END);
	test_end(t);
}

/* ---- what is said ---- */

/* In a domain without catch_all; false: there is none. */
static bool
put_unknown(struct self_test *t, struct buf *out)
{
	const struct config *config = t->server->settings.config;
	uint64_t random = 0;

	if (getrandom(&random, sizeof random, 0) < 0)
		random = (uint64_t)loop_now_us(t->server->loop);
	for (size_t i = 0; i < config->n_domains; i++) {
		const struct config_domain *domain = &config->domains[i];

		if (domain->catch_all != NULL ||
		    config_domain_hop(domain) != NULL)
			continue;
		return buf_printf(out, "self-test-%016" PRIx64 "@%s", random,
		    domain->name) == 0;
	}
	return false;
}

/* False: this one cannot be said here. */
static bool
put_text(struct self_test *t, const char *text, struct buf *out)
{
	for (; *text != '\0'; text++) {
		if (text[0] == '%' && text[1] == 'u') {
			if (!put_unknown(t, out))
				return false;
			text++;
		} else if (text[0] == '%' && text[1] == 'h') {
			buf_puts(out, t->server->settings.config->hostname);
			text++;
		} else {
			buf_append(out, text, 1);
		}
	}
	return true;
}

static bool
step_applies(const struct self_test *t)
{
	return t->steps[t->at].stage != SELF_TEST_SCANNER ||
	    t->server->settings.has_scanner;
}

static void
say_next(struct self_test *t)
{
	struct buf out = { 0 };
	bool is_said = false;

	while (!is_said && ++t->at < t->n_steps) {
		const struct test_step *step = &t->steps[t->at];

		if (!step_applies(t))
			continue;
		buf_free(&out);
		if (step->stage == SELF_TEST_SMUGGLING &&
		    step->wanted == WANTS_NO_250)
			is_said = buf_append(&out, step->text,
			    smuggling_size) == 0;
		else
			is_said = put_text(t, step->text, &out);
	}
	if (is_said && stream_write(&t->stream, buf_slice(&out)) < 0)
		test_break_off(t, "cannot send", 0);
	else if (t->at + 1 >= t->n_steps)
		part_end(t);
	buf_free(&out);
}

/* ---- what is answered ---- */

static void
on_reply(struct self_test *t, unsigned code)
{
	const struct test_step *step = &t->steps[t->at];
	bool is_bad = false;

	if (code == 421) {	/* any command may hear it (RFC 5321 3.8) */
		test_break_off(t, "the session was closed", code);
		return;
	}
	switch (step->wanted) {
	case WANTS_GO_ON:
		if (code < 400)
			break;
		test_break_off(t, "a step before the test was refused", code);
		return;
	case WANTS_NO_250:
		is_bad = code == 250;
		break;
	case WANTS_252:
		is_bad = code != 252;
		break;
	case WANTS_NOTHING:
		break;
	}
	if (step->wanted != WANTS_GO_ON)
		t->tried |= step->stage;
	if (is_bad)
		t->failed |= step->stage;
	say_next(t);
}

/* The last line of a reply: "250 ok". False: not yet. */
static bool
take_reply(struct self_test *t, unsigned *code)
{
	while (t->in.size > 0) {
		struct slice line = buf_slice(&t->in);
		unsigned long long number = 0;
		bool is_last;

		line.size = slice_find(line, '\n');
		if (line.size == t->in.size)
			return false;
		is_last = line.size >= 4 && line.data[3] != '-';
		if (is_last && !slice_number((struct slice){ line.data, 3 },
		    999, &number))
			number = 0;
		buf_consume(&t->in, line.size + 1);
		*code = (unsigned)number;
		if (is_last)
			return true;
	}
	return false;
}

static void
on_input(struct self_test *t)
{
	char octets[REPLY_LINE_MAX];
	ssize_t n = stream_read(&t->stream, octets, sizeof octets);
	unsigned code;

	if (n == -EAGAIN)
		return;
	if (n <= 0 || t->in.size > REPLY_LINE_MAX ||
	    buf_append(&t->in, octets, (size_t)n) < 0) {
		test_break_off(t, "the session was closed", 0);
		return;
	}
	while (t->stream.is_open && take_reply(t, &code))
		on_reply(t, code);
}

static void
on_stream(struct stream *stream, enum stream_event event, void *arg)
{
	(void)stream;
	if (event == STREAM_INPUT)
		on_input(arg);
	else if (event == STREAM_BROKEN)
		test_break_off(arg, "the session was closed", 0);
}

/* ---- the beginning ---- */

/* A connection, and what is said over it. */
static void
part_begin(struct self_test *t, const struct test_step *part, size_t n)
{
	struct server *server = t->server;
	int fds[2], error;

	buf_free(&t->in);
	t->is_between = false;
	t->steps = part;
	t->n_steps = n;
	t->at = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    fds) < 0) {
		test_break_off(t, strerror(errno), 0);
		return;
	}
	error = stream_open(&t->stream, server->loop, fds[0], on_stream, t);
	if (error < 0) {
		close(fds[1]);
		test_break_off(t, strerror(-error), 0);
		return;
	}
	loop_timer_start(server->loop, &t->timer, LIMIT_MS, on_time, t);
	server_adopt_self_test(server, fds[1], part == login_steps);
}

static void
main_begin(struct self_test *t)
{
	part_begin(t, main_steps, N_OF(main_steps));
}

static void
test_begin(struct self_test *t)
{
	t->tried = t->failed = 0;
	signatures_ask(t->signatures);
	if (t->server->settings.kind == LISTEN_MX)
		main_begin(t);
	else
		part_begin(t, login_steps, N_OF(login_steps));
}

static void
on_time(struct loop_timer *timer, void *arg)
{
	struct self_test *t = arg;

	(void)timer;
	if (t->stream.is_open)
		test_break_off(t, "it took too long", 0);
	else if (!t->server->is_ending && t->is_between)
		main_begin(t);
	else if (!t->server->is_ending)
		test_begin(t);
}

struct self_test *
self_test_start(struct server *server, void (*first_done)(void *arg),
    void *arg)
{
	struct self_test *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->server = server;
	t->first_done = first_done;
	t->arg = arg;
	t->signatures = signatures_new(server, tell_if_over, t);
	loop_timer_start(server->loop, &t->first_timer, SELF_TEST_FIRST_MS,
	    on_first_too_long, t);
	test_begin(t);
	return t;
}
