/* SPDX-License-Identifier: ISC */
/*
 * forwards.h - the reverse-paths of forwards (srs.h): relay has them made,
 * smtpd asks whom a bounce to one of them is for.
 */
#ifndef POSTERN_VAULT_FORWARDS_H
#define POSTERN_VAULT_FORWARDS_H

#include "config.h"
#include "ipc.h"
#include "secrets.h"

struct forwards {
	const struct secrets *secrets;	/* srs.n 0: none yet */
	const struct config *config;
	const uint8_t *secret;		/* SECRET_RETURN */
};

/* Answer one question; false: it breaks the rules of ask.h. */
bool forwards_on_make(const struct forwards *f, struct channel *ch,
    struct ipc_message *m);
bool forwards_on_check(const struct forwards *f, struct channel *ch,
    struct ipc_message *m);

#endif
