/* SPDX-License-Identifier: ISC */
/*
 * See auth.h. The exchange's state is auth's; here is what it takes to ask
 * for the next step.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "auth.h"
#include "base64.h"
#include "caller.h"
#include "limits.h"
#include "sasl.h"
#include "smtp_command.h"

#define STEP_DEADLINE_MS 30000

struct auth_talk {
	struct auth_question question;
	char network[LIMITS_NETWORK_SIZE];
	/* SCRAM's last message is out, and this is what follows it */
	struct voucher_copy *user;
};

bool
auth_is_known(const struct session *s)
{
	return s->settings->kind == LISTEN_SUBMISSION && !s->is_self_test;
}

bool
auth_is_offered(const struct session *s)
{
	return auth_is_known(s) && s->tls != NULL && s->auth_type == NULL;
}

bool
auth_is_line(struct slice line)
{
	line = slice_trim(line);
	return slice_starts_nocase(line, SLICE("AUTH")) &&
	    (line.size == 4 || line.data[4] == ' ' || line.data[4] == '\t');
}

static bool
is_usable(const struct session *s, enum auth_mechanism mechanism)
{
	return (s->settings->auth_offers & 1u << mechanism) != 0;
}

/* The best one first: many clients take the first that they know. */
void
auth_put_keyword(struct buf *text, const struct session *s)
{
	unsigned i;

	buf_puts(text, "\nAUTH");
	for (i = AUTH_MECHANISM_COUNT; i-- > 0;)
		if (is_usable(s, (enum auth_mechanism)i))
			buf_printf(text, " %s",
			    sasl_name((enum auth_mechanism)i));
}

/* ---- the end of an exchange ---- */

static void
auth_free(struct session *s)
{
	if (s->auth != NULL)
		free(s->auth->user);
	free(s->auth);
	s->auth = NULL;
	if (s->mode == INPUT_AUTH)
		s->mode = INPUT_LINES;
}

void
auth_end(struct session *s)
{
	struct question q = { .kind = QUESTION_AUTH_FORGET, .fd = -1 };

	if (s->auth == NULL)
		return;
	q.as.auth_step = &s->auth->question;
	if (s->auth->user == NULL)
		session_tell(s, &q);
	auth_free(s);
}

/* auth has forgotten it by itself. */
static enum step
auth_over(struct session *s, enum reply_name reply)
{
	auth_free(s);
	return session_reply(s, reply);
}

static enum step
auth_cancel(struct session *s, enum reply_name reply)
{
	auth_end(s);
	return session_reply(s, reply);
}

enum step
auth_bad_line(struct session *s, enum reply_name reply)
{
	return auth_cancel(s, reply);
}

static enum step
auth_accept(struct session *s)
{
	free(s->user);
	s->user = s->auth->user;
	s->auth->user = NULL;
	s->auth_type = sasl_name(s->auth->question.step.mechanism);
	return auth_over(s, REPLY_AUTH_OK);
}

/* ---- answers ---- */

static enum step
auth_challenge(struct session *s, struct slice challenge)
{
	int error = buf_puts(&s->out, "334 ");

	if (error == 0)
		error = base64_encode(&s->out, challenge);
	if (error == 0)
		error = buf_puts(&s->out, "\r\n");
	if (error != 0)
		return STEP_CLOSE;
	s->mode = INPUT_AUTH;
	session_flush(s);
	return STEP_NEXT;
}

/* What auth says of another session is no answer to this one. */
static enum step
auth_granted(struct session *s, const struct auth_answer *a)
{
	struct voucher_copy *user = calloc(1, sizeof(*user));

	if (user == NULL)
		return auth_over(s, REPLY_NO_MEMORY);
	if (!slice_equals(a->voucher.session, slice_of(s->id)) ||
	    !voucher_copy(user, &a->voucher)) {
		free(user);
		return auth_over(s, REPLY_AUTH_SILENT);
	}
	s->auth->user = user;
	/* RFC 4954 4: what goes with a success is one more challenge */
	return a->challenge.size > 0 ? auth_challenge(s, a->challenge) :
	    auth_accept(s);
}

static enum step
auth_answered(struct session *s, struct answer *a)
{
	const struct auth_answer *answer = &a->as.auth;

	note_asked("auth", slice_of(sasl_name(
	    s->auth->question.step.mechanism)), a->took_us);
	if (!a->is_known)
		return auth_cancel(s, REPLY_AUTH_SILENT);
	switch (answer->result) {
	case AUTH_CONTINUE:
		return auth_challenge(s, answer->challenge);
	case AUTH_OK:
		return auth_granted(s, answer);
	case AUTH_LIMITED:
		return auth_over(s, REPLY_AUTH_LIMITED);
	case AUTH_REFUSED:
	case AUTH_NOT_A_USER:
		return auth_over(s, REPLY_AUTH_REFUSED);
	default:
		return auth_over(s, REPLY_AUTH_SILENT);
	}
}

/* ---- steps ---- */

static enum step
auth_ask(struct session *s, struct slice response)
{
	struct question q = { .kind = QUESTION_AUTH_STEP, .fd = -1,
		.deadline_ms = STEP_DEADLINE_MS,
		.as.auth_step = &s->auth->question };

	s->auth->question.step.response = response;
	return session_ask(s, &q, auth_answered);
}

/* The octets that a line stands for; "=" is none, where that is allowed. */
static enum step
auth_take(struct session *s, struct slice text, bool is_initial)
{
	struct buf response = { .maximum = AUTH_RESPONSE_MAX };
	bool is_empty = is_initial && slice_equals(text, SLICE("="));
	int error = is_empty ? 0 : base64_decode(&response, text);
	enum step step;

	if (error == 0)
		step = auth_ask(s, buf_slice(&response));
	else if (error == -EBADMSG)
		step = auth_cancel(s, REPLY_AUTH_BAD_BASE64);
	else
		step = auth_cancel(s, error == -ENOBUFS ?
		    REPLY_AUTH_TOO_LONG : REPLY_NO_MEMORY);
	if (response.data != NULL)
		explicit_bzero(response.data, response.size);
	buf_free(&response);
	return step;
}

enum step
auth_line(struct session *s, struct slice line)
{
	note_asked("auth", slice_of(sasl_name(
	    s->auth->question.step.mechanism)), 0);
	if (slice_equals(line, SLICE("*")))
		return auth_cancel(s, REPLY_AUTH_CANCELLED);
	if (s->auth->user != NULL)
		return line.size == 0 ? auth_accept(s) :
		    auth_cancel(s, REPLY_AUTH_BAD_BASE64);
	s->mode = INPUT_LINES;
	s->auth->question.step.is_first = false;
	s->auth->question.step.has_response = true;
	return auth_take(s, line, false);
}

/* ---- the command ---- */

static enum step
auth_begin(struct session *s, enum auth_mechanism mechanism,
    struct slice initial)
{
	struct auth_step *step;

	s->auth = calloc(1, sizeof(*s->auth));
	if (s->auth == NULL)
		return session_reply(s, REPLY_NO_MEMORY);
	limits_network(s->auth->network, s->ip);
	step = &s->auth->question.step;
	step->exchange = caller_next_exchange();
	step->mechanism = mechanism;
	step->is_first = true;
	step->has_response = initial.size > 0;
	step->session = slice_of(s->id);
	step->network = slice_of(s->auth->network);
	return step->has_response ? auth_take(s, initial, true) :
	    auth_ask(s, SLICE(""));
}

/* Whether it may begin now, whatever it says; REPLY_COUNT: it may. */
static enum reply_name
auth_may_begin(const struct session *s)
{
	if (!s->is_esmtp)
		return REPLY_BAD_SEQUENCE;
	if (s->auth_type != NULL)
		return REPLY_AUTH_ALREADY;
	if (s->tls == NULL)
		return REPLY_AUTH_NEEDS_TLS;
	return REPLY_COUNT;
}

enum step
cmd_auth(struct session *s, struct slice argument)
{
	enum reply_name refusal = auth_may_begin(s);
	enum auth_mechanism mechanism;
	struct command c;	/* its words: MECHANISM [RESPONSE] */

	if (refusal != REPLY_COUNT)
		return session_reply(s, refusal);
	(void)command_split(&c, argument);	/* the line's octets are good */
	if (c.verb.size == 0 ||
	    slice_find(c.argument, ' ') < c.argument.size)
		return session_reply(s, REPLY_BAD_ARGUMENT);
	if (!sasl_find(c.verb, &mechanism) || !is_usable(s, mechanism))
		return session_reply(s, REPLY_AUTH_MECHANISM);
	return auth_begin(s, mechanism, c.argument);
}
