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
	bool is_scram;			/* SCRAM-SHA-256, with ... */
	struct slice first;		/* the client's first message; else */
	struct sasl_credentials credentials;	/* PLAIN */
	struct slice client;		/* address or network */
};

enum dovecot_result { DOVECOT_OK, DOVECOT_REFUSED, DOVECOT_UNAVAILABLE,
	DOVECOT_MORE };			/* of SCRAM: dovecot_go_on */

struct dovecot_answer {
	enum dovecot_result result;
	struct slice user;		/* with OK */
	struct slice text;		/* for the client, of SCRAM */
};

/* Once for each step, unless the question was forgotten. */
typedef void dovecot_answered_fn(const struct dovecot_answer *answer,
    void *arg);
/* It is there, and this is what it offers beside PLAIN. */
typedef void dovecot_ready_fn(bool has_scram, void *arg);

/* Opens it as soon as the loop runs. NULL without memory. */
struct dovecot *dovecot_new(struct compartment *c, dovecot_ready_fn *ready,
    void *arg);
/* An id, or 0: it cannot be asked, answered is not called. */
uint32_t dovecot_ask(struct dovecot *dovecot, const struct dovecot_ask *ask,
    dovecot_answered_fn *answered, void *arg);
/* What the client says to MORE. False: that exchange is over, nobody is
 * called. */
bool dovecot_go_on(struct dovecot *dovecot, uint32_t id,
    struct slice response);
void dovecot_forget(struct dovecot *dovecot, uint32_t id);

#endif
