/* SPDX-License-Identifier: ISC */
/*
 * delivery.h - one message for some recipients at one next hop, and what
 * became of each of them; for this folder only.
 *
 *	OPEN --RCPT 2xx--> TAKEN --250 after the dot--> SETTLED
 *	  |  <--host lost--  |  --refused, or lost after the dot--> SETTLED
 *	  +--refused or given up---------------------------------> SETTLED
 *
 * A recipient that is OPEN when a connection ends may be tried at the next
 * host; one whose dot was sent never is: it may have it.
 */
#ifndef RELAY_DELIVERY_H
#define RELAY_DELIVERY_H

#include "ask.h"
#include "encoder.h"

#define DELIVERY_RECIPIENTS_MAX RELAY_JOB_RECIPIENTS

enum delivery_state { DELIVERY_OPEN, DELIVERY_TAKEN, DELIVERY_SETTLED };

struct delivery_recipient {
	uint16_t index;			/* queue's */
	char *address;
	char *orcpt;			/* "" none */
	unsigned notify;
	enum delivery_state state;
	bool is_told;
	enum relay_stage stage;
	struct verdict verdict;		/* when settled */
};

struct delivery {
	char *reverse_path;		/* "" null */
	char *envid;			/* "" none */
	enum dsn_ret ret;
	bool is_8bit, is_utf8, requires_tls;
	struct encoder_source source;
	struct delivery_recipient *recipients;
	uint16_t n_recipients;
};

/* An OPEN or TAKEN one has its answer. */
void delivery_settle(struct delivery *d, uint16_t i, enum relay_stage stage,
    const struct verdict *v);
/* All that are in this state. */
void delivery_settle_all(struct delivery *d, enum delivery_state state,
    enum relay_stage stage, const struct verdict *v);
/* TAKEN ones are OPEN again: the message was not sent. */
void delivery_reopen(struct delivery *d);
uint16_t delivery_count(const struct delivery *d, enum delivery_state state);

#endif
