/* SPDX-License-Identifier: ISC */
/*
 * caller.c - see caller.h.
 */
#include <stdlib.h>
#include "caller.h"
#include "commands.h"
#include "log.h"

#define PEER_DEADLINE_MS 10000

uint32_t
caller_next_exchange(void)
{
	static uint32_t last;

	if (++last == 0)
		last = 1;
	return last;
}

/* What auth says of another session is no answer to this one. */
static bool
caller_keep(struct session *s, const struct voucher *voucher)
{
	if (!slice_equals(voucher->session, slice_of(s->id)))
		return false;
	free(s->user);
	s->user = calloc(1, sizeof(*s->user));
	if (s->user != NULL && voucher_copy(s->user, voucher))
		return true;
	free(s->user);
	s->user = NULL;
	return false;
}

/* ---- submitters ---- */

static bool
caller_is_submitter(const struct session *s)
{
	const struct config *config = s->settings->config;
	size_t i;

	if (s->settings->kind != LISTEN_SUBMISSION || s->is_self_test ||
	    s->user != NULL)
		return false;
	for (i = 0; i < config->n_submitters; i++) {
		char *network = config->submitters[i].network;
		const struct config_strings one = { &network, 1 };

		if (config_networks_contain(&one, s->ip))
			return true;
	}
	return false;
}

static enum step
submitter_answered(struct session *s, struct answer *a)
{
	const struct auth_answer *auth = &a->as.auth;

	note_asked("connect", slice_of(s->ip), a->took_us);
	if (!a->is_known || (auth->result != AUTH_OK &&
	    auth->result != AUTH_NOT_A_USER) || (auth->result == AUTH_OK &&
	    !caller_keep(s, &auth->voucher)))
		return session_reply(s, REPLY_AUTH_SILENT);
	if (s->user != NULL)
		log_info("submitter", LOG_S("session", s->id),
		    LOG_S("user", s->user->user), LOG_END);
	return s->after_caller(s);
}

enum step
caller_find_submitter(struct session *s, session_then_fn *then)
{
	const struct auth_peer peer = { .exchange = caller_next_exchange(),
		.session = slice_of(s->id), .network = slice_of(s->ip) };
	struct question q = { .kind = QUESTION_AUTH_PEER, .fd = -1,
		.deadline_ms = PEER_DEADLINE_MS, .as.auth_peer = &peer };

	if (!caller_is_submitter(s))
		return then(s);
	s->after_caller = then;
	return session_ask(s, &q, submitter_answered);
}

/* ---- the local listener ---- */

static enum step
caller_answered(struct session *s, struct answer *a)
{
	const struct auth_answer *auth = &a->as.auth;

	note_asked("connect", slice_of(s->ip), a->took_us);
	s->is_timer_wanted = true;
	note_told("uid %u", s->caller_uid);
	if (a->is_known && auth->result == AUTH_NOT_A_USER)
		return session_reply(s, REPLY_NOT_A_USER);
	if (!a->is_known || auth->result != AUTH_OK ||
	    !caller_keep(s, &auth->voucher))
		return session_reply(s, REPLY_CALLER_UNKNOWN);
	log_info("caller", LOG_S("session", s->id),
	    LOG_U("uid", s->caller_uid), LOG_S("user", s->user->user),
	    LOG_END);
	return session_greeting(s);
}

/* The host hands the socket on with it. */
enum step
caller_greet(struct session *s)
{
	const struct auth_peer peer = { .exchange = caller_next_exchange(),
		.session = slice_of(s->id), .network = SLICE("") };
	struct question q = { .kind = QUESTION_AUTH_PEER, .fd = -1,
		.deadline_ms = PEER_DEADLINE_MS, .as.auth_peer = &peer };

	return session_run(s, session_ask(s, &q, caller_answered));
}
