/* SPDX-License-Identifier: ISC */
/*
 * mailcache.c - open mailboxes by path; see mailcache.h. A hash table and a
 * list from the last opened to the first.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "clock.h"
#include "mailcache.h"

#define BUCKETS 2048		/* a power of two */
#define FILES_PER_BOX 4		/* two or three, and others need some, too */

struct mailcache {
	struct mailbox *buckets[BUCKETS];
	struct mailbox *newest, *oldest;
	unsigned n, n_max;
};

static void
unlink_from_list(struct mailcache *cache, struct mailbox *box)
{
	*(box->newer ? &box->newer->older : &cache->newest) = box->older;
	*(box->older ? &box->older->newer : &cache->oldest) = box->newer;
	box->newer = box->older = NULL;
}

static void
put_newest(struct mailcache *cache, struct mailbox *box)
{
	box->newer = NULL;
	box->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = box;
	cache->newest = box;
}

static void
box_free(struct mailbox *box)
{
	maildir_close(&box->dir);
	free(box);
}

void
mailcache_drop(struct mailcache *cache, struct mailbox *box)
{
	struct mailbox **at = &cache->buckets[box->hash % BUCKETS];

	if (box->is_dropped)
		return;
	while (*at != box)
		at = &(*at)->next;
	*at = box->next;
	unlink_from_list(cache, box);
	cache->n--;
	box->is_dropped = true;
	if (box->pins == 0)
		box_free(box);
}

void
mailcache_unpin(struct mailcache *cache, struct mailbox *box)
{
	(void)cache;
	box->pins--;
	if (box->pins == 0 && box->is_dropped)
		box_free(box);
}

static void
make_room(struct mailcache *cache)
{
	struct mailbox *box = cache->oldest, *newer;

	for (; box != NULL && cache->n >= cache->n_max; box = newer) {
		newer = box->newer;
		if (box->pins == 0)
			mailcache_drop(cache, box);
	}
}

static struct mailbox *
find(struct mailcache *cache, struct slice path, uint32_t hash)
{
	struct mailbox *box = cache->buckets[hash % BUCKETS];

	while (box != NULL && (box->hash != hash ||
	    !slice_equals(slice_of(box->path), path)))
		box = box->next;
	return box;
}

static struct mailbox *
open_box(struct mailcache *cache, const struct mailcache_key *key,
    uint32_t hash, int *error)
{
	struct mailbox *box = calloc(1, sizeof *box + key->path.size + 1);
	char home[PATH_MAX];

	*error = -ENOMEM;
	if (box == NULL)
		return NULL;
	memcpy(box->path, key->path.data, key->path.size);
	box->hash = hash;
	box->flush_slot = box->junk_slot = -1;
	*error = slice_copy(home, sizeof home, key->home) ?
	    maildir_open(&box->dir, box->path, home, key->is_made) :
	    -ENAMETOOLONG;
	if (*error) {
		free(box);
		return NULL;
	}
	make_room(cache);
	box->opened_us = clock_monotonic_us();
	box->next = cache->buckets[hash % BUCKETS];
	cache->buckets[hash % BUCKETS] = box;
	put_newest(cache, box);
	cache->n++;
	return box;
}

struct mailbox *
mailcache_get(struct mailcache *cache, const struct mailcache_key *key,
    int64_t max_age_us, int *error)
{
	uint32_t hash = slice_hash(key->path);
	struct mailbox *box = find(cache, key->path, hash);

	*error = 0;
	if (box != NULL && clock_monotonic_us() - box->opened_us >=
	    max_age_us) {
		mailcache_drop(cache, box);
		box = NULL;
	}
	if (box == NULL)
		box = open_box(cache, key, hash, error);
	if (box != NULL)
		box->pins++;
	return box;
}

void
mailcache_expire(struct mailcache *cache)
{
	int64_t until_us = clock_monotonic_us() - MAILCACHE_AGE_US;
	struct mailbox *box = cache->oldest, *newer;

	for (; box != NULL && box->opened_us <= until_us; box = newer) {
		newer = box->newer;
		mailcache_drop(cache, box);
	}
}

struct mailcache *
mailcache_new(void)
{
	struct mailcache *cache = calloc(1, sizeof *cache);
	struct rlimit files;

	if (cache == NULL)
		return NULL;
	cache->n_max = MAILCACHE_BOXES;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur / FILES_PER_BOX < cache->n_max)
		cache->n_max = (unsigned)(files.rlim_cur / FILES_PER_BOX);
	return cache;
}

void
mailcache_free(struct mailcache **cachep)
{
	struct mailcache *cache = *cachep;

	*cachep = NULL;
	while (cache != NULL && cache->newest != NULL)
		mailcache_drop(cache, cache->newest);
	free(cache);
}
