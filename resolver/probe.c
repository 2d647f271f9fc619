/* SPDX-License-Identifier: ISC */
/*
 * probe.c - see probe.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include "clock.h"
#include "log.h"
#include "probe.h"
#include "rdata.h"

#define TYPE_RRSIG 46
#define TYPE_DNSKEY 48
#define HOLD_US 2000000		/* questions wait for the result so long */
#define SILENT_US 5000000
#define AGAIN_US 60000000	/* while it is off */
#define CHECK_US 300000000	/* while it is on */
#define WATCH_US 5000000
#define BOGUS_MANY 5		/* since the last test: test again */

enum state { TESTING, ON, OFF, FAILING };

struct probe {
	struct alarms *alarms;
	struct questions *questions;
	struct engine *plain, *validating;
	enum state state;
	char why[DNS_NAME_MAX + 300];
	char name[DNS_NAME_MAX + 1];	/* of the first anchor */
	bool has_warned;
	int64_t tested_us;		/* when signatures were seen last */
	uint64_t bogus_before;		/* answers, at that time */
	struct lookup *lookup;
	struct engine *asked;
	struct alarm next, hold;
};

static void
use(struct probe *probe, struct engine *engine, struct engine *proving)
{
	alarm_stop(probe->alarms, &probe->hold);
	questions_use(probe->questions, engine, proving);
}

static void ask_validating(void *arg);
static void ask_signatures(void *arg);

static void
try_again(struct probe *probe, int64_t after_us)
{
	(void)alarm_start(probe->alarms, &probe->next, after_us,
	    ask_validating, probe);
}

static void
ask_signatures_in(struct probe *probe, int64_t after_us)
{
	(void)alarm_start(probe->alarms, &probe->next, after_us,
	    ask_signatures, probe);
}

/* ---- while it is on: are there signatures still? ---- */

static void
watch(void *arg)
{
	struct probe *probe = arg;
	int64_t since_us = clock_monotonic_us() - probe->tested_us;
	uint64_t n_bogus = questions_count(probe->questions).bogus -
	    probe->bogus_before;

	if (since_us >= CHECK_US || n_bogus >= BOGUS_MANY)
		ask_signatures(probe);
	else
		(void)alarm_start(probe->alarms, &probe->next, WATCH_US,
		    watch, probe);
}

static void
watch_on(struct probe *probe)
{
	probe->tested_us = clock_monotonic_us();
	probe->bogus_before = questions_count(probe->questions).bogus;
	(void)alarm_start(probe->alarms, &probe->next, WATCH_US, watch, probe);
}

/* ---- the same without validation: is it the signatures? ---- */

static void
note_off(struct probe *probe, const struct engine_result *result)
{
	enum state now = rdata_has_type(result->packet, TYPE_RRSIG) ?
	    FAILING : OFF;

	if (now == OFF)
		snprintf(probe->why, sizeof probe->why, "the name servers "
		    "leave out signatures");
	if (probe->state != now)
		log_warning("dnssec_off", LOG_S("why", probe->why),
		    LOG_S("effect", now == OFF ? "answers are not validated, "
		    "and DANE is off" : "answers are not validated; mail to "
		    "other hosts waits where DANE could protect it"),
		    LOG_END);
	probe->state = now;
	use(probe, probe->plain, now == OFF ? probe->plain :
	    probe->validating);
	ask_signatures_in(probe, AGAIN_US);
}

static void
note_silence(struct probe *probe)
{
	snprintf(probe->why, sizeof probe->why, "the name servers do not "
	    "answer for \"%s.\"", probe->name);
	if (!probe->has_warned)
		log_warning("dnssec_untested", LOG_S("why", probe->why),
		    LOG_END);
	probe->has_warned = true;
	if (probe->state == TESTING)
		use(probe, probe->validating, probe->validating);
	try_again(probe, SILENT_US);
}

static void
plain_answered(void *arg, const struct engine_result *result)
{
	struct probe *probe = arg;

	probe->lookup = NULL;
	if (result->is_answered)
		note_off(probe, result);
	else
		note_silence(probe);
}

static void
ask_plain(void *arg)
{
	struct probe *probe = arg;

	probe->asked = probe->plain;
	if (engine_ask(probe->plain, slice_of(probe->name), TYPE_DNSKEY,
	    plain_answered, probe, &probe->lookup) != 0)
		note_silence(probe);
}

/* ---- with validation ---- */

static void
note_on(struct probe *probe)
{
	log_notice("dnssec_on", LOG_S("anchor", *probe->name ?
	    probe->name : "."), LOG_END);
	probe->state = ON;
	*probe->why = '\0';
	use(probe, probe->validating, probe->validating);
	watch_on(probe);
}

/*
 * Keys that validate are not all: systemd-resolved with DNSSEC=no hands
 * signatures out only where CD is set, as in libunbound's second try. What
 * there is would be secure, and what is absent bogus.
 */
static void
validating_answered(void *arg, const struct engine_result *result)
{
	struct probe *probe = arg;

	probe->lookup = NULL;
	if (result->is_answered && result->security == ENGINE_SECURE) {
		if (probe->state == TESTING)
			ask_signatures_in(probe, 0);
		else	/* what brought us here were signatures */
			note_on(probe);
		return;
	}
	snprintf(probe->why, sizeof probe->why, "the keys of \"%s.\" do not "
	    "validate: %.200s", probe->name, result->why_bogus ?
	    result->why_bogus : "no reason was given");
	/* not from within libunbound's call */
	(void)alarm_start(probe->alarms, &probe->next, 0, ask_plain, probe);
}

static void
ask_validating(void *arg)
{
	struct probe *probe = arg;

	probe->asked = probe->validating;
	if (engine_ask(probe->validating, slice_of(probe->name), TYPE_DNSKEY,
	    validating_answered, probe, &probe->lookup) != 0)
		note_silence(probe);
}

/* ---- a name that nobody has in a cache ---- */

static void
signatures_answered(void *arg, const struct engine_result *result)
{
	struct probe *probe = arg;

	probe->lookup = NULL;
	if (result->is_answered &&
	    !rdata_has_type(result->packet, TYPE_RRSIG))
		note_off(probe, result);
	else if (probe->state == TESTING)
		note_on(probe);
	else if (probe->state == ON)
		watch_on(probe);
	else if (result->is_answered)	/* not from within libunbound's call */
		try_again(probe, 0);
	else
		ask_signatures_in(probe, SILENT_US);
}

/* Below the anchor, and of a type that forwarders do not make up. */
static void
ask_signatures(void *arg)
{
	struct probe *probe = arg;
	char name[DNS_NAME_MAX + 40];
	uint64_t number;

	if (getrandom(&number, sizeof number, 0) != sizeof number)
		number = (uint64_t)clock_wall_us();
	snprintf(name, sizeof name, "%016llx%s%s", (unsigned long long)number,
	    *probe->name != '\0' ? "." : "", probe->name);
	probe->asked = probe->plain;
	if (engine_ask(probe->plain, slice_of(name), DNS_TXT,
	    signatures_answered, probe, &probe->lookup) != 0)
		ask_signatures_in(probe, AGAIN_US);
}

/* Questions are not held for ever: what they are told may be bogus. */
static void
on_hold_over(void *arg)
{
	struct probe *probe = arg;

	questions_use(probe->questions, probe->validating,
	    probe->validating);
}

/* ---- life ---- */

static void
find_name(struct probe *probe, const struct settings *settings)
{
	struct slice owner = slice_of(settings->anchors[0]);
	size_t size = 0;

	while (size < owner.size && owner.data[size] != ' ' &&
	    owner.data[size] != '\t')
		size++;
	owner.size = size;
	(void)dns_name(probe->name, owner);
}

struct probe *
probe_new(struct alarms *alarms, struct questions *questions,
    struct engine *plain, struct engine *validating,
    const struct settings *settings)
{
	struct probe *probe = calloc(1, sizeof *probe);

	if (probe == NULL)
		return NULL;
	probe->alarms = alarms;
	probe->questions = questions;
	probe->plain = plain;
	probe->validating = validating;
	if (validating == NULL) {
		probe->state = OFF;
		snprintf(probe->why, sizeof probe->why, "%s",
		    settings->why_insecure ? settings->why_insecure :
		    "the trust anchor cannot be used");
		use(probe, plain, plain);
		return probe;
	}
	find_name(probe, settings);
	snprintf(probe->why, sizeof probe->why, "it is being tested");
	(void)alarm_start(alarms, &probe->hold, HOLD_US, on_hold_over, probe);
	ask_validating(probe);
	return probe;
}

void
probe_free(struct probe **probe)
{
	if (*probe == NULL)
		return;
	if ((*probe)->lookup != NULL)
		engine_cancel((*probe)->asked, &(*probe)->lookup);
	alarm_stop((*probe)->alarms, &(*probe)->hold);
	alarm_stop((*probe)->alarms, &(*probe)->next);
	free(*probe);
	*probe = NULL;
}

const char *
probe_state(const struct probe *probe)
{
	static const char *const words[] = { [TESTING] = "testing",
		[ON] = "on", [OFF] = "off", [FAILING] = "failing" };

	return words[probe->state];
}

const char *
probe_why(const struct probe *probe)
{
	return probe->why;
}
