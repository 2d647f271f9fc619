/* SPDX-License-Identifier: ISC */
/*
 * errand.c - see errand.h.
 */
#include <stdio.h>
#include <string.h>
#include "address.h"
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

bool
errand_write_ascii(char to[ADDRESS_TEXT_MAX + 1], const char *address)
{
	struct slice text = slice_of(address);
	char domain[ADDRESS_DOMAIN_MAX + 1];
	const char *at = strrchr(address, '@');
	size_t local = at != NULL ? (size_t)(at - address) : 0;

	if (utf8_is_ascii(text))
		return slice_copy(to, ADDRESS_TEXT_MAX + 1, text);
	if (at == NULL || !utf8_is_ascii((struct slice){ address, local }) ||
	    address_parse_domain(domain, slice_of(at + 1),
	    ADDRESS_ALLOW_UTF8) != ADDRESS_OK)
		return false;
	return snprintf(to, ADDRESS_TEXT_MAX + 1, "%.*s@%s", (int)local,
	    address, domain) <= ADDRESS_TEXT_MAX;
}

bool
errand_can_be_ascii(const struct errand *d)
{
	char address[ADDRESS_TEXT_MAX + 1];

	for (uint16_t i = 0; i < d->n_recipients; i++)
		if (!errand_write_ascii(address, d->recipients[i].address))
			return false;
	return errand_write_ascii(address, d->reverse_path);
}

uint16_t
errand_count(const struct errand *d, enum errand_state state)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < d->n_recipients; i++)
		n += d->recipients[i].state == state;
	return n;
}
