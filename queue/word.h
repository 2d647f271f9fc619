/* SPDX-License-Identifier: ISC */
/*
 * word.h - strings that many messages share: senders, domains, reasons.
 *
 * Each is kept once and counted, so that 100,000 messages that wait for one
 * host with one reason cost one copy of it. Equal words are the same
 * pointer. Only queue uses this; one table for the process.
 */
#ifndef QUEUE_WORD_H
#define QUEUE_WORD_H

#include <stdint.h>
#include "buf.h"

struct word {
	struct word *next;		/* in its bucket */
	uint32_t hash;
	uint32_t n_uses;
	uint32_t size;
	char text[];			/* terminated */
};

/* NULL without memory. */
struct word *word_get(struct slice text);
/* One more use of the same; w may be NULL. */
struct word *word_share(struct word *w);
/* One use less; sets *w to NULL and accepts NULL. */
void word_drop(struct word **w);
/* "" for NULL. */
struct slice word_slice(const struct word *w);
/* For tests: how many there are. */
uint32_t words_count(void);

#endif
