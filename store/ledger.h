/* SPDX-License-Identifier: ISC */
/*
 * ledger.h - what has left: a message and one recipient each, for 35 days.
 *
 * By it a bounce proves that it returns mail of ours: it must name a
 * Message-ID and a recipient that are here, and is believed once. Who reads
 * the file learns when somebody has written, not to whom nor what.
 *
 *	key	12 octets of HMAC(Message-ID), 12 of HMAC(recipient),
 *		8 of HMAC(sender), so that nobody who writes a Message-ID of
 *		another's into his own mail takes the place of that one's
 *	value	u64 time, u8 reports, queue id, NUL, sender, NUL, user
 *
 * A trace that has proven a bounce is noted alike, by its own two MACs, and
 * once more without a recipient, where reports counts all of its bounces.
 *
 * An entry is durable before the first octet of its message leaves: what is
 * put here counts once kv_commit has succeeded. Nothing here logs.
 */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include "ask.h"
#include "hmac.h"
#include "kv.h"

#define LEDGER_LIFE_S (35 * 86400)
#define LEDGER_DELAYS_MAX 8	/* reports of a delay, of one recipient */
#define LEDGER_TRACED_MAX 20	/* bounces that one trace proves */
#define LEDGER_KEY_PART 12	/* of the Message-ID, of the recipient */
#define LEDGER_KEY_SIZE (2 * LEDGER_KEY_PART + 8)

enum { LEDGER_IS_FAILED = 1, LEDGER_IS_DELIVERED = 2, LEDGER_DELAY = 4 };

struct ledger;

/* What an entry is known by. */
struct ledger_name {
	struct slice message_id, recipient, sender;
};

struct ledger_found {
	uint64_t time_s;
	uint8_t reports;	/* LEDGER_IS_..., and LEDGER_DELAY for each
				 * delay; 0: nothing was reported */
	char queue_id[QUEUE_ID_MAX];
	char sender[ASK_ADDRESS_MAX];
	char user[VOUCHER_USER_MAX];
};

/* A proof that was believed, as far as the ledger has to know. */
struct ledger_spending {
	uint8_t key[LEDGER_KEY_SIZE];
	uint8_t count_key[LEDGER_KEY_SIZE];	/* of a trace */
	bool is_trace;
	enum proof_action action;
};

/* fn of ledger_scan; false: enough. */
typedef bool ledger_each_fn(const uint8_t key[LEDGER_KEY_SIZE],
    const struct ledger_found *found, void *arg);

/* hmac is borrowed. 0 or -errno. */
int ledger_open(struct ledger **ledger, struct kv *kv, struct hmac *hmac);
void ledger_close(struct ledger **ledger);
/* 0, -ENOSPC or another -errno. One of the same name is replaced: it was sent
 * again. */
int ledger_put(struct ledger *ledger, const struct ledger_entry *entry);
/* -ENOENT: we have not sent that, or long ago. The case of addresses does not
 * matter, that of the Message-ID does. */
int ledger_find(struct ledger *ledger, const struct ledger_name *name,
    struct ledger_found *found);
/*
 * What the claim of a bounce is worth (NONE, GOOD or USED), and by which key.
 * 0 or -errno, with PROOF_UNKNOWN.
 */
int ledger_prove(struct ledger *ledger, const struct proof_ask *q,
    struct proof_answer *a, uint8_t key[LEDGER_KEY_SIZE]);
/* By which keys a proof is spent. 0 or -errno. */
int ledger_spending(struct ledger *ledger, const struct proof_ask *q,
    struct ledger_spending *what);
/* A bounce that says so was let in: the next one is not. 0, -ENOENT (there is
 * no such entry any more) or another -errno. */
int ledger_spend(struct ledger *ledger, const struct ledger_spending *what,
    int64_t now_s);
/* The key of this name, whether it is there or not. */
int ledger_key(struct ledger *ledger, const struct ledger_name *name,
    uint8_t key[LEDGER_KEY_SIZE]);
/* As kv_scan, without what is noted of traces. */
int ledger_scan(struct ledger *ledger, struct kv_position *at,
    unsigned n_most, ledger_each_fn *fn, void *arg);
/* As kv_expire. */
int ledger_expire(struct ledger *ledger, int64_t now_s, unsigned n_most);

#endif
