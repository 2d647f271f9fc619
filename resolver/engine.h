/* SPDX-License-Identifier: ISC */
/*
 * engine.h - libunbound, for this folder only.
 *
 * One engine is one libunbound context with its caches: all settings are
 * made before its first question. Names, in and out, are as in dns.h.
 */
#ifndef RESOLVER_ENGINE_H
#define RESOLVER_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "settings.h"

struct engine;
struct lookup;
struct ub_event_base;

enum engine_security { ENGINE_INSECURE, ENGINE_BOGUS, ENGINE_SECURE };

struct engine_result {
	bool is_answered;		/* packet is there */
	enum engine_security security;
	struct slice packet;		/* a DNS message; only in the call */
	const char *why_bogus;		/* or NULL */
};

typedef void engine_answered_fn(void *arg, const struct engine_result *r);

/*
 * validates: use the trust anchors. NULL after logging why. What it needs
 * from the system it has opened when this returns.
 */
struct engine *engine_new(struct ub_event_base *base,
    const struct settings *settings, bool validates);
/* As engine_new was told. */
bool engine_validates(const struct engine *engine);
/* Questions that are out are forgotten without a call. */
void engine_free(struct engine **engine);

/*
 * Ask; name "" is the root. answered is called once, perhaps from within (a
 * cached answer): then *lookup is NULL, else it is good until the call. 0,
 * or a negative errno and no call.
 */
int engine_ask(struct engine *engine, struct slice name, uint16_t type,
    engine_answered_fn *answered, void *arg, struct lookup **lookup);
/* No call any more. libunbound itself may go on for a while. */
void engine_cancel(struct engine *engine, struct lookup **lookup);

#endif
