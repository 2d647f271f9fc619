/* SPDX-License-Identifier: ISC */
/*
 * questions.h - what is out, and who waits for it; for this folder only.
 *
 *	asker --ask--> look-up of {name, type, proof} --> engine
 *	asker --ask------^ (joins)                         |
 *	askers <--- answered, each once -------------------+
 *	asker <---- DNS_FAILED at its own deadline; the look-up goes on
 *
 * Identical questions are looked up once. A look-up whose askers have all
 * left goes on, as libunbound cannot stop one: a late answer is in the cache
 * for the next who asks. Until it ends it occupies the share of who left
 * last, so that a client with a dead name server cannot have more out than
 * its share by asking again and again.
 */
#ifndef RESOLVER_QUESTIONS_H
#define RESOLVER_QUESTIONS_H

#include <stdint.h>
#include "alarm.h"
#include "ask.h"
#include "dns.h"
#include "engine.h"

#define QUESTIONS_MAX 10000	/* askers and deserted look-ups in all */
#define QUESTIONS_PER_NETWORK 1000
#define QUESTION_LIFE_S 120	/* of a look-up that libunbound forgot */

struct questions;

/* Not again for this id; the answer is good in the call only. */
typedef void questions_answered_fn(void *peer, uint32_t id,
    const struct dns_answer *answer);

struct questions_limits {
	unsigned most, per_network;
	unsigned timeout_ms;		/* of a question, at most */
};

struct questions_counts {
	uint64_t asked, cached, joined, ok, no_data, no_name, secure;
	uint64_t failed, timed_out, bogus, over_limit;
	unsigned n_waiting, n_lookups, n_networks;
};

/* NULL without memory. */
struct questions *questions_new(struct alarms *alarms,
    const struct questions_limits *limits, questions_answered_fn *answered);
/* Nobody is answered any more. */
void questions_free(struct questions **questions);
/*
 * Look up with this engine from now on, and what wants a proof with the
 * other; what was asked before there were any begins now. NULL both: hold
 * new questions back.
 */
void questions_use(struct questions *questions, struct engine *engine,
    struct engine *proving);
/* Answers from within where it can: from the cache, or over a limit. */
void questions_ask(struct questions *questions, void *peer, uint32_t id,
    const struct dns_ask *ask, uint32_t deadline_ms);
/* Forget whom this peer has waiting. */
void questions_forget_peer(struct questions *questions, const void *peer);
struct questions_counts questions_count(const struct questions *questions);

#endif
