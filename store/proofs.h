/* SPDX-License-Identifier: ISC */
/*
 * proofs.h - claims of transactions that a bounce proves itself by what
 * stands in the ledger.
 *
 *	ask --good--> claimed --drop, or the asker is gone--> as before; if its
 *	bounce was delivered the ledger has been told before that
 *
 * So two bounces with one proof that come at a time are not both believed,
 * and one that is not delivered after all may come again. A proof that was
 * taken while the disk could not hold it counts as used all the same, and is
 * written as soon as it can. All this lives in memory: with store it goes, and
 * with it at worst a second bounce comes in. Nothing here logs.
 */
#ifndef STORE_PROOFS_H
#define STORE_PROOFS_H

#include "ledger.h"

#define PROOFS_CLAIMS_MAX 4096
#define PROOFS_OF_TRANSACTION_MAX 64
#define PROOFS_TAKEN_MAX 4096	/* that are not durable yet */

struct proofs;

/* ledger is borrowed. NULL without memory. */
struct proofs *proofs_new(struct ledger *ledger);
void proofs_free(struct proofs **proofs);
/*
 * Look it up, and claim what is good for that transaction of the owner (any
 * address that is not NULL). 0, or -errno with PROOF_UNKNOWN.
 */
int proofs_ask(struct proofs *proofs, const void *owner,
    const struct proof_ask *q, struct proof_answer *a);
/*
 * A bounce was let in: its proof is used from now on. 0: durable when the next
 * commit is; or -errno: it is kept in memory until proofs_write, unless there
 * are too many (-EBUSY).
 */
int proofs_take(struct proofs *proofs, const struct proof_ask *q,
    int64_t now_s);
/* How kv_commit went. */
void proofs_committed(struct proofs *proofs, int error);
/* Try again with what could not be written; commit after it. */
void proofs_write(struct proofs *proofs, int64_t now_s);
/* It has ended; if its bounce was delivered, proofs_take came first. */
void proofs_drop(struct proofs *proofs, const void *owner,
    uint64_t transaction);
/* All of its claims. */
void proofs_owner_gone(struct proofs *proofs, const void *owner);

#endif
