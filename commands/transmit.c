/* SPDX-License-Identifier: ISC */
/*
 * transmit.c - see transmit.h.
 *
 *	plan: MAIL, RCPT of everybody who is not accepted yet -> RSET, again
 *	send: MAIL, RCPT, DATA of each transaction
 *
 * When one transaction is enough, DATA follows in the plan's own. Functions
 * here return 0, a status of sysexits.h after complaining, or a negative
 * errno for a lost connection, after which all begins anew unless a message
 * has been sent.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include "complain.h"
#include "transmit.h"

#define TRIES 5			/* with pauses of 1, 2 ... seconds between */

int
transmit_status(const struct smtp_reply *reply)
{
	static const struct {
		unsigned subject, detail;	/* detail 0: any other */
		int status;
	} rows[] = {
		{ 1, 1, EX_NOUSER }, { 1, 2, EX_NOHOST }, { 1, 3, EX_DATAERR },
		{ 1, 4, EX_NOUSER }, { 1, 6, EX_NOUSER }, { 1, 7, EX_DATAERR },
		{ 1, 8, EX_NOHOST }, { 1, 10, EX_NOHOST },
		{ 2, 1, EX_NOUSER }, { 3, 4, EX_DATAERR }, { 2, 3, EX_DATAERR },
		{ 5, 0, EX_PROTOCOL }, { 6, 0, EX_DATAERR },
		{ 7, 0, EX_NOPERM },
	};

	if (reply->code < 500)
		return EX_TEMPFAIL;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].subject == reply->subject &&
		    (rows[i].detail == reply->detail || rows[i].detail == 0))
			return rows[i].status;
	return EX_UNAVAILABLE;
}

int
transmit_unreachable(const struct server_place *place, int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		return complain(EX_TEMPFAIL, "the mail server is not running "
		    "(%s: %s); nothing was sent, try again later",
		    place->submit, strerror(-error));
	return complain(EX_TEMPFAIL, "%s: %s; nothing was sent, try again "
	    "later", place->submit, strerror(-error));
}

/* ---- commands ---- */

/* RFC 3461 4. */
static int
put_xtext(struct buf *out, const char *text)
{
	int error = 0;

	for (; *text != '\0' && error == 0; text++) {
		unsigned char c = (unsigned char)*text;

		error = c > ' ' && c < 0x7f && c != '+' && c != '=' ?
		    buf_append(out, text, 1) : buf_printf(out, "+%02X", c);
	}
	return error;
}

static int
say_mail(struct transmission *t, struct smtp_reply *reply)
{
	const struct sendmail_options *o = t->options;
	struct buf params = { 0 };
	int error = 0;

	if (t->letter != NULL)
		error = buf_printf(&params, " SIZE=%" PRIu64,
		    letter_size(t->letter));
	if (error == 0 && t->client.has_8bitmime)
		error = buf_puts(&params, " BODY=8BITMIME");
	if (error == 0 && t->envelope->needs_smtputf8)
		error = buf_puts(&params, " SMTPUTF8");
	if (error == 0 && o->ret != NULL && t->client.has_dsn)
		error = buf_printf(&params, " RET=%s", o->ret);
	if (error == 0 && o->envid != NULL && t->client.has_dsn) {
		error = buf_puts(&params, " ENVID=");
		if (error == 0)
			error = put_xtext(&params, o->envid);
	}
	if (error == 0)
		error = smtp_command(&t->client, reply, "MAIL FROM:<%s>%s",
		    t->envelope->sender, params.size ? params.data : "");
	buf_free(&params);
	return error;
}

/* 0, a status, or a lost connection. */
static int
begin(struct transmission *t)
{
	struct smtp_reply reply;
	int error = say_mail(t, &reply);

	if (error < 0 || reply.code < 400)
		return error;
	return complain(transmit_status(&reply), "sender <%s>: %s",
	    t->envelope->sender, reply.text);
}

static int
say_rcpt(struct transmission *t, const char *address,
    struct smtp_reply *reply)
{
	const char *notify = t->client.has_dsn ? t->options->notify : NULL;

	return smtp_command(&t->client, reply, "RCPT TO:<%s>%s%s", address,
	    notify != NULL ? " NOTIFY=" : "", notify != NULL ? notify : "");
}

/* "Not in this transaction": RFC 5321 4.5.3.1.10. */
static bool
is_for_later(const struct smtp_reply *reply)
{
	return reply->code == 452 && reply->subject == 5 &&
	    reply->detail == 3;
}

/* ---- the plan ---- */

struct round {
	unsigned number;
	unsigned n_accepted, n_later;
	int status;			/* of the first that is refused */
};

static int
plan_one(struct transmission *t, struct recipient *r, struct round *round)
{
	struct smtp_reply reply;
	int status, error = say_rcpt(t, r->address, &reply);

	if (error < 0)
		return error;
	if (reply.code < 300) {
		r->transaction = round->number;
		round->n_accepted++;
	} else if (is_for_later(&reply) && round->n_accepted > 0) {
		round->n_later++;
	} else {
		status = complain(transmit_status(&reply), "%s: %s",
		    r->address, reply.text);
		/* what will not change says more than what may */
		if (round->status == 0 || round->status == EX_TEMPFAIL)
			round->status = status;
	}
	return 0;
}

static int
plan_round(struct transmission *t, struct round *round)
{
	struct addressing *e = t->envelope;
	int error = begin(t);

	for (size_t i = 0; i < e->n_recipients && error == 0; i++) {
		struct recipient *r = &e->recipients[i];
		unsigned most = t->client.recipients_most;

		if (r->transaction != 0)
			continue;
		if (most != 0 && round->n_accepted >= most)
			round->n_later++;
		else
			error = plan_one(t, r, round);
	}
	return error;
}

static int
reset(struct transmission *t)
{
	struct smtp_reply reply;

	return smtp_command(&t->client, &reply, "RSET");
}

/* A transaction is open at the end if it is the only one. */
static int
plan(struct transmission *t)
{
	struct addressing *e = t->envelope;
	struct round round = { .n_later = 1 };
	int error = 0, status = 0;

	for (size_t i = 0; i < e->n_recipients; i++)
		e->recipients[i].transaction = 0;
	t->n_transactions = 0;
	while (error == 0 && round.n_later > 0) {
		if (t->n_transactions > 0)
			error = reset(t);
		round = (struct round){ .number = ++t->n_transactions };
		if (error == 0)
			error = plan_round(t, &round);
		if (status == 0 || status == EX_TEMPFAIL)
			status = round.status != 0 ? round.status : status;
	}
	if (error == 0 && status != 0 && t->n_transactions > 1)
		(void)reset(t);
	return error != 0 ? error : status;
}

/* ---- the message ---- */

static int
write_piece(void *arg, struct slice piece)
{
	return smtp_write(arg, piece);
}

static int
say_data(struct transmission *t)
{
	struct smtp_reply reply;
	int error = smtp_command(&t->client, &reply, "DATA");

	if (error < 0)
		return error;
	if (reply.code != 354)
		return complain(reply.code < 300 ? EX_PROTOCOL :
		    transmit_status(&reply), "%s", reply.text);
	error = letter_send(t->letter, write_piece, &t->client);
	if (error < 0) {
		/* before the dot, so it is not to be */
		smtp_abandon(&t->client);
		return error == -EIO ? complain(EX_IOERR, "cannot read the "
		    "message again: %s", strerror(-error)) : error;
	}
	error = smtp_read_reply(&t->client, &reply);
	/* one that begins with 250- may be no less than that */
	t->is_under_way = error < 0 && reply.code < 400;
	if (error < 0 || reply.code < 300)
		return error;
	return complain(transmit_status(&reply), "%s", reply.text);
}

/* MAIL and RCPT of a planned transaction, once more. */
static int
begin_again(struct transmission *t, unsigned number)
{
	struct addressing *e = t->envelope;
	struct smtp_reply reply;
	int error = reset(t);

	if (error == 0)
		error = begin(t);
	for (size_t i = 0; i < e->n_recipients && error == 0; i++) {
		if (e->recipients[i].transaction != number)
			continue;
		error = say_rcpt(t, e->recipients[i].address, &reply);
		if (error == 0 && reply.code >= 300)
			error = complain(transmit_status(&reply), "%s: %s",
			    e->recipients[i].address, reply.text);
	}
	return error;
}

/* Some have it and some have not: say who. */
static void
tell_partial(const struct transmission *t, unsigned failed)
{
	const struct addressing *e = t->envelope;

	for (size_t i = 0; i < e->n_recipients && failed > 1; i++)
		if (e->recipients[i].transaction >= failed)
			complain(0, "%s: not sent", e->recipients[i].address);
}

static int
send_all(struct transmission *t)
{
	int error = 0;

	if (t->n_transactions == 1)
		return say_data(t);
	error = addressing_identify(t->letter, t->place);
	for (unsigned i = 1; i <= t->n_transactions && error == 0; i++) {
		error = begin_again(t, i);
		if (error == 0)
			error = say_data(t);
		if (error == 0)
			continue;
		if (error < 0 && i > 1)		/* no second copies */
			error = complain(EX_TEMPFAIL, "the connection to the "
			    "mail server was lost: %s", strerror(-error));
		tell_partial(t, i);
	}
	return error;
}

/* ---- the whole ---- */

uint64_t
transmit_size_most(struct transmission *t)
{
	struct smtp_reply reply;
	uint64_t most = t->place->message_bytes;

	if (smtp_open(&t->client, t->place->submit, &reply) == 0)
		most = t->client.size_most;
	smtp_close(&t->client);
	return most;
}

static int
open_session(struct transmission *t, bool *is_lost)
{
	struct smtp_reply reply;
	int error;

	t->client.is_verbose = t->options->is_verbose;
	error = smtp_open(&t->client, t->place->submit, &reply);
	*is_lost = false;
	if (error < 0 && t->client.fd < 0)
		return transmit_unreachable(t->place, error);
	/* 421: too many at once, or it is being restarted */
	t->refusal = reply;
	*is_lost = error == -ECONNRESET;
	if (error == -EPROTO && reply.code >= 400)
		return complain(transmit_status(&reply), "%s", reply.text);
	if (error == -EPROTO)
		return complain(EX_PROTOCOL, "%s: what answers there does not "
		    "speak SMTP; nothing was sent", t->place->submit);
	if (error < 0 && !*is_lost)
		return complain(EX_TEMPFAIL, "%s: %s", t->place->submit,
		    strerror(-error));
	return error;
}

static int
check_size(const struct transmission *t)
{
	uint64_t most = t->client.size_most;

	if (most == 0 || letter_size(t->letter) <= most)
		return 0;
	return complain(EX_DATAERR, "the message is larger than %" PRIu64
	    " octets, the most that is taken here", most);
}

static int
attempt(struct transmission *t, bool *is_lost)
{
	int error = open_session(t, is_lost);

	if (error == 0)
		error = check_size(t);
	if (error == 0)
		error = plan(t);
	if (error == 0)
		error = send_all(t);
	*is_lost |= error < 0;
	if (error < 0)
		smtp_abandon(&t->client);
	smtp_close(&t->client);
	return error;
}

int
transmit(struct transmission *t)
{
	bool is_lost = false;
	int error = attempt(t, &is_lost);

	for (int i = 1; i < TRIES && is_lost && !t->is_under_way; i++) {
		sleep((unsigned)i);
		error = attempt(t, &is_lost);
	}
	if (!is_lost)
		return error;
	if (t->refusal.code == 421)
		return complain(EX_TEMPFAIL, "%s", t->refusal.text);
	if (t->is_under_way)
		return complain(EX_TEMPFAIL, "the mail server did not answer "
		    "at the end of the message (%s); it may have been sent",
		    strerror(-error));
	return complain(EX_TEMPFAIL, "the connection to the mail server was "
	    "lost (%s); nothing was sent, try again later", strerror(-error));
}

/* RCPT, if need be as the first of another transaction. */
static int
verify_one(struct transmission *t, const char *address,
    struct smtp_reply *reply)
{
	int error = say_rcpt(t, address, reply);

	if (error != 0 || !is_for_later(reply))
		return error;
	error = reset(t);
	if (error == 0)
		error = begin(t);
	return error == 0 ? say_rcpt(t, address, reply) : error;
}

int
transmit_verify(struct transmission *t)
{
	struct addressing *e = t->envelope;
	struct smtp_reply reply;
	bool is_lost;
	int worst = 0, error = open_session(t, &is_lost);

	if (is_lost)
		error = complain(EX_TEMPFAIL, "%s", t->refusal.code != 0 ?
		    t->refusal.text : strerror(-error));

	if (error == 0)
		error = begin(t);
	for (size_t i = 0; i < e->n_recipients && error == 0; i++) {
		error = verify_one(t, e->recipients[i].address, &reply);
		if (error != 0)
			break;
		printf("%s... %s%s\n", e->recipients[i].address,
		    reply.code < 300 ? "deliverable: " : "", reply.text);
		if (reply.code >= 300 && (worst == 0 || worst == EX_TEMPFAIL))
			worst = transmit_status(&reply);
	}
	if (error < 0)
		error = complain(EX_TEMPFAIL, "the connection to the mail "
		    "server was lost: %s", strerror(-error));
	smtp_close(&t->client);
	return error != 0 ? error : worst;
}
