/* SPDX-License-Identifier: ISC */
/*
 * filter_steps.h - where a session asks milters and clamd.
 *
 * Each goes on in then when all of them let it pass (at once, when none is
 * configured), and otherwise replies and cleans up by itself: a refused
 * HELO leaves no HELO, a refused MAIL no transaction, a refused recipient is
 * released, a refused message undone. A refusal at connect is the answer to
 * HELO and to whatever follows.
 */
#ifndef POSTERN_SMTPD_FILTER_STEPS_H
#define POSTERN_SMTPD_FILTER_STEPS_H

#include "transaction.h"

enum step milters_helo(struct session *s, session_then_fn *then);
enum step milters_mail(struct session *s, session_then_fn *then);
/* The recipient is tx->rcpt; its refusal calls rcpt_refused. */
enum step milters_rcpt(struct session *s, session_then_fn *then);
enum step milters_data(struct session *s, session_then_fn *then);
/* An unknown command; then says so. */
enum step milters_unknown(struct session *s, struct slice line,
    session_then_fn *then);
/* The sealed message: it and the envelope may change (milter_changes.c). */
enum step milters_message(struct session *s, session_then_fn *then);
/* The transaction is over. */
void milters_end(struct session *s);

/*
 * Whom a milter added cannot be delivered to: *v is what the client is told,
 * who did not name him; the log has the rest.
 */
void milters_added_cannot(const struct session *s, const char *address,
    const char *why, struct verdict *v);
/* Make what tx->changes says, then go on (milter_changes.c). */
enum step milters_change_envelope(struct session *s);
/*
 * All have let the message pass, clamd too. What milters want dropped goes
 * to nobody from here on. False, and *v: they want it kept back from
 * somebody elsewhere, where nobody can.
 */
bool milters_dispose(struct session *s, struct verdict *v);

/* The sealed message to clamd. */
enum step clamd_scan(struct session *s, session_then_fn *then);

/* rcpt.c: the recipient that was probed and not accepted is forgotten. */
void rcpt_refused(struct session *s);

#endif
