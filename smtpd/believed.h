/* SPDX-License-Identifier: ISC */
/*
 * believed.h - mailboxes that deliver has found well a moment ago.
 *
 * While deliver would say the same again without asking anybody (PROBE's
 * answer tells for how long), a RCPT for the same mailbox is answered
 * without waiting for deliver, which is only told of the route. Nothing
 * rests on it: a copy that cannot be written fails before the 250.
 *
 * A table of fixed size; newer ones push out older ones.
 */
#ifndef POSTERN_SMTPD_BELIEVED_H
#define POSTERN_SMTPD_BELIEVED_H

#include <stdbool.h>
#include <stdint.h>
#include "route.h"

struct believed;

/* NULL without memory. */
struct believed *believed_new(void);
void believed_free(struct believed **believed);
/*
 * Would deliver say yes at now_us to this route? Only ever true for
 * routes to one mailbox without a quota. believed may be NULL.
 */
bool believed_has(const struct believed *believed, const struct route *route,
    int64_t now_us);
/* It has said so, and it holds for so long from now_us on. */
void believed_note(struct believed *believed, const struct route *route,
    int64_t now_us, uint32_t for_ms);
/* A delivery has failed: believe nothing. */
void believed_forget(struct believed *believed);

#endif
