/* SPDX-License-Identifier: ISC */
/*
 * resolver.h - what the resolver owns, for this folder only.
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include <stdbool.h>
#include "alarm.h"
#include "ask.h"
#include "buf.h"
#include "compartment.h"
#include "engine.h"
#include "probe.h"
#include "questions.h"
#include "settings.h"

struct resolver;

/* One channel: to an smtpd or control. */
struct peer {
	struct peer *next;
	struct resolver *resolver;
	struct channel *ch;
	enum role role;
	uint16_t index;
};

struct resolver {
	struct compartment c;
	struct settings settings;
	struct alarms *alarms;
	struct ub_event_base *base;
	struct engine *plain;		/* does not validate */
	struct engine *validating;	/* NULL: there are no anchors */
	struct probe *probe;
	struct questions *questions;
	struct peer *peers;
	struct buf answer;		/* the one that is being sent */
	bool is_stopping;
	struct loop_timer stop_limit;
};

/* ---- peers.c ---- */
void resolver_on_peer(struct compartment *c, enum role role, uint16_t index,
    int fd);
/* Whether an smtpd is still there, which may yet ask. */
bool resolver_has_smtpd(const struct resolver *r);
/* Of struct questions: the answer goes to struct peer. */
void resolver_answer(void *peer, uint32_t id,
    const struct dns_answer *answer);

#endif
