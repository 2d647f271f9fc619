/* SPDX-License-Identifier: ISC */
/*
 * remembered.h - failures of one recipient, for his next RCPT.
 *
 * store keeps them (store/failures.h): one that ended a transaction is the
 * reply to that recipient's RCPT when the client comes again, once, so that
 * the others have theirs.
 */
#ifndef POSTERN_SMTPD_REMEMBERED_H
#define POSTERN_SMTPD_REMEMBERED_H

#include "question.h"
#include "transaction.h"

/* Is there one of the RCPT under way? */
enum step remembered_ask(struct session *s, session_answered_fn *answered);
/* The RCPT under way is refused with it. */
void remembered_say(struct transaction *tx, const struct verdict *verdict);
void remembered_free(struct remembered **remembered);
/*
 * These have ended the transaction. Those that belong to one of several
 * recipients are remembered, and with them what RCPT has said in this
 * transaction: who was spared would be tried in the next one, and two that
 * took turns would keep it from the others for ever.
 */
void remembered_put(struct session *s, const struct outcome_failure *failures,
    size_t n);

#endif
