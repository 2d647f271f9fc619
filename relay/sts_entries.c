/* SPDX-License-Identifier: ISC */
/*
 * sts_entries.c - the domains that were looked at, and their policies.
 *
 * Those without a policy make room first, so that mail to many domains does
 * not wash a policy out.
 */
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "sts_entry.h"

#define REFRESH_US INT64_C(86400000000)

void
sts_release(struct sts_policy **p)
{
	if (*p != NULL && --(*p)->n_owners == 0)
		free(*p);
	*p = NULL;
}

bool
sts_is_enforced(const struct sts_policy *p)
{
	return p->policy.mode == MTA_STS_ENFORCE;
}

bool
sts_has_host(const struct sts_policy *p, const char *host)
{
	return mta_sts_has_host(&p->policy, host);
}

static void
drop_policy(struct entry *e)
{
	if (e->policy == NULL)
		return;
	sts_release(&e->policy);
	e->sts->n_policies--;
	e->id[0] = '\0';
}

static struct entry **
bucket_of(struct sts *s, const char *domain)
{
	return &s->buckets[slice_hash(slice_of(domain)) & (STS_BUCKETS - 1)];
}

static void
entry_free(struct entry *e)
{
	struct sts *s = e->sts;
	struct entry **at = &s->entries;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	at = bucket_of(s, e->domain);
	while (*at != e)
		at = &(*at)->next_in_bucket;
	*at = e->next_in_bucket;
	s->n_entries--;
	drop_policy(e);
	free(e);
}

/* The one that was looked at longest ago and that nobody needs. */
static void
make_room(struct sts *s)
{
	struct entry *oldest = NULL;

	for (struct entry *e = s->entries; e != NULL; e = e->next)
		if (e->state == ENTRY_IDLE && entry_policy(e) == NULL &&
		    (oldest == NULL || e->checked_us < oldest->checked_us))
			oldest = e;
	if (oldest != NULL)
		entry_free(oldest);
}

/* The policy that would end first. */
static void
make_policy_room(struct sts *s)
{
	struct entry *first = NULL;

	for (struct entry *e = s->entries; e != NULL; e = e->next)
		if (e->state == ENTRY_IDLE && e->policy != NULL &&
		    (first == NULL || e->expires_us < first->expires_us))
			first = e;
	if (first == NULL)
		return;
	log_warning("mta_sts", LOG_S("domain", first->domain), LOG_S("why",
	    "there are too many policies"), LOG_S("effect",
	    "it is forgotten"), LOG_END);
	sts_drop(s, first->domain);
	entry_free(first);
}

struct entry *
entry_of(struct sts *s, const char *domain)
{
	struct entry **bucket = bucket_of(s, domain), *e = *bucket;

	while (e != NULL && strcmp(e->domain, domain) != 0)
		e = e->next_in_bucket;
	if (e != NULL)
		return e;
	if (s->n_entries >= STS_DOMAINS_MAX)
		make_room(s);
	e = s->n_entries < STS_DOMAINS_MAX ? calloc(1, sizeof *e) : NULL;
	if (e == NULL)
		return NULL;
	e->sts = s;
	e->checked_us = e->failed_us = INT64_MIN / 2;
	(void)slice_copy(e->domain, sizeof e->domain, slice_of(domain));
	e->next = s->entries;
	s->entries = e;
	e->next_in_bucket = *bucket;
	*bucket = e;
	s->n_entries++;
	return e;
}

const struct mta_sts_policy *
entry_policy(struct entry *e)
{
	if (e->policy != NULL && e->expires_us <= sts_now_us(e->sts))
		drop_policy(e);
	return e->policy != NULL ? &e->policy->policy : NULL;
}

bool
entry_set_policy(struct entry *e, const struct mta_sts_policy *policy,
    const char *id)
{
	struct sts_policy *p = malloc(sizeof *p);
	struct sts *s = e->sts;

	if (p == NULL)
		return false;
	drop_policy(e);
	if (s->n_policies >= STS_POLICIES_MAX)
		make_policy_room(s);
	p->n_owners = 1;
	p->policy = *policy;
	e->policy = p;
	s->n_policies++;
	e->is_kept = false;
	e->fetched_us = sts_now_us(s);
	e->expires_us = e->fetched_us + (int64_t)policy->max_age_s * 1000000;
	(void)slice_copy(e->id, sizeof e->id, slice_of(id));
	return true;
}

bool
entry_is_due(struct entry *e)
{
	const struct mta_sts_policy *p = entry_policy(e);
	int64_t age_us = sts_now_us(e->sts) - e->fetched_us;

	return p != NULL && (age_us >= REFRESH_US ||
	    age_us >= (int64_t)p->max_age_s * 500000);
}
