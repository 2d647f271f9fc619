/* SPDX-License-Identifier: ISC */
/*
 * desk.h - what one process of auth has, for the parts of this folder: the
 * table, the failures, the key; and the smtpd that ask.
 *
 *	AUTH_STEP -> exchange -> judged here (verify.h, scram.h) or by Dovecot
 *	                      -> AUTH_ANSWER, with a voucher
 */
#ifndef AUTH_DESK_H
#define AUTH_DESK_H

#include "ask.h"
#include "guesses.h"
#include "loop.h"
#include "password_table.h"

struct dovecot;

struct desk {
	struct loop *loop;
	const struct config *config;
	const uint8_t *key;		/* SECRET_VOUCH */
	struct guesses *guesses;
	struct password_table *table;	/* NULL: not there, or Dovecot's */
	struct dovecot *dovecot;	/* NULL: the table */
	unsigned offers;		/* 1 << enum auth_mechanism */
	struct peer *peers;
	size_t n_peers;
	bool is_stopping;		/* end with the last peer */
};

/* A new smtpd; takes fd over. */
void desk_peer(struct desk *desk, enum role role, uint16_t index, int fd);
/* What can be used has changed: EHLO is to say so. */
void desk_set_offers(struct desk *desk, unsigned offers);

/* A voucher of this account for a session; false: it cannot be made. */
struct account;
bool desk_vouch(const struct desk *desk, const struct account *account,
    struct slice session, struct voucher *voucher);

#endif
