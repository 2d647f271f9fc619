/* SPDX-License-Identifier: ISC */
/*
 * A next hop as the last participant, see last.h: a domain that we front, or
 * a forward to one address elsewhere (hop_route.h). relay leads the dialogue.
 *
 *	RCPT	HOP_RCPT -> its 250, 4yz, 5yz -> ours
 *	        -> no answer, no host         -> 451 4.4.1
 *	dot	HOP_RECIPIENT..., HOP_SEND -> its answer is ours
 *
 * Class and words of what it says are kept; a code that would end the
 * session, or that means something else to a client here, is the plain one
 * of its class. Where it said nothing the client is told so, and the trail
 * knows why.
 */
#include <stdio.h>
#include "checks.h"
#include "commands.h"
#include "fault.h"
#include "filter_steps.h"
#include "finish.h"
#include "last.h"
#include "limits.h"
#include "log.h"
#include "rcpt.h"

#define RCPT_DEADLINE_MS 60000
#define BEFORE_END_MS 180000	/* connect, RCPT, all of the message */
#define MARGIN_MS 10000		/* relay ends before we do */

/* ---- what it said ---- */

/* A mail program or server acts on some codes: 421 ends the session, 530 and
 * 535 ask for a password. The class stays, whatever else it is. */
static unsigned
code_for_client(unsigned code)
{
	if (code < 500)
		return code == 450 || code == 452 ? code : 451;
	return (code >= 550 && code <= 554) || code == 556 ? code : 554;
}

static int
host_size(struct slice host)
{
	return (int)(host.size > HOP_HOST_SHOWN ? HOP_HOST_SHOWN : host.size);
}

/* Not one that relay made of a connection that was lost (4.4.2), or of what
 * is no reply (4.5.0); and 421 is about the connection. */
static bool
is_answer_to_mail(const struct verdict *v)
{
	return v->code >= 500 || (v->code != 421 &&
	    !(v->subject == 4 && v->detail == 2) &&
	    !(v->subject == 5 && v->detail == 0));
}

/* Its own words, or ours about what it cannot take: those of MAIL too, and
 * that it cannot keep REQUIRETLS. */
static bool
is_answer(bool is_said, enum relay_stage stage, const struct verdict *v)
{
	return is_said || stage >= RELAY_AT_DATA ||
	    (stage >= RELAY_AT_OFFER && stage <= RELAY_AT_MAIL &&
	    is_answer_to_mail(v)) ||
	    (v->code >= 500 && v->subject == 7 && v->detail == 30);
}

/* The host's own words, and not relay's about it. */
static bool
is_quote(bool is_said, enum relay_stage stage, const struct verdict *v)
{
	return is_said || (stage >= RELAY_AT_MAIL && is_answer_to_mail(v));
}

/* Paths of this machine are for the trail, not for strangers. */
static struct slice
name_of(struct slice host)
{
	return host.size > 0 && *host.data == '/' ?
	    SLICE("the server of this mailbox") : host;
}

static void
set_words(struct verdict *to, const struct verdict *v, struct slice host,
    bool is_quoted)
{
	host = name_of(host);
	verdict_set(to, (int)code_for_client(v->code), v->subject, v->detail,
	    "%.*s%s%s", host_size(host), host.data, host.size == 0 ? "" :
	    is_quoted ? " said: " : ": ", v->text);
}

/* Nobody said anything: why is for the trail, not for strangers. */
static void
set_silence(struct verdict *to, const struct verdict *v)
{
	bool is_loop = v->subject == 4 && v->detail == 6;

	verdict_set(to, 451, 4, is_loop ? 6 : v->subject == 4 &&
	    v->detail == 2 ? 2 : 1, is_loop ? "this address leads back to "
	    "this host; our postmaster has to mend it" : "the next server for "
	    "this address cannot be reached now, try again later");
}

void
hop_describe(char to[HOP_DETAIL_SIZE], struct slice host, uint32_t age_s,
    const struct verdict *v)
{
	char kept[40] = "";

	if (age_s > 0)
		(void)snprintf(kept, sizeof(kept), " (%us ago)",
		    (unsigned)age_s);
	(void)snprintf(to, HOP_DETAIL_SIZE, "%.*s%s%s: %u %u.%u.%u %s",
	    host_size(host), host.data, host.size == 0 ? "no host" : "", kept,
	    v->code, v->code / 100u, v->subject, v->detail, v->text);
}

static struct hop_mail
mail_of(const struct session *s)
{
	const struct transaction *tx = s->tx;

	return (struct hop_mail){ .reverse_path = tx->goes_back ?
		SLICE("") : slice_of(tx->reverse_path),
		.is_authenticated = !tx->is_sender_changed &&
		checks_result(s, "sender").size > 0,
		.size_bytes = tx->params.size_bytes,
		.is_8bit = tx->params.body == COMMAND_BODY_8BITMIME,
		.is_utf8 = (tx->params.given & COMMAND_SMTPUTF8) != 0,
		.requires_tls = (tx->params.given & COMMAND_REQUIRETLS) != 0 };
}

/* ---- RCPT ---- */

/* Configured wrongly, by us: nobody else can mend it. */
static void
alarm_loop(const struct session *s, const struct hop_reply *a)
{
	if (a->verdict.subject != 4 || a->verdict.detail != 6)
		return;
	log_warning("alarm", LOG_S("session", s->id),
	    LOG_S("recipient", s->tx->rcpt.text),
	    LOG_S("text", a->verdict.text), LOG_END);
}

/* Not all have enhanced codes: Exim says "550 Unknown user". */
static bool
is_about_name(const struct verdict *v)
{
	return v->code >= 500 && (v->subject == 1 || (v->code == 550 &&
	    v->subject == 0 && v->detail == 0));
}

static enum step
rcpt_not_taken(struct session *s, const struct hop_reply *a)
{
	bool is_known = is_answer(a->is_said, a->stage, &a->verdict);
	bool is_unknown_user = a->is_said && is_about_name(&a->verdict);
	struct verdict v;
	enum step step;

	if (is_known)
		set_words(&v, &a->verdict, a->remote_host,
		    is_quote(a->is_said, a->stage, &a->verdict));
	else
		set_silence(&v, &a->verdict);
	if (!a->is_said)
		alarm_loop(s, a);
	step = session_reply_verdict(s, &v, "next_hop",
	    slice_of(s->tx->rcpt.text));
	rcpt_refused(s);
	return is_unknown_user ? rcpt_count_unknown(s, step) : step;
}

static enum step
rcpt_replied(struct session *s, struct answer *a)
{
	const struct hop_reply *said = &a->as.hop;
	char detail[HOP_DETAIL_SIZE];
	enum step step;

	FAULT_STEP("smtpd.after-hop-rcpt");
	note_asked("rcpt", slice_of(s->tx->rcpt.text), a->took_us);
	if (!a->is_known) {
		step = session_reply(s, REPLY_HOP_SILENT);
		rcpt_refused(s);
		return step;
	}
	hop_describe(detail, said->remote_host, 0, &said->verdict);
	if (said->is_said && said->verdict.code == 250) {
		note_finding(s, "next_hop", FINDING_ACCEPT, detail);
		return s->tx->after_hop(s);
	}
	note_told("%s", detail);
	return rcpt_not_taken(s, said);
}

enum step
hop_ask_rcpt(struct session *s, finish_fn *then)
{
	struct transaction *tx = s->tx;
	const struct hop_rcpt ask = { .session = slice_of(s->id),
		.client = slice_of(s->ip),
		.sealed = tx->rcpt_hop, .mail = mail_of(s) };
	struct question q = { .kind = QUESTION_HOP_RCPT, .fd = -1,
		.deadline_ms = RCPT_DEADLINE_MS, .as.hop_rcpt = &ask };

	FAULT_STEP("smtpd.before-hop-rcpt");
	tx->after_hop = then;
	return session_ask(s, &q, rcpt_replied);
}

/* ---- the message ---- */

/* All that relay was told of, each once. */
static bool
fits_transaction(const struct transaction *tx, const struct hop_sent *sent)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < tx->n_recipients; i++) {
		if (!recipient_has_hop(&tx->recipients[i]))
			continue;
		if (n == sent->n ||
		    sent->results[n++].index != tx->recipients[i].index)
			return false;
	}
	return n == sent->n;
}

/* It has refused the message: not one recipient, nor kept silent. */
static bool
is_of_all(const struct hop_result *a)
{
	const struct verdict *v = &a->verdict;
	bool is_silence = v->code < 500 && v->subject == 4 && v->detail == 2;

	return v->code != 250 && !a->is_said && !is_silence &&
	    is_answer(false, a->stage, v);
}

static void
set_result(struct last_result *to, const struct hop_result *from,
    struct slice host)
{
	const struct verdict *v = &from->verdict;

	to->recipient = from->index;
	to->is_own = from->is_said;
	to->is_of_all = is_of_all(from);
	to->verdict = *v;
	if (v->code == 250)
		return;
	if (is_answer(from->is_said, from->stage, v))
		set_words(&to->verdict, v, host,
		    is_quote(from->is_said, from->stage, v));
	else
		set_silence(&to->verdict, v);
}

/* By LMTP some may have it and others not: the trail has one of each, those
 * whom it refused by name before those of whom it said nothing. */
static void
note_results(const struct session *s, const struct hop_sent *sent)
{
	const struct hop_result *taken = NULL, *failed = NULL, *a;
	char detail[HOP_DETAIL_SIZE];

	for (a = sent->results; a < sent->results + sent->n; a++) {
		if (a->verdict.code == 250)
			taken = taken != NULL ? taken : a;
		else if (failed == NULL || (a->is_said && !failed->is_said))
			failed = a;
	}
	if (taken != NULL) {
		hop_describe(detail, sent->remote_host, 0, &taken->verdict);
		note_finding(s, "next_hop", FINDING_ACCEPT, detail);
	}
	if (failed != NULL) {
		hop_describe(detail, sent->remote_host, 0, &failed->verdict);
		last_note_refusal(s, "next_hop", &failed->verdict, detail);
	}
}

static enum step
send_answered(struct session *s, struct answer *a)
{
	static struct last_result results[HOP_RECIPIENTS_MAX];	/* large */
	const struct hop_sent *sent = &a->as.hop_sent;

	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
	if (!a->is_known || !fits_transaction(s->tx, sent)) {
		/* the client is going to send it again: not this one too */
		hop_cancel(s);
		return last_answered(s, results, 0, SLICE("relay"));
	}
	for (uint16_t i = 0; i < sent->n; i++)
		set_result(&results[i], &sent->results[i],
		    sent->remote_host);
	note_results(s, sent);
	return last_answered(s, results, sent->n,
	    name_of(sent->remote_host));
}

/* How many there were. */
static uint16_t
tell_recipients(struct session *s)
{
	const struct transaction *tx = s->tx;
	struct hop_recipient told = { .transaction = tx->number,
		.session = slice_of(s->id) };
	struct question q = { .kind = QUESTION_HOP_RECIPIENT, .fd = -1,
		.as.hop_recipient = &told };
	uint16_t n = 0;

	for (uint16_t i = 0; i < tx->n_recipients; i++) {
		if (!recipient_has_hop(&tx->recipients[i]))
			continue;
		told.index = tx->recipients[i].index;
		told.sealed = tx->recipients[i].hop;
		session_tell(s, &q);
		n++;
	}
	return n;
}

enum step
hop_deliver(struct session *s)
{
	const struct transaction *tx = s->tx;
	struct hop_send ask = { .transaction = tx->number,
		.mail = mail_of(s), .trace = last_top(tx),
		.message_size = tx->message_bytes };
	struct question q = { .kind = QUESTION_HOP_SEND,
		.fd = tx->message_fd, .as.hop_send = &ask };

	if (ask.trace.size > HOP_TRACE_MAX)
		return last_answered(s, NULL, 0, SLICE("relay"));
	ask.n_recipients = tell_recipients(s);
	q.deadline_ms = BEFORE_END_MS + MARGIN_MS +
	    s->settings->config->relay.final_timeout_s * 1000;
	return session_ask(s, &q, send_answered);
}

void
hop_cancel(struct session *s)
{
	struct question q = { .kind = QUESTION_HOP_CANCEL, .fd = -1,
		.as.transaction = s->tx->number };

	session_tell(s, &q);
}
