/* SPDX-License-Identifier: ISC */
/*
 * rules.h - what each peer may ask, for this folder only. The handlers'
 * argument is its struct peer.
 */
#ifndef STORE_RULES_H
#define STORE_RULES_H

#include <stddef.h>
#include "ipc.h"

extern const struct channel_rule store_smtpd_rules[];
extern const size_t store_n_smtpd_rules;
extern const struct channel_rule store_queue_rules[];
extern const size_t store_n_queue_rules;
extern const struct channel_rule store_relay_rules[];
extern const size_t store_n_relay_rules;
extern const struct channel_rule store_control_rules[];
extern const size_t store_n_control_rules;

/* ---- notes_rules.c, proofs_rules.c: of smtpd and control ---- */
channel_handler_fn store_on_grey_ask, store_on_seen_ask, store_on_proof_ask,
    store_on_proof_take, store_on_proof_drop;
/* The answer to PROOF_TAKE. */
void store_say_taken(struct channel *ch, uint32_t question, bool is_durable);
/* ---- sent_rules.c: of control and queue ---- */
channel_handler_fn store_on_sent_ask;

#endif
