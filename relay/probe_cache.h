/* SPDX-License-Identifier: ISC */
/*
 * probe_cache.h - what next hops said to RCPT, kept for a while; for this
 * folder only.
 *
 * A reply is kept for the very same question: where, from whom, to whom. One
 * sender may be refused where another is welcome, so none hears what was
 * said to another. A refusal is kept for the time in which somebody tries
 * the same thing again; a 4yz, so that a host that wants to be left alone
 * for a moment is. Memory is bounded: what is over, then the oldest goes.
 */
#ifndef RELAY_PROBE_CACHE_H
#define RELAY_PROBE_CACHE_H

#include "ask_hop.h"

#define PROBE_CACHE_MAX 2048
#define PROBE_KEPT_ACCEPTED_S 3600
#define PROBE_KEPT_REFUSED_S 600
#define PROBE_KEPT_LATER_S 300

struct probe_cache;

struct probe_cache *probe_cache_new(void);	/* NULL without memory */
void probe_cache_free(struct probe_cache **p);
/*
 * True: *a is what was said then, with its age (at least 1 s). Its slice is
 * good until the next call.
 */
bool probe_cache_find(const struct probe_cache *p,
    const struct relay_probe *q, int64_t now_us, struct hop_reply *a);
/* Keep a reply that is_said. Without memory it is not kept. */
void probe_cache_keep(struct probe_cache *p, const struct relay_probe *q,
    const struct hop_reply *a, int64_t now_us);
size_t probe_cache_count(const struct probe_cache *p);

#endif
