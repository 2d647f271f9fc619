/* SPDX-License-Identifier: ISC */
/*
 * See peers.h. A question that is out is a struct pending; its number is the
 * id that the session knows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "digest.h"
#include "judge_queue.h"
#include "log.h"
#include "peers.h"
#include "question_wire.h"
#include "transaction.h"

#define MAX_POOL 64
#define NO_WORKER_MS 1000	/* a new one is there long before */
#define SEGMENT_DEADLINE_MS 10000
#define SEGMENT_PAUSE_US 1000000
#define SILENT_MS 250		/* for one that has not answered for long */

struct pending {
	struct peers *peers;
	struct session *s;		/* NULL: free, or has forgotten it */
	struct channel *ch;
	enum question_kind kind;
	uint32_t id;			/* index + 1 */
	uint32_t question;		/* the channel's id */
	uint32_t next_free;
	int64_t asked_us;
};

struct peers {
	struct loop *loop;
	peers_answered_fn *answered;
	uint32_t *n_failures;
	struct channel *directories[MAX_POOL], *policies[MAX_POOL];
	struct channel *auths[MAX_POOL];
	unsigned *auth_offers;			/* what they offer, or NULL */
	struct channel *deliver, *store, *dns_resolver, *queue, *relay;
	struct channel *const *vault;		/* signer's, or NULL */
	uint32_t judge_set;			/* of the last JUDGE_MORE */
	struct judge_queue waiting;		/* for a free policy worker */
	struct loop_timer next_judge, no_worker;
	uint64_t deliver_from, store_from;	/* transactions they know */
	uint64_t queue_from;
	uint16_t relay_index;
	struct pending **pending;		/* by id - 1 */
	uint32_t n_pending, free;		/* free: id, or 0 */
	bool is_segment_asked;
	int64_t segment_asked_us;
	struct trail *trail;
};

struct peers *
peers_new(struct loop *loop, peers_answered_fn *answered,
    uint32_t *n_failures)
{
	struct peers *peers = calloc(1, sizeof(*peers));

	if (peers == NULL)
		return NULL;
	peers->loop = loop;
	peers->answered = answered;
	peers->n_failures = n_failures;
	return peers;
}

void
peers_share_vault(struct peers *peers, struct channel *const *vault)
{
	peers->vault = vault;
}

void
peers_share_offers(struct peers *peers, unsigned *offers)
{
	peers->auth_offers = offers;
}

/* ---- channels ---- */

/* Rather one that answers, then the one with less to do. */
static bool
is_better(const struct channel *ch, const struct channel *than)
{
	if (than == NULL || channel_is_silent(ch) != channel_is_silent(than))
		return than == NULL || channel_is_silent(than);
	return channel_n_outstanding(ch) < channel_n_outstanding(than);
}

static struct channel *
pool_choose(struct channel *const pool[MAX_POOL])
{
	struct channel *best = NULL, *ch;
	size_t i;

	for (i = 0; i < MAX_POOL; i++) {
		ch = pool[i];
		if (ch != NULL && is_better(ch, best))
			best = ch;
	}
	return best;
}

/* One question to a policy worker at a time, see judge_queue.h. */
static struct channel *
pool_choose_free(struct channel *const pool[MAX_POOL])
{
	struct channel *best = pool_choose(pool);

	return best != NULL && channel_n_outstanding(best) == 0 ? best : NULL;
}

/* All steps of an exchange go to the process that has its first one. */
static struct channel *
pool_choose_auth(const struct peers *peers, const struct question *q)
{
	struct channel *best;
	uint16_t i;

	if (q->kind == QUESTION_AUTH_PEER)
		return pool_choose(peers->auths);
	if (q->kind == QUESTION_AUTH_STEP && q->as.auth_step->step.is_first) {
		best = pool_choose(peers->auths);
		for (i = 0; i < MAX_POOL; i++)
			if (best != NULL && peers->auths[i] == best)
				q->as.auth_step->process = i;
	}
	return peers->auths[q->as.auth_step->process % MAX_POOL];
}

static struct channel *
channel_choose(const struct peers *peers, const struct question *q)
{
	uint64_t transaction = question_transaction(q);

	switch (question_wires[q->kind].role) {
	case ROLE_DIRECTORY:
		return pool_choose(peers->directories);
	case ROLE_POLICY:
		return pool_choose_free(peers->policies);
	case ROLE_AUTH:
		return pool_choose_auth(peers, q);
	case ROLE_RESOLVER:
		return peers->dns_resolver;
	case ROLE_DELIVER:
		return transaction >= peers->deliver_from ? peers->deliver :
		    NULL;
	case ROLE_STORE:
		return transaction >= peers->store_from ? peers->store : NULL;
	case ROLE_QUEUE:
		return transaction >= peers->queue_from ? peers->queue : NULL;
	case ROLE_RELAY:
		return peers->relay;
	case ROLE_VAULT:
		return peers->vault != NULL ? *peers->vault : NULL;
	default:
		return NULL;
	}
}

static bool
on_failure_count(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peers *peers = arg;
	uint32_t n = ipc_get_u32(&m->body);

	(void)ch;
	if (!ipc_reader_is_done(&m->body))
		return false;
	*peers->n_failures = n;
	return true;
}

static bool
on_digest_key(struct channel *ch, struct ipc_message *m, void *arg)
{
	uint8_t key[DIGEST_KEY_SIZE];

	(void)ch;
	(void)arg;
	if (!ipc_get_bytes(&m->body, key, sizeof(key)) ||
	    !ipc_reader_is_done(&m->body))
		return false;
	if (!digest_set_key(key))
		log_warning("digest_key", LOG_END);
	return true;
}

static const struct channel_rule store_rules[] = {
	{ DIGEST_KEY, CHANNEL_NO_FD, on_digest_key },
	{ FAILURE_COUNT, CHANNEL_NO_FD, on_failure_count },
};
#define N_STORE_RULES (sizeof(store_rules) / sizeof(store_rules[0]))

static bool
on_auth_offers(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peers *peers = arg;
	unsigned offers;

	(void)ch;
	if (!get_auth_offers(&m->body, &offers))
		return false;
	if (peers->auth_offers != NULL)
		*peers->auth_offers = offers;
	return true;
}

static const struct channel_rule auth_rules[] = {
	{ AUTH_OFFERS, CHANNEL_NO_FD, on_auth_offers },
};
#define N_AUTH_RULES (sizeof(auth_rules) / sizeof(auth_rules[0]))

/* Where a channel is kept, and whose it is; NULL: it has a successor. */
static struct channel **
slot_of(struct peers *peers, const struct channel *ch, enum role *role,
    uint16_t *index)
{
	uint16_t i;

	*index = 0;
	*role = ROLE_DELIVER;
	if (ch == peers->deliver)
		return &peers->deliver;
	*role = ROLE_STORE;
	if (ch == peers->store)
		return &peers->store;
	*role = ROLE_RESOLVER;
	if (ch == peers->dns_resolver)
		return &peers->dns_resolver;
	*role = ROLE_QUEUE;
	if (ch == peers->queue)
		return &peers->queue;
	*role = ROLE_RELAY;
	*index = peers->relay_index;
	if (ch == peers->relay)
		return &peers->relay;
	for (i = 0; i < MAX_POOL; i++) {
		*index = i;
		*role = ROLE_DIRECTORY;
		if (ch == peers->directories[i])
			return &peers->directories[i];
		*role = ROLE_AUTH;
		if (ch == peers->auths[i])
			return &peers->auths[i];
		*role = ROLE_POLICY;
		if (ch == peers->policies[i])
			return &peers->policies[i];
	}
	return NULL;
}

static void on_next_judge(struct loop_timer *timer, void *arg);

/* In the next round of the loop, when this channel is what it will be. */
static void
want_next_judge(struct peers *peers)
{
	if (peers->waiting.n > 0)
		loop_timer_start(peers->loop, &peers->next_judge, 0,
		    on_next_judge, peers);
}

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	enum role role;
	uint16_t index;
	struct channel **slot = slot_of(arg, ch, &role, &index);

	want_next_judge(arg);

	log_warning(misbehaved ? "peer_misbehaved" : "peer_gone",
	    LOG_S("peer", channel_name(ch)), LOG_END);
	if (slot == NULL)
		return;
	*slot = NULL;
	if (misbehaved)
		compartment_accuse(role, index);
}

/*
 * Hear no more of a peer that broke the rules or takes nothing in. All that
 * is out becomes "unknown"; the supervisor brings another channel, and at
 * its end of this one the peer forgets our transactions.
 */
static void
peer_drop(struct peers *peers, const struct channel *ch)
{
	enum role role;
	uint16_t index;
	struct channel **slot = slot_of(peers, ch, &role, &index);

	if (peers->vault != NULL && ch == *peers->vault)
		compartment_accuse(ROLE_VAULT, 0);
	if (slot == NULL)
		return;
	log_warning("peer_misbehaved", LOG_S("peer", channel_name(ch)),
	    LOG_END);
	channel_free(slot);
	compartment_accuse(role, index);
}

/* After a reload there may be an older one, which takes nothing new. */
static bool
is_newest_relay(const struct peers *peers, uint16_t index)
{
	return peers->relay == NULL || index >= peers->relay_index;
}

void
peers_add(struct peers *peers, enum role role, uint16_t index, int fd)
{
	struct channel **slot = NULL;
	const struct channel_rule *rules = NULL;
	size_t n_rules = 0;

	if (role == ROLE_DELIVER) {
		slot = &peers->deliver;
		peers->deliver_from = transaction_last_number() + 1;
	} else if (role == ROLE_STORE) {
		rules = store_rules;
		n_rules = N_STORE_RULES;
		slot = &peers->store;
		peers->store_from = transaction_last_number() + 1;
		*peers->n_failures = 0;
	} else if (role == ROLE_DIRECTORY) {
		slot = &peers->directories[index % MAX_POOL];
	} else if (role == ROLE_POLICY) {
		slot = &peers->policies[index % MAX_POOL];
	} else if (role == ROLE_AUTH) {
		rules = auth_rules;
		n_rules = N_AUTH_RULES;
		slot = &peers->auths[index % MAX_POOL];
	} else if (role == ROLE_RESOLVER) {
		slot = &peers->dns_resolver;
	} else if (role == ROLE_QUEUE) {
		slot = &peers->queue;
		peers->queue_from = transaction_last_number() + 1;
	} else if (role == ROLE_RELAY && is_newest_relay(peers, index)) {
		/* one that has a successor still ends what it has begun */
		peers->relay = NULL;
		peers->relay_index = index;
		slot = &peers->relay;
	}
	if (slot == NULL) {
		close(fd);
		return;
	}
	if (*slot != NULL)
		channel_free(slot);
	*slot = channel_new(peers->loop, fd, role_name(role),
	    rules, n_rules, on_closed, peers);
	want_next_judge(peers);
}

/* ---- questions ---- */

static struct pending *
pending_new(struct peers *peers)
{
	struct pending **grown, *p;
	uint32_t n = peers->n_pending;

	if (peers->free != 0) {
		p = peers->pending[peers->free - 1];
		peers->free = p->next_free;
		return p;
	}
	if ((n & (n - 1)) == 0) {
		grown = reallocarray(peers->pending, n == 0 ? 1 : n * 2,
		    sizeof(*grown));
		if (grown == NULL)
			return NULL;
		peers->pending = grown;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	peers->pending[peers->n_pending++] = p;
	p->id = peers->n_pending;
	return p;
}

static void
pending_free(struct peers *peers, struct pending *p)
{
	p->s = NULL;
	p->next_free = peers->free;
	peers->free = p->id;
}

static void
on_answer(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct answer a;		/* large */
	struct pending *p = arg;
	struct peers *peers = p->peers;
	struct session *s = p->s;
	int64_t took_us = clock_monotonic_us() - p->asked_us;

	a.fd = -1;
	a.is_known = m != NULL && answer_get(&a, p->kind, m);
	a.took_us = (uint32_t)took_us;
	if (m != NULL && !a.is_known) {
		log_error("malformed_answer", LOG_S("peer", channel_name(ch)),
		    LOG_U("type", m->type), LOG_END);
		peer_drop(peers, ch);
	}
	pending_free(peers, p);
	want_next_judge(peers);
	if (s != NULL)
		peers->answered(s, p->id, &a);
	if (a.fd >= 0)
		close(a.fd);
}

/* Send all facts but the last part ahead; they count for one set. */
static bool
tell_facts(struct peers *peers, struct channel *ch, struct judge_question *q)
{
	static struct ipc_writer w;
	struct judge_more more;

	q->set = 0;
	if (q->n_parts > 1)
		q->set = ++peers->judge_set ? peers->judge_set :
		    ++peers->judge_set;
	more.set = q->set;
	for (size_t i = 0; i + 1 < q->n_parts; i++) {
		more.facts = q->parts[i];
		ipc_writer_init(&w);
		put_judge_more(&w, &more);
		if (channel_tell(ch, JUDGE_MORE, &w, -1) < 0)
			return false;
	}
	return true;
}

/* A worker of deliver waits for a disk, each for its own, or for a program:
 * that is no word about the others. */
static bool
is_about_one(enum question_kind kind)
{
	return kind == QUESTION_PREPARE || kind == QUESTION_COMMIT ||
	    kind == QUESTION_DELIVER || kind == QUESTION_PROGRAM;
}

/*
 * A peer that stands still costs the first client its deadlines, and those
 * behind it little. It is asked all the same: what is under way must reach
 * it in order, and its first word, however late, ends the silence.
 */
static uint32_t
deadline_of(const struct channel *ch, const struct question *q)
{
	return channel_is_silent(ch) && !is_about_one(q->kind) &&
	    q->deadline_ms > SILENT_MS ? SILENT_MS : q->deadline_ms;
}

/* Put it on the channel; false: nobody was asked. */
static bool
pending_send(struct pending *p, struct channel *ch, const struct question *q)
{
	static struct ipc_writer w;	/* large */

	if (q->kind == QUESTION_JUDGE &&
	    !tell_facts(p->peers, ch, q->as.judge))
		return false;
	p->ch = ch;
	ipc_writer_init(&w);
	question_put(&w, q);
	p->question = channel_ask(ch, question_wires[q->kind].type, &w,
	    q->fd, deadline_of(ch, q), on_answer, p);
	if (q->kind == QUESTION_AUTH_STEP)
		explicit_bzero(w.data, w.size);	/* a password */
	return p->question != 0;
}

/* Let it wait for a worker that is free. */
static bool
pending_wait(struct pending *p, const struct question *q)
{
	p->ch = NULL;
	if (q->kind != QUESTION_JUDGE ||
	    !judge_queue_put(&p->peers->waiting, p->id, q))
		return false;
	want_next_judge(p->peers);
	return true;
}

uint32_t
peers_ask(struct peers *peers, struct session *s, const struct question *q)
{
	struct channel *ch = channel_choose(peers, q);
	struct pending *p = pending_new(peers);

	if (p == NULL)
		return 0;
	p->peers = peers;
	p->s = s;
	p->kind = q->kind;
	p->asked_us = clock_monotonic_us();
	if (ch != NULL ? pending_send(p, ch, q) : pending_wait(p, q))
		return p->id;
	pending_free(peers, p);
	return 0;
}

/* The oldest that waits leaves the queue unanswered. */
static void
give_up_judge(struct peers *peers, uint32_t id)
{
	struct pending *p = peers->pending[id - 1];
	struct session *s = p->s;
	struct answer unknown;

	answer_init(&unknown, false);
	judge_queue_drop(&peers->waiting, id);
	pending_free(peers, p);
	peers->answered(s, id, &unknown);
}

static void
on_no_worker(struct loop_timer *timer, void *arg)
{
	struct peers *peers = arg;
	struct question q;
	uint32_t id;

	(void)timer;
	while (pool_choose(peers->policies) == NULL &&
	    judge_queue_first(&peers->waiting, &id, &q))
		give_up_judge(peers, id);
}

/* Those that wait go to workers that are free, or soon will be there. */
static void
on_next_judge(struct loop_timer *timer, void *arg)
{
	struct peers *peers = arg;
	struct channel *ch;
	struct question q;
	uint32_t id;

	(void)timer;
	while (judge_queue_first(&peers->waiting, &id, &q)) {
		ch = channel_choose(peers, &q);
		if (ch == NULL)
			break;
		if (pending_send(peers->pending[id - 1], ch, &q))
			judge_queue_drop(&peers->waiting, id);
		else
			give_up_judge(peers, id);
	}
	if (peers->waiting.n > 0 && pool_choose(peers->policies) == NULL &&
	    !loop_timer_is_running(&peers->no_worker))
		loop_timer_start(peers->loop, &peers->no_worker, NO_WORKER_MS,
		    on_no_worker, peers);
}

void
peers_forget(struct peers *peers, uint32_t id)
{
	struct pending *p = peers->pending[id - 1];

	if (!judge_queue_drop(&peers->waiting, id)) {
		/* its worker is free for the next when it has answered */
		if (p->kind == QUESTION_JUDGE) {
			p->s = NULL;
			return;
		}
		channel_forget(p->ch, p->question);
	}
	pending_free(peers, p);
}

/* Without these store asks deliver, or keeps the record; END, which leaves at
 * once, takes along what waits. PREPARE takes FREEZE along. */
static bool
may_wait(enum question_kind kind)
{
	return kind == QUESTION_DONE || kind == QUESTION_CONFIRM ||
	    kind == QUESTION_FREEZE;
}

/*
 * What is told must arrive: deliver keeps a mailbox's room, and store an open
 * record, until it hears of the end, or until this channel ends. With a
 * full queue only the latter is left to say it.
 */
void
peers_tell(struct peers *peers, const struct question *q)
{
	static struct ipc_writer w;
	const struct question_wire *wire = &question_wires[q->kind];
	struct channel *ch = channel_choose(peers, q);
	int error;

	if (ch == NULL)
		return;
	/* ask about it from now on: store is told before it is asked */
	if (q->kind == QUESTION_FAILED && *peers->n_failures == 0)
		*peers->n_failures = 1;
	ipc_writer_init(&w);
	question_put(&w, q);
	error = may_wait(q->kind) ? channel_tell_later(ch, wire->type, &w) :
	    channel_tell(ch, wire->type, &w, q->fd);
	if (q->kind == QUESTION_DONE_NOW)
		channel_flush(ch);
	if (error == 0 || error == -EPIPE)
		return;
	log_warning("tell_failed", LOG_S("peer", channel_name(ch)),
	    LOG_U("type", wire->type), LOG_E("error", error), LOG_END);
	if (error != -EMSGSIZE)
		peer_drop(peers, ch);
}

void
peers_flush(struct peers *peers)
{
	if (peers->store != NULL)
		channel_flush(peers->store);
}

/* ---- the trail's segment ---- */

static void
on_segment(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peers *peers = arg;
	uint16_t segment;
	uint32_t offset;

	peers->is_segment_asked = false;
	if (m == NULL)
		return;
	segment = ipc_get_u16(&m->body);
	offset = ipc_get_u32(&m->body);
	if (m->type != TRAIL_SEGMENT_ANSWER || m->fd < 0 ||
	    !ipc_reader_is_done(&m->body)) {
		peer_drop(peers, ch);
		return;
	}
	if (!trail_open_segment(peers->trail, m->fd, segment, offset))
		peer_drop(peers, ch);
	m->fd = -1;
}

void
peers_want_segment(struct peers *peers, struct trail *trail)
{
	int64_t now_us = clock_monotonic_us();

	if (peers->store == NULL || peers->is_segment_asked ||
	    (peers->segment_asked_us != 0 &&
	    now_us - peers->segment_asked_us < SEGMENT_PAUSE_US))
		return;
	peers->trail = trail;
	peers->segment_asked_us = now_us;
	peers->is_segment_asked = channel_ask(peers->store, TRAIL_SEGMENT_ASK,
	    NULL, -1, SEGMENT_DEADLINE_MS, on_segment, peers) != 0;
}
