/* SPDX-License-Identifier: ISC */
/*
 * sts_entry.h - what sts.c, sts_entries.c and sts_keep.c share.
 *
 *	store --(at the start)--> entries <--> questions, documents (sts.c)
 *	      <--(each change)--
 */
#ifndef RELAY_STS_ENTRY_H
#define RELAY_STS_ENTRY_H

#include "dns.h"
#include "fetch.h"
#include "loop.h"
#include "mta_sts.h"
#include "relay.h"
#include "sts.h"

struct sts_policy {
	unsigned n_owners;
	struct mta_sts_policy policy;
};

enum entry_state { ENTRY_IDLE, ENTRY_RECORD, ENTRY_ADDRESSES,
	ENTRY_FETCHING, ENTRY_SETTLING };

struct waiter {
	struct waiter *next;
	void *arg;
	sts_found_fn *found;		/* NULL: has left */
};

struct entry {
	struct entry *next, *next_in_bucket;
	struct sts *sts;
	enum entry_state state;
	char domain[DNS_NAME_MAX + 1];
	char id[MTA_STS_ID_MAX + 1];	/* of the policy; "" none */
	char new_id[MTA_STS_ID_MAX + 1];
	struct sts_policy *policy;	/* NULL: none */
	bool is_kept;			/* by store, as it is */
	/* by the clock that nobody sets; fetched: to be refreshed by */
	int64_t expires_us, fetched_us, checked_us, failed_us;
	struct waiter *waiters;
	unsigned n_out;			/* questions for addresses */
	char addresses[512];
};

#define STS_BUCKETS 1024		/* a power of two */

struct held {				/* until store has been read */
	struct held *next;
	char domain[DNS_NAME_MAX + 1];
	void *arg;
	sts_found_fn *found;		/* NULL: has left */
};

struct sts {
	struct relay *relay;
	struct fetcher *fetcher;
	struct entry *entries;
	struct entry *buckets[STS_BUCKETS];	/* the same, by domain */
	size_t n_entries, n_policies, n_read;
	bool has_read, is_reading;	/* what store keeps */
	char last[DNS_NAME_MAX + 1];	/* that was read */
	struct held *held;
	struct loop_timer hold, upkeep;
	size_t n_keeping;		/* questions to store */
	int64_t keep_after_us;		/* it could not, a while ago */
};

int64_t sts_now_us(const struct sts *sts);

/* ---- sts_entries.c ---- */
/* The one of a domain, new if need be. NULL: no room. */
struct entry *entry_of(struct sts *sts, const char *domain);
/* The policy that holds now, whatever its mode; NULL: none. It may have
 * ended: then it is dropped. */
const struct mta_sts_policy *entry_policy(struct entry *e);
/* A parsed policy takes the place of the old one. False: no memory. */
bool entry_set_policy(struct entry *e, const struct mta_sts_policy *policy,
    const char *id);
/* It is older than a day, or than half of its life (RFC 8461 10.2). */
bool entry_is_due(struct entry *e);

/* ---- sts_keep.c ---- */
/* Tell store, if it does not know: one, or as many as may be out. */
void sts_keep_entry(struct entry *e);
void sts_keep_all(struct sts *sts);
/* Store is to forget it. */
void sts_drop(struct sts *sts, const char *domain);

/* ---- sts.c ---- */
/* Store has been read: who was held goes on. */
void sts_begin(struct sts *sts);

#endif
