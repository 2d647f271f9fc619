/* SPDX-License-Identifier: ISC */
/*
 * hosts.c - see hosts.h: what the answers amount to. hosts_ask.c asks.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "hosts.h"

/* ---- MX ---- */

static void
host_add(struct hosts *h, uint16_t preference, uint32_t order,
    const char *name)
{
	struct host *host;

	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->list[i].name, name) == 0)
			return;
	if (h->n == HOSTS_MAX) {
		h->is_cut = true;
		return;
	}
	host = &h->list[h->n++];
	memset(host, 0, sizeof *host);
	(void)slice_copy(host->name, sizeof host->name, slice_of(name));
	host->preference = preference;
	host->order = order;
	host->is_own = strcasecmp(name, h->settings->hostname) == 0;
}

struct mx {
	uint16_t preference;
	uint32_t order;
	char name[DNS_NAME_MAX + 1];
};

static int
compare_mx(const void *a, const void *b)
{
	const struct mx *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* The best ones: what does not fit is the worst. */
static void
add_sorted(struct hosts *h, const struct dns_answer *a)
{
	static struct mx all[DNS_RECORDS_MAX];	/* large */
	struct slice name;
	size_t n = 0;

	for (size_t i = 0; i < a->n_records; i++) {
		if (!dns_mx(a->records[i].data, &all[n].preference, &name) ||
		    name.size == 0 || slice_has_control(name) ||
		    !dns_name(all[n].name, name))
			continue;
		/* a system call each: not where there is nothing to choose */
		all[n++].order = a->n_records > 1 ? arc4random() : 0;
	}
	qsort(all, n, sizeof *all, compare_mx);
	for (size_t i = 0; i < n; i++)
		host_add(h, all[i].preference, all[i].order, all[i].name);
}

/* "." alone: the domain takes no mail (RFC 7505). */
static bool
is_null_mx(const struct dns_answer *a)
{
	struct slice name;
	uint16_t preference;

	return a->n_records == 1 &&
	    dns_mx(a->records[0].data, &preference, &name) && name.size == 0;
}

void
hosts_take_mx(struct hosts *h, const struct dns_answer *a)
{
	h->is_secure = a->is_secure;
	h->is_unchecked = a->is_unchecked;
	if (!a->is_secure || slice_has_control(a->canonical) ||
	    !dns_name(h->canonical, a->canonical))
		h->canonical[0] = '\0';
	switch (a->status) {
	case DNS_FAILED:
		verdict_set(&h->verdict, 451, 4, 3, "the DNS does not answer "
		    "for the MX of %s", h->domain);
		return;
	case DNS_NO_NAME:
		verdict_set(&h->verdict, 550, 1, 2, "the domain %s does not "
		    "exist", h->domain);
		return;
	case DNS_NO_DATA:
		h->is_implicit = true;
		host_add(h, 0, 0, h->domain);
		return;
	case DNS_OK:
		break;
	}
	if (is_null_mx(a)) {
		verdict_set(&h->verdict, 556, 1, 10, "the domain %s takes no "
		    "mail (null MX)", h->domain);
		return;
	}
	add_sorted(h, a);
	if (h->n == 0)
		verdict_set(&h->verdict, 550, 4, 4, "no MX record of %s "
		    "names a host", h->domain);
}

/* ---- the end ---- */

static int
compare_hosts(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void
look_for_us(struct hosts *h)
{
	for (size_t i = 0; i < h->n; i++)
		for (size_t k = 0; k < h->list[i].n_addresses; k++)
			if (own_addresses_has(h->settings->own,
			    &h->list[i].addresses[k], h->port))
				h->list[i].is_own = true;
}

/* RFC 5321 5.1: we, and all of the same or a worse preference. */
static bool
cut_at_us(struct hosts *h)
{
	uint32_t least = UINT32_MAX;
	uint8_t n = 0;

	look_for_us(h);
	for (size_t i = 0; i < h->n; i++)
		if (h->list[i].is_own && h->list[i].preference < least)
			least = h->list[i].preference;
	while (n < h->n && h->list[n].preference < least)
		n++;
	if (n == h->n)
		return false;
	h->n = n;
	h->is_cut = false;	/* the worst are not for us in any case */
	return true;
}

/* False: none of them can be tried. */
static bool
look_for_addresses(struct hosts *h)
{
	bool has_any = false;

	for (size_t i = 0; i < h->n; i++)
		if (h->list[i].n_addresses > 0)
			has_any = true;
		else if (h->list[i].is_unknown)
			verdict_set(&h->missing, 451, 4, 3, "the DNS does "
			    "not answer for the host %s", h->list[i].name);
	return has_any;
}

void
hosts_finish(struct hosts *h)
{
	if (h->verdict.code != 0)
		return;
	if (h->n > 0)
		qsort(h->list, h->n, sizeof h->list[0], compare_hosts);
	if (cut_at_us(h) && h->n == 0) {
		verdict_set(&h->verdict, 554, 4, 6, "mail for %s loops back "
		    "to this host", h->domain);
		return;
	}
	if (look_for_addresses(h))
		return;
	if (h->missing.code != 0)
		verdict_set(&h->verdict, 451, 4, 3, "the DNS does not answer "
		    "for the hosts of %s", h->domain);
	else if (h->is_implicit)
		verdict_set(&h->verdict, 550, 1, 2, "the domain %s has "
		    "neither MX nor address", h->domain);
	else if (h->is_cut)
		verdict_set(&h->verdict, 451, 4, 4, "none of the %d best "
		    "hosts of %s has an address, and no more are looked at",
		    HOSTS_MAX, h->domain);
	else
		verdict_set(&h->verdict, 550, 4, 4, "no host of %s has an "
		    "address", h->domain);
}

const char *
host_tlsa_base(const struct host *host)
{
	return host->is_base_canonical ? host->canonical : host->name;
}

bool
hosts_of_address(struct hosts *h, const struct hosts_settings *settings,
    const char *text)
{
	struct net_address a;

	memset(h, 0, sizeof *h);
	h->settings = settings;
	h->port = settings->port;
	if (!net_address_parse(&a, text))
		return false;
	(void)slice_copy(h->domain, sizeof h->domain, slice_of(text));
	h->is_implicit = true;
	host_add(h, 0, 0, text);
	h->list[0].addresses[0] = a;
	h->list[0].n_addresses = 1;
	h->list[0].n_v4 = a.family == AF_INET;
	return true;
}
