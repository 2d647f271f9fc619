/* SPDX-License-Identifier: ISC */
/*
 * test_dovecot.c - who is let in when Dovecot's socket says odd things, or
 * goes. The test is the supervisor and Dovecot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../auth/dovecot.h"
#include "ask.h"
#include "table.h"

#define GREETING "VERSION\t1\t2\nMECH\tPLAIN\n" \
	"MECH\tSCRAM-SHA-256\nDONE\n"

struct world {
	struct compartment c;
	struct config config;
	struct channel *supervisor;
	struct loop_timer timer;
	struct dovecot *dovecot;
	int server;			/* Dovecot's end; -1: none yet */
	char answers[100];		/* "ok alice ", "no ", "silent " ... */
	bool is_ready;
	struct world *next;
};

/* A compartment's connection ends with its process, and so do these. */
static struct world *worlds;

static bool
on_endpoint(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct world *w = arg;
	struct ipc_writer answer;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, fds), 0);
	w->server = fds[0];
	ipc_writer_init(&answer);
	ipc_put_u32(&answer, 0);
	assert_int_equal(channel_answer(ch, m->id, ENDPOINT_ANSWER, &answer,
	    fds[1]), 0);
	close(fds[1]);
	ipc_get_u16(&m->body);
	return true;
}

static const struct channel_rule rules[] = {
	{ ENDPOINT_ASK, CHANNEL_NO_FD, on_endpoint },
};

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	(void)ch;
	(void)misbehaved;
	(void)arg;
}

static void
on_ready(bool has_scram, void *arg)
{
	((struct world *)arg)->is_ready = has_scram;
}

static void
on_answered(const struct dovecot_answer *a, void *arg)
{
	struct world *w = arg;
	size_t n = strlen(w->answers);

	snprintf(w->answers + n, sizeof w->answers - n, "%s%s ",
	    a->result == DOVECOT_OK ? "ok " : a->result == DOVECOT_MORE ?
	    "more" : a->result == DOVECOT_REFUSED ? "no" : "silent",
	    a->result == DOVECOT_OK ? a->user.data : "");
}

static void
on_timer(struct loop_timer *timer, void *arg)
{
	(void)timer;
	loop_stop(((struct world *)arg)->c.loop);
}

static void
turn(struct world *w)
{
	loop_timer_start(w->c.loop, &w->timer, 10, on_timer, w);
	assert_int_equal(loop_run(w->c.loop), 0);
}

static void
say(struct world *w, const char *text)
{
	assert_int_equal(write(w->server, text, strlen(text)), strlen(text));
	turn(w);
}

static struct world *
begin(void)
{
	struct world *w = calloc(1, sizeof *w);
	static char path[] = "unix:/x";
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, fds), 0);
	assert_non_null(w);
	w->next = worlds;
	worlds = w;
	w->server = -1;
	w->config.auth.dovecot = path;
	w->c.config = &w->config;
	w->c.loop = loop_new();
	w->c.supervisor = channel_new(w->c.loop, fds[0], "supervisor", NULL,
	    0, on_closed, w);
	w->supervisor = channel_new(w->c.loop, fds[1], "auth", rules,
	    N_OF(rules), on_closed, w);
	w->dovecot = dovecot_new(&w->c, on_ready, w);
	turn(w);
	assert_true(w->server >= 0);
	return w;
}

static void
end(struct world *w, const char *want)
{
	assert_string_equal(w->answers, want);
	channel_free(&w->supervisor);
	channel_free(&w->c.supervisor);
	if (w->server >= 0)
		close(w->server);
}

static uint32_t
ask(struct world *w, bool is_scram)
{
	const struct dovecot_ask q = { .is_scram = is_scram,
		.first = SLICE("n,,n=a,r=b"),
		.credentials = { SLICE("alice"), SLICE("secret") },
		.client = SLICE("192.0.2.1") };
	uint32_t id = dovecot_ask(w->dovecot, &q, on_answered, w);

	turn(w);
	return id;
}

/* The first question has the id 1. */
static const struct {
	const char *name;
	bool is_scram;
	const char *before, *after;	/* the question */
	const char *want;
} rows[] = {
	{ "right", false, GREETING, "OK\t1\tuser=alice\n", "ok alice " },
	{ "wrong", false, GREETING, "FAIL\t1\tuser=alice\n", "no " },
	{ "a database is down", false, GREETING, "FAIL\t1\ttemp\n",
	    "silent " },
	{ "of another question", false, GREETING, "OK\t2\tuser=alice\n", "" },
	{ "asked before its greeting", false, "", GREETING
	    "OK\t1\tuser=alice\n", "ok alice " },
	{ "answered before it was asked", false, "",
	    "VERSION\t1\t2\nMECH\tPLAIN\nOK\t1\tuser=alice\n", "silent " },
	{ "a step of PLAIN", false, GREETING, "CONT\t1\tYWJj\n", "silent " },
	{ "a step of SCRAM", true, GREETING, "CONT\t1\tYWJj\n", "more " },
	{ "right before the client's word", true, GREETING,
	    "CONT\t1\tYWJj\nOK\t1\tuser=alice\n", "more " },
	{ "no base64", true, GREETING, "CONT\t1\t!\n", "silent " },
	{ "another version", false, "", "VERSION\t2\t0\nMECH\tPLAIN\nDONE\n"
	    "OK\t1\tuser=alice\n", "silent " },
	{ "no PLAIN", false, "", "VERSION\t1\t2\nMECH\tSCRAM-SHA-256\nDONE\n"
	    "OK\t1\tuser=alice\n", "silent " },
	{ "a second DONE", false, GREETING "DONE\n", "FAIL\t1\n", "no " },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct world *w = begin();

		if (*rows[i].before != '\0')
			say(w, rows[i].before);
		assert_int_equal(ask(w, rows[i].is_scram), 1);
		say(w, rows[i].after);
		CHECK_STRING(rows[i].name, w->answers, rows[i].want);
		end(w, rows[i].want);
	}
}

/* It goes: nobody is refused for that, and all hear of it at once. */
static void
test_gone(void **state)
{
	struct world *w = begin();

	(void)state;
	say(w, GREETING);
	assert_true(w->is_ready);
	assert_true(ask(w, false) != 0);
	assert_true(ask(w, true) != 0);
	close(w->server);
	w->server = -1;
	turn(w);
	assert_string_equal(w->answers, "silent silent ");
	assert_int_equal(ask(w, false), 0);
	end(w, "silent silent ");
}

/* Steps of SCRAM, and a question that is forgotten. */
static void
test_steps(void **state)
{
	struct world *w = begin();
	uint32_t first, second;

	(void)state;
	say(w, GREETING);
	first = ask(w, true);
	second = ask(w, true);
	say(w, "CONT\t1\tYWJj\nCONT\t2\tYWJj\n");
	assert_true(dovecot_go_on(w->dovecot, first, SLICE("c=biws")));
	dovecot_forget(w->dovecot, second);
	assert_false(dovecot_go_on(w->dovecot, second, SLICE("c=biws")));
	say(w, "OK\t2\tuser=bob\nOK\t1\tuser=alice\n");
	assert_string_equal(w->answers, "more more ok alice ");
	/* it goes between two steps: the next one hears so */
	first = ask(w, true);
	say(w, "CONT\t3\tYWJj\n");
	close(w->server);
	w->server = -1;
	turn(w);
	assert_false(dovecot_go_on(w->dovecot, first, SLICE("c=biws")));
	end(w, "more more ok alice more ");
}

/* A Dovecot that says nothing is not given questions without end. */
static void
test_many(void **state)
{
	const struct dovecot_ask q = { .credentials = { SLICE("alice"),
		SLICE("secret") }, .client = SLICE("") };
	struct world *w = begin();
	unsigned n = 0;

	(void)state;
	while (n < 5000 && dovecot_ask(w->dovecot, &q, on_answered, w) != 0)
		n++;
	assert_int_equal(n, 1024);
	end(w, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
