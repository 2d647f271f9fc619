/* SPDX-License-Identifier: ISC */
/*
 * exchange.h - one AUTH command, from its first step to its end.
 *
 *	exchange_new -> exchange_step ... -> done is called once a step
 *	             -> exchange_free: after an answer that is not CONTINUE,
 *	                or when the client has gone
 */
#ifndef AUTH_EXCHANGE_H
#define AUTH_EXCHANGE_H

#include "ask.h"
#include "desk.h"

struct exchange;

/* The answer to the step that is out; what it points to is gone after it. */
typedef void exchange_done_fn(const struct auth_answer *answer, void *arg);

/* NULL without memory. */
struct exchange *exchange_new(struct desk *desk,
    const struct auth_step *first);
/* Its step is not answered any more. Accepts NULL, sets NULL. */
void exchange_free(struct exchange **exchange);
/* done may be called before this returns, and later with Dovecot. */
void exchange_step(struct exchange *exchange, const struct auth_step *step,
    exchange_done_fn *done, void *arg);
/* A step is out. */
bool exchange_is_busy(const struct exchange *exchange);
uint32_t exchange_id(const struct exchange *exchange);

#endif
