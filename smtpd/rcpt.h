/* SPDX-License-Identifier: ISC */
/*
 * rcpt.h - the steps of a recipient, for those that milters add, too.
 *
 * The recipient under way is tx->rcpt; see rcpt.c.
 */
#ifndef POSTERN_SMTPD_RCPT_H
#define POSTERN_SMTPD_RCPT_H

#include "transaction.h"

/* Who is that? Strings are the transaction's. */
struct route_ask rcpt_question(const struct session *s);
enum step rcpt_ask_route(struct session *s, session_answered_fn *answered);
/* What is sealed in the answer: allocated, also when it is false. */
bool answer_copy_sealed(const struct answer *a, struct slice *to);
/* Keep the sealed route of the answer. False: it is none. */
bool rcpt_keep_route(struct transaction *tx, struct answer *a);
/* Can its mailboxes take it? */
enum step rcpt_ask_probe(struct session *s, session_answered_fn *answered);

#endif
