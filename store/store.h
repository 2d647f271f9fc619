/* SPDX-License-Identifier: ISC */
/*
 * store.h - what the store compartment owns, for this folder only.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include "ask.h"
#include "compartment.h"
#include "ended.h"
#include "failures.h"
#include "grey.h"
#include "hmac.h"
#include "kv.h"
#include "notes.h"
#include "proofs.h"
#include "records.h"
#include "segments.h"
#include "slots.h"
#include "sts.h"

#define RESOLVES_AT_ONCE 64
#define WHYS_AT_ONCE 8
#define LEDGER_AT_ONCE 4096	/* entries of one round, and policies */
struct store;
struct sent_job;
struct why_job;

/* One channel: to an smtpd, a deliver, queue, relay or control. */
struct peer {
	struct peer *next;
	struct store *store;
	struct channel *ch;
	enum role role;
	uint16_t index;
	uint16_t segment;		/* an smtpd's, or TRAIL_SEGMENT_NONE */
	struct why_job *jobs;		/* control's */
	struct sent_job *sents;		/* control's and queue's */
};

/* A record that a deliver was asked about. */
struct resolving {
	struct store *store;
	uint32_t slot;			/* SLOT_NONE: free */
};

struct unanswered {
	struct peer *peer;		/* NULL: gone */
	uint32_t id;
	enum ask_type answer;
};

struct store {
	struct compartment c;
	struct kv *kv;
	struct ended *ended;
	struct slots *slots;
	struct hmac *hmac;
	struct records *records;
	struct failures *failures;
	struct grey *grey;
	struct notes *seen;		/* what was seen before */
	struct ledger *ledger;
	struct sts_table *sts;		/* policies of MTA-STS */
	struct proofs *proofs;
	struct unanswered unanswered[LEDGER_AT_ONCE];
	uint64_t n_unanswered, n_noted;	/* not durable yet; in the ledger */
	struct segments *segments;
	char trail[160];		/* their folder, for the log */
	uint8_t boot[SLOT_BOOT_SIZE];
	struct peer *peers;
	struct resolving resolving[RESOLVES_AT_ONCE];
	unsigned n_whys, n_sents, n_ticks;
	bool has_told_failures;		/* that there are some */
	bool is_sweeping, is_sweeping_ledger;	/* ended, the ledger */
	bool is_stopping;
	int status;			/* of the process */
	int64_t hold_until_us;		/* the disk failed: not before then */
	uint64_t n_refused_logged;
	struct loop_timer tick, stop_limit;
};

/* ---- peers.c ---- */
void store_on_peer(struct compartment *c, enum role role, uint16_t index,
    int fd);
/* Tell each smtpd when failures begin or cease to be remembered. */
void store_tell_failures(struct store *s);
/* Whether an smtpd is still there, whose records may yet change. */
bool store_has_smtpd(const struct store *s);

/* ---- control_rules.c, sent_rules.c ---- */
/* Forget what this peer has asked about. */
void store_whys_end(struct peer *peer);
void store_sents_end(struct peer *peer);

/* ---- queue_rules.c ---- */
/* How kv_commit went: what is durable is answered. */
void store_ledger_committed(struct store *s, int error);
void store_ledger_peer_gone(struct store *s, const struct peer *peer);

/* ---- resolve.c ---- */
void store_resolve_init(struct store *s);
/* Ask deliver about unresolved records, as many as may be out. */
void store_resolve(struct store *s);

/* ---- upkeep.c ---- */
/* Once a second, and at the end of each round. */
void store_tick(struct loop_timer *timer, void *arg);
void store_round_end(void *arg);
/* Put on disk what waits for it. */
void store_commit(struct store *s);

/* ---- open.c: after the sandbox, in the store's folder ---- */
void store_open(struct store *s);
void store_close(struct store *s);

#endif
