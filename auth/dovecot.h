/* SPDX-License-Identifier: ISC */
/*
 * dovecot.h - Dovecot's authentication socket, asked instead of the table.
 *
 * One connection, opened by the supervisor (auth itself connects to
 * nothing), kept, and opened anew when it ends; the questions on it are
 * answered in any order. The protocol is in dovecot_line.h. Logs when the
 * connection comes and goes.
 */
#ifndef AUTH_DOVECOT_H
#define AUTH_DOVECOT_H

#include <stdint.h>
#include "buf.h"
#include "compartment.h"
#include "sasl.h"

struct dovecot;

struct dovecot_ask {
	struct sasl_credentials credentials;
	struct slice client;		/* address or network */
};

enum dovecot_result { DOVECOT_OK, DOVECOT_REFUSED, DOVECOT_UNAVAILABLE };

/* user: with OK. Called once, unless the question was forgotten. */
typedef void dovecot_answered_fn(enum dovecot_result result,
    struct slice user, void *arg);

/* Opens it as soon as the loop runs. NULL without memory. */
struct dovecot *dovecot_new(struct compartment *c);
/* An id, or 0: it cannot be asked, answered is not called. */
uint32_t dovecot_ask(struct dovecot *dovecot, const struct dovecot_ask *ask,
    dovecot_answered_fn *answered, void *arg);
void dovecot_forget(struct dovecot *dovecot, uint32_t id);

#endif
