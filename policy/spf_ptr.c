/* SPDX-License-Identifier: ISC */
/*
 * spf_ptr.c - the client's reverse names that its addresses confirm
 * (RFC 7208 5.5): for ptr, and for %{p}.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "spf_walk.h"

struct confirmed {
	size_t n;
	bool is_void;		/* there is no PTR record */
	char names[SPF_HOSTS_MAX][DNS_NAME_MAX + 1];
};

static bool
holds_client(const struct spf_walk *w, const struct dns_answer *answer)
{
	size_t size = w->is_ip6 ? 16 : 4;

	for (size_t i = 0; i < answer->n_records; i++)
		if (answer->records[i].data.size == size &&
		    memcmp(answer->records[i].data.data, w->client, size) == 0)
			return true;
	return false;
}

/* Only the first ten names are looked at (4.6.4). An error of DNS is no
 * match, for the reverse zone is not the sender's. False: over. */
static bool
confirm(struct spf_walk *w, struct confirmed *c)
{
	char reverse[DNS_NAME_MAX + 1], *name;
	struct dns_answer names, addresses;

	c->n = 0;
	c->is_void = false;
	if (!dns_reverse_name(reverse, w->query->client_ip))
		return true;
	if (!spf_walk_dns(w, FACT_DNS_PTR, reverse, &names))
		return false;
	c->is_void = names.status == DNS_NO_NAME ||
	    names.status == DNS_NO_DATA;
	for (size_t i = 0; i < names.n_records && i < SPF_HOSTS_MAX; i++) {
		name = c->names[c->n];
		if (!dns_name(name, names.records[i].data))
			continue;
		/* all at once: a missing one does not end the loop */
		if (spf_walk_dns(w, spf_walk_address_kind(w), name,
		    &addresses) && holds_client(w, &addresses))
			c->n++;
	}
	return !spf_walk_is_over(w);
}

static bool
is_below(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	return d > 0 && n > d && name[n - d - 1] == '.' &&
	    strcasecmp(name + n - d, domain) == 0;
}

bool
spf_ptr_match(struct spf_walk *w, const char *domain, bool *is_match)
{
	struct confirmed c;

	*is_match = false;
	if (!confirm(w, &c))
		return false;
	if (c.is_void)
		return spf_walk_count_void(w);
	for (size_t i = 0; i < c.n; i++)
		if (is_below(c.names[i], domain) ||
		    strcasecmp(c.names[i], domain) == 0)
			*is_match = true;
	return true;
}

bool
spf_ptr_name(struct spf_walk *w, const char *domain,
    char name[DNS_NAME_MAX + 1])
{
	struct confirmed c;
	const char *best;

	if (!confirm(w, &c))
		return false;
	best = c.n > 0 ? c.names[0] : "unknown";
	for (size_t i = c.n; i-- > 0;)
		if (is_below(c.names[i], domain))
			best = c.names[i];
	for (size_t i = 0; i < c.n; i++)
		if (strcasecmp(c.names[i], domain) == 0)
			best = c.names[i];
	snprintf(name, DNS_NAME_MAX + 1, "%s", best);
	return true;
}
