/* SPDX-License-Identifier: ISC */
/*
 * penalties.c - see penalties.h. Few hosts are bad at a time, so that the
 * table is looked through from end to end.
 */
#include <stdlib.h>
#include <string.h>
#include "penalties.h"

#define MEMORY_S 3600	/* after which a failure is the first one again */

struct penalty {
	struct net_address address;
	uint16_t port;
	unsigned n_failures;
	int64_t until_us;
	struct verdict why;
};

struct penalties {
	struct penalty list[PENALTIES_MAX];
	size_t n;
};

struct penalties *
penalties_new(void)
{
	return calloc(1, sizeof(struct penalties));
}

void
penalties_free(struct penalties **p)
{
	free(*p);
	*p = NULL;
}

static struct penalty *
find(const struct penalties *p, const struct net_address *address,
    uint16_t port)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct penalty *at = &p->list[i];

		if (at->port == port &&
		    net_address_equals(&at->address, address))
			return (struct penalty *)(uintptr_t)at;
	}
	return NULL;
}

/* A place for one more. */
static struct penalty *
place(struct penalties *p)
{
	struct penalty *first = &p->list[0];

	if (p->n < PENALTIES_MAX)
		return &p->list[p->n++];
	for (size_t i = 1; i < p->n; i++)
		if (p->list[i].until_us < first->until_us)
			first = &p->list[i];
	return first;
}

void
penalties_add(struct penalties *p, const struct net_address *address,
    uint16_t port, const struct verdict *why, int64_t now_us)
{
	struct penalty *at = find(p, address, port);
	int64_t seconds = PENALTY_FIRST_S;

	if (at == NULL) {
		at = place(p);
		memset(at, 0, sizeof *at);
	} else if (at->until_us > now_us) {
		return;		/* of a connection that was older */
	} else if (now_us - at->until_us > (int64_t)MEMORY_S * 1000000) {
		at->n_failures = 0;
	}
	for (unsigned i = 0; i < at->n_failures; i++)
		seconds = seconds * 2 < PENALTY_LONGEST_S ? seconds * 2 :
		    PENALTY_LONGEST_S;
	at->address = *address;
	at->port = port;
	at->n_failures++;
	at->until_us = now_us + seconds * 1000000;
	at->why = *why;
}

void
penalties_remove(struct penalties *p, const struct net_address *address,
    uint16_t port)
{
	struct penalty *at = find(p, address, port);

	if (at != NULL)
		*at = p->list[--p->n];
}

uint32_t
penalties_find(const struct penalties *p, const struct net_address *address,
    uint16_t port, int64_t now_us, const struct verdict **why)
{
	const struct penalty *at = find(p, address, port);

	if (at == NULL || at->until_us <= now_us)
		return 0;
	*why = &at->why;
	return (uint32_t)((at->until_us - now_us + 999999) / 1000000);
}

size_t
penalties_count(const struct penalties *p, int64_t now_us)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->list[i].until_us > now_us;
	return n;
}
