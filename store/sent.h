/* SPDX-License-Identifier: ISC */
/*
 * sent.h - `posternctl sent`: the ledger is searched for one word.
 *
 *	sent_begin -> sent_step ... until 0 -> sent_result -> sent_free
 *
 * The keys of the ledger lead from a Message-ID and a recipient together to
 * an entry, and from nothing else: all of it is looked through, in steps
 * between which mail is served. Nothing here logs.
 */
#ifndef STORE_SENT_H
#define STORE_SENT_H

#include "ledger.h"

struct sent;

/* q is copied, the ledger borrowed. NULL without memory. */
struct sent *sent_begin(struct ledger *ledger, const struct sent_ask *q);
/* 1: there is more to look at; 0: that was all; or -errno. */
int sent_step(struct sent *sent);
/* A sealed memfd of the answer, or -errno. */
int sent_result(struct sent *sent);
void sent_free(struct sent **sent);

#endif
