/* SPDX-License-Identifier: ISC */
/*
 * delivery.c - see delivery.h.
 */
#include "delivery.h"

void
delivery_settle(struct delivery *d, uint16_t i, enum relay_stage stage,
    const struct verdict *v)
{
	struct delivery_recipient *r = &d->recipients[i];

	if (r->state == DELIVERY_SETTLED)
		return;
	r->state = DELIVERY_SETTLED;
	r->stage = stage;
	r->verdict = *v;
}

void
delivery_settle_all(struct delivery *d, enum delivery_state state,
    enum relay_stage stage, const struct verdict *v)
{
	for (uint16_t i = 0; i < d->n_recipients; i++)
		if (d->recipients[i].state == state)
			delivery_settle(d, i, stage, v);
}

void
delivery_reopen(struct delivery *d)
{
	for (uint16_t i = 0; i < d->n_recipients; i++)
		if (d->recipients[i].state == DELIVERY_TAKEN)
			d->recipients[i].state = DELIVERY_OPEN;
}

uint16_t
delivery_count(const struct delivery *d, enum delivery_state state)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < d->n_recipients; i++)
		n += d->recipients[i].state == state;
	return n;
}
