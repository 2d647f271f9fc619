/* SPDX-License-Identifier: ISC */
/*
 * milters.h - all milters of one session, on their sockets.
 *
 * One connection to each, opened when it is first needed and kept for all
 * messages of the session. A question goes to one after the other, in the
 * order of the configuration, and each sees what those before it changed.
 * The first that refuses ends it.
 *
 * One that is down, slow or breaks the protocol: on_failure says whether
 * that is a 451 or only noted. At HELO it is neither, MAIL tries it again.
 * Once it has failed within a transaction it has failed for all of it.
 */
#ifndef POSTERN_SMTPD_MILTERS_H
#define POSTERN_SMTPD_MILTERS_H

#include "compartment.h"
#include "question.h"

struct milters;

/* fd is the changed message, the receiver's, or -1. May free the milters. */
typedef void milters_answered_fn(struct milters_answer *answer, int fd,
    void *arg);

/* NULL without memory. session is the id, copied. */
struct milters *milters_new(struct compartment *c, const char *session,
    milters_answered_fn *answered, void *arg);
/* Says goodbye to all. */
void milters_free(struct milters **milters);
/*
 * One question at a time; fd (lent) is the sealed message of TALK_MESSAGE.
 * Answered later, never from within this call.
 */
void milters_ask(struct milters *m, const struct milters_ask *ask, int fd,
    uint32_t deadline_ms);
void milters_forget(struct milters *m);
/* The transaction is over: those that wait for more of it hear ABORT. */
void milters_end_transaction(struct milters *m);

#endif
