/* SPDX-License-Identifier: ISC */
/*
 * recipient.h - an accepted recipient of a transaction (transaction.h).
 */
#ifndef POSTERN_SMTPD_RECIPIENT_H
#define POSTERN_SMTPD_RECIPIENT_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "hop_route.h"
#include "route.h"
#include "verdict.h"

struct recipient {
	uint16_t index;			/* its number at deliver */
	bool is_discarded;		/* on purpose: nobody has it */
	bool is_added;			/* by a milter */
	bool is_remote;			/* queue's: not a mailbox here */
	bool goes_along;		/* with the one before, whose mail
					 * goes on as well */
	unsigned notify;		/* enum dsn_notify; 0: not given */
	char *orcpt;			/* as given, or NULL */
	uint16_t n_done;		/* leaves that were there already */
	bool is_last_done;		/* so was his last participant, or it
					 * has the message now */
	bool is_queue_done;		/* the same of what queue sends */
	char *address;			/* as given */
	struct slice sealed;		/* owned; empty if discarded */
	struct slice members;		/* owned: those of a list who are
					 * elsewhere, sealed; empty: no list */
	struct slice hop;		/* owned: his next hop, sealed; empty:
					 * none (last.h) */
	struct hop_route hop_route;	/* points into hop */
	struct route route;		/* points into sealed */
	struct verdict *failure;	/* its own reply (PRDR), or NULL;
					 * in transaction.failures */
};

/* A leaf that an earlier attempt has delivered. */
struct done_leaf {
	uint16_t recipient, leaf;
};

/* Deliver has copies for it, and it has not failed by itself (PRDR). */
bool recipient_is_mailbox(const struct recipient *r);
/* A next hop has it to answer for, has not taken it yet, and he has not
 * failed by himself. */
bool recipient_has_hop(const struct recipient *r);
/* The same for a program, beside any mailboxes. */
bool recipient_has_program(const struct recipient *r);
/* Queue has something to send for it, whether it has done so or not. */
bool recipient_is_queued(const struct recipient *r);

/* By its index in the transaction, or NULL. */
const struct recipient *recipient_find(const struct recipient *recipients,
    size_t n, uint16_t index);

#endif
