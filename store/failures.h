/* SPDX-License-Identifier: ISC */
/*
 * failures.h - failures that belonged to one recipient, for its retry.
 *
 * When one recipient's mailbox fails in PREPARE the whole transaction ends
 * with a 4xx. On the retry that recipient gets its failure at RCPT (a 4yz if
 * it was the message's: smtpd/remembered.h), and the others proceed.
 * Key: client network, reverse-path, recipient; 24 h.
 *
 *	failures_put -> armed --failures_ask: the failure--> served
 *	                  ^                                    |
 *	                  +---- failures_put (it failed again) +--ask: none
 *
 * A failure is told once: the next ask lets the recipient through, so that
 * a mailbox which has recovered gets its mail; if it fails again that arms
 * the memory anew. In memory only: after a restart of store each recipient
 * is simply tried. Bounded; the oldest makes room. Pure but for memory.
 */
#ifndef STORE_FAILURES_H
#define STORE_FAILURES_H

#include <stdbool.h>
#include <stdint.h>
#include "ask.h"
#include "hmac.h"

#define FAILURES_MAX 16384
#define FAILURES_LIFE_S (24 * 3600)

struct failures;

/* hmac is borrowed. NULL without memory. */
struct failures *failures_new(struct hmac *hmac);
void failures_free(struct failures **failures);
void failures_put(struct failures *f, const struct failure *failure,
    int64_t now_us);
/* Fill in *verdict; code 0: none, let it through. */
void failures_ask(struct failures *f, const struct failure *question,
    int64_t now_us, struct verdict *verdict);
void failures_expire(struct failures *f, int64_t now_us);
/* How many are armed: with none there is nothing to ask about. */
uint32_t failures_count_armed(const struct failures *f);

#endif
