/* SPDX-License-Identifier: ISC */
/*
 * peers.h - the channels to directory, deliver and store.
 *
 * Puts a session's questions on the right channel and gives it the answers:
 * the directory worker with the fewest questions is asked, deliver and store
 * are one each. A peer that dies answers "unknown" to all that was out, and
 * its successor is never asked about a transaction that it cannot know:
 * to it that would be a break-in.
 */
#ifndef POSTERN_SMTPD_PEERS_H
#define POSTERN_SMTPD_PEERS_H

#include "compartment.h"
#include "session.h"
#include "trail.h"

struct peers;

typedef void peers_answered_fn(struct session *s, uint32_t id,
    struct answer *a);

/* The answers go to answered; failures is set to what store keeps. */
struct peers *peers_new(struct loop *loop, peers_answered_fn *answered,
    uint32_t *n_failures);
/* Whom signer.c speaks with is asked for other signatures, too. */
void peers_share_vault(struct peers *peers, struct channel *const *vault);
/* Where auth's mechanisms go (AUTH_OFFERS): 1 << enum auth_mechanism. */
void peers_share_offers(struct peers *peers, unsigned *offers);
/* A new end of a channel; takes fd over. */
void peers_add(struct peers *peers, enum role role, uint16_t index, int fd);
/* Ask store for a trail segment, unless that is under way. */
void peers_want_segment(struct peers *peers, struct trail *trail);

/* As in struct session_host. */
uint32_t peers_ask(struct peers *peers, struct session *s,
    const struct question *q);
void peers_forget(struct peers *peers, uint32_t id);
void peers_tell(struct peers *peers, const struct question *q);
/* Before the end: what may still wait to be told. */
void peers_flush(struct peers *peers);

#endif
