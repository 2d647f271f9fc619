/* SPDX-License-Identifier: ISC */
/*
 * peer.h - all that the compartment owns: peers, and what serves them.
 */
#ifndef DELIVER_PEER_H
#define DELIVER_PEER_H

#include "delivery.h"

#define DELIVERY_BUCKETS 8192
#define DELIVERIES_MAX 100000		/* of one peer */

struct peer {			/* one channel to an smtpd or store */
	struct deliver *deliver;
	struct peer *next;
	struct channel *channel;
	enum role role;
	uint16_t index;
	char name[32];
	uint32_t n_transactions;
	struct delivery *buckets[DELIVERY_BUCKETS];
};

/* All that the compartment owns. */
struct resolve;
struct programs;
struct deliver {
	struct compartment c;
	struct pools *pools;
	struct boxes *boxes;
	struct programs *programs;	/* NULL: none can be run */
	struct peer *peers;
	struct delivery *orphans;
	struct resolve *resolves;	/* that wait for older jobs */
	uid_t min_uid, own_uid;
	bool is_stopping, is_draining;
};

#endif
