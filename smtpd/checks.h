/* SPDX-License-Identifier: ISC */
/*
 * checks.h - what policy says about a client and its message.
 *
 *	EHLO --> ask ahead (nobody waits, unless there are milters)
 *	MAIL --> wait for that, then judge --> 250 or a refusal
 *	RCPT, end of data --> judge --> go on, or a refusal
 *
 * A run of checks asks policy with all facts that are known. As long as it
 * wants more they are asked for in parallel, of resolver and store, and it
 * is asked again, in at most ROUNDS_MAX rounds and within the time that the
 * stage has; after that what is still wanted counts as silence, and policy
 * decides what that means. No answer of policy itself is a 451.
 *
 * Facts about the connection are kept until the next EHLO, those about a
 * transaction until its end. Every finding goes to the trail.
 */
#ifndef POSTERN_SMTPD_CHECKS_H
#define POSTERN_SMTPD_CHECKS_H

#include "address.h"
#include "transaction.h"

struct checks;

/* HELO or EHLO was accepted: forget all and ask ahead. */
void checks_hello(struct session *s);
/*
 * Milters are told the client's name, which is being looked up: go on in then
 * when that is over. False: it is over.
 */
bool checks_await_hello(struct session *s, finish_fn *then);
/*
 * Judge the stage and go on in then; or refuse, and end the transaction (or
 * the RCPT under way). checks_data must have a sealed message; it puts the
 * fields that policy adds below our own in tx->trace, sets tx->is_junk, and
 * replaces the message where something has to be left out.
 */
enum step checks_mail(struct session *s, const struct address *sender,
    finish_fn *then);
enum step checks_rcpt(struct session *s, bool is_exempt, finish_fn *then);
enum step checks_data(struct session *s, finish_fn *then);
/* Whether checks_data is going to look at the message. */
bool checks_data_are_wanted(struct session *s);

/*
 * All copies are where they belong: a proof that let the message in is spent,
 * durably, before anybody is told so; then go on. is_known false: nobody can
 * say whether it is.
 */
typedef enum step proof_taken_fn(struct session *s, bool is_known);
enum step checks_take_proof(struct session *s, proof_taken_fn *then);
/* The message was accepted: what store shall remember of that. */
void checks_accepted(struct session *s);

/* What a check handed on at an earlier stage (FACT_RESULT), or "". Lives as
 * long as the transaction. */
struct slice checks_result(const struct session *s, const char *check);

/* An answer to one of our questions; false: it is none of ours. */
bool checks_answered(struct session *s, uint32_t id, struct answer *a,
    enum step *step);
/* The session waits for a run: nothing is read. */
bool checks_are_awaited(const struct session *s);
void checks_end_transaction(struct session *s);
void checks_free(struct session *s);

#endif
