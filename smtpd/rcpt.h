/* SPDX-License-Identifier: ISC */
/*
 * rcpt.h - the steps of a recipient, for those that milters add, too.
 *
 * The recipient under way is tx->rcpt; see rcpt.c.
 */
#ifndef POSTERN_SMTPD_RCPT_H
#define POSTERN_SMTPD_RCPT_H

#include "transaction.h"

/*
 * Has the recipient a tag of ours? One that is valid is taken off, and then
 * goes on; others are refused. Of another site, or of a key that we do not
 * know: none (rcpt_bounce.c).
 */
enum step rcpt_untag(struct session *s, finish_fn *then);
/* Does it stand for the sender of a forward of ours? Who is that? Then as
 * rcpt_untag (rcpt_srs.c). */
bool rcpt_is_of_forward(const struct session *s);
enum step rcpt_ask_forward(struct session *s);
/* It was refused, for nobody of that name is here: closes on harvesters. */
enum step rcpt_count_unknown(struct session *s, enum step step);
/* A bounce returns the mail of one sender (RFC 5321 4.5.5). */
bool rcpt_is_second_of_bounce(const struct session *s);
/* It is a bounce to one of ours, and untagged_bounces = refuse. */
bool rcpt_needs_tag(const struct session *s);
/* It is a bounce with a valid tag. */
bool rcpt_is_proven(const struct session *s);

/* There is no place for one more: each has an index of its own. */
bool rcpt_is_full(const struct transaction *tx);
/* Who is that? Strings are the transaction's. */
struct route_ask rcpt_question(const struct session *s);
enum step rcpt_ask_route(struct session *s, session_answered_fn *answered);
/* What is sealed in the answer: allocated, also when it is false. */
bool answer_copy_sealed(const struct answer *a, struct slice *to);
/* Keep the sealed route of the answer. False: it is none. */
bool rcpt_keep_route(struct transaction *tx, struct answer *a);
/* Can its mailboxes take it? May call answered at once (believed.h). */
enum step rcpt_ask_probe(struct session *s, session_answered_fn *answered);
/* They can: for how long nobody need ask. */
void rcpt_note_probe(struct session *s, const struct answer *a);

#endif
