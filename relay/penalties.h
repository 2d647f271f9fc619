/* SPDX-License-Identifier: ISC */
/*
 * penalties.h - hosts that could not be used, and until when they are left
 * alone; for this folder only. Memory is bounded: over it the one that is
 * due first is forgotten.
 */
#ifndef RELAY_PENALTIES_H
#define RELAY_PENALTIES_H

#include <stdint.h>
#include "net_address.h"
#include "verdict.h"

#define PENALTIES_MAX 1024
#define PENALTY_FIRST_S 60
#define PENALTY_LONGEST_S 1800

struct penalties;

struct penalties *penalties_new(void);		/* NULL without memory */
void penalties_free(struct penalties **p);
/* It was bad again: twice as long as before. */
void penalties_add(struct penalties *p, const struct net_address *address,
    uint16_t port, const struct verdict *why, int64_t now_us);
/* It was good. */
void penalties_remove(struct penalties *p, const struct net_address *address,
    uint16_t port);
/* Seconds that it is left alone for, and why; 0: it may be tried. */
uint32_t penalties_find(const struct penalties *p,
    const struct net_address *address, uint16_t port, int64_t now_us,
    const struct verdict **why);
size_t penalties_count(const struct penalties *p, int64_t now_us);

#endif
