/* SPDX-License-Identifier: ISC */
/*
 * ended.h - delivery records of sessions that ended unconfirmed, on disk.
 *
 * Each says: this was delivered, and the client may not know. Kept for
 * 48 h. A filter in memory (counters by the first bits of the key) answers
 * for nearly every key that is not there, so that a message without a past
 * costs no look-up. Changes are durable after the next kv_commit.
 */
#ifndef STORE_ENDED_H
#define STORE_ENDED_H

#include <stdbool.h>
#include <stdint.h>
#include "kv.h"

#define ENDED_KEY_SIZE 32
#define ENDED_LIFE_S (48 * 3600)

struct ended;

/* Reads the keys of the whole table once. 0 or -errno. */
int ended_open(struct ended **ended, struct kv *kv);
void ended_close(struct ended **ended);
/* 1: it is there; 0: it is not; -errno: cannot tell. */
int ended_find(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE]);
int ended_put(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE],
    int64_t expires_s);
int ended_delete(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE]);
/* kv_expire of up to n_most. 1: there is more. */
int ended_expire(struct ended *ended, int64_t now_s, unsigned n_most);
/* After a commit failed the filter counts what is not there: count anew. */
int ended_recount(struct ended *ended);
uint64_t ended_count(const struct ended *ended);

#endif
