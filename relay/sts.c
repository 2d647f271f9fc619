/* SPDX-License-Identifier: ISC */
/*
 * sts.c - see sts.h.
 *
 *	IDLE --find--> RECORD --new id--> ADDRESSES --> FETCHING --> IDLE
 *
 * Everybody who asks meanwhile waits for the same answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "fetch.h"
#include "log.h"
#include "mta_sts.h"
#include "relay.h"
#include "sts.h"

#define DNS_MS 15000		/* of one question: mail waits for it */

struct sts_policy {
	unsigned n_owners;
	struct mta_sts_policy policy;
};

enum entry_state { ENTRY_IDLE, ENTRY_RECORD, ENTRY_ADDRESSES,
	ENTRY_FETCHING };

struct waiter {
	struct waiter *next;
	void *arg;
	sts_found_fn *found;
};

struct entry {
	struct entry *next;
	struct sts *sts;
	enum entry_state state;
	char domain[DNS_NAME_MAX + 1];
	char id[MTA_STS_ID_MAX + 1];	/* of the policy; "" none */
	char new_id[MTA_STS_ID_MAX + 1];
	struct sts_policy *policy;	/* NULL: none */
	int64_t expires_us, checked_us, failed_us;
	struct waiter *waiters;
	unsigned n_out;			/* questions for addresses */
	char addresses[512];
};

struct sts {
	struct relay *relay;
	struct fetcher *fetcher;
	struct entry *entries;
	size_t n_entries;
};

static int64_t
now_us(const struct sts *s)
{
	return loop_now_us(s->relay->c.loop);
}

/* ---- policies ---- */

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

/* ---- entries ---- */

static void
entry_free(struct sts *s, struct entry *e)
{
	struct entry **at = &s->entries;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	s->n_entries--;
	sts_release(&e->policy);
	free(e);
}

/* Make room: the one that was looked at longest ago and that nobody needs. */
static void
evict(struct sts *s)
{
	struct entry *oldest = NULL;

	for (struct entry *e = s->entries; e != NULL; e = e->next)
		if (e->state == ENTRY_IDLE && (oldest == NULL ||
		    e->checked_us < oldest->checked_us))
			oldest = e;
	if (oldest != NULL)
		entry_free(s, oldest);
}

static struct entry *
entry_of(struct sts *s, const char *domain)
{
	struct entry *e = s->entries;

	while (e != NULL && strcmp(e->domain, domain) != 0)
		e = e->next;
	if (e != NULL)
		return e;
	if (s->n_entries >= STS_DOMAINS_MAX)
		evict(s);
	e = s->n_entries < STS_DOMAINS_MAX ? calloc(1, sizeof *e) : NULL;
	if (e == NULL)
		return NULL;
	e->sts = s;
	e->checked_us = e->failed_us = INT64_MIN / 2;
	(void)slice_copy(e->domain, sizeof e->domain, slice_of(domain));
	e->next = s->entries;
	s->entries = e;
	s->n_entries++;
	return e;
}

/* The one that holds now, for one more owner; NULL: none. */
static struct sts_policy *
policy_of(struct entry *e)
{
	if (e->policy != NULL && e->expires_us <= now_us(e->sts)) {
		sts_release(&e->policy);
		e->id[0] = '\0';
	}
	if (e->policy == NULL || e->policy->policy.mode == MTA_STS_NONE)
		return NULL;
	e->policy->n_owners++;
	return e->policy;
}

/* All that can be known is: the waiters go on. */
static void
settle(struct entry *e)
{
	struct waiter *w;

	e->state = ENTRY_IDLE;
	while ((w = e->waiters) != NULL) {
		e->waiters = w->next;
		if (w->found != NULL)
			w->found(w->arg, policy_of(e));
		free(w);
	}
}

/* ---- questions ---- */

static bool
ask(struct entry *e, enum dns_type type, const char *prefix,
    channel_answered_fn *answered)
{
	struct channel *resolver = e->sts->relay->resolver;
	char name[DNS_NAME_MAX + 16];
	struct dns_ask q = { .type = type };
	struct ipc_writer w;

	if (resolver == NULL || snprintf(name, sizeof name, "%s%s", prefix,
	    e->domain) > DNS_NAME_MAX)
		return false;
	q.name = slice_of(name);
	ipc_writer_init(&w);
	put_dns_ask(&w, &q);
	return channel_ask(resolver, DNS_ASK, &w, -1, DNS_MS, answered,
	    e) != 0;
}

static bool
read_answer(struct ipc_message *m, struct dns_answer *a)
{
	struct slice octets;

	if (m == NULL || m->type != DNS_ANSWER)
		return false;
	octets = ipc_get_slice(&m->body);
	return ipc_reader_is_done(&m->body) && get_dns_answer(octets, a);
}

/* ---- the document ---- */

static void
failed(struct entry *e, enum tls_result result, const char *why)
{
	const struct tls_report_key key = { TLS_POLICY_STS, e->domain, "" };

	tls_report_add(e->sts->relay->report, &key, result, clock_wall_s());
	log_warning("mta_sts", LOG_S("domain", e->domain), LOG_S("why", why),
	    LOG_S("effect", e->policy != NULL ? "the old policy holds" :
	    "no policy"), LOG_END);
	e->failed_us = now_us(e->sts);
	settle(e);
}

static void
on_fetched(void *arg, struct slice text, const char *why)
{
	struct entry *e = arg;
	struct sts_policy *p;

	if (why != NULL) {
		failed(e, TLS_RESULT_STS_FETCH, why);
		return;
	}
	p = calloc(1, sizeof *p);
	if (p == NULL || !mta_sts_parse(&p->policy, text)) {
		free(p);
		failed(e, TLS_RESULT_STS_INVALID, "it is no policy");
		return;
	}
	p->n_owners = 1;
	sts_release(&e->policy);
	e->policy = p;
	e->expires_us = now_us(e->sts) +
	    (int64_t)p->policy.max_age_s * 1000000;
	memcpy(e->id, e->new_id, sizeof e->id);
	log_info("mta_sts", LOG_S("domain", e->domain), LOG_S("id", e->id),
	    LOG_U("mode", p->policy.mode), LOG_U("max_age",
	    p->policy.max_age_s), LOG_END);
	settle(e);
}

static void
fetch(struct entry *e)
{
	char host[DNS_NAME_MAX + 16];

	snprintf(host, sizeof host, "mta-sts.%s", e->domain);
	e->state = ENTRY_FETCHING;
	if (*e->addresses == '\0')
		failed(e, TLS_RESULT_STS_FETCH, "its host has no address");
	else if (fetch_begin(e->sts->fetcher, host,
	    ".well-known/mta-sts.txt", e->addresses, on_fetched, e) == NULL)
		failed(e, TLS_RESULT_STS_FETCH, "it cannot be fetched here");
}

static void
add_address(struct entry *e, const struct slice *data)
{
	struct net_address a = { .family = data->size == 4 ? AF_INET :
		AF_INET6 };
	size_t used = strlen(e->addresses);

	if (data->size != 4 && data->size != 16)
		return;
	memcpy(&a.as, data->data, data->size);
	if (sizeof e->addresses - used > INET6_ADDRSTRLEN + 4)
		snprintf(e->addresses + used, sizeof e->addresses - used,
		    data->size == 4 ? "%s%s" : "%s[%s]", used ? "," : "",
		    net_address_text(&a).text);
}

static void
on_address(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct dns_answer a;	/* large */
	struct entry *e = arg;

	(void)ch;
	if (read_answer(m, &a))
		for (size_t i = 0; i < a.n_records && i < 4; i++)
			add_address(e, &a.records[i].data);
	if (--e->n_out == 0)
		fetch(e);
}

static void
ask_addresses(struct entry *e)
{
	e->state = ENTRY_ADDRESSES;
	e->addresses[0] = '\0';
	e->n_out = 1;
	e->n_out += ask(e, DNS_A, "mta-sts.", on_address);
	e->n_out += ask(e, DNS_AAAA, "mta-sts.", on_address);
	if (--e->n_out == 0)
		fetch(e);
}

/* ---- the record ---- */

/* One record, and only one (RFC 8461 3.1). */
static bool
find_id(const struct dns_answer *a, char id[MTA_STS_ID_MAX + 1])
{
	char other[MTA_STS_ID_MAX + 1];
	unsigned n = 0;

	for (size_t i = 0; i < a->n_records; i++)
		if (mta_sts_record(a->records[i].data, other)) {
			memcpy(id, other, sizeof other);
			n++;
		}
	return n == 1;
}

static void
on_record(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct dns_answer a;	/* large */
	struct entry *e = arg;

	(void)ch;
	if (!read_answer(m, &a) || !find_id(&a, e->new_id) ||
	    (e->policy != NULL && strcmp(e->id, e->new_id) == 0) ||
	    now_us(e->sts) - e->failed_us < (int64_t)STS_RETRY_S * 1000000)
		settle(e);
	else
		ask_addresses(e);
}

static void
look(struct entry *e)
{
	e->state = ENTRY_RECORD;
	e->checked_us = now_us(e->sts);
	if (!ask(e, DNS_TXT, "_mta-sts.", on_record))
		settle(e);
}

/* ---- for jobs ---- */

void
sts_find(struct sts *s, const char *domain, void *arg, sts_found_fn *found)
{
	enum config_relay_tls mode = s->relay->settings.tls;
	struct entry *e = NULL;
	struct waiter *w = NULL;

	if (mode == RELAY_TLS_DANE || mode == RELAY_TLS_REQUIRED)
		e = entry_of(s, domain);
	if (e != NULL && (e->state != ENTRY_IDLE || now_us(s) -
	    e->checked_us >= (int64_t)STS_CHECK_S * 1000000))
		w = calloc(1, sizeof *w);
	if (w == NULL) {
		found(arg, e != NULL ? policy_of(e) : NULL);
		return;
	}
	*w = (struct waiter){ e->waiters, arg, found };
	e->waiters = w;
	if (e->state == ENTRY_IDLE)
		look(e);
}

void
sts_forget(struct sts *s, const void *arg)
{
	for (struct entry *e = s->entries; e != NULL; e = e->next)
		for (struct waiter *w = e->waiters; w != NULL; w = w->next)
			if (w->arg == arg)
				w->found = NULL;
}

struct sts *
sts_new(struct relay *relay, struct slice ca)
{
	struct sts *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->relay = relay;
	s->fetcher = fetcher_new(relay->c.loop, ca);
	if (s->fetcher == NULL) {
		free(s);
		return NULL;
	}
	return s;
}
