/* SPDX-License-Identifier: ISC */
/*
 * load_session.c - the client's side of the dialogue (load.h, RFC 5321).
 */
#include "load.h"

#include <stdio.h>
#include <string.h>

#define REST_S 0.05	/* after a 4xx; a real client waits longer */

const char *
session_stage_name(enum stage stage)
{
	static const char *const names[N_STAGES] = {
		"greeting", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "end-of-data",
		"RSET", "QUIT", "held",
	};

	return names[stage];
}

void
session_note(struct load *load, enum stage stage, int code, const char *text)
{
	const char *name = session_stage_name(stage);
	size_t n = sizeof(load->faults) / sizeof(load->faults[0]);

	for (size_t i = 0; i < n; i++) {
		struct fault *f = &load->faults[i];

		if (f->n == 0) {
			snprintf(f->stage, sizeof(f->stage), "%s", name);
			snprintf(f->text, sizeof(f->text), "%s", text);
			f->code = code;
		} else if (f->code != code || strcmp(f->stage, name) != 0) {
			continue;
		}
		f->n++;
		return;
	}
}

void
session_broke(struct load *load, struct connection *c, const char *why)
{
	if (c->stage != STAGE_QUIT) {
		session_note(load, c->stage, 0, why);
		load->dropped++;
	}
	connection_close(load, c, c->stage <= STAGE_EHLO ? REST_S : 0);
}

void
session_next(struct load *load, struct connection *c)
{
	const struct options *opt = &load->opt;

	if (!message_is_left(load) || (opt->per_connection > 0 &&
	    c->n_messages >= opt->per_connection)) {
		connection_put(c, "QUIT\r\n");
		c->stage = STAGE_QUIT;
		return;
	}
	message_take(load, c);
	c->refusal = 0;
	c->rcpts_sent = c->rcpts_answered = c->rcpts_accepted = 0;
	c->is_batch = opt->has_pipelining && c->has_pipelining;
	c->mail_at = load_now();
	c->stage = STAGE_MAIL;
	connection_put(c, "MAIL FROM:<%s>\r\n", opt->sender);
	if (!c->is_batch)
		return;
	while (c->rcpts_sent < opt->rcpts)
		message_put_rcpt(load, c);
	connection_put(c, opt->mode == MODE_FLOOD ? "RSET\r\n" : "DATA\r\n");
}

static bool
greeting_answered(struct load *load, struct connection *c, int code)
{
	const char *domain = strchr(load->opt.sender, '@');

	(void)code;
	connection_put(c, "EHLO load.%s\r\n", domain != NULL ? domain + 1 :
	    "sender.test");
	c->stage = STAGE_EHLO;
	return true;
}

/* RSET first: the one before may have been accepted. */
void
session_put_waiting(struct load *load, struct connection *c)
{
	connection_put(c, "RSET\r\nMAIL FROM:<load@d%ld.dead.example>\r\n",
	    load->mails++);
	c->is_waiting = true;
	c->is_resetting = true;
}

static bool
ehlo_answered(struct load *load, struct connection *c, int code)
{
	(void)code;
	if (load->opt.has_tls && c->ssl == NULL) {
		connection_put(c, "STARTTLS\r\n");
		c->stage = STAGE_TLS;
		return true;
	}
	if (load->opt.mode == MODE_SEND || load->opt.mode == MODE_FLOOD) {
		session_next(load, c);
		return true;
	}
	if (load->opt.mode == MODE_WAIT)
		session_put_waiting(load, c);
	c->stage = STAGE_HELD;
	load->n_held++;
	load->last_held_at = load_now();
	return true;
}

/* EHLO is said again behind the handshake (RFC 3207 4.2). */
static bool
starttls_answered(struct load *load, struct connection *c, int code)
{
	(void)load;
	(void)code;
	tls_start(c);
	(void)tls_shake(c);	/* the hello leaves now */
	connection_put(c, "EHLO load.sender.test\r\n");
	c->stage = STAGE_EHLO;
	return true;
}

/* The transaction is over without an end of data: RSET, then the next. */
static void
give_up(struct load *load, struct connection *c)
{
	bool is_temporary = c->refusal / 100 == 4;

	if (is_temporary) {
		load->tempfailed++;
		message_give_back(load, c);
		c->retry_at = load_now() + REST_S;
	} else {
		load->failed++;
		c->message = -1;
	}
	c->n_messages++;
	connection_put(c, "RSET\r\n");
	c->is_resetting = true;
	c->stage = STAGE_RSET;
}

static bool
mail_answered(struct load *load, struct connection *c, int code)
{
	if (code / 100 != 2 && !c->is_batch) {
		give_up(load, c);
		return true;
	}
	c->stage = STAGE_RCPT;
	if (!c->is_batch)
		message_put_rcpt(load, c);
	return true;
}

static void
count_rcpt(struct load *load, struct connection *c, int code)
{
	c->rcpts_answered++;
	if (code / 100 == 2) {
		c->rcpts_accepted++;
		load->rcpt_2xx++;
	} else if (code / 100 == 4) {
		load->rcpt_4xx++;
	} else {
		load->rcpt_5xx++;
		if (load->opt.mode == MODE_FLOOD)
			load->ended_at = load_now();
	}
}

static bool
rcpt_answered(struct load *load, struct connection *c, int code)
{
	count_rcpt(load, c, code);
	if (c->rcpts_answered < load->opt.rcpts) {
		if (!c->is_batch)
			message_put_rcpt(load, c);
		return true;
	}
	if (load->opt.mode == MODE_FLOOD) {
		load->ok++;
		c->message = -1;
		c->n_messages++;
		if (!c->is_batch)
			connection_put(c, "RSET\r\n");
		c->stage = STAGE_RSET;
		return true;
	}
	if (c->rcpts_accepted == 0 && !c->is_batch) {
		give_up(load, c);
		return true;
	}
	if (!c->is_batch)
		connection_put(c, "DATA\r\n");
	c->stage = STAGE_DATA;
	return true;
}

static bool
data_answered(struct load *load, struct connection *c, int code)
{
	if (code / 100 != 3) {
		give_up(load, c);
		return true;
	}
	message_put_content(load, c);
	c->stage = STAGE_DOT;
	return true;
}

static bool
dot_answered(struct load *load, struct connection *c, int code)
{
	double now = load_now();

	c->n_messages++;
	load->ended_at = now;
	if (code / 100 == 2) {
		load->reply_s[load->n_times] = now - c->dot_at;
		load->transaction_s[load->n_times++] = now - c->mail_at;
		load->ok++;
	} else if (code / 100 == 4) {
		load->tempfailed++;
		message_give_back(load, c);
		c->retry_at = now + REST_S;
		c->stage = STAGE_RSET;	/* nothing was sent; a rest */
		return true;
	} else {
		load->failed++;
	}
	c->message = -1;
	session_next(load, c);
	return true;
}

static bool
rset_answered(struct load *load, struct connection *c, int code)
{
	(void)code;
	c->is_resetting = false;
	if (c->retry_at == 0)
		session_next(load, c);
	return true;
}

static bool
quit_answered(struct load *load, struct connection *c, int code)
{
	(void)code;
	connection_close(load, c, 0);
	return false;
}

static bool
noop_answered(struct load *load, struct connection *c, int code)
{
	(void)code;
	if (c->is_resetting) {
		c->is_resetting = false;
		return true;
	}
	c->is_waiting = false;
	load->noops++;
	return true;
}

/* False: the reply was one after which nothing more can be said. */
static bool
is_fatal(const struct connection *c, int code)
{
	return code == 421 || (c->stage <= STAGE_TLS && code / 100 != 2);
}

bool
session_reply(struct load *load, struct connection *c, int code,
    const char *text)
{
	static bool (*const answered[N_STAGES])(struct load *,
	    struct connection *, int) = {
		greeting_answered, ehlo_answered, starttls_answered,
		mail_answered, rcpt_answered, data_answered, dot_answered, rset_answered,
		quit_answered, noop_answered,
	};

	if (code >= 400 && (load->opt.mode != MODE_FLOOD || code != 550)) {
		session_note(load, c->stage, code, text);
		if (c->refusal == 0)
			c->refusal = code;
	}
	if (is_fatal(c, code)) {
		load->dropped++;
		connection_close(load, c, c->stage <= STAGE_EHLO ? REST_S : 0);
		return false;
	}
	return answered[c->stage](load, c, code);
}
