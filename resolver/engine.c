/* SPDX-License-Identifier: ISC */
/*
 * engine.c - see engine.h.
 *
 * The call-back of libunbound's event interface hands over the answer as a
 * whole DNS message, with the CNAMEs that were followed in it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unbound.h>
#include <unbound-event.h>
#include "dns.h"
#include "engine.h"
#include "log.h"

#define CLASS_IN 1
#define ESCAPED_MAX (4 * DNS_NAME_MAX + 2)

struct engine {
	struct ub_ctx *ctx;
	FILE *log;
	bool validates;
};

/* One question, until its call-back. */
struct lookup {
	engine_answered_fn *answered;
	void *arg;
	int id;
	bool *is_called;		/* of engine_ask, while it runs */
};

/* ---- libunbound's own words ---- */

static ssize_t
write_log(void *cookie, const char *text, size_t size)
{
	struct slice line = { text, size };

	(void)cookie;
	line.size = slice_find(line, '\n');
	if (line.size > 0)
		log_debug("unbound", LOG_SL("text", line), LOG_END);
	return (ssize_t)size;
}

static FILE *
open_log(void)
{
	FILE *log = fopencookie(NULL, "w", (cookie_io_functions_t){
	    .write = write_log });

	if (log != NULL)
		setvbuf(log, NULL, _IOLBF, 512);
	return log;
}

/* ---- settings ---- */

static const struct { const char *key, *value; } options[] = {
	{ "msg-cache-size:", "32m" },
	{ "rrset-cache-size:", "64m" },
	{ "key-cache-size:", "8m" },
	{ "neg-cache-size:", "4m" },
	{ "infra-cache-numhosts:", "50000" },
	{ "edns-buffer-size:", "1232" },
	{ "outgoing-num-tcp:", "256" },
	{ "minimal-responses:", "yes" },
	/* A server that was dead for a while is asked again soon: by a probe,
	 * or when it is forgotten. infra-cache-max-rtt stays as it is: below
	 * 12 s there are no probes. */
	{ "infra-host-ttl:", "30" },
	{ "infra-keep-probing:", "yes" },
	/* a forwarder may take seconds for a name that it does not know yet:
	 * five tries from here on last longer than a question's time */
	{ "infra-cache-min-rtt:", "300" },
	{ "val-bogus-ttl:", "30" },
	/* the reverse zones of private networks are the forwarder's */
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
	{ "domain-insecure:", "127.in-addr.arpa." },
	{ "domain-insecure:", "localhost." },
	{ "domain-insecure:", "test." },
	{ "domain-insecure:", "home.arpa." },
	/* private by custom: RFC 6762 appendix G, and ICANN for internal.;
	 * the root proves them absent, a host's own name server knows them.
	 * The same as in systemd.dnssec-trust-anchors(5). */
	{ "domain-insecure:", "corp." },
	{ "domain-insecure:", "home." },
	{ "domain-insecure:", "internal." },
	{ "domain-insecure:", "intranet." },
	{ "domain-insecure:", "lan." },
	{ "domain-insecure:", "local." },
	{ "domain-insecure:", "private." },
};

/*
 * Zones that libunbound answers by itself. localhost., invalid. and onion.
 * stay (RFC 6761, 7686); these are for a forwarder to know about.
 */
#define LOOPBACK_6 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." \
	"0.0.0.0.0.0.ip6.arpa."
static const char *const forwarded_zones[] = { "127.in-addr.arpa.",
	LOOPBACK_6, "test.", "home.arpa." };

static bool
set(struct engine *engine, const char *key, const char *value)
{
	int error = ub_ctx_set_option(engine->ctx, key, value);

	if (error)
		log_error("unbound_option", LOG_S("option", key),
		    LOG_S("value", value), LOG_S("error", ub_strerror(error)),
		    LOG_END);
	return error == 0;
}

static bool
set_number(struct engine *engine, const char *key, unsigned value)
{
	char text[16];

	snprintf(text, sizeof text, "%u", value);
	return set(engine, key, text);
}

static bool
set_options(struct engine *engine, const struct settings *s, bool validates)
{
	bool is_good = true;

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		is_good &= set(engine, options[i].key, options[i].value);
	is_good &= set_number(engine, "outgoing-range:", s->n_sockets);
	is_good &= set_number(engine, "num-queries-per-thread:",
	    s->n_sockets);
	is_good &= set(engine, "module-config:", validates ?
	    "validator iterator" : "iterator");
	return is_good;
}

static bool
set_servers(struct engine *engine, const struct settings *s)
{
	for (unsigned i = 0; i < s->n_servers; i++) {
		int error = ub_ctx_set_fwd(engine->ctx, s->servers[i]);

		if (error == 0)
			continue;
		log_error("name_server", LOG_S("server", s->servers[i]),
		    LOG_S("error", ub_strerror(error)), LOG_END);
		return false;
	}
	return true;
}

static bool
set_anchors(struct engine *engine, const struct settings *s)
{
	for (unsigned i = 0; i < s->n_anchors; i++)
		if (ub_ctx_add_ta(engine->ctx, s->anchors[i]) != 0)
			return false;
	return true;
}

/* ---- the first question ---- */

static void
on_local_answer(void *arg, int rcode, void *packet, int size, int security,
    char *why, int was_limited)
{
	(void)packet;
	(void)size;
	(void)security;
	(void)why;
	(void)was_limited;
	*(bool *)arg = rcode == 0;
}

/*
 * The settings are final with the first call that needs them; the first
 * question makes the rest. localhost. is answered without the network.
 */
static bool
warm_up(struct engine *engine, const struct settings *s)
{
	bool is_answered = false;
	int error = 0, id;

	if (s->n_servers > 0)
		for (size_t i = 0; !error && i < sizeof forwarded_zones /
		    sizeof *forwarded_zones; i++)
			error = ub_ctx_zone_remove(engine->ctx,
			    forwarded_zones[i]);
	if (!error)
		error = ub_resolve_event(engine->ctx, "localhost.", DNS_A,
		    CLASS_IN, &is_answered, on_local_answer, &id);
	if (error || !is_answered)
		log_error("unbound", LOG_S("error", error ?
		    ub_strerror(error) : "no answer for localhost"), LOG_END);
	return !error && is_answered;
}

struct engine *
engine_new(struct ub_event_base *base, const struct settings *settings,
    bool validates)
{
	struct engine *engine = calloc(1, sizeof *engine);

	if (engine == NULL)
		return NULL;
	engine->validates = validates;
	engine->log = open_log();
	engine->ctx = ub_ctx_create_ub_event(base);
	if (engine->ctx == NULL ||
	    ub_ctx_debugout(engine->ctx, engine->log) != 0 ||
	    !set_options(engine, settings, validates) ||
	    !set_servers(engine, settings) ||
	    (validates && !set_anchors(engine, settings)) ||
	    !warm_up(engine, settings))
		engine_free(&engine);
	return engine;
}

bool
engine_validates(const struct engine *engine)
{
	return engine->validates;
}

void
engine_free(struct engine **engine)
{
	if (*engine == NULL)
		return;
	ub_ctx_delete((*engine)->ctx);
	if ((*engine)->log != NULL)
		fclose((*engine)->log);
	free(*engine);
	*engine = NULL;
}

/* ---- questions ---- */

/* The name as libunbound parses it: whatever is no letter is \DDD. */
static void
escape(char to[ESCAPED_MAX], struct slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_' || c == '.')
			*to++ = (char)c;
		else
			to += snprintf(to, 5, "\\%03u", c);
	}
	*to++ = '.';
	*to = '\0';
}

static void
on_answer(void *arg, int rcode, void *packet, int size, int security,
    char *why, int was_limited)
{
	struct lookup *lookup = arg;
	struct engine_result result = { .why_bogus = why };

	(void)was_limited;
	if (security == 1)
		result.security = ENGINE_BOGUS;
	else if (security == 2)
		result.security = ENGINE_SECURE;
	/* with another code than 0 there is no packet to look at */
	if (rcode == 0 && packet != NULL && size > 0) {
		result.is_answered = true;
		result.packet = (struct slice){ packet, (size_t)size };
	}
	if (lookup->is_called != NULL)
		*lookup->is_called = true;
	lookup->answered(lookup->arg, &result);
	free(lookup);
}

int
engine_ask(struct engine *engine, struct slice name, uint16_t type,
    engine_answered_fn *answered, void *arg, struct lookup **lookup)
{
	char escaped[ESCAPED_MAX];
	struct lookup *new = malloc(sizeof *new);
	bool is_called = false;
	int error, id = 0;

	*lookup = NULL;
	if (new == NULL || name.size > DNS_NAME_MAX) {
		free(new);
		return -ENOMEM;
	}
	*new = (struct lookup){ answered, arg, 0, &is_called };
	escape(escaped, name);
	error = ub_resolve_event(engine->ctx, escaped, type, CLASS_IN, new,
	    on_answer, &id);
	if (is_called)
		return 0;
	if (error) {
		free(new);
		return -EIO;
	}
	new->is_called = NULL;
	new->id = id;
	*lookup = new;
	return 0;
}

void
engine_cancel(struct engine *engine, struct lookup **lookup)
{
	if (*lookup == NULL)
		return;
	/* UB_NOID: it has been called meanwhile, and *lookup is gone */
	if (ub_cancel(engine->ctx, (*lookup)->id) == 0)
		free(*lookup);
	*lookup = NULL;
}
