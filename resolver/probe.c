/* SPDX-License-Identifier: ISC */
/*
 * probe.c - see probe.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include "log.h"
#include "probe.h"
#include "rdata.h"

#define TYPE_RRSIG 46
#define TYPE_DNSKEY 48
#define HOLD_US 2000000		/* questions wait for the result so long */
#define SILENT_US 5000000
#define AGAIN_US 600000000

enum state { TESTING, ON, OFF };

struct probe {
	struct alarms *alarms;
	struct questions *questions;
	struct engine *plain, *validating;
	enum state state;
	char why[DNS_NAME_MAX + 300];
	char name[DNS_NAME_MAX + 1];	/* of the first anchor */
	bool has_warned;
	struct lookup *lookup;
	struct engine *asked;
	struct alarm next, hold;
};

static void
use(struct probe *probe, struct engine *engine)
{
	alarm_stop(probe->alarms, &probe->hold);
	questions_use(probe->questions, engine);
}

static void ask_validating(void *arg);

static void
try_again(struct probe *probe, int64_t after_us)
{
	(void)alarm_start(probe->alarms, &probe->next, after_us,
	    ask_validating, probe);
}

/* ---- the same without validation: is it the signatures? ---- */

static void
note_off(struct probe *probe, const struct engine_result *result)
{
	if (!rdata_has_type(result->packet, TYPE_RRSIG))
		snprintf(probe->why, sizeof probe->why, "the name servers "
		    "leave out signatures");
	if (probe->state != OFF)
		log_warning("dnssec_off", LOG_S("why", probe->why),
		    LOG_S("effect", "answers are not validated"), LOG_END);
	probe->state = OFF;
	use(probe, probe->plain);
	try_again(probe, AGAIN_US);
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
		use(probe, probe->validating);
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
validating_answered(void *arg, const struct engine_result *result)
{
	struct probe *probe = arg;

	probe->lookup = NULL;
	if (result->is_answered && result->security == ENGINE_SECURE) {
		log_notice("dnssec_on", LOG_S("anchor", *probe->name ?
		    probe->name : "."), LOG_END);
		probe->state = ON;
		*probe->why = '\0';
		use(probe, probe->validating);
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

/* Questions are not held for ever: what they are told may be bogus. */
static void
on_hold_over(void *arg)
{
	struct probe *probe = arg;

	questions_use(probe->questions, probe->validating);
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
		use(probe, plain);
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
	return probe->state == ON ? "on" : probe->state == OFF ? "off" :
	    "testing";
}

const char *
probe_why(const struct probe *probe)
{
	return probe->why;
}
