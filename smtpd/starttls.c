/* SPDX-License-Identifier: ISC */
/*
 * STARTTLS (RFC 3207), and TLS from the first octet.
 *
 *	STARTTLS -> 220 -> handshake -> as if it had just connected, without
 *	        \                   \     a greeting (RFC 3207 4.2)
 *	         \                   \-> closed
 *	          \-> 454: vault is away, and the session goes on in the clear
 *
 * Nothing that came in the clear is ever taken for something that TLS has
 * carried: whoever sends on behind STARTTLS, before our 220, is refused and
 * none of it is read; what comes behind our 220 is the handshake's.
 */
#include <stdio.h>
#include <stdlib.h>
#include "checks.h"
#include "commands.h"
#include "starttls.h"
#include "transaction.h"

#define HANDSHAKE_MS 60000

bool
starttls_is_offered(const struct session *s)
{
	return s->tls == NULL && s->tls_mode != TLS_OFF;
}

/* What was said before is as if it was never said. */
static void
session_forget_all(struct session *s)
{
	transaction_end(s);
	checks_free(s);
	free(s->helo);
	s->helo = NULL;
	free(s->user);
	s->user = NULL;
	s->phase = PHASE_CONNECTED;
	s->is_esmtp = false;
	s->has_enhanced = true;
	s->is_bad_line = false;
	s->skipped_bytes = 0;
}

static bool
session_begin_handshake(struct session *s)
{
	if (s->settings->host->start_tls(s->conn) < 0)
		return false;
	s->is_securing = true;
	s->settings->host->timer(s->conn, HANDSHAKE_MS);
	return true;
}

enum step
cmd_starttls(struct session *s, struct slice argument)
{
	enum step step;

	if (s->tls != NULL)
		return session_reply(s, REPLY_TLS_ALREADY);
	if (s->tls_mode == TLS_OFF)
		return session_reply(s, REPLY_TLS_NOT_OFFERED);
	if (argument.size > 0)
		return session_reply(s, REPLY_BAD_ARGUMENT);
	if (s->input.size > 0 ||
	    s->settings->host->presence(s->conn) == PRESENCE_HAS_SENT)
		return session_reply(s, REPLY_TLS_PIPELINED);
	if (!s->settings->host->can_start_tls(s->conn))
		return session_reply(s, REPLY_TLS_AWAY);
	session_forget_all(s);
	step = session_reply(s, REPLY_TLS_READY);
	if (step != STEP_NEXT)
		return step;
	session_flush(s);
	return session_begin_handshake(s) ? STEP_WAIT : STEP_CLOSE;
}

enum step
session_secure(struct session *s)
{
	session_begin(s);
	s->is_greeting_due = true;
	if (session_begin_handshake(s))
		return STEP_WAIT;
	return session_run(s, STEP_CLOSE);
}

/* "TLSv1.3 TLS_AES_256_GCM_SHA384", and behind it the name asked for. */
static bool
session_keep_facts(struct session *s, const struct tls_facts *facts)
{
	s->cipher_bits = facts->cipher_bits;
	return asprintf(&s->tls, "%s %s", facts->version, facts->cipher) >= 0;
}

enum step
session_secured(struct session *s, const struct tls_facts *facts)
{
	s->is_securing = false;
	s->is_timer_wanted = true;
	if (!session_keep_facts(s, facts)) {
		s->tls = NULL;
		return session_run(s, session_reply(s, REPLY_NO_MEMORY));
	}
	note_secured(s, facts);
	if (!s->is_greeting_due)
		return session_run(s, STEP_WAIT);
	s->is_greeting_due = false;
	return session_say_greeting(s, s->settings->host->presence(s->conn) ==
	    PRESENCE_HAS_SENT);
}

enum step
session_insecure(struct session *s, const char *why)
{
	note_insecure(s, why);
	return session_run(s, STEP_CLOSE);
}

enum step
session_handshake_over(struct session *s)
{
	return session_insecure(s, "it took too long");
}
