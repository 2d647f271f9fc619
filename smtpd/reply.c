/* SPDX-License-Identifier: ISC */
/*
 * How a session says something: from the table, from a verdict, in lines.
 * Every 4yz and 5yz passes note_refusal, which gives it its id.
 */
#include "commands.h"
#include "reply.h"
#include "smtp_command.h"
#include "transaction.h"

static unsigned
session_reply_style(const struct session *s)
{
	unsigned style = 0;

	if (s->has_enhanced)
		style |= REPLY_ENHANCED;
	if (s->tx != NULL && (s->tx->params.given & COMMAND_SMTPUTF8) != 0)
		style |= REPLY_UTF8;
	return style;
}

/* A reply that cannot be kept cannot be sent either: the session ends. */
static enum step
session_say(struct session *s, const struct verdict *v, bool closes)
{
	note_rcpt_answered(s);
	if (reply_format_verdict(&s->out, v, session_reply_style(s)) < 0)
		return STEP_CLOSE;
	return closes ? STEP_CLOSE : STEP_NEXT;
}

static bool
session_has_too_many_errors(const struct session *s)
{
	unsigned most = s->settings->config->limits.errors_per_session;

	return most != 0 && s->n_errors > most;
}

static void
verdict_from_entry(struct verdict *v, const struct session *s,
    const struct reply_entry *entry, struct slice detail)
{
	bool names_host = (entry->flags & REPLY_NAMES_HOST) != 0;

	verdict_set(v, entry->code, entry->subject, entry->detail,
	    "%.255s%s%s%s%.*s",
	    names_host ? s->settings->config->hostname : "",
	    names_host ? " " : "", entry->text,
	    detail.size > 0 ? ": " : "",
	    (int)(detail.size > 200 ? 200 : detail.size),
	    detail.size > 0 ? detail.data : "");
}

enum step
session_reply_with(struct session *s, enum reply_name name,
    struct slice detail)
{
	const struct reply_entry *entry = reply_find(name);
	bool closes = (entry->flags & REPLY_CLOSES) != 0;
	struct verdict v;
	enum step step;

	verdict_from_entry(&v, s, entry, detail);
	if (v.code >= 400)
		note_refusal(s, &v, entry->check,
		    (entry->flags & REPLY_IS_SILENCE) != 0 ? "none" :
		    entry->text);
	step = session_say(s, &v, closes);
	if ((entry->flags & REPLY_IS_ERROR) == 0 || step == STEP_CLOSE)
		return step;
	s->n_errors++;
	if (session_has_too_many_errors(s))
		return session_reply(s, REPLY_TOO_MANY_ERRORS);
	return step;
}

enum step
session_reply(struct session *s, enum reply_name name)
{
	return session_reply_with(s, name, (struct slice){ NULL, 0 });
}

enum step
session_reply_with_id(struct session *s, enum reply_name name,
    const char *words)
{
	const struct reply_entry *entry = reply_find(name);
	struct verdict v;

	verdict_set(&v, entry->code, entry->subject, entry->detail,
	    "%s%s%.300s (%s)", entry->text, *words != '\0' ? ": " : "", words,
	    s->id);
	return session_say(s, &v, false);
}

enum step
session_reply_syntax(struct session *s, enum command_result result,
    enum reply_name bad_path, struct slice wrong)
{
	switch (result) {
	case COMMAND_BAD_PATH:
		return session_reply(s, bad_path);
	case COMMAND_NEEDS_SMTPUTF8:
		return session_reply(s, REPLY_NEEDS_SMTPUTF8);
	case COMMAND_UNKNOWN_PARAM:
		return session_reply_with(s, REPLY_UNKNOWN_PARAM, wrong);
	case COMMAND_DUPLICATE_PARAM:
	case COMMAND_BAD_PARAM:
		return session_reply_with(s, REPLY_BAD_PARAM, wrong);
	case COMMAND_BAD_OCTETS:
		return session_reply(s, REPLY_BAD_OCTETS);
	case COMMAND_NO_MEMORY:
		return session_reply(s, REPLY_NO_MEMORY);
	case COMMAND_BAD_SYNTAX:
	case COMMAND_OK:
		break;
	}
	return session_reply(s, REPLY_BAD_ARGUMENT);
}

enum step
session_reply_verdict(struct session *s, const struct verdict *from,
    const char *check, struct slice about)
{
	struct verdict v = *from;

	/* A compartment that was taken over gets no say in our grammar. */
	if (v.code < 400 || v.code > 599)
		verdict_set(&v, 451, 3, 0, "cannot tell now, try again later");
	else if (about.size > 0)
		verdict_set(&v, from->code, from->subject, from->detail,
		    "<%.*s>: %s",
		    (int)(about.size > 200 ? 200 : about.size), about.data,
		    from->text);
	note_refusal(s, &v, check, from->text);
	return session_say(s, &v, v.code == 421);
}

enum step
session_reply_filter(struct session *s, const struct verdict *from,
    const char *check)
{
	struct verdict v = *from;

	if (v.code < 400 || v.code > 599)
		verdict_set(&v, 451, 3, 0, "cannot tell now, try again later");
	note_refusal(s, &v, check, from->text);
	note_rcpt_answered(s);
	if (reply_format_verdict(&s->out, &v, session_reply_style(s) |
	    REPLY_LINES) < 0)
		return STEP_CLOSE;
	return v.code == 421 ? STEP_CLOSE : STEP_NEXT;
}

enum step
session_reply_lines(struct session *s, int code, struct slice text)
{
	struct reply reply = { .code = (uint16_t)code, .text = text };

	if (reply_format(&s->out, &reply, REPLY_LINES) < 0)
		return STEP_CLOSE;
	return STEP_NEXT;
}
