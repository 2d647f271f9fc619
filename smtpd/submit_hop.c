/* SPDX-License-Identifier: ISC */
/*
 * Would the next hop take this recipient? See submit.h; asked where
 * submission's probe is on.
 *
 *	QUEUE_PROBE -> 5yz to RCPT there -> the same here, with our id
 *	            -> anything else     -> as if nobody had been asked
 *
 * So a mistyped address is corrected in the mail program. A message that
 * could be sent must never be lost by it: no answer, a 4yz and whatever did
 * not come from the next hop's RCPT are queue's business, which tries for
 * days. How long a client waits is bounded for each recipient, and for all
 * of a message together.
 */
#include <stdio.h>
#include "commands.h"
#include "last.h"
#include "submit.h"

#define MARGIN_MS 1000		/* queue and relay end before we do */
#define SHARES 3		/* times the limit, for a whole message */

static int64_t
limit_us(const struct session *s)
{
	return (int64_t)s->settings->config->submission.probe_timeout_s *
	    1000000;
}

/* On the trail: who was asked, what he said, how long it took. */
static void
hop_note(const struct session *s, const char *detail, bool is_good)
{
	note_finding(s, "probe", is_good ? FINDING_ACCEPT : FINDING_MARK,
	    detail);
}

/*
 * A mail program acts on some codes: 530 and 535 ask for a password, 552 is
 * "too many". The class stays, whatever else it is.
 */
static bool
is_about_recipient(unsigned code)
{
	return code == 550 || code == 551 || code == 552 || code == 553 ||
	    code == 554 || code == 556;
}

static enum step
hop_refuse(struct session *s, const struct hop_reply *a)
{
	struct verdict v;
	enum step step;

	verdict_set(&v, is_about_recipient(a->verdict.code) ?
	    a->verdict.code : 554, a->verdict.subject, a->verdict.detail,
	    "%.*s said: %s", (int)(a->remote_host.size > HOP_HOST_SHOWN ?
	    HOP_HOST_SHOWN : a->remote_host.size), a->remote_host.data,
	    a->verdict.text);
	step = session_reply_verdict(s, &v, "probe",
	    slice_of(s->tx->rcpt.text));
	transaction_drop_rcpt(s->tx);
	note_count(s, SCOREBOARD_RECIPIENTS_REFUSED, 1);
	return step;
}

static enum step
hop_answered(struct session *s, struct answer *a)
{
	const struct hop_reply *said = &a->as.hop;
	char detail[HOP_DETAIL_SIZE];

	s->tx->hop_us += a->took_us;
	note_asked("rcpt", slice_of(s->tx->rcpt.text), a->took_us);
	if (!a->is_known) {
		hop_note(s, "no answer", false);
		return s->tx->after_hop(s);
	}
	hop_describe(detail, said->remote_host, said->age_s, &said->verdict);
	if (hop_refuses(said)) {
		note_told("%s", detail);
		return hop_refuse(s, said);
	}
	hop_note(s, detail, said->is_said && said->verdict.code == 250);
	return s->tx->after_hop(s);
}

enum step
submit_ask_hop(struct session *s, session_then_fn *then)
{
	struct transaction *tx = s->tx;
	const struct queue_probe ask = { .voucher = s->user->voucher,
		.reverse_path = slice_of(tx->reverse_path),
		.address = slice_of(tx->rcpt.text),
		.is_utf8 = (tx->params.given & COMMAND_SMTPUTF8) != 0,
		.requires_tls = (tx->params.given & COMMAND_REQUIRETLS) != 0 };
	struct question q = { .kind = QUESTION_HOP, .fd = -1,
		.deadline_ms = (uint32_t)(limit_us(s) / 1000) + MARGIN_MS,
		.as.hop = &ask };

	if (!s->settings->config->submission.probes)
		return then(s);
	if (tx->hop_us >= SHARES * limit_us(s)) {
		note_asked("rcpt", slice_of(tx->rcpt.text), 0);
		hop_note(s, "not asked: this message has waited for others "
		    "long enough", false);
		return then(s);
	}
	tx->after_hop = then;
	return session_ask(s, &q, hop_answered);
}
