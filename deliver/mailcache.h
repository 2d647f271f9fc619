/* SPDX-License-Identifier: ISC */
/*
 * mailcache.h - a worker's open mailboxes.
 *
 * Opening one costs some ten system calls, so the last opened ones stay open
 * for five seconds. The name may lead to another by then: who is about to
 * write asks maildir_is_at. A box is pinned while a batch uses it. One that
 * is open keeps its file system from being unmounted, so those that are too
 * old are closed at the end of each batch, and when none comes.
 */
#ifndef DELIVER_MAILCACHE_H
#define DELIVER_MAILCACHE_H

#include <stdbool.h>
#include <stdint.h>
#include "maildir.h"

#define MAILCACHE_AGE_US 5000000
#define MAILCACHE_BOXES 2048	/* fewer where few files may be open */

struct mailcache;

struct mailcache_key {		/* what maildir_open wants */
	struct slice path, home;
	bool is_made;
};

struct mailbox {
	struct maildir dir;
	/* the worker's own, -1 between batches; of new/, of .Junk/new/ */
	int flush_slot, junk_slot;
	/* the cache's own: */
	struct mailbox *next;	/* of the same hash */
	struct mailbox *newer, *older;
	int64_t opened_us;
	unsigned pins;
	bool is_dropped;
	uint32_t hash;
	char path[];
};

/* NULL without memory. */
struct mailcache *mailcache_new(void);
void mailcache_free(struct mailcache **cache);

/*
 * The mailbox at path, opened at most max_age_us ago, or opened now
 * (maildir_open). Pinned: give it back with mailcache_unpin. NULL with
 * *error a negative errno.
 */
struct mailbox *mailcache_get(struct mailcache *cache,
    const struct mailcache_key *key, int64_t max_age_us, int *error);
void mailcache_unpin(struct mailcache *cache, struct mailbox *box);
/* Close those that are too old to be used. */
void mailcache_expire(struct mailcache *cache);
/* It turned out to be stale: the next get opens it anew. */
void mailcache_drop(struct mailcache *cache, struct mailbox *box);

#endif
