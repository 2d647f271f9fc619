/* SPDX-License-Identifier: ISC */
/*
 * rewrite.h - the reverse-path of a forward becomes an address of ours
 * (srs.h), which vault makes; for this folder only.
 */
#ifndef RELAY_REWRITE_H
#define RELAY_REWRITE_H

#include "job.h"

struct rewrite {
	struct slice domain;		/* of the new one; "": it stays */
	bool is_authenticated;
};

/*
 * circle_begin, with another reverse-path where that has to be. A null one
 * stays, and so does one in a domain of ours, as vault says. Where it cannot
 * be made nothing is sent.
 */
void rewrite_begin(struct job *job, const struct rewrite *how,
    uint32_t limit_ms);
/* The job ends before the answer. */
void rewrite_forget(struct job *job);

#endif
