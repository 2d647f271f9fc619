/* SPDX-License-Identifier: ISC */
/*
 * The reader of session.h: the table of commands, the one function that
 * reads lines, and the only place where a session is freed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "auth.h"
#include "checks.h"
#include "clock.h"
#include "commands.h"
#include "filter_steps.h"
#include "finish.h"
#include "limits.h"
#include "smtp_command.h"
#include "transaction.h"

struct command_entry {
	struct slice verb;
	unsigned phases;	/* elsewhere it is 503 */
	bool ends_group;	/* replies leave now (RFC 2920 3.1) */
	bool is_idle;		/* brings no mail forward */
	command_fn *handler;
	command_fn *otherwise;	/* out of phase: more to do than say 503 */
};

#define HELD_MAX 4096		/* octets of replies that wait for others */
#define SLOW_US 200000		/* ... or behind a question this slow */
#define IN_TRANSACTION (PHASE_MAIL | PHASE_RCPT)

static const struct command_entry commands[] = {
	{ SLICE("EHLO"), PHASE_ANY, true, true, cmd_ehlo, NULL },
	{ SLICE("HELO"), PHASE_ANY, true, true, cmd_helo, NULL },
	{ SLICE("MAIL"), PHASE_READY, false, false, cmd_mail, NULL },
	{ SLICE("RCPT"), IN_TRANSACTION, false, false, cmd_rcpt, NULL },
	{ SLICE("DATA"), IN_TRANSACTION, true, false, cmd_data, NULL },
	{ SLICE("BDAT"), IN_TRANSACTION | PHASE_CHUNKS, false, false,
	    cmd_bdat, cmd_bdat_out_of_phase },
	{ SLICE("STARTTLS"), PHASE_READY | IN_TRANSACTION, true, true,
	    cmd_starttls, NULL },
	{ SLICE("AUTH"), PHASE_READY, true, true, cmd_auth, NULL },
	{ SLICE("RSET"), PHASE_ANY, false, true, cmd_rset, NULL },
	{ SLICE("NOOP"), PHASE_ANY, true, true, cmd_noop, NULL },
	{ SLICE("VRFY"), PHASE_ANY, true, true, cmd_vrfy, NULL },
	{ SLICE("EXPN"), PHASE_ANY, true, true, cmd_expn, NULL },
	{ SLICE("HELP"), PHASE_ANY, true, true, cmd_help, NULL },
	{ SLICE("XQUEUE"), PHASE_CONNECTED | PHASE_READY, true, true,
	    cmd_xqueue, NULL },
	{ SLICE("QUIT"), PHASE_ANY, true, false, cmd_quit, NULL },
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/*
 * Nothing is read: a question is out, or a set of them, or what comes is a
 * TLS handshake's.
 */
static bool
is_waiting(const struct session *s)
{
	return s->question != 0 || s->is_securing || checks_are_awaited(s);
}

void
session_flush(struct session *s)
{
	if (s->out.size > 0)
		s->settings->host->send(s->conn, buf_slice(&s->out));
	buf_free(&s->out);
	/* to free a large message takes longer than to say that it is
	 * delivered */
	if (s->spent_fd >= 0)
		close(s->spent_fd);
	s->spent_fd = -1;
}

static const struct command_entry *
command_find(const struct session *s, struct slice verb)
{
	size_t i;

	/* offered to strangers it would be there to be guessed at */
	if (slice_equals_nocase(verb, SLICE("AUTH")) && !auth_is_known(s))
		return NULL;
	for (i = 0; i < N_COMMANDS; i++)
		if (slice_equals_nocase(verb, commands[i].verb))
			return &commands[i];
	return NULL;
}

/* The client has read the 250 when it begins a command after it. */
static void
session_confirm(struct session *s)
{
	struct question told = { .kind = QUESTION_CONFIRM, .fd = -1 };

	if (s->unconfirmed == 0 || s->line_began < s->confirmed_from)
		return;
	told.as.transaction = s->unconfirmed;
	s->unconfirmed = 0;
	session_tell(s, &told);
}

/* A slot is for mail: one more command that brings none. */
static bool
session_is_idle(struct session *s)
{
	unsigned most = s->settings->config->limits.idle_commands;

	return most != 0 && ++s->n_idle > most;
}

static enum step
session_unknown(struct session *s)
{
	return session_reply(s, REPLY_UNKNOWN_COMMAND);
}

/* AUTH, though not offered, may come with a password, and so may what a
 * client says after it that did not wait for the answer. */
static enum step
session_unknown_command(struct session *s, const struct command *c,
    struct slice line)
{
	bool is_auth = auth_is_line(line);

	note_asked("command", s->has_said_auth && !is_auth ?
	    SLICE("(not shown)") : c->verb, 0);
	if (command_is_http(c))
		return session_reply(s, REPLY_HTTP);
	return is_auth || s->has_said_auth ? session_unknown(s) :
	    milters_unknown(s, line, session_unknown);
}

static enum step
session_command(struct session *s, struct slice line)
{
	const struct command_entry *entry;
	struct command c;
	enum step step;

	if (command_split(&c, line) != COMMAND_OK)
		return session_reply(s, REPLY_BAD_OCTETS);
	entry = command_find(s, c.verb);
	if (entry == NULL)
		return session_unknown_command(s, &c, line);
	if (entry->is_idle && session_is_idle(s))
		return session_reply(s, REPLY_TOO_IDLE);
	if ((entry->phases & s->phase) != 0)
		step = entry->handler(s, c.argument);
	else if (entry->otherwise != NULL)
		step = entry->otherwise(s, c.argument);
	else
		step = session_reply(s, REPLY_BAD_SEQUENCE);
	if (entry->ends_group && step == STEP_NEXT)
		session_flush(s);
	return step;
}

static struct slice
input_take(struct session *s, size_t n)
{
	struct slice taken = { s->input.data, n };

	s->input.data += n;
	s->input.size -= n;
	return taken;
}

/* What a line may have, which may be AUTH with a response behind it. */
static size_t
line_max(const struct session *s)
{
	return s->mode == INPUT_AUTH || auth_is_offered(s) ? AUTH_LINE_MAX :
	    COMMAND_LINE_MAX;
}

/* No line end in sight. Never hold more than a command can need. */
static enum step
session_no_line(struct session *s)
{
	bool ends_in_cr;

	if (s->input.size <= line_max(s) && s->skipped_bytes == 0)
		return STEP_WAIT;
	ends_in_cr = s->input.size > 0 &&
	    s->input.data[s->input.size - 1] == '\r';
	s->skipped_bytes += input_take(s, s->input.size - ends_in_cr).size;
	if (s->skipped_bytes > BODY_LINE_MAX)
		return session_reply(s, REPLY_LINE_ENDLESS);
	return STEP_WAIT;
}

/* Without its line end: for the log. */
static struct slice
line_text(struct slice line)
{
	while (line.size > 0 && (line.data[line.size - 1] == '\n' ||
	    line.data[line.size - 1] == '\r'))
		line.size--;
	return slice_trim(line);
}

/* What the client said, for the trail: but for what may be a password. */
static void
session_note_line(struct session *s, struct slice line)
{
	struct slice text = line_text(line);
	struct slice verb = { text.data, slice_find(text, ' ') };

	if (auth_is_line(text)) {
		s->has_said_auth = true;
		text.size = SLICE("AUTH").size;	/* a tab may be behind it */
	} else if (s->mode == INPUT_AUTH ||
	    (s->skipped_bytes > 0 && auth_is_offered(s)) ||
	    (s->has_said_auth && command_find(s, verb) == NULL)) {
		text = SLICE("(not shown)");
	}
	note_asked("command", text, 0);
}

/* A line as it should be, or what is wrong with it. */
static enum step
session_whole_line(struct session *s, struct slice line, enum reply_name bad)
{
	if (s->mode == INPUT_AUTH)
		return bad != REPLY_COUNT ? auth_bad_line(s, bad) :
		    auth_line(s, line);
	return bad != REPLY_COUNT ? session_reply(s, bad) :
	    session_command(s, line);
}

/*
 * Only CR LF ends a line. A bare LF is answered at once, so that a person
 * at a bare socket is not left waiting, but what follows it up to CR LF is
 * never read as a command: somebody may have smuggled it in.
 */
static enum step
session_line(struct session *s)
{
	const char *lf = memchr(s->input.data, '\n', s->input.size);
	struct slice line;
	bool was_bad = s->is_bad_line, was_long;

	if (s->line_began == 0)
		s->line_began = s->n_inputs;
	if (lf == NULL)
		return session_no_line(s);
	line = input_take(s, (size_t)(lf - s->input.data) + 1);
	was_long = s->skipped_bytes + line.size > (s->mode == INPUT_AUTH ||
	    auth_is_line(line_text(line)) ? line_max(s) : COMMAND_LINE_MAX);
	session_note_line(s, line);
	s->skipped_bytes = 0;
	s->is_timer_wanted = true;
	session_confirm(s);
	s->line_began = 0;
	s->is_bad_line = line.size < 2 || line.data[line.size - 2] != '\r';
	if (s->is_bad_line)
		return session_whole_line(s, line, REPLY_BAD_LINE_END);
	if (was_bad)
		return STEP_NEXT;
	if (was_long)
		return session_whole_line(s, line, s->mode == INPUT_AUTH ?
		    REPLY_AUTH_TOO_LONG : REPLY_LINE_TOO_LONG);
	return session_whole_line(s, (struct slice){ line.data,
	    line.size - 2 }, REPLY_COUNT);
}

static enum step
session_take(struct session *s)
{
	switch (s->mode) {
	case INPUT_DATA:
		return data_take(s);
	case INPUT_CHUNK:
		return chunk_take(s);
	case INPUT_NO_CHUNK:
		return chunk_skip(s);
	case INPUT_AUTH:
	case INPUT_LINES:
		break;
	}
	return session_line(s);
}

/* What was not read stays for the next call. */
static bool
session_keep(struct session *s)
{
	int error = 0;

	if (s->kept.size > 0)
		buf_consume(&s->kept, s->kept.size - s->input.size);
	else if (s->input.size > 0)
		error = buf_append_slice(&s->kept, s->input);
	if (s->kept.size == 0)
		buf_free(&s->kept);
	s->input = (struct slice){ NULL, 0 };
	return error == 0;
}

static bool
reads_lines(const struct session *s)
{
	return s->mode == INPUT_LINES || s->mode == INPUT_AUTH;
}

static void
session_set_timer(struct session *s)
{
	uint32_t after_ms;

	if (!s->is_timer_wanted)
		return;
	s->is_timer_wanted = false;
	if (reads_lines(s))
		after_ms = s->settings->config->limits.command_timeout_s * 1000;
	else
		after_ms = data_tick_ms(s);
	s->settings->host->timer(s->conn, after_ms);
}

/* The only place where a session is freed. */
static void
session_free(struct session *s)
{
	const struct session_host *host = s->settings->host;

	if (s->question != 0)
		host->forget(s, s->question);
	transaction_end(s);
	auth_end(s);
	checks_free(s);
	note_closed(s);
	if (s->is_admitted)
		limits_leave(s->settings->limits, &s->client);
	host->closed(s->conn, s->unconfirmed);
	buf_free(&s->kept);
	buf_free(&s->out);
	if (s->spent_fd >= 0)
		close(s->spent_fd);
	free(s->helo);
	free(s->user);
	free(s->unknown_line);
	free(s->tls);
	free(s);
}

/* May it end now that all shall? A transaction under way has a while yet. */
static bool
session_may_end(const struct session *s)
{
	if (is_waiting(s))
		return false;
	return s->settings->is_cutting ||
	    (reads_lines(s) && (s->tx == NULL || s->has_paused));
}

/* The one reader. Every call from outside ends here. */
enum step
session_run(struct session *s, enum step step)
{
	while (step == STEP_NEXT && s->input.size > 0 && !s->is_gone)
		step = session_take(s);
	if (s->is_gone && !is_waiting(s))
		step = STEP_CLOSE;
	if (s->is_securing && s->settings->is_stopping)
		step = STEP_CLOSE;	/* nothing can be said now */
	if (step != STEP_CLOSE && s->settings->is_stopping &&
	    session_may_end(s))
		step = session_reply(s, REPLY_SHUTTING_DOWN);
	if (step != STEP_CLOSE && !session_keep(s))
		step = session_reply(s, REPLY_NO_MEMORY);
	if (step == STEP_CLOSE) {
		session_flush(s);
		session_free(s);
		return STEP_CLOSE;
	}
	/* While a question is out, more replies may join these. */
	if (!is_waiting(s) || s->is_slow || s->out.size > HELD_MAX)
		session_flush(s);
	if (!is_waiting(s))
		session_set_timer(s);
	return STEP_WAIT;
}

struct session *
session_new(const struct session_settings *settings, void *conn,
    const char *ip, struct client *client, bool is_admitted)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->settings = settings;
	s->conn = conn;
	s->spent_fd = -1;
	s->phase = PHASE_CONNECTED;
	s->has_enhanced = true;
	s->opened_us = clock_monotonic_us();
	slice_copy(s->ip, sizeof(s->ip), slice_of(ip));
	s->client = client;
	s->is_admitted = is_admitted;
	s->is_relay_peer = settings->kind == LISTEN_MX &&
	    config_networks_contain(&settings->config->checks.relay_peer, ip);
	return s;
}

void
session_begin(struct session *s)
{
	if (s->id[0] == '\0')
		note_opened(s);
}

enum step
session_greeting(struct session *s)
{
	char text[300];

	snprintf(text, sizeof(text), "%.255s ESMTP Postern",
	    s->settings->config->hostname);
	return session_reply_lines(s, 220, slice_of(text));
}

enum step
session_say_greeting(struct session *s, bool has_talked)
{
	s->is_timer_wanted = true;
	note_asked("connect", slice_of(s->ip), 0);
	if (has_talked)
		return session_run(s, session_reply(s, REPLY_TALKS_EARLY));
	return session_run(s, session_greeting(s));
}

enum step
session_greet(struct session *s, bool has_talked)
{
	session_begin(s);
	return session_say_greeting(s, has_talked);
}

enum step
session_turn_away(struct session *s, enum reply_name reply)
{
	session_begin(s);
	note_asked("connect", slice_of(s->ip), 0);
	return session_run(s, session_reply(s, reply));
}

enum step
session_input(struct session *s, struct slice data)
{
	s->n_inputs++;
	s->has_paused = false;
	s->input = data;
	if (s->kept.size > 0) {
		if (buf_append_slice(&s->kept, data) < 0)
			return session_run(s, session_reply(s,
			    REPLY_NO_MEMORY));
		s->input = buf_slice(&s->kept);
	}
	return session_run(s, is_waiting(s) ? STEP_WAIT : STEP_NEXT);
}

bool
session_has_quit(const struct session *s)
{
	return s->has_quit;
}

bool
session_wants_input(const struct session *s)
{
	return !is_waiting(s);
}

enum step
session_answer(struct session *s, uint32_t id, struct answer *a)
{
	bool was_waiting = is_waiting(s);
	enum step step = STEP_WAIT;

	if (id == 0)
		return STEP_WAIT;
	s->input = buf_slice(&s->kept);
	if (id == s->question) {
		s->question = 0;
		step = s->answered(s, a);
	} else if (!checks_answered(s, id, a, &step)) {
		s->input = (struct slice){ NULL, 0 };
		return STEP_WAIT;
	}
	s->is_slow = a->took_us > SLOW_US;
	s->is_timer_wanted = s->is_timer_wanted || was_waiting;
	return session_run(s, step);
}

enum step
session_timeout(struct session *s)
{
	enum step step;

	if (s->is_securing)
		return session_handshake_over(s);
	if (is_waiting(s))
		return STEP_WAIT;
	s->input = buf_slice(&s->kept);
	s->is_timer_wanted = true;
	note_asked("timeout", slice_of(""), 0);
	if (reads_lines(s))
		step = session_reply(s, REPLY_TIMEOUT);
	else
		step = data_timeout(s);
	note_count(s, SCOREBOARD_TIMEOUTS, step == STEP_CLOSE);
	return session_run(s, step == STEP_NEXT ? STEP_WAIT : step);
}

enum step
session_hang_up(struct session *s)
{
	s->is_gone = true;
	if (is_waiting(s) && s->tx != NULL && s->tx->is_finishing) {
		finish_cancel(s);
		return STEP_WAIT;
	}
	return session_run(s, STEP_CLOSE);
}

/* What it has sent before it left is still to be read and answered. */
void
session_client_left(struct session *s)
{
	if (s->tx != NULL && s->kept.size == 0)
		finish_cancel(s);
}

enum step
session_stop(struct session *s)
{
	s->has_paused = !is_waiting(s) && s->stop_inputs == s->n_inputs + 1;
	s->stop_inputs = s->n_inputs + 1;
	s->input = buf_slice(&s->kept);
	return session_run(s, STEP_WAIT);
}

void
answer_init(struct answer *a, bool is_known)
{
	a->is_known = is_known;
	a->fd = -1;
	a->took_us = 0;
}

enum step
session_ask(struct session *s, const struct question *q,
    session_answered_fn *answered)
{
	struct answer unknown;

	s->answered = answered;
	s->question = s->settings->host->ask(s, q);
	if (s->question != 0)
		return STEP_WAIT;
	answer_init(&unknown, false);
	return answered(s, &unknown);
}

void
session_tell(struct session *s, const struct question *q)
{
	s->settings->host->tell(s, q);
}
