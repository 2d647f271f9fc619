/* SPDX-License-Identifier: ISC */
/*
 * signatures.c - see signatures.h.
 */
#include <stdlib.h>
#include "clock.h"
#include "connection.h"
#include "limits.h"
#include "log.h"
#include "scanner.h"
#include "signatures.h"

#define DAY_S 86400

struct signatures {
	struct server *server;
	const struct config_filter *clamd;
	struct scanner *scanner;
	void (*answered)(void *arg);
	void *arg;
	bool is_asked;
	int64_t made_s;		/* 0: not known */
	int64_t age_s;		/* as counted; 0: not known */
};

static void
count_age(struct signatures *s, int64_t age_s)
{
	limits_count(s->server->settings.limits, SCOREBOARD_SIGNATURES_AGE_S,
	    age_s - s->age_s);
	s->age_s = age_s;
}

/* From 1 on; 0: not known. */
static int64_t
find_age(const struct signatures *s)
{
	int64_t age_s = clock_wall_s() - s->made_s;

	if (s->made_s == 0)
		return 0;
	if (age_s >= 1)
		return age_s;
	if (age_s >= -CLAMD_ZONE_S)
		return 1;
	log_warning("clamd_failed", LOG_S("clamd", s->clamd->text),
	    LOG_S("problem", "its signatures are of a time to come: its "
	    "clock or ours is wrong, and their age is not known"), LOG_END);
	return 0;
}

static void
judge(struct signatures *s)
{
	bool *is_old = &s->server->settings.has_old_signatures;
	bool was_old = *is_old;

	count_age(s, find_age(s));
	*is_old = s->age_s > (int64_t)s->clamd->signatures_age_s;
	if (*is_old)
		log_error("alarm", LOG_S("problem", "the signatures of clamd "
		    "are too old: see whether freshclam runs, what its log "
		    "says, and whether its disk is full"),
		    LOG_S("clamd", s->clamd->text),
		    LOG_U("age_days", (uint64_t)s->age_s / DAY_S),
		    LOG_S("effect", s->clamd->defers_old ?
		    "what it finds clean is as if it were silent" :
		    "new viruses are not found"), LOG_END);
	else if (was_old)
		log_notice("signatures_renewed",
		    LOG_S("clamd", s->clamd->text), LOG_END);
}

static void
on_version(const struct scan_answer *answer, void *arg)
{
	struct signatures *s = arg;

	s->is_asked = false;
	if (answer->result == CLAMD_VERSION)
		s->made_s = answer->made_s;
	judge(s);
	s->answered(s->arg);
}

void
signatures_ask(struct signatures *s)
{
	if (s == NULL || s->is_asked)
		return;
	s->is_asked = true;
	scanner_ask_version(s->scanner);
}

bool
signatures_are_asked(const struct signatures *s)
{
	return s != NULL && s->is_asked;
}

struct signatures *
signatures_new(struct server *server, void (*answered)(void *arg), void *arg)
{
	const struct config *config = server->settings.config;
	struct signatures *s;

	if (config->n_clamds == 0 ||
	    config->checks.actions[CHECK_VIRUS] == ACTION_OFF ||
	    config->clamds[0].signatures_age_s == 0)
		return NULL;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->server = server;
	s->clamd = &config->clamds[0];
	s->answered = answered;
	s->arg = arg;
	s->scanner = scanner_new(server->compartment, "selftest",
	    on_version, s);
	if (s->scanner == NULL) {
		free(s);
		return NULL;
	}
	return s;
}
