/* SPDX-License-Identifier: ISC */
/*
 * spf_zone.h - a table of DNS records that answers what SPF wants.
 */
#ifndef POSTERN_TESTS_SPF_ZONE_H
#define POSTERN_TESTS_SPF_ZONE_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../policy/spf.h"

struct zone_record {
	enum fact_kind kind;	/* 0 ends a table */
	const char *name;
	/* as in a zone file; NULL: no answer at all */
	const char *value;
	size_t size;		/* of a TXT value with NULs; else 0 */
};

static void
zone_put(struct buf *to, const struct zone_record *r)
{
	uint8_t octets[16];
	unsigned long preference;
	char *host;

	switch (r->kind) {
	case FACT_DNS_A:
	case FACT_DNS_AAAA:
		if (inet_pton(r->kind == FACT_DNS_A ? AF_INET : AF_INET6,
		    r->value, octets) != 1)
			abort();
		buf_append(to, octets, r->kind == FACT_DNS_A ? 4 : 16);
		break;
	case FACT_DNS_MX:
		preference = strtoul(r->value, &host, 10);
		octets[0] = (uint8_t)(preference >> 8);
		octets[1] = (uint8_t)preference;
		buf_append(to, octets, 2);
		buf_puts(to, *host == ' ' ? host + 1 : host);
		break;
	default:
		buf_append(to, r->value, r->size ? r->size :
		    strlen(r->value));
		break;
	}
}

static void
zone_find(const struct zone_record *zone, enum fact_kind kind,
    struct slice name, struct dns_answer *answer, struct buf *room)
{
	size_t ends[DNS_RECORDS_MAX + 1] = { 0 };

	*answer = (struct dns_answer){ .status = DNS_NO_NAME };
	for (; zone->kind != 0; zone++) {
		if (!slice_equals(name, slice_of(zone->name)))
			continue;
		if (answer->status == DNS_NO_NAME)
			answer->status = DNS_NO_DATA;
		if (zone->kind != kind)
			continue;
		answer->status = zone->value ? DNS_OK : DNS_FAILED;
		if (zone->value == NULL)
			continue;
		zone_put(room, zone);
		ends[++answer->n_records] = room->size;
	}
	for (size_t i = 0; i < answer->n_records; i++)
		answer->records[i].data = (struct slice){
		    room->data + ends[i], ends[i + 1] - ends[i] };
}

/* Answers all that is wanted. */
static void
zone_answer(const struct zone_record *zone, struct facts *facts)
{
	while (facts->n_wanted > 0) {
		struct buf room = { 0 }, wire = { 0 };
		struct fact wanted = facts->wanted[0];
		struct dns_answer answer;
		char key[DNS_NAME_MAX + 1];

		if (!slice_copy(key, sizeof key, wanted.key))
			abort();
		zone_find(zone, wanted.kind, wanted.key, &answer, &room);
		if (put_dns_answer(&wire, &answer) != 0 ||
		    facts_add(facts, wanted.kind, slice_of(key),
		    buf_slice(&wire)) != 0)
			abort();
		buf_free(&wire);
		buf_free(&room);
	}
}

#endif
