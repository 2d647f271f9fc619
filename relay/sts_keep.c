/* SPDX-License-Identifier: ISC */
/*
 * sts_keep.c - policies in store, so that they outlive this process: read at
 * its start, one after the other; told whenever one is fetched.
 *
 * What store gives back is parsed like a document from the web, and lives no
 * longer than its own max_age, whatever else store says. What store could
 * not keep is told again by the upkeep.
 */
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "log.h"
#include "sts_entry.h"

#define STORE_MS 10000
#define KEEPING_MAX 16
#define REST_US INT64_C(60000000)	/* after one that could not be kept */

int64_t
sts_now_us(const struct sts *s)
{
	return loop_now_us(s->relay->c.loop);
}

/* ---- reading ---- */

static void ask_next(struct sts *s);

static void
take(struct sts *s, const struct sts_kept *k)
{
	static struct mta_sts_policy policy;	/* large */
	int64_t left_s = (int64_t)k->expires_s - clock_wall_s();
	int64_t age_s = clock_wall_s() - (int64_t)k->fetched_s;
	char id[MTA_STS_ID_MAX + 1];
	struct entry *e;

	if (left_s <= 0 || !slice_copy(id, sizeof id, k->id) ||
	    !mta_sts_parse(&policy, k->text))
		return;
	if (left_s > policy.max_age_s)
		left_s = policy.max_age_s;
	e = entry_of(s, s->last);
	if (e == NULL || !entry_set_policy(e, &policy, id))
		return;
	e->is_kept = true;
	e->expires_us = sts_now_us(s) + left_s * 1000000;
	/* a clock that was set back has it refreshed */
	e->fetched_us -= (age_s < 0 || age_s > MTA_STS_AGE_MAX ?
	    MTA_STS_AGE_MAX : age_s) * 1000000;
}

static void
on_entry(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct sts *s = arg;
	char domain[DNS_NAME_MAX + 1];
	struct sts_kept k;

	(void)ch;
	s->is_reading = false;
	if (m == NULL || m->type != STS_ENTRY ||
	    !get_sts_kept(&m->body, &k) ||
	    !slice_copy(domain, sizeof domain, k.domain))
		return;			/* the upkeep asks again */
	if (strcmp(domain, s->last) <= 0 || s->n_read++ == STS_KEPT_MAX) {
		log_info("mta_sts_read", LOG_U("policies", s->n_policies),
		    LOG_END);
		s->has_read = true;
		sts_begin(s);
		return;
	}
	memcpy(s->last, domain, sizeof s->last);
	take(s, &k);
	ask_next(s);
}

static void
ask_next(struct sts *s)
{
	struct channel *store = s->relay->store;
	struct ipc_writer w;

	if (store == NULL)
		return;
	ipc_writer_init(&w);
	ipc_put_slice(&w, slice_of(s->last));
	s->is_reading = channel_ask(store, STS_NEXT, &w, -1, STORE_MS,
	    on_entry, s) != 0;
}

void
sts_read(struct sts *s)
{
	if (!s->has_read && !s->is_reading)
		ask_next(s);
}

/* ---- telling ---- */

struct keeping {
	struct sts *sts;
	char domain[DNS_NAME_MAX + 1];
	int64_t fetched_us;
};

static void
on_kept(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct keeping *k = arg;
	struct entry *e = k->sts->entries;

	(void)ch;
	k->sts->n_keeping--;
	while (e != NULL && strcmp(e->domain, k->domain) != 0)
		e = e->next;
	if (m == NULL || m->type != STS_KEPT) {
		k->sts->keep_after_us = sts_now_us(k->sts) + REST_US;
		log_warning("mta_sts", LOG_S("domain", k->domain),
		    LOG_S("why", "store does not keep its policy now"),
		    LOG_END);
	} else if (e != NULL && e->fetched_us == k->fetched_us) {
		e->is_kept = true;
	}
	free(k);
}

static void
keep(struct sts *s, const struct sts_kept *p, const char *domain,
    int64_t fetched_us)
{
	static struct ipc_writer w;	/* large */
	struct keeping *k = malloc(sizeof *k);

	if (k == NULL)
		return;
	k->sts = s;
	k->fetched_us = fetched_us;
	(void)slice_copy(k->domain, sizeof k->domain, slice_of(domain));
	ipc_writer_init(&w);
	put_sts_kept(&w, p);
	if (s->relay->store != NULL && channel_ask(s->relay->store, STS_KEEP,
	    &w, -1, STORE_MS, on_kept, k) != 0)
		s->n_keeping++;
	else
		free(k);
}

void
sts_keep_entry(struct entry *e)
{
	struct buf text = { .maximum = STS_KEPT_TEXT_MAX };
	int64_t now_us = sts_now_us(e->sts), now_s = clock_wall_s();
	struct sts_kept p = { .domain = slice_of(e->domain),
		.id = slice_of(e->id) };

	if (entry_policy(e) == NULL || e->sts->n_keeping >= KEEPING_MAX)
		return;
	p.fetched_s = (uint64_t)(now_s - (now_us - e->fetched_us) / 1000000);
	p.expires_s = (uint64_t)(now_s + (e->expires_us - now_us) / 1000000);
	if (mta_sts_write(&text, &e->policy->policy) == 0) {
		p.text = buf_slice(&text);
		keep(e->sts, &p, e->domain, e->fetched_us);
	} else {
		log_warning("mta_sts", LOG_S("domain", e->domain), LOG_S(
		    "why", "its policy is too large to be kept over a "
		    "restart"), LOG_END);
		e->is_kept = true;
		sts_drop(e->sts, e->domain);	/* nor an older one */
	}
	buf_free(&text);
}

void
sts_keep_all(struct sts *s)
{
	if (sts_now_us(s) < s->keep_after_us)
		return;
	for (struct entry *e = s->entries; e != NULL; e = e->next)
		if (!e->is_kept && e->state == ENTRY_IDLE)
			sts_keep_entry(e);
}

void
sts_drop(struct sts *s, const char *domain)
{
	const struct sts_kept none = { .domain = slice_of(domain) };

	keep(s, &none, domain, 0);
}
