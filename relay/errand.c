/* SPDX-License-Identifier: ISC */
/*
 * errand.c - see errand.h.
 */
#include "errand.h"
#include "utf8.h"

void
errand_settle(struct errand *d, uint16_t i, enum relay_stage stage,
    const struct verdict *v)
{
	struct errand_recipient *r = &d->recipients[i];

	if (r->state == ERRAND_SETTLED)
		return;
	r->state = ERRAND_SETTLED;
	r->stage = stage;
	r->verdict = *v;
}

void
errand_settle_all(struct errand *d, enum errand_state state,
    enum relay_stage stage, const struct verdict *v)
{
	for (uint16_t i = 0; i < d->n_recipients; i++)
		if (d->recipients[i].state == state)
			errand_settle(d, i, stage, v);
}

void
errand_reopen(struct errand *d)
{
	for (uint16_t i = 0; i < d->n_recipients; i++)
		if (d->recipients[i].state == ERRAND_TAKEN)
			d->recipients[i].state = ERRAND_OPEN;
}

bool
errand_has_utf8_address(const struct errand *d)
{
	for (uint16_t i = 0; i < d->n_recipients; i++)
		if (!utf8_is_ascii(slice_of(d->recipients[i].address)))
			return true;
	return d->reverse_path != NULL &&
	    !utf8_is_ascii(slice_of(d->reverse_path));
}

uint16_t
errand_count(const struct errand *d, enum errand_state state)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < d->n_recipients; i++)
		n += d->recipients[i].state == state;
	return n;
}
