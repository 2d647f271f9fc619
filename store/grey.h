/* SPDX-License-Identifier: ISC */
/*
 * grey.h - the greylist: who has written to whom, and came again.
 *
 *	(none) --new--> noted --early--> noted --known--> proven --+
 *	                 |                                 ^ known |
 *	                 +--late--> noted anew             +-------+
 *
 * A triple of client network, sender and recipient is noted when it is first
 * seen, and passes when it is seen again after the delay and inside of the
 * window. What passed once passes for lifetime_s after its last pass.
 *
 * One client network may leave GREY_UNPROVEN_MAX notes an hour behind that
 * did not come again; over that it is told "new" and nothing is noted. A
 * clock that was set back costs a triple one more delay, never a pass.
 */
#ifndef STORE_GREY_H
#define STORE_GREY_H

#include <stdint.h>
#include "ask.h"
#include "hmac.h"
#include "kv.h"
#include "notes.h"

#define GREY_ENTRIES_MAX 1000000
#define GREY_UNPROVEN_MAX 2000
#define SEEN_ENTRIES_MAX 1000000

struct grey;

/* hmac is borrowed. 0 or -errno. */
int grey_open(struct grey **grey, struct kv *kv, struct hmac *hmac);
void grey_close(struct grey **grey);
/* Never fails: GREY_UNKNOWN when it cannot tell. */
void grey_ask(struct grey *grey, const struct grey_ask *q, int64_t now_s,
    struct grey_answer *answer);
struct notes *grey_notes(struct grey *grey);

/* What was seen before: notes by any key; SEEN_UNKNOWN: cannot tell. */
void seen_ask(struct notes *notes, struct hmac *hmac,
    const struct seen_ask *q, int64_t now_s, struct seen_answer *answer);

#endif
