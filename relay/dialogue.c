/* SPDX-License-Identifier: ISC */
/*
 * dialogue.c - see dialogue.h: from the greeting to READY, and the end. The
 * transaction stands in dialogue_envelope.c.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "dialogue.h"
#include "reply.h"
#include "seven_bit.h"

#define QUIT_MS 5000		/* nothing depends on its reply */
#define LEAVE_MS 10000		/* after a 421: what it sent behind it */
#define AUTH_TEXT_MAX 512	/* user and password together */

void
dialogue_start(struct dialogue *d, const struct dialogue_settings *settings)
{
	memset(d, 0, sizeof *d);
	d->settings = settings;
	d->phase = DIALOGUE_GREETING;
	response_start(&d->response);
}

void
dialogue_free(struct dialogue *d)
{
	buf_free(&d->out);
	seven_bit_free(&d->seven_bit);
}

/* ---- ends ---- */

void
dialogue_fail(struct dialogue *d, enum relay_stage stage,
    const struct verdict *v)
{
	bool is_within_message = d->phase == DIALOGUE_BODY ||
	    d->has_sent_end;
	struct verdict uncertain;

	if (d->phase == DIALOGUE_OVER)
		return;
	d->failure = *v;
	d->failure_stage = stage;
	if (d->errand != NULL && d->has_sent_end) {
		/* It may have been taken: whoever tries again may send it
		 * twice (RFC 1047), and nothing here says "delivered". */
		verdict_set(&uncertain, 451, 4, 2, "%s, after the message "
		    "was sent: whether it was taken is not known", v->text);
		errand_settle_all(d->errand, ERRAND_TAKEN,
		    RELAY_AT_END, &uncertain);
	}
	if (d->errand != NULL)
		errand_reopen(d->errand);
	/* what is half sent must not be completed by a QUIT */
	if (is_within_message)
		buf_free(&d->out);
	else if (d->phase != DIALOGUE_QUIT && d->out.size == 0)
		(void)buf_puts(&d->out, "QUIT\r\n");
	seven_bit_free(&d->seven_bit);
	d->errand = NULL;
	d->phase = DIALOGUE_OVER;
}

/* The reply, as a failure of this host: never a permanent one. */
static void
fail_reply(struct dialogue *d, enum relay_stage stage)
{
	struct verdict v;

	response_verdict(&d->response, &v);
	if (v.code < 400 || v.code > 499)
		verdict_set(&v, 451, stage == RELAY_AT_AUTH ? 7 : 4,
		    stage == RELAY_AT_AUTH ? 0 : 1, "%u %s",
		    (unsigned)d->response.code, d->response.words);
	dialogue_fail(d, stage, &v);
}

static enum relay_stage
stage_of(const struct dialogue *d)
{
	static const enum relay_stage of_phase[] = {
		[DIALOGUE_GREETING] = RELAY_AT_GREETING,
		[DIALOGUE_EHLO] = RELAY_AT_HELLO,
		[DIALOGUE_HELO] = RELAY_AT_HELLO,
		[DIALOGUE_STARTTLS] = RELAY_AT_TLS,
		[DIALOGUE_HANDSHAKE] = RELAY_AT_TLS,
		[DIALOGUE_AUTH] = RELAY_AT_AUTH,
		[DIALOGUE_READY] = RELAY_AT_MAIL,
		[DIALOGUE_ENVELOPE] = RELAY_AT_MAIL,
		[DIALOGUE_BODY] = RELAY_AT_DATA,
		[DIALOGUE_END] = RELAY_AT_END,
		[DIALOGUE_QUIT] = RELAY_AT_END,
		[DIALOGUE_OVER] = RELAY_AT_END,
	};

	if (d->phase == DIALOGUE_ENVELOPE && d->n_expected > 0) {
		enum dialogue_expects what = d->expected[d->first].what;

		return what == EXPECT_RCPT ? RELAY_AT_RCPT :
		    what == EXPECT_DATA ? RELAY_AT_DATA : RELAY_AT_MAIL;
	}
	return of_phase[d->phase];
}

const char *
dialogue_awaits(const struct dialogue *d)
{
	switch (stage_of(d)) {
	case RELAY_AT_GREETING:
		return "the greeting";
	case RELAY_AT_TLS:
		return "TLS";
	case RELAY_AT_HELLO:
		return d->settings->is_lmtp ? "the reply to LHLO" :
		    "the reply to EHLO";
	case RELAY_AT_AUTH:
		return "the reply to AUTH";
	case RELAY_AT_MAIL:
		return "the reply to MAIL";
	case RELAY_AT_RCPT:
		return "the reply to RCPT";
	case RELAY_AT_DATA:
		return d->phase == DIALOGUE_BODY ? "room for the message" :
		    "the reply to DATA";
	default:
		return "the reply to the end of the message";
	}
}

bool
dialogue_is_leaving(const struct dialogue *d)
{
	return d->phase == DIALOGUE_END && d->failure.code == 421;
}

void
dialogue_left(struct dialogue *d)
{
	errand_settle_all(d->errand, ERRAND_TAKEN, RELAY_AT_END, &d->failure);
	d->has_sent_end = false;
	dialogue_fail(d, RELAY_AT_END, &d->failure);
}

void
dialogue_lost(struct dialogue *d, const char *why)
{
	struct verdict v;

	if (dialogue_is_leaving(d)) {
		dialogue_left(d);
		return;
	}
	verdict_set(&v, 451, 4, 2, "%s while waiting for %s", why,
	    dialogue_awaits(d));
	dialogue_fail(d, stage_of(d), &v);
}

static void
fail_broken(struct dialogue *d)
{
	struct verdict v;

	verdict_set(&v, 451, 5, 0, "what came instead of %s is no reply of "
	    "SMTP to it", dialogue_awaits(d));
	dialogue_fail(d, stage_of(d), &v);
}

void
dialogue_delivered(struct dialogue *d)
{
	seven_bit_free(&d->seven_bit);
	d->errand = NULL;
	d->n_deliveries++;
	d->phase = DIALOGUE_READY;
}

void
dialogue_quit(struct dialogue *d)
{
	(void)buf_puts(&d->out, "QUIT\r\n");
	d->phase = DIALOGUE_QUIT;
}

/* ---- AUTH (RFC 4954, 4616) ---- */

static void
send_base64(struct dialogue *d, const char *before, struct slice octets)
{
	unsigned char text[AUTH_TEXT_MAX / 3 * 4 + 8];

	(void)EVP_EncodeBlock(text, (const unsigned char *)octets.data,
	    (int)octets.size);
	(void)buf_printf(&d->out, "%s%s\r\n", before, (char *)text);
	OPENSSL_cleanse(text, sizeof text);
}

static void
send_plain(struct dialogue *d)
{
	const char *user = d->settings->user, *password =
	    d->settings->password;
	char octets[AUTH_TEXT_MAX];
	size_t n_user = strlen(user), n_password = strlen(password);

	octets[0] = octets[1 + n_user] = '\0';
	memcpy(octets + 1, user, n_user);
	memcpy(octets + 2 + n_user, password, n_password);
	send_base64(d, "AUTH PLAIN ", (struct slice){ octets,
	    2 + n_user + n_password });
	OPENSSL_cleanse(octets, sizeof octets);
}

static void
begin_auth(struct dialogue *d)
{
	const char *password = d->settings->password;
	struct verdict v;
	bool fits = password != NULL && strlen(d->settings->user) +
	    strlen(password) + 2 <= AUTH_TEXT_MAX;

	if (!d->is_secured || !fits || !(d->features.has &
	    (FEATURE_AUTH_PLAIN | FEATURE_AUTH_LOGIN))) {
		verdict_set(&v, 451, 7, 0, "%s", password == NULL ?
		    "smart_host_password_file has no password" :
		    !d->is_secured ?
		    "AUTH needs TLS, which it does not offer" : !fits ?
		    "the password is too long for AUTH" :
		    "it offers neither AUTH PLAIN nor LOGIN");
		dialogue_fail(d, RELAY_AT_AUTH, &v);
		return;
	}
	d->phase = DIALOGUE_AUTH;
	d->auth_step = 0;
	if (d->features.has & FEATURE_AUTH_PLAIN)
		send_plain(d);
	else
		(void)buf_puts(&d->out, "AUTH LOGIN\r\n");
}

static void
auth_reply(struct dialogue *d)
{
	if (d->response.code / 100 == 2) {
		d->is_authenticated = true;
		d->phase = DIALOGUE_READY;
	} else if (d->response.code == 334 && d->auth_step < 2 &&
	    !(d->features.has & FEATURE_AUTH_PLAIN)) {
		send_base64(d, "", slice_of(d->auth_step == 0 ?
		    d->settings->user : d->settings->password));
		d->auth_step++;
	} else {
		fail_reply(d, RELAY_AT_AUTH);
	}
}

/* ---- from the greeting to READY ---- */

static void
say_hello(struct dialogue *d, const char *verb, enum dialogue_phase phase)
{
	memset(&d->features, 0, sizeof d->features);
	(void)buf_printf(&d->out, "%s %s\r\n", verb, d->settings->hostname);
	d->phase = phase;
}

/*
 * Everything was said that comes before the first MAIL. RFC 2033 speaks of
 * DATA alone; what BDAT LAST is answered with in LMTP no standard says.
 */
static void
ready(struct dialogue *d)
{
	struct verdict v;

	if (d->settings->is_lmtp)
		d->features.has &= ~(unsigned)FEATURE_CHUNKING;
	if (d->settings->requires_tls && !d->is_secured) {
		verdict_set(&v, 451, 7, 5, "TLS is required, and it does not "
		    "offer STARTTLS");
		dialogue_fail(d, RELAY_AT_TLS, &v);
	} else if (d->settings->user != NULL && !d->is_authenticated) {
		begin_auth(d);
	} else {
		d->phase = DIALOGUE_READY;
	}
}

static void
say_ehlo(struct dialogue *d)
{
	say_hello(d, d->settings->is_lmtp ? "LHLO" : "EHLO", DIALOGUE_EHLO);
}

static void
greeting_reply(struct dialogue *d)
{
	if (d->response.code == 220)
		say_ehlo(d);
	else
		fail_reply(d, RELAY_AT_GREETING);
}

static void
keep_peer_name(struct dialogue *d)
{
	struct slice s = slice_trim(d->response.line);

	(void)reply_clean(d->peer_name, sizeof d->peer_name,
	    (struct slice){ s.data, slice_find(s, ' ') }, false);
}

static void
ehlo_reply(struct dialogue *d)
{
	bool is_old = d->response.code / 100 == 5 && !d->is_secured &&
	    !d->settings->requires_tls && d->settings->user == NULL &&
	    !d->settings->is_lmtp;

	if (is_old) {
		say_hello(d, "HELO", DIALOGUE_HELO);
	} else if (d->response.code != 250) {
		fail_reply(d, RELAY_AT_HELLO);
	} else if (d->settings->wants_tls && !d->is_secured &&
	    (d->features.has & FEATURE_STARTTLS)) {
		(void)buf_puts(&d->out, "STARTTLS\r\n");
		d->phase = DIALOGUE_STARTTLS;
	} else {
		ready(d);
	}
}

static void
helo_reply(struct dialogue *d)
{
	if (d->response.code == 250)
		ready(d);
	else
		fail_reply(d, RELAY_AT_HELLO);
}

/* Octets behind the 220 were not protected by what comes: an injection. */
static void
starttls_reply(struct dialogue *d, struct slice left)
{
	struct verdict v;

	if (d->response.code == 220 && left.size == 0) {
		d->phase = DIALOGUE_HANDSHAKE;
	} else if (d->response.code == 220) {
		verdict_set(&v, 451, 7, 5, "it sent more than its reply to "
		    "STARTTLS");
		dialogue_fail(d, RELAY_AT_TLS, &v);
	} else if (d->settings->requires_tls || d->response.code == 421) {
		fail_reply(d, RELAY_AT_TLS);
	} else {
		ready(d);
	}
}

void
dialogue_secured(struct dialogue *d)
{
	d->is_secured = true;
	response_start(&d->response);
	say_ehlo(d);
}

/* ---- input ---- */

static void
line_came(struct dialogue *d, bool is_whole)
{
	if (d->phase != DIALOGUE_EHLO && d->phase != DIALOGUE_HELO)
		return;
	if (d->response.code != 250)
		return;
	if (d->response.n_lines == 1)
		keep_peer_name(d);
	else if (d->phase == DIALOGUE_EHLO)
		features_add(&d->features, d->response.line);
	(void)is_whole;
}

/* In READY nothing is expected; it may say that it goes away. */
static void
unasked_reply(struct dialogue *d)
{
	if (d->response.code == 421)
		fail_reply(d, RELAY_AT_MAIL);
	else
		fail_broken(d);
}

static void
reply_came(struct dialogue *d, struct slice left)
{
	switch (d->phase) {
	case DIALOGUE_GREETING:
		greeting_reply(d);
		break;
	case DIALOGUE_EHLO:
		ehlo_reply(d);
		break;
	case DIALOGUE_HELO:
		helo_reply(d);
		break;
	case DIALOGUE_STARTTLS:
		starttls_reply(d, left);
		break;
	case DIALOGUE_AUTH:
		auth_reply(d);
		break;
	case DIALOGUE_READY:
		unasked_reply(d);
		break;
	case DIALOGUE_ENVELOPE:
	case DIALOGUE_BODY:
	case DIALOGUE_END:
		d->has_answered = true;
		envelope_reply(d);
		break;
	case DIALOGUE_HANDSHAKE:
	case DIALOGUE_OVER:
		break;
	case DIALOGUE_QUIT:
		d->phase = DIALOGUE_OVER;
		break;
	}
}

void
dialogue_input(struct dialogue *d, struct slice octets)
{
	enum response_step step = RESPONSE_LINE;

	while (step != RESPONSE_MORE && d->phase != DIALOGUE_OVER) {
		step = response_read(&d->response, &octets);
		if (step == RESPONSE_BROKEN) {
			fail_broken(d);
		} else if (step != RESPONSE_MORE) {
			line_came(d, step == RESPONSE_WHOLE);
			if (step == RESPONSE_WHOLE)
				reply_came(d, octets);
		}
	}
}

uint32_t
dialogue_timeout_ms(const struct dialogue *d)
{
	switch (d->phase) {
	case DIALOGUE_BODY:
		return d->settings->data_ms;
	case DIALOGUE_END:
		return dialogue_is_leaving(d) ? LEAVE_MS : d->settings->end_ms;
	case DIALOGUE_QUIT:
		return QUIT_MS;
	default:
		return d->settings->command_ms;
	}
}
