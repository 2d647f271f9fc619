/* SPDX-License-Identifier: ISC */
/*
 * sts.h - MTA-STS policies that relay has fetched: they hold for as long as
 * they say, also when relay or the machine is started anew and their host
 * cannot be reached. At most STS_KEPT_MAX.
 *
 *	key	domain, NUL, number of the piece
 *	value	that piece of: u8 pieces, u64 fetched, u64 expires, u8 size
 *		of the id, id, text, MAC of domain and all of that
 *
 * Entries that the MAC does not fit, or that have expired, are not there. It
 * keeps octets; what they mean is relay's. Nothing here logs.
 */
#ifndef STORE_STS_H
#define STORE_STS_H

#include <stdint.h>
#include "ask.h"
#include "hmac.h"
#include "kv.h"

struct sts_table;

/* hmac is borrowed. 0 or -errno. */
int sts_open(struct sts_table **sts, struct kv *kv, struct hmac *hmac);
void sts_close(struct sts_table **sts);
/* Add, replace or (without text) remove. -ENOSPC: there are too many. What
 * is put counts once kv_commit has succeeded. */
int sts_keep(struct sts_table *sts, const struct sts_kept *policy);
/* The first one behind that domain; good until the next call. -ENOENT. */
int sts_next(struct sts_table *sts, struct slice domain,
    struct sts_kept *policy);

#endif
