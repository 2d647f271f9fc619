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
