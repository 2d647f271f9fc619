/* SPDX-License-Identifier: ISC */
/*
 * circle.h - two hosts that forward an address to each other; for this
 * folder only.
 *
 *	client -RCPT-> us -RCPT-> next hop -RCPT-> us -RCPT-> next hop ...
 *
 * Each of these questions waits for the one behind it. Where CIRCLE_ASKS of
 * them are open, about the same recipient and sender, and the next hop itself
 * asks for one more, that one is held for CIRCLE_WAIT_MS. If none of the
 * others has its answer by then, they wait for this one: it is refused for
 * good, and with it all of them, back to the client. Else the next hop is
 * only slow, and the question goes its way.
 */
#ifndef RELAY_CIRCLE_H
#define RELAY_CIRCLE_H

#include <stdint.h>
#include "loop.h"
#include "net_address.h"

#define CIRCLE_ASKS 6
#define CIRCLE_WAIT_MS 5000

struct job;

struct circle {				/* of a job; zeroed */
	struct net_address client;	/* who asks us; family 0: nobody */
	unsigned n_open;		/* when it was held */
	uint32_t limit_ms;
	struct loop_timer timer;
};

/* job_begin, at once or later. May answer, and free it, from within. */
void circle_begin(struct job *job, uint32_t limit_ms);
/* The job ends. */
void circle_forget(struct job *job);

#endif
