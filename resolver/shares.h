/* SPDX-License-Identifier: ISC */
/*
 * shares.h - how much of the resolver each client network occupies, for
 * this folder only.
 */
#ifndef RESOLVER_SHARES_H
#define RESOLVER_SHARES_H

#include <stddef.h>
#include "buf.h"

struct share;
struct shares;

/* NULL without memory. most: what one network may take. */
struct shares *shares_new(unsigned most);
void shares_free(struct shares **shares);
/*
 * Take one for the network. False when it has its share already, or without
 * memory. "" is nobody's: *share is then NULL, and there is no limit.
 */
bool shares_take(struct shares *shares, struct slice network,
    struct share **share);
/* Give one back. NULL is ignored. */
void shares_give(struct shares *shares, struct share **share);
/* Networks that have something out. */
size_t shares_count(const struct shares *shares);

#endif
