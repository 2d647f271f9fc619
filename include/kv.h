/* SPDX-License-Identifier: ISC */
/*
 * kv.h - named tables of keys and values that survive a crash.
 *
 * Only store uses this. Today the engine is Berkeley DB in one folder
 * (store/kv_bdb.c); another one can stand behind the same functions, so
 * nothing here shows which.
 *
 *	kv_open -> kv_table_open ... -> kv_put, kv_get ... -> kv_commit
 *	    -> ... -> kv_close
 *
 * All changes since the last kv_commit are one transaction: callers put
 * what one round of their loop brings and commit once. Reads see changes
 * that are not committed yet. What kv_commit has not confirmed may be gone
 * after a crash, and is gone after kv_commit failed.
 *
 * Each record has an expiry in wall-clock seconds (0: never). An expired
 * record is not found any more; kv_expire removes it for good.
 *
 * Errors: -ENOENT, -ENOSPC and other errno values. -ENOTRECOVERABLE means
 * that the engine must be opened anew, by a new process. One process and
 * one thread own it; functions block for as long as the disk does.
 */
#ifndef POSTERN_KV_H
#define POSTERN_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define KV_KEY_MAX 256
#define KV_VALUE_MAX 960

struct kv;
struct kv_table;

/* Return false to stop. The table must not be changed meanwhile. */
typedef bool kv_each_fn(struct slice key, struct slice value, void *arg);

/*
 * Open what is in this folder, or begin there; recovers what a crash left.
 * The folder must exist. -ENOTRECOVERABLE when the content is damaged.
 */
int kv_open(struct kv **kv, const char *folder);
/*
 * Whether there was no room for a write since then. Recovery fails with
 * -ENOTRECOVERABLE for that, too, and the content may be good.
 */
bool kv_disk_was_full(void);
/* Commits, writes a checkpoint and releases the tables too. */
void kv_close(struct kv **kv);
/* Open or create; a name is [a-z_]+. The table is released by kv_close. */
int kv_table_open(struct kv *kv, const char *name, struct kv_table **table);

/* Changes of this table alone are not worth a flush of the disk: kv_commit
 * makes them survive the process, and the machine a few seconds later. */
void kv_table_is_soft(struct kv_table *table);

/*
 * Copy the value into room octets and set *size to its length. -ENOENT when
 * there is none or it has expired, -EMSGSIZE when room is too small.
 */
int kv_get(struct kv_table *table, struct slice key, void *value, size_t room,
    size_t *size);
/* Add or replace. On failure this one is not stored, earlier ones are. */
int kv_put(struct kv_table *table, struct slice key, struct slice value,
    int64_t expires_s);
/* -ENOENT when there was none. */
int kv_delete(struct kv_table *table, struct slice key);
/* Make it durable. On failure everything since the last one is lost. */
int kv_commit(struct kv *kv);
/* Anything was read or changed since then: end the round with kv_commit. */
bool kv_has_transaction(const struct kv *kv);

/* Every record, also those that kv_expire will remove; in no order.
 * -ENOTRECOVERABLE when one is longer than kv_put takes. */
int kv_iterate(struct kv_table *table, kv_each_fn *fn, void *arg);
/*
 * Look at up to n_most records from where the last call ended and delete
 * those that expired before now_s, telling fn (or NULL) each one. 1: there
 * is more; 0: the end was reached, the next call begins anew; or -errno.
 * This alone is not worth a flush of the disk.
 */
int kv_expire(struct kv_table *table, int64_t now_s, unsigned n_most,
    kv_each_fn *fn, void *arg);
/* Where kv_scan is: zeroed, before the first; and from then on kv_scan's. */
struct kv_position {
	size_t size;
	uint8_t key[KV_KEY_MAX];
};
/*
 * Tell fn up to n_most records from there on, in the order of their keys and
 * without those that have expired. 1: there is more; 0: the end was reached,
 * or fn has said so; or -errno. Records of many calls may be of many moments;
 * locks of the round grow with n_most.
 */
int kv_scan(struct kv_table *table, struct kv_position *at, unsigned n_most,
    kv_each_fn *fn, void *arg);
/* Bound the time of a recovery: call it every few minutes. */
int kv_checkpoint(struct kv *kv);
/* Bound it, and the log on disk, by what was written too: call it every few
 * seconds. */
int kv_checkpoint_if_due(struct kv *kv);

#endif
