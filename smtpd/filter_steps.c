/* SPDX-License-Identifier: ISC */
/*
 * See filter_steps.h. What becomes of a message that milters changed stands
 * in milter_changes.c, clamd's part in scan_step.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "checks.h"
#include "commands.h"
#include "filter_steps.h"
#include "finish.h"
#include "limits.h"

#define STAGE_DEADLINE_MS 90000	/* before there is a message */
#define LINE_MAX_OCTETS 512	/* of an unknown command that they see */

/* ---- what they are told ---- */

/*
 * "SIZE=100 BODY=8BITMIME", as far as it was given. RCPT has no parameters
 * here: DSN is not offered to those outside.
 */
static void
write_args(struct transaction *tx)
{
	const struct mail_params *p = &tx->params;
	size_t used = 0, room = sizeof(tx->sender_args);

	tx->sender_args[0] = '\0';
	if (p->given & COMMAND_SIZE)
		used += (size_t)snprintf(tx->sender_args, room, "SIZE=%" PRIu64,
		    p->size_bytes);
	if (p->given & COMMAND_BODY)
		used += (size_t)snprintf(tx->sender_args + used, room - used,
		    "%sBODY=%s", used > 0 ? " " : "",
		    p->body == COMMAND_BODY_8BITMIME ? "8BITMIME" : "7BIT");
	if (p->given & COMMAND_SMTPUTF8)
		used += (size_t)snprintf(tx->sender_args + used, room - used,
		    "%sSMTPUTF8", used > 0 ? " " : "");
	if (p->given & COMMAND_PRDR)
		snprintf(tx->sender_args + used, room - used, "%sPRDR",
		    used > 0 ? " " : "");
}

static void
fill_tls(const struct session *s, struct milter_facts *f)
{
	const char *space = s->tls != NULL ? strchr(s->tls, ' ') : NULL;

	if (space == NULL)
		return;
	f->tls_version = (struct slice){ s->tls, (size_t)(space - s->tls) };
	f->cipher = slice_of(space + 1);
	f->cipher_bits = s->cipher_bits;
}

/* A program of this host. Milters know no such client; they are told what
 * other servers tell them of theirs. */
static bool
is_local(const struct session *s)
{
	return s->settings->kind == LISTEN_LOCAL && !s->is_self_test;
}

static void
fill_facts(struct session *s, struct milter_facts *f)
{
	struct transaction *tx = s->tx;
	struct slice name = checks_result(s, "fcrdns");

	f->host = slice_of(s->settings->config->hostname);
	f->session = slice_of(s->id);
	f->client_ip = slice_of(is_local(s) ? "127.0.0.1" : s->ip);
	/* copied: more results may come while milters are asked */
	if (is_local(s))
		name = slice_of("localhost");
	if (name.size > 0)
		(void)slice_copy(s->client_name, sizeof(s->client_name), name);
	if (s->client_name[0] == '\0')
		snprintf(s->client_name, sizeof(s->client_name), "[%s]",
		    s->ip);
	f->client_name = slice_of(s->client_name);
	if (s->client_name[0] != '[')
		f->client_ptr = f->client_name;
	f->helo = slice_of(s->helo != NULL ? s->helo : "");
	fill_tls(s, f);
	if (s->user != NULL && s->auth_type != NULL) {
		f->auth_type = slice_of(s->auth_type);
		f->auth_user = slice_of(s->user->user);
	}
	if (tx == NULL)
		return;
	write_args(tx);
	f->sender = slice_of(tx->reverse_path);
	f->sender_args = slice_of(tx->sender_args);
	f->recipient = slice_of(tx->rcpt.text);
}

/* ---- asking ---- */

static enum step
filters_ask_stage(struct session *s, enum talk_stage stage,
    session_then_fn *then, session_answered_fn *answered)
{
	struct milters_ask ask = { .stage = stage,
		.spares = s->is_relay_peer };
	struct question q = { .kind = QUESTION_MILTERS, .fd = -1,
		.deadline_ms = STAGE_DEADLINE_MS, .as.milters = &ask };

	if (s->settings->config->n_milters == 0 || s->is_self_test)
		return then(s);
	s->after_filter = then;
	s->has_filters = true;
	fill_facts(s, &ask.facts);
	if (stage == TALK_UNKNOWN)
		ask.facts.line = slice_of(s->unknown_line);
	if (stage == TALK_MESSAGE) {
		q.fd = s->tx->message_fd;
		q.deadline_ms = transaction_time_left_ms(s->tx);
		ask.size_bytes = s->tx->message_bytes;
		ask.max_bytes = limits_message_bytes(s->settings->limits);
		if (ask.max_bytes == 0)
			ask.max_bytes = s->settings->memory_bytes;
	}
	return session_ask(s, &q, answered);
}

void
milters_end(struct session *s)
{
	struct question q = { .kind = QUESTION_MILTERS_END, .fd = -1 };

	if (s->has_filters)
		session_tell(s, &q);
}

/* "none: why", which is what somebody who was silent has answered. */
static const char *
silence(const char *problem)
{
	static char none[100];

	snprintf(none, sizeof(none), "none: %s", problem);
	return none;
}

/*
 * Notes what the trail must say. True: one of them refuses, and *v is how;
 * silence that cannot be told from a refusal is a 451.
 */
static bool
filters_refuse(struct session *s, const char *stage, const struct answer *a,
    struct verdict *v)
{
	const struct milters_answer *m = &a->as.milters;
	const struct config *config = s->settings->config;

	note_asked(stage, slice_of(a->is_known ? m->milter : ""), a->took_us);
	if (!a->is_known) {
		verdict_set(v, 451, 3, 0, "a filter cannot answer now, try "
		    "again later");
		return true;
	}
	for (size_t i = 0; i < config->n_milters; i++)
		if (m->silent[i] != NULL)
			note_mark(s, stage, "milter", config->milters[i].text,
			    silence(m->silent[i]));
	if (m->is_silence)
		note_told("%s", silence(m->problem));
	*v = m->verdict;
	return v->code != 0;
}

/* ---- the stages ---- */

static enum step
helo_filtered(struct session *s, struct answer *a)
{
	struct verdict v;

	if (!filters_refuse(s, "helo", a, &v))
		return s->after_filter(s);
	free(s->helo);
	s->helo = NULL;
	s->phase = PHASE_CONNECTED;
	return session_reply_filter(s, &v, "milter");
}

static enum step
helo_named(struct session *s)
{
	return filters_ask_stage(s, TALK_HELO, s->after_filter,
	    helo_filtered);
}

enum step
milters_helo(struct session *s, session_then_fn *then)
{
	s->after_filter = then;
	if (s->settings->config->n_milters > 0 &&
	    checks_await_hello(s, helo_named))
		return STEP_WAIT;
	return helo_named(s);
}

static enum step
mail_filtered(struct session *s, struct answer *a)
{
	struct verdict v;
	enum step step;

	if (!filters_refuse(s, "mail", a, &v))
		return s->after_filter(s);
	step = session_reply_filter(s, &v, "milter");
	transaction_end(s);
	return step;
}

enum step
milters_mail(struct session *s, session_then_fn *then)
{
	return filters_ask_stage(s, TALK_MAIL, then, mail_filtered);
}

static enum step
rcpt_filtered(struct session *s, struct answer *a)
{
	struct verdict v;
	enum step step;

	if (!filters_refuse(s, "rcpt", a, &v))
		return s->after_filter(s);
	step = session_reply_filter(s, &v, "milter");
	rcpt_refused(s);
	return step;
}

enum step
milters_rcpt(struct session *s, session_then_fn *then)
{
	return filters_ask_stage(s, TALK_RCPT, then, rcpt_filtered);
}

static enum step
data_filtered(struct session *s, struct answer *a)
{
	struct verdict v;
	enum step step;

	if (!filters_refuse(s, "data", a, &v))
		return s->after_filter(s);
	step = session_reply_filter(s, &v, "milter");
	transaction_end(s);
	return step;
}

enum step
milters_data(struct session *s, session_then_fn *then)
{
	return filters_ask_stage(s, TALK_DATA, then, data_filtered);
}

static enum step
unknown_filtered(struct session *s, struct answer *a)
{
	struct verdict v;

	if (!filters_refuse(s, "command", a, &v))
		return s->after_filter(s);
	return session_reply_filter(s, &v, "milter");
}

/* They are asked only once they know of the session: after HELO. */
enum step
milters_unknown(struct session *s, struct slice line, session_then_fn *then)
{
	if (!s->has_filters || s->helo == NULL)
		return then(s);
	if (line.size > LINE_MAX_OCTETS)
		line.size = LINE_MAX_OCTETS;
	free(s->unknown_line);
	s->unknown_line = slice_strdup(line);
	if (s->unknown_line == NULL)
		return then(s);
	return filters_ask_stage(s, TALK_UNKNOWN, then, unknown_filtered);
}

/* ---- the message ---- */

/* Its new form takes the place of the one that came. */
static bool
message_replace(struct session *s, struct answer *a)
{
	struct transaction *tx = s->tx;

	if (a->fd < 0)
		return true;
	if (a->as.milters.size_bytes > tx->reserved_bytes &&
	    !limits_reserve(s->settings->limits, s->client,
	    &tx->reserved_bytes, a->as.milters.size_bytes))
		return false;
	close(tx->message_fd);
	tx->message_fd = a->fd;
	a->fd = -1;
	tx->message_bytes = a->as.milters.size_bytes;
	return true;
}

static enum step
message_filtered(struct session *s, struct answer *a)
{
	struct transaction *tx = s->tx;
	struct milter_changes *changes = &a->as.milters.changes;
	struct verdict v;

	if (filters_refuse(s, "data", a, &v))
		return finish_refuse_with(s, &v, "milter");
	if (!message_replace(s, a))
		return finish_refuse(s, REPLY_BUDGET_USED);
	tx->changes = *changes;
	memset(changes, 0, sizeof(*changes));
	return milters_change_envelope(s);
}

enum step
milters_message(struct session *s, session_then_fn *then)
{
	if (s->settings->config->n_milters > 0 &&
	    transaction_time_left_ms(s->tx) == 0)
		return finish_refuse(s, REPLY_CHECKS_TOO_LONG);
	return filters_ask_stage(s, TALK_MESSAGE, then, message_filtered);
}
