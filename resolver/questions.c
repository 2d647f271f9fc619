/* SPDX-License-Identifier: ISC */
/*
 * questions.c - see questions.h.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "clock.h"
#include "keyed_hash.h"
#include "log.h"
#include "questions.h"
#include "rdata.h"
#include "shares.h"

#define N_CHAINS 8192
#define EARLY_MS 20		/* our "failed" comes before their "unknown" */
#define BOGUS_LOG_US 1000000

struct waiter {
	struct waiter *next;
	struct question *question;
	void *peer;
	uint32_t id;
	struct share *share;
	struct alarm deadline;
};

struct question {
	struct questions *all;
	struct question *next;		/* in its chain */
	struct waiter *waiters;
	struct engine *engine;		/* NULL: it has not begun */
	struct lookup *lookup;
	struct share *share;		/* of a deserted one */
	bool is_deserted;
	struct alarm life;
	enum dns_type type;
	bool wants_proof;
	size_t size;
	char name[];
};

struct questions {
	struct alarms *alarms;
	struct engine *engine, *proving;
	questions_answered_fn *answered;
	struct questions_limits limits;
	struct questions_counts counts;
	struct shares *shares;
	unsigned n_deserted;
	int64_t bogus_logged_us;
	uint64_t key[2];
	struct question *chains[N_CHAINS];
};

struct questions *
questions_new(struct alarms *alarms, const struct questions_limits *limits,
    questions_answered_fn *answered)
{
	struct questions *all = calloc(1, sizeof *all);

	if (all == NULL)
		return NULL;
	all->alarms = alarms;
	all->limits = *limits;
	all->answered = answered;
	all->shares = shares_new(limits->per_network);
	if (all->shares == NULL || getrandom(all->key, sizeof all->key, 0) !=
	    (ssize_t)sizeof all->key)
		questions_free(&all);
	return all;
}

/* ---- the table ---- */

static struct question **
chain_of(struct questions *all, struct slice name, enum dns_type type)
{
	uint64_t hash = keyed_hash(all->key, name);

	return &all->chains[(hash + (unsigned)type * 0x9e3779b9u) % N_CHAINS];
}

static struct question *
find(struct questions *all, const struct dns_ask *ask)
{
	struct question *q = *chain_of(all, ask->name, ask->type);

	while (q != NULL && (q->type != ask->type ||
	    q->wants_proof != ask->wants_proof ||
	    !slice_equals((struct slice){ q->name, q->size }, ask->name)))
		q = q->next;
	return q;
}

static void
unlink_question(struct question *q)
{
	struct question **at = chain_of(q->all,
	    (struct slice){ q->name, q->size }, q->type);

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->all->counts.n_lookups--;
}

/* Its waiters are gone. */
static void
question_free(struct question *q)
{
	unlink_question(q);
	if (q->is_deserted)
		q->all->n_deserted--;
	shares_give(q->all->shares, &q->share);
	alarm_stop(q->all->alarms, &q->life);
	if (q->engine != NULL)
		engine_cancel(q->engine, &q->lookup);
	free(q);
}

static void finish(struct question *q, const struct dns_answer *answer);

static void
on_life_over(void *arg)
{
	const struct dns_answer failed = { .status = DNS_FAILED };

	finish(arg, &failed);
}

static struct question *
question_new(struct questions *all, const struct dns_ask *ask)
{
	struct question *q = calloc(1, sizeof *q + ask->name.size);
	struct question **chain = chain_of(all, ask->name, ask->type);

	if (q == NULL || alarm_start(all->alarms, &q->life,
	    QUESTION_LIFE_S * (int64_t)1000000, on_life_over, q) != 0) {
		free(q);
		return NULL;
	}
	q->all = all;
	q->type = ask->type;
	q->wants_proof = ask->wants_proof;
	q->size = ask->name.size;
	if (q->size > 0)
		memcpy(q->name, ask->name.data, q->size);
	q->next = *chain;
	*chain = q;
	all->counts.n_lookups++;
	return q;
}

/* ---- who waits ---- */

static void
waiter_unlink(struct waiter *w)
{
	struct waiter **at = &w->question->waiters;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static void
waiter_free(struct questions *all, struct waiter *w)
{
	alarm_stop(all->alarms, &w->deadline);
	shares_give(all->shares, &w->share);
	all->counts.n_waiting--;
	free(w);
}

/* The last one that leaves hands its share to the look-up. */
static void
waiter_leave(struct waiter *w)
{
	struct question *q = w->question;

	waiter_unlink(w);
	if (q->waiters == NULL && q->engine == NULL) {
		waiter_free(q->all, w);
		question_free(q);
		return;
	}
	if (q->waiters == NULL && !q->is_deserted) {
		q->is_deserted = true;
		q->all->n_deserted++;
		q->share = w->share;
		w->share = NULL;
	}
	waiter_free(q->all, w);
}

static void
on_deadline(void *arg)
{
	struct waiter *w = arg;
	struct questions *all = w->question->all;
	const struct dns_answer failed = { .status = DNS_FAILED };
	void *peer = w->peer;
	uint32_t id = w->id;

	all->counts.failed++;
	all->counts.timed_out++;
	waiter_leave(w);
	all->answered(peer, id, &failed);
}

static bool
waiter_add(struct question *q, void *peer, uint32_t id, uint32_t after_ms,
    struct share *share)
{
	struct waiter *w = calloc(1, sizeof *w);

	if (w == NULL || alarm_start(q->all->alarms, &w->deadline,
	    (int64_t)after_ms * 1000, on_deadline, w) != 0) {
		free(w);
		return false;
	}
	w->question = q;
	w->peer = peer;
	w->id = id;
	w->share = share;
	w->next = q->waiters;
	q->waiters = w;
	q->all->counts.n_waiting++;
	return true;
}

/* ---- the answer ---- */

static void
count_answer(struct questions *all, const struct dns_answer *answer)
{
	switch (answer->status) {
	case DNS_OK:
		all->counts.ok++;
		break;
	case DNS_NO_DATA:
		all->counts.no_data++;
		break;
	case DNS_NO_NAME:
		all->counts.no_name++;
		break;
	case DNS_FAILED:
		all->counts.failed++;
		break;
	}
	all->counts.secure += answer->is_secure;
}

/* Taken off the table first: an asker may ask again from its call. */
static void
finish(struct question *q, const struct dns_answer *answer)
{
	struct questions *all = q->all;
	struct waiter *w = q->waiters;

	q->waiters = NULL;
	question_free(q);
	while (w != NULL) {
		struct waiter *next = w->next;
		void *peer = w->peer;
		uint32_t id = w->id;

		count_answer(all, answer);
		waiter_free(all, w);
		all->answered(peer, id, answer);
		w = next;
	}
}

/* A few are enough: whoever owns a zone could fill the log with them. */
static void
log_bogus(struct question *q, const char *why)
{
	int64_t now_us = clock_monotonic_us();

	if (q->all->bogus_logged_us != 0 &&
	    now_us - q->all->bogus_logged_us < BOGUS_LOG_US)
		return;
	q->all->bogus_logged_us = now_us;
	log_info("dnssec_bogus", LOG_SL("name",
	    ((struct slice){ q->name, q->size })), LOG_U("type", q->type),
	    LOG_S("why", why ? why : ""), LOG_END);
}

static void
on_result(void *arg, const struct engine_result *result)
{
	static struct rdata data;	/* large */
	struct question *q = arg;

	q->lookup = NULL;
	data.answer = (struct dns_answer){ .status = DNS_FAILED };
	if (result->security == ENGINE_BOGUS) {
		q->all->counts.bogus++;
		log_bogus(q, result->why_bogus);
	} else if (result->is_answered) {
		rdata_read(&data, q->type, result->packet);
	}
	data.answer.is_secure = result->security == ENGINE_SECURE &&
	    data.answer.status != DNS_FAILED;
	if (q->wants_proof)
		data.answer.is_unchecked = !engine_validates(q->engine);
	else
		data.answer.canonical = (struct slice){ NULL, 0 };
	finish(q, &data.answer);
}

/* q may be gone afterwards. */
static void
begin(struct question *q)
{
	const struct dns_answer failed = { .status = DNS_FAILED };
	struct slice name = { q->name, q->size };
	struct questions *all = q->all;
	struct lookup *lookup;

	q->engine = q->wants_proof ? all->proving : all->engine;
	if (engine_ask(q->engine, name, (uint16_t)q->type, on_result, q,
	    &lookup) != 0)
		finish(q, &failed);
	else if (lookup != NULL)
		q->lookup = lookup;
	else
		all->counts.cached++;
}

/* ---- asking ---- */

static uint32_t
time_for(const struct questions *all, uint32_t deadline_ms)
{
	uint32_t most = all->limits.timeout_ms;

	deadline_ms -= deadline_ms > 2 * EARLY_MS ? EARLY_MS : 0;
	return deadline_ms < most ? deadline_ms : most;
}

static bool
may_ask(struct questions *all, struct slice network, struct share **share)
{
	*share = NULL;
	if (all->counts.n_waiting + all->n_deserted >= all->limits.most)
		return false;
	return shares_take(all->shares, network, share);
}

void
questions_ask(struct questions *all, void *peer, uint32_t id,
    const struct dns_ask *ask, uint32_t deadline_ms)
{
	const struct dns_answer failed = { .status = DNS_FAILED };
	struct share *share;
	struct question *q = find(all, ask);
	bool is_new = q == NULL;

	all->counts.asked++;
	if (!may_ask(all, ask->network, &share)) {
		all->counts.failed++;
		all->counts.over_limit++;
		all->answered(peer, id, &failed);
		return;
	}
	if (is_new)
		q = question_new(all, ask);
	if (q == NULL || !waiter_add(q, peer, id, time_for(all, deadline_ms),
	    share)) {
		if (q != NULL && is_new)
			question_free(q);
		shares_give(all->shares, &share);
		all->counts.failed++;
		all->answered(peer, id, &failed);
		return;
	}
	all->counts.joined += !is_new;
	if (is_new && all->engine != NULL)
		begin(q);
}

void
questions_use(struct questions *all, struct engine *engine,
    struct engine *proving)
{
	all->engine = engine;
	all->proving = proving;
	for (size_t i = 0; engine != NULL && i < N_CHAINS; i++) {
		struct question *q = all->chains[i];

		while (q != NULL) {
			struct question *next = q->next;

			if (q->engine == NULL)
				begin(q);
			q = next;
		}
	}
}

void
questions_forget_peer(struct questions *all, const void *peer)
{
	for (size_t i = 0; i < N_CHAINS; i++) {
		struct question *q = all->chains[i], *next;

		for (; q != NULL; q = next) {
			struct waiter *w = q->waiters, *after;

			next = q->next;
			for (; w != NULL; w = after) {
				after = w->next;
				if (w->peer == peer)
					waiter_leave(w);
			}
		}
	}
}

struct questions_counts
questions_count(const struct questions *all)
{
	struct questions_counts counts = all->counts;

	counts.n_networks = (unsigned)shares_count(all->shares);
	return counts;
}

void
questions_free(struct questions **all)
{
	if (*all == NULL)
		return;
	for (size_t i = 0; i < N_CHAINS; i++)
		while ((*all)->chains[i] != NULL) {
			struct question *q = (*all)->chains[i];
			struct waiter *w;

			while ((w = q->waiters) != NULL) {
				waiter_unlink(w);
				waiter_free(*all, w);
			}
			question_free(q);
		}
	shares_free(&(*all)->shares);
	free(*all);
	*all = NULL;
}
