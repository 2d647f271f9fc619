/* SPDX-License-Identifier: ISC */
/*
 * probe.h - whether answers can be validated here, for this folder only.
 *
 *	TESTING --keys validate-----------------> ON --no signatures
 *	 | |  ^--no answer at all, again in 5 s               |
 *	 | +--an answer without signatures------> OFF <-------+
 *	 +----signatures that do not validate---> FAILING
 *	      ^---- signatures are back, again in 60 s ---+
 *
 * The keys of the first trust anchor are looked up, and then a name that is in
 * no cache below the anchor: that there is none must be signed. Name servers
 * that leave signatures out, be it only of what is absent, would make answers
 * bogus, and that is our mail deferred: then the engine that does not validate
 * is used, with a warning. A name server may begin to do so at any time. So
 * every five minutes, and as soon as bogus answers pile up, another such name
 * is asked for.
 * Nothing that is accepted depends on validation alone.
 *
 * Who wants a proof (DNS_ASK_SECURE) is served by the same engine but while
 * it is FAILING: signatures that are wrong, be it for a clock or an anchor of
 * ours or because somebody forges them, turn nobody's DANE off (RFC 7672
 * 2.1.1). Those answers are bogus, and that mail waits.
 */
#ifndef RESOLVER_PROBE_H
#define RESOLVER_PROBE_H

#include "alarm.h"
#include "engine.h"
#include "questions.h"
#include "settings.h"

struct probe;

/*
 * Begins, and tells questions which engine to use: now, or within two
 * seconds. validating may be NULL. Logs. NULL without memory.
 */
struct probe *probe_new(struct alarms *alarms, struct questions *questions,
    struct engine *plain, struct engine *validating,
    const struct settings *settings);
void probe_free(struct probe **probe);
const char *probe_state(const struct probe *probe);	/* "on" */
const char *probe_why(const struct probe *probe);	/* it is not on */

#endif
