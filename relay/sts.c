/* SPDX-License-Identifier: ISC */
/*
 * sts.c - see sts.h.
 *
 *	IDLE --find--> RECORD --new id--> ADDRESSES --> FETCHING --> IDLE
 *
 * Everybody who asks meanwhile waits for the same answer, except that a
 * policy that is only fetched again, with the same id, holds meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "log.h"
#include "sts_entry.h"

#define DNS_MS 15000		/* of one question: mail waits for it */
#define HOLD_MS 10000		/* for store, at the start */
#define UPKEEP_MS 5000
#define REFRESHES_AT_ONCE 5

/* The one that holds now, for one more owner; NULL: none. */
static struct sts_policy *
policy_of(struct entry *e)
{
	const struct mta_sts_policy *p = entry_policy(e);

	if (p == NULL || p->mode == MTA_STS_NONE)
		return NULL;
	e->policy->n_owners++;
	return e->policy;
}

/* All that can be known is: the waiters go on. */
static void
settle(struct entry *e)
{
	struct waiter *w;

	/* whoever is called may ask for others: e must stay */
	e->state = ENTRY_SETTLING;
	while ((w = e->waiters) != NULL) {
		e->waiters = w->next;
		if (w->found != NULL)
			w->found(w->arg, policy_of(e), true);
		free(w);
	}
	e->state = ENTRY_IDLE;
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
	e->failed_us = sts_now_us(e->sts);
	settle(e);
}

static enum tls_result
result_of(enum fetch_fault fault)
{
	return fault == FETCH_CERTIFICATE ? TLS_RESULT_STS_WEBPKI :
	    TLS_RESULT_STS_FETCH;
}

static void
on_fetched(void *arg, const struct fetched *got)
{
	static struct mta_sts_policy policy;	/* large */
	struct entry *e = arg;

	if (got->fault != FETCH_OK) {
		failed(e, result_of(got->fault), got->why);
		return;
	}
	if (!mta_sts_parse(&policy, got->text)) {
		failed(e, TLS_RESULT_STS_INVALID, "it is no policy");
		return;
	}
	if (!entry_set_policy(e, &policy, e->new_id)) {
		failed(e, TLS_RESULT_STS_FETCH, "no memory");
		return;
	}
	log_info("mta_sts", LOG_S("domain", e->domain), LOG_S("id", e->id),
	    LOG_S("mode", mta_sts_mode_name(policy.mode)),
	    LOG_U("max_age", policy.max_age_s), LOG_END);
	sts_keep_entry(e);
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

/*
 * There is something to be fetched. A DNS that is silent does not keep an
 * old policy from being fetched again.
 */
static bool
wants_fetch(struct entry *e, const struct dns_answer *a)
{
	bool has_policy = entry_policy(e) != NULL;
	bool has_id = find_id(a, e->new_id);

	if (sts_now_us(e->sts) - e->failed_us <
	    (int64_t)STS_RETRY_S * 1000000)
		return false;
	if (has_id && (!has_policy || strcmp(e->id, e->new_id) != 0))
		return true;
	if (!has_id && a->status != DNS_FAILED)
		return false;
	memcpy(e->new_id, e->id, sizeof e->id);
	return entry_is_due(e);
}

static bool
is_refresh(struct entry *e)
{
	return entry_policy(e) != NULL && strcmp(e->id, e->new_id) == 0;
}

static void
on_record(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct dns_answer a;	/* large */
	struct entry *e = arg;
	bool wants;

	(void)ch;
	if (!read_answer(m, &a))
		a = (struct dns_answer){ .status = DNS_FAILED };
	wants = wants_fetch(e, &a);
	if (!wants || is_refresh(e))
		settle(e);
	if (wants)
		ask_addresses(e);
}

static void
look(struct entry *e)
{
	e->state = ENTRY_RECORD;
	e->checked_us = sts_now_us(e->sts);
	if (!ask(e, DNS_TXT, "_mta-sts.", on_record))
		settle(e);
}

/* ---- for jobs ---- */

static bool
is_used(const struct sts *s)
{
	enum config_relay_tls mode = s->relay->settings.tls;

	return mode == RELAY_TLS_DANE || mode == RELAY_TLS_REQUIRED;
}

static bool
must_wait(struct entry *e)
{
	bool is_fetching = e->state == ENTRY_ADDRESSES ||
	    e->state == ENTRY_FETCHING;

	if (e->state == ENTRY_IDLE)
		return sts_now_us(e->sts) - e->checked_us >=
		    (int64_t)STS_CHECK_S * 1000000;
	return !is_fetching || !is_refresh(e);
}

static void
find(struct sts *s, const char *domain, void *arg, sts_found_fn *found)
{
	struct entry *e = entry_of(s, domain);
	struct waiter *w;

	if (e != NULL && !must_wait(e)) {
		found(arg, policy_of(e), true);
		return;
	}
	w = e != NULL ? calloc(1, sizeof *w) : NULL;
	if (w == NULL) {
		found(arg, NULL, false);
		return;
	}
	*w = (struct waiter){ e->waiters, arg, found };
	e->waiters = w;
	if (e->state == ENTRY_IDLE)
		look(e);
}

/* Store does not answer: nobody knows what it keeps. */
static void
on_hold_over(struct loop_timer *timer, void *arg)
{
	struct sts *s = arg;
	struct held *h;

	(void)timer;
	while ((h = s->held) != NULL) {
		s->held = h->next;
		if (h->found != NULL)
			h->found(h->arg, NULL, false);
		free(h);
	}
}

static void
hold(struct sts *s, const char *domain, void *arg, sts_found_fn *found)
{
	struct held *h = calloc(1, sizeof *h);

	if (h == NULL) {
		found(arg, NULL, false);
		return;
	}
	(void)slice_copy(h->domain, sizeof h->domain, slice_of(domain));
	h->arg = arg;
	h->found = found;
	h->next = s->held;
	s->held = h;
	if (!loop_timer_is_running(&s->hold))
		loop_timer_start(s->relay->c.loop, &s->hold, HOLD_MS,
		    on_hold_over, s);
}

void
sts_begin(struct sts *s)
{
	struct held *h;

	loop_timer_stop(s->relay->c.loop, &s->hold);
	while ((h = s->held) != NULL) {
		s->held = h->next;
		if (h->found != NULL)
			find(s, h->domain, h->arg, h->found);
		free(h);
	}
}

void
sts_find(struct sts *s, const char *domain, void *arg, sts_found_fn *found)
{
	if (!is_used(s))
		found(arg, NULL, true);
	else if (s->has_read)
		find(s, domain, arg, found);
	else
		hold(s, domain, arg, found);
}

void
sts_forget(struct sts *s, const void *arg)
{
	for (struct entry *e = s->entries; e != NULL; e = e->next)
		for (struct waiter *w = e->waiters; w != NULL; w = w->next)
			if (w->arg == arg)
				w->found = NULL;
	for (struct held *h = s->held; h != NULL; h = h->next)
		if (h->arg == arg)
			h->found = NULL;
}

/* ---- without mail ---- */

/* Often enough for a policy that lives shortly, at most once an hour. */
static int64_t
interval_us(const struct mta_sts_policy *p)
{
	uint32_t s = p->max_age_s / 8;

	return (int64_t)(s > 3600 ? 3600 : s) * 1000000;
}

static void
refresh(struct sts *s)
{
	unsigned n = 0;

	for (struct entry *e = s->entries; e != NULL &&
	    n < REFRESHES_AT_ONCE; e = e->next) {
		if (e->state != ENTRY_IDLE || !entry_is_due(e) ||
		    sts_now_us(s) - e->checked_us <
		    interval_us(entry_policy(e)))
			continue;
		look(e);
		n++;
	}
}

static void
on_upkeep(struct loop_timer *timer, void *arg)
{
	struct sts *s = arg;

	loop_timer_start(s->relay->c.loop, timer, UPKEEP_MS, on_upkeep, s);
	sts_read(s);
	if (!s->has_read || s->relay->is_draining)
		return;
	sts_keep_all(s);
	refresh(s);
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
	if (is_used(s))
		loop_timer_start(relay->c.loop, &s->upkeep, UPKEEP_MS,
		    on_upkeep, s);
	return s;
}
