/* SPDX-License-Identifier: ISC */
/*
 * dispatch.h - deliver's peers: who may ask what, and what happens then.
 *
 * A malformed question, one about a transaction in another state, or a route
 * whose seal does not hold closes that peer and is logged as a suspected
 * break-in; the others live on.
 */
#ifndef DELIVER_DISPATCH_H
#define DELIVER_DISPATCH_H

#include "peer.h"

/* Owns fd. A role that has no business here is closed and logged. */
void deliver_add_peer(struct deliver *d, enum role role, uint16_t index,
    int fd);
/* Ends the loop when nothing is left to finish and that is wanted. */
void deliver_maybe_end(struct deliver *d);

/* ---- resolve.c ---- */

/* false: the peer broke the rules. */
bool deliver_resolve_begin(struct peer *peer, const struct resolve_ask *ask,
    uint32_t question);
/* A job has ended: those that waited for it may go on. */
void deliver_resolve_progress(struct deliver *d);
/* This asker is gone; what it asked is still resolved. */
void deliver_resolve_forget(struct deliver *d, const struct channel *asker);

#endif
