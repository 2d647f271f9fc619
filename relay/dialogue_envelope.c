/* SPDX-License-Identifier: ISC */
/*
 * dialogue_envelope.c - one transaction: MAIL to the end of the message.
 *
 * With PIPELINING all commands go at once (RFC 2920) and the replies are
 * matched to them in order; without, one at a time. A host that takes no
 * recipient but answers DATA with 354 gets an empty message, whose reply
 * means nothing (RFC 2920 3.1); an LMTP server has nobody to reply for then,
 * and the connection ends there. A probe ends with RSET in place of DATA, so
 * that no transaction is left open.
 */
#include <errno.h>
#include <string.h>
#include "dialogue.h"
#include "seven_bit.h"

#define CHUNK_SIZE 65536
#define CHUNKS_MAX 4			/* under way, with PIPELINING */

static bool
has(const struct dialogue *d, enum feature feature)
{
	return (d->features.has & feature) != 0;
}

static void
expect(struct dialogue *d, enum dialogue_expects what, uint16_t recipient)
{
	uint16_t at = (uint16_t)((d->first + d->n_expected) %
	    DIALOGUE_EXPECTED_MAX);

	d->expected[at] = (struct dialogue_expected){ what, recipient };
	d->n_expected++;
}

/* ---- before MAIL: can this host take it at all? ---- */

/* The message goes elsewhere, or nowhere: this host is not for it. */
static void
refuse_host(struct dialogue *d, const struct verdict *v)
{
	d->failure = *v;
	d->failure_stage = RELAY_AT_OFFER;
	dialogue_delivered(d);
}

static void
settle_rest(struct dialogue *d, enum relay_stage stage,
    const struct verdict *v)
{
	errand_settle_all(d->errand, ERRAND_OPEN, stage, v);
	errand_settle_all(d->errand, ERRAND_TAKEN, stage, v);
}

/* Octets that the next host is told of; 0: not known. */
static uint64_t
size_of(const struct errand *q)
{
	return q->is_probe ? q->size_bytes : q->source.top.size +
	    q->source.size;
}

/* It is another's, who signed it as it is and can still send another. */
static void
refuse_eight_bits(struct dialogue *d)
{
	struct verdict v;

	verdict_set(&v, 550, 6, 3, "the next host does not take 8 bits "
	    "(8BITMIME)");
	refuse_host(d, &v);
}

/*
 * Many clients say nothing of the 8 bits in what they submit, so it is looked
 * at in any case. What they say nothing of and cannot be converted goes as it
 * came. False: it cannot be converted, and all have their answer.
 */
static bool
convert(struct dialogue *d)
{
	struct verdict v;
	const char *why = NULL;
	bool is_said = d->errand->is_8bit;
	int error;

	if (d->errand->source.size == 0)
		return true;
	error = seven_bit_new(&d->seven_bit, &d->errand->source, &why);
	if (error == 0 && !is_said && seven_bit_was_ascii(d->seven_bit))
		seven_bit_free(&d->seven_bit);
	if (error == 0 || (error == -EBADMSG && !is_said))
		return true;
	if (error == -EBADMSG)
		verdict_set(&v, 550, 6, 3, "the next host does not take 8 "
		    "bits (8BITMIME), and the message cannot be converted: "
		    "%s", why);
	else
		verdict_set(&v, 451, 3, 0, "the message cannot be read");
	settle_rest(d, RELAY_AT_OFFER, &v);
	dialogue_delivered(d);
	return false;
}

/*
 * Some clients say SMTPUTF8 with every message. What can be seen to have no
 * need of it is mail like any other (RFC 6531 1.1). Who only asks has no
 * message yet: its headers are looked at when it comes.
 */
static bool
fits_ascii(struct dialogue *d)
{
	const struct errand *q = d->errand;
	struct verdict v;
	int error = 0;

	if (!errand_can_be_ascii(q))
		verdict_set(&v, 553, 6, 7, "the next host does not take "
		    "internationalised mail (SMTPUTF8)");
	else if (!q->is_probe &&
	    (error = seven_bit_check_headers(&q->source)) == -EBADMSG)
		/* of a message, RFC 6531 3.5 */
		verdict_set(&v, 554, 6, 9, "the next host does not take "
		    "UTF-8 in headers (SMTPUTF8)");
	else if (error < 0)
		verdict_set(&v, 451, 3, 0, "the message cannot be read");
	else
		return true;
	refuse_host(d, &v);
	return false;
}

/* False: this host cannot take the message, and that was said. */
static bool
fits_host(struct dialogue *d)
{
	const struct errand *q = d->errand;
	struct verdict v;

	if (q->is_utf8 && !has(d, FEATURE_SMTPUTF8) && !fits_ascii(d))
		return false;
	if (q->requires_tls && !d->settings->is_local &&
	    (!d->is_secured || !has(d, FEATURE_REQUIRETLS))) {
		verdict_set(&v, 550, 7, 30, "the sender requires TLS all the "
		    "way, and the next host does not offer REQUIRETLS");
		refuse_host(d, &v);
		return false;
	}
	if (d->features.size_max > 0 && size_of(q) > d->features.size_max) {
		verdict_set(&v, 552, 3, 4, "the message has %llu octets, the "
		    "next host takes %llu",
		    (unsigned long long)size_of(q),
		    (unsigned long long)d->features.size_max);
		refuse_host(d, &v);
		return false;
	}
	if (has(d, FEATURE_8BITMIME))
		return true;
	if (!q->is_forward)
		return convert(d);
	if (q->is_8bit)
		refuse_eight_bits(d);
	return !q->is_8bit;
}

/* ---- commands ---- */

/*
 * RFC 3461 5.2.2 d: who never wants a DSN has none from a host that does not
 * know of them, when it has nobody to send it to. A smart host goes by the
 * sender, and an LMTP server writes him into Return-Path and sends none: so
 * there he stays.
 */
static bool
is_sender_kept_back(const struct dialogue *d)
{
	const struct errand *q = d->errand;

	if (has(d, FEATURE_DSN) || q->is_for_smart_host ||
	    d->settings->is_lmtp)
		return false;
	for (uint16_t i = 0; i < q->n_recipients; i++)
		if (q->recipients[i].notify != NOTIFY_NEVER)
			return false;
	return true;
}

/* An address that needs SMTPUTF8 has not come so far without it. */
static void
put_path(struct dialogue *d, const char *command, const char *address)
{
	char ascii[ADDRESS_TEXT_MAX + 1];

	if (!has(d, FEATURE_SMTPUTF8) && errand_write_ascii(ascii, address))
		address = ascii;
	(void)buf_printf(&d->out, "%s:<%s>", command, address);
}

static void
send_mail(struct dialogue *d)
{
	static const char *const rets[] = { [DSN_RET_NONE] = "",
		[DSN_RET_FULL] = " RET=FULL", [DSN_RET_HDRS] = " RET=HDRS" };
	const struct errand *q = d->errand;
	struct buf *out = &d->out;

	put_path(d, "MAIL FROM", is_sender_kept_back(d) ? "" :
	    q->reverse_path);
	if (has(d, FEATURE_SIZE) && size_of(q) > 0)
		(void)buf_printf(out, " SIZE=%llu",
		    (unsigned long long)size_of(q));
	if (q->is_8bit && has(d, FEATURE_8BITMIME))
		(void)buf_puts(out, " BODY=8BITMIME");
	if (q->is_utf8 && has(d, FEATURE_SMTPUTF8))
		(void)buf_puts(out, " SMTPUTF8");
	if (q->requires_tls && has(d, FEATURE_REQUIRETLS))
		(void)buf_puts(out, " REQUIRETLS");
	if (has(d, FEATURE_DSN)) {
		(void)buf_puts(out, rets[q->ret]);
		if (*q->envid != '\0')
			(void)buf_printf(out, " ENVID=%s", q->envid);
	}
	(void)buf_puts(out, "\r\n");
	expect(d, EXPECT_MAIL, 0);
}

static void
put_notify(struct buf *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = { { NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS,
	    "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY,
	    "DELAY" } };
	const char *between = " NOTIFY=";

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		(void)buf_printf(out, "%s%s", between, words[i].word);
		between = ",";
	}
}

static void
send_rcpt(struct dialogue *d, uint16_t i)
{
	const struct errand_recipient *r = &d->errand->recipients[i];

	put_path(d, "RCPT TO", r->address);
	if (has(d, FEATURE_DSN)) {
		put_notify(&d->out, r->notify);
		if (*r->orcpt != '\0')
			(void)buf_printf(&d->out, " ORCPT=%s", r->orcpt);
	}
	(void)buf_puts(&d->out, "\r\n");
	expect(d, EXPECT_RCPT, i);
}

static void
send_reset(struct dialogue *d)
{
	(void)buf_puts(&d->out, "RSET\r\n");
	expect(d, EXPECT_RSET, 0);
	d->needs_reset = false;
}

static void
send_next(struct dialogue *d)
{
	uint16_t next = d->next++, last = d->errand->n_recipients;

	if (next == 0) {
		send_mail(d);
	} else if (next <= last) {
		if (d->errand->recipients[next - 1].state == ERRAND_OPEN)
			send_rcpt(d, (uint16_t)(next - 1));
	} else if (d->errand->is_probe) {
		send_reset(d);
	} else {
		(void)buf_puts(&d->out, "DATA\r\n");
		expect(d, EXPECT_DATA, 0);
	}
}

/* All or nobody: every one of them was taken. */
static bool
has_all(const struct errand *q)
{
	return errand_count(q, ERRAND_TAKEN) == q->n_recipients;
}

/* DATA goes along with what comes before it where nobody would have to be
 * told that the message went to others. */
static bool
may_send_data(const struct dialogue *d)
{
	const struct errand *q = d->errand;

	if (has(d, FEATURE_CHUNKING))
		return false;
	if (q->is_forward && q->n_recipients > 1)
		return d->n_expected == 0 && has_all(q);
	return has(d, FEATURE_PIPELINING) ||
	    errand_count(q, ERRAND_TAKEN) > 0;
}

/* What may be sent now: everything, or one command. */
static bool
may_send(const struct dialogue *d)
{
	uint16_t last = d->errand->n_recipients;
	bool pipelines = has(d, FEATURE_PIPELINING);

	if (d->is_mail_refused || (d->n_expected > 0 && !pipelines))
		return false;
	if (d->next <= last)
		return true;
	if (d->errand->is_probe)
		return d->next == last + 1;
	return d->next == last + 1 && may_send_data(d);
}

void
envelope_send(struct dialogue *d)
{
	while (may_send(d))
		send_next(d);
}

void
dialogue_deliver(struct dialogue *d, struct errand *errand)
{
	d->errand = errand;
	d->failure.code = 0;
	d->has_answered = d->has_sent_end = d->is_mail_refused = false;
	d->next = d->first = d->n_expected = 0;
	if (!fits_host(d))
		return;
	d->phase = DIALOGUE_ENVELOPE;
	encoder_start(&d->encoder, &errand->source, d->seven_bit,
	    has(d, FEATURE_CHUNKING) ? ENCODER_CHUNKS : ENCODER_DATA);
	if (d->needs_reset)
		send_reset(d);
	d->needs_reset = true;
	envelope_send(d);
}

/* ---- the message ---- */

static void
fail_reading(struct dialogue *d)
{
	struct verdict v;

	verdict_set(&v, 451, 3, 0, "the message cannot be read");
	settle_rest(d, RELAY_AT_DATA, &v);
	dialogue_fail(d, RELAY_AT_DATA, &v);
}

/* LMTP: one reply for each that was taken, in their order (RFC 2033 4.2). */
static void
expect_end(struct dialogue *d)
{
	d->has_sent_end = true;
	d->phase = DIALOGUE_END;
	if (!d->settings->is_lmtp) {
		expect(d, EXPECT_END, 0);
		return;
	}
	for (uint16_t i = 0; i < d->errand->n_recipients; i++)
		if (d->errand->recipients[i].state == ERRAND_TAKEN)
			expect(d, EXPECT_END, i);
}

static bool
pump_data(struct dialogue *d)
{
	if (encoder_next(&d->encoder, &d->out) < 0) {
		fail_reading(d);
		return false;
	}
	if (d->encoder.is_over)
		expect_end(d);
	return true;
}

static bool
pump_chunk(struct dialogue *d)
{
	unsigned most = has(d, FEATURE_PIPELINING) ? CHUNKS_MAX : 1;
	struct buf chunk = { 0 };
	int error = 0;

	if (d->n_expected >= most)
		return false;
	while (error == 0 && chunk.size < CHUNK_SIZE && !d->encoder.is_over)
		error = encoder_next(&d->encoder, &chunk);
	if (error == 0)
		error = buf_printf(&d->out, "BDAT %zu%s\r\n", chunk.size,
		    d->encoder.is_over ? " LAST" : "");
	if (error == 0 && chunk.size > 0)
		error = buf_append_slice(&d->out, buf_slice(&chunk));
	buf_free(&chunk);
	if (error < 0) {
		fail_reading(d);
		return false;
	}
	if (d->encoder.is_over)
		expect_end(d);
	else
		expect(d, EXPECT_CHUNK, 0);
	return true;
}

bool
dialogue_pump(struct dialogue *d)
{
	if (d->phase != DIALOGUE_BODY)
		return false;
	return d->encoder.form == ENCODER_DATA ? pump_data(d) :
	    pump_chunk(d);
}

/* ---- replies ---- */

static void
final_verdict(const struct dialogue *d, struct verdict *v)
{
	response_verdict(&d->response, v);
	if (v->code / 100 == 2)
		v->code = 250;
}

static void
settle_taken(struct dialogue *d, enum relay_stage stage)
{
	struct verdict v;

	final_verdict(d, &v);
	errand_settle_all(d->errand, ERRAND_TAKEN, stage, &v);
}

/* Who was taken gets nothing, because another was not. */
static void
spare_taken(struct dialogue *d)
{
	struct verdict v;

	verdict_set(&v, 451, 5, 3, "not sent: another recipient of this "
	    "message was refused");
	errand_settle_all(d->errand, ERRAND_TAKEN, RELAY_AT_RCPT, &v);
}

/* All commands have their replies, and DATA was not answered with 354. */
static void
envelope_over(struct dialogue *d)
{
	struct verdict v = d->failure;

	if (d->errand->is_forward && !has_all(d->errand))
		spare_taken(d);
	if (!d->is_mail_refused &&
	    errand_count(d->errand, ERRAND_TAKEN) > 0) {
		d->phase = DIALOGUE_BODY;	/* CHUNKING */
		return;
	}
	if (d->is_mail_refused && v.code / 100 == 5)
		errand_settle_all(d->errand, ERRAND_OPEN,
		    RELAY_AT_MAIL, &v);
	dialogue_delivered(d);
}

static void
mail_reply(struct dialogue *d)
{
	if (d->response.code / 100 == 2)
		return;
	d->is_mail_refused = true;
	response_verdict(&d->response, &d->failure);
	d->failure_stage = RELAY_AT_MAIL;
}

/*
 * Too many recipients: 5.5.3, or 552 without further words, which RFC 5321
 * 4.5.3.1.10 has taken for 452. He is one more for the next transaction.
 */
static bool
is_for_now(const struct verdict *v)
{
	return (v->code == 552 && v->subject == 0) ||
	    (v->code >= 500 && v->subject == 5 && v->detail == 3);
}

static void
rcpt_reply(struct dialogue *d, uint16_t i)
{
	struct verdict v;

	if (d->is_mail_refused)
		return;
	if (d->response.code / 100 == 2 && !d->errand->is_probe) {
		d->errand->recipients[i].state = ERRAND_TAKEN;
		return;
	}
	response_verdict(&d->response, &v);
	if (v.code / 100 == 2)
		v.code = 250;
	if (is_for_now(&v))
		v.code = 452;
	d->errand->recipients[i].is_said = true;
	errand_settle(d->errand, i, RELAY_AT_RCPT, &v);
}

/* It refused MAIL, and wants the message: it must not have any. */
static void
fail_refused(struct dialogue *d)
{
	struct verdict v = d->failure;

	if (v.code / 100 == 5)
		errand_settle_all(d->errand, ERRAND_OPEN, RELAY_AT_MAIL, &v);
	dialogue_fail(d, RELAY_AT_MAIL, &v);
}

/* RFC 2033 4.2 has DATA refused where no RCPT was accepted. */
static void
fail_for_nobody(struct dialogue *d)
{
	struct verdict v;

	verdict_set(&v, 451, 5, 0, "it wants a message for nobody");
	dialogue_fail(d, RELAY_AT_DATA, &v);
}

static void
data_reply(struct dialogue *d)
{
	bool has_taken = errand_count(d->errand, ERRAND_TAKEN) > 0;

	if (d->response.code != 354) {
		settle_taken(d, RELAY_AT_DATA);
		return;
	}
	if (d->is_mail_refused) {
		fail_refused(d);
		return;
	}
	if (has_taken) {
		d->phase = DIALOGUE_BODY;
		return;
	}
	if (d->settings->is_lmtp) {
		fail_for_nobody(d);
		return;
	}
	(void)buf_puts(&d->out, ".\r\n");
	expect(d, EXPECT_END, 0);
	d->phase = DIALOGUE_END;
}

/* False: others wait for theirs. */
static bool
settle_own(struct dialogue *d, uint16_t i)
{
	struct verdict v;

	final_verdict(d, &v);
	d->errand->recipients[i].is_said = true;
	errand_settle(d->errand, i, RELAY_AT_END, &v);
	if (v.code == 421) {
		d->failure = v;
		d->failure_stage = RELAY_AT_END;
	}
	return d->n_expected == 0;
}

/* A reply to an end that nobody was taken for settles nobody. */
static void
end_reply(struct dialogue *d, uint16_t i)
{
	if (!d->settings->is_lmtp)
		settle_taken(d, RELAY_AT_END);
	else if (!settle_own(d, i))
		return;
	d->has_sent_end = false;
	d->needs_reset = d->response.code / 100 != 2;
	if (dialogue_is_leaving(d))
		dialogue_left(d);
	else
		envelope_over(d);
}

/* Whatever it says before the end has come: the message goes no further. */
static void
early_reply(struct dialogue *d)
{
	struct verdict v;

	response_verdict(&d->response, &v);
	settle_taken(d, RELAY_AT_DATA);
	dialogue_fail(d, RELAY_AT_DATA, &v);
}

static void
fail_unfit(struct dialogue *d)
{
	dialogue_lost(d, "a reply with a code that does not fit came");
}

/* Is it a code that this command can have? */
static bool
is_fit(const struct dialogue *d, enum dialogue_expects what)
{
	unsigned class = d->response.code / 100;

	if (what == EXPECT_DATA)
		return d->response.code == 354 || class >= 4;
	if (what == EXPECT_RSET)
		return class == 2;
	return class != 3;
}

/* LMTP: a 421 is one recipient's reply, and behind it a 250 may come. */
static bool
has_others_behind(const struct dialogue *d)
{
	return d->settings->is_lmtp && d->has_sent_end && d->n_expected > 1;
}

static void
closing_reply(struct dialogue *d)
{
	response_verdict(&d->response, &d->failure);
	if (d->phase == DIALOGUE_BODY)
		settle_taken(d, RELAY_AT_DATA);
	if (d->has_sent_end)
		dialogue_left(d);
	else
		dialogue_fail(d, d->phase == DIALOGUE_ENVELOPE ?
		    RELAY_AT_MAIL : RELAY_AT_DATA, &d->failure);
}

static void
expected_reply(struct dialogue *d, struct dialogue_expected e)
{
	switch (e.what) {
	case EXPECT_RSET:
		break;
	case EXPECT_MAIL:
		mail_reply(d);
		break;
	case EXPECT_RCPT:
		rcpt_reply(d, e.recipient);
		break;
	case EXPECT_DATA:
		data_reply(d);
		break;
	case EXPECT_CHUNK:
		if (d->response.code / 100 != 2)
			early_reply(d);
		return;
	case EXPECT_END:
		end_reply(d, e.recipient);
		return;
	}
	if (d->phase != DIALOGUE_ENVELOPE)
		return;
	envelope_send(d);
	if (d->n_expected == 0)
		envelope_over(d);
}

void
envelope_reply(struct dialogue *d)
{
	struct dialogue_expected e;

	if (d->response.code == 421 && !has_others_behind(d)) {
		closing_reply(d);
		return;
	}
	if (d->n_expected == 0) {
		if (d->response.code >= 400)
			early_reply(d);
		else
			fail_unfit(d);
		return;
	}
	e = d->expected[d->first];
	if (!is_fit(d, e.what)) {
		fail_unfit(d);
		return;
	}
	d->first = (uint16_t)((d->first + 1) % DIALOGUE_EXPECTED_MAX);
	d->n_expected--;
	expected_reply(d, e);
}
