/* SPDX-License-Identifier: ISC */
/*
 * dialogue.h - the client's side of SMTP and of LMTP (RFC 2033), without a
 * socket; for this folder only.
 *
 *	GREETING -> EHLO (-> HELO) -> STARTTLS -> HANDSHAKE -> EHLO -> AUTH
 *	    -> READY -> ENVELOPE -> BODY -> END -> READY ... -> QUIT -> OVER
 *
 * Octets go in, octets wait in out. The owner looks at phase after each
 * call: in HANDSHAKE it has TLS made, in BODY it calls dialogue_pump as often
 * as the socket takes more, back in READY a delivery is over, and OVER
 * means: send what waits, close. Results stand in the errand as soon as
 * they are known. Until a reply of 2yz to the end of the message has come
 * nothing counts as taken over; once that end was sent nothing is tried at
 * another host.
 *
 * LMTP says LHLO in place of EHLO, and has one reply to the end of the
 * message for each recipient that was taken, in their order: each settles
 * its own alone. Who has no reply when the connection ends may have the
 * message, as in SMTP; who has one keeps it.
 */
#ifndef RELAY_DIALOGUE_H
#define RELAY_DIALOGUE_H

#include "errand.h"
#include "features.h"
#include "response.h"

enum dialogue_phase {
	DIALOGUE_GREETING, DIALOGUE_EHLO, DIALOGUE_HELO, DIALOGUE_STARTTLS,
	DIALOGUE_HANDSHAKE, DIALOGUE_AUTH, DIALOGUE_READY, DIALOGUE_ENVELOPE,
	DIALOGUE_BODY, DIALOGUE_END, DIALOGUE_QUIT, DIALOGUE_OVER
};

struct dialogue_settings {
	const char *hostname;		/* our own, for EHLO */
	bool is_lmtp;
	bool is_local;			/* a unix socket: nobody between */
	bool wants_tls;			/* if it is offered */
	bool requires_tls;		/* nothing without it */
	const char *user, *password;	/* NULL: no AUTH; none is known */
	/* RFC 5321 4.5.3.2: 5, 3 and 10 minutes */
	uint32_t command_ms, data_ms, end_ms;
};

enum dialogue_expects {
	EXPECT_RSET, EXPECT_MAIL, EXPECT_RCPT, EXPECT_DATA, EXPECT_CHUNK,
	EXPECT_END
};
struct dialogue_expected {
	enum dialogue_expects what;
	uint16_t recipient;
};
#define DIALOGUE_EXPECTED_MAX (ERRAND_RECIPIENTS_MAX + 4)

struct dialogue {
	enum dialogue_phase phase;
	struct buf out;			/* to be written */
	const struct dialogue_settings *settings;
	struct features features;
	struct response response;
	char peer_name[256];		/* how it calls itself; "" */
	bool is_secured, is_authenticated;
	unsigned n_deliveries;
	/* why it is OVER, or why the delivery was refused for now: code 0
	 * or what OPEN recipients would get if there is no other host */
	struct verdict failure;
	enum relay_stage failure_stage;
	/* the delivery */
	struct errand *errand;	/* lent; NULL: none */
	struct encoder encoder;
	struct seven_bit *seven_bit;
	bool has_answered;		/* anything, since it began */
	bool has_sent_end;		/* of the message */
	bool is_mail_refused, needs_reset;
	uint16_t next;			/* 0: MAIL, then RCPT i - 1, DATA */
	struct dialogue_expected expected[DIALOGUE_EXPECTED_MAX];
	uint16_t first, n_expected;
	uint8_t auth_step;
};

/* settings must outlive it. Waits for the greeting. */
void dialogue_start(struct dialogue *d,
    const struct dialogue_settings *settings);
void dialogue_free(struct dialogue *d);
void dialogue_input(struct dialogue *d, struct slice octets);
/* HANDSHAKE has ended well. */
void dialogue_secured(struct dialogue *d);
/* The connection is gone, or its time limit has passed. */
void dialogue_lost(struct dialogue *d, const char *why);
/* In READY: begin. The errand must outlive it, or the connection. */
void dialogue_deliver(struct dialogue *d, struct errand *errand);
/* In BODY: more of the message into out. False: there is none for now. */
bool dialogue_pump(struct dialogue *d);
/* In READY: say goodbye. */
void dialogue_quit(struct dialogue *d);
/* How long to wait for what comes next (RFC 5321 4.5.3.2). */
uint32_t dialogue_timeout_ms(const struct dialogue *d);
/* "the reply to MAIL" */
const char *dialogue_awaits(const struct dialogue *d);

/* ---- dialogue_envelope.c ---- */
void envelope_send(struct dialogue *d);
/* A reply to what stands first among the expected. */
void envelope_reply(struct dialogue *d);

/* ---- dialogue.c, for dialogue_envelope.c ---- */
/* The connection is of no use; OPEN recipients may be tried elsewhere. */
void dialogue_fail(struct dialogue *d, enum relay_stage stage,
    const struct verdict *v);
void dialogue_delivered(struct dialogue *d);
/* LMTP: it has said 421 for one recipient, and answers for the others. */
bool dialogue_is_leaving(const struct dialogue *d);
/* It has gone: who was not answered for has the 421. */
void dialogue_left(struct dialogue *d);

#endif
