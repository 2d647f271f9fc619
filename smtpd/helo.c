/* SPDX-License-Identifier: ISC */
/*
 * HELO and EHLO: both end a transaction like RSET (RFC 5321 4.1.4).
 *
 * EHLO offers what the configuration keeps. LIMITS (RFC 9422) announces
 * only limits that are in force.
 */
#include <inttypes.h>
#include <stdlib.h>
#include "auth.h"
#include "caller.h"
#include "checks.h"
#include "commands.h"
#include "filter_steps.h"
#include "limits.h"
#include "smtp_command.h"
#include "starttls.h"
#include "submit.h"
#include "transaction.h"

/*
 * Own users' devices give the names that their owners gave them ("my phone");
 * nothing depends on it, and what does not fit in is cleaned in Received.
 */
static bool
helo_is_good(const struct session *s, struct slice argument)
{
	return command_check_helo(argument) == COMMAND_OK ||
	    (session_is_own(s) &&
	    slice_is_field(argument, COMMAND_HELO_MAX + 1));
}

/* False: a reply has been chosen in *step. */
static bool
helo_accept(struct session *s, struct slice argument, enum step *step)
{
	char *helo;

	if (!helo_is_good(s, argument)) {
		*step = session_reply(s, REPLY_HELO_SYNTAX);
		return false;
	}
	helo = slice_strdup(argument);
	if (helo == NULL) {
		*step = session_reply(s, REPLY_NO_MEMORY);
		return false;
	}
	transaction_end(s);
	free(s->helo);
	s->helo = helo;
	s->phase = PHASE_READY;
	return true;
}

static enum step
helo_done(struct session *s)
{
	return session_reply_lines(s, 250,
	    slice_of(s->settings->config->hostname));
}

static enum step
helo_known(struct session *s)
{
	return milters_helo(s, helo_done);
}

enum step
cmd_helo(struct session *s, struct slice argument)
{
	enum step step;

	if (!helo_accept(s, argument, &step))
		return step;
	s->is_esmtp = s->has_enhanced = false;
	checks_hello(s);
	return caller_find_submitter(s, helo_known);
}

static void
ehlo_put_limits(struct buf *text, const struct session_settings *settings)
{
	unsigned mails = settings->config->limits.messages_per_session;

	buf_puts(text, "\nLIMITS");
	if (mails != 0)
		buf_printf(text, " MAILMAX=%u", mails);
	buf_printf(text, " RCPTMAX=%u", settings->max_recipients);
}

static void
ehlo_put_keywords(struct buf *text, const struct session *s)
{
	const struct session_settings *settings = s->settings;
	uint64_t size_bytes = limits_message_bytes(settings->limits);

	buf_puts(text, settings->config->hostname);
	buf_puts(text, "\nPIPELINING\nENHANCEDSTATUSCODES\n8BITMIME\nSMTPUTF8"
	    "\nCHUNKING");
	buf_puts(text, session_is_own(s) ? "\nDSN" : "\nPRDR");
	if (session_is_own(s) ? (submit_mail_offered(s) &
	    COMMAND_REQUIRETLS) != 0 : s->tls != NULL)
		buf_puts(text, "\nREQUIRETLS");
	/* RFC 1870 4: 0 is "no fixed maximum". */
	buf_printf(text, "\nSIZE %" PRIu64, size_bytes);
	ehlo_put_limits(text, settings);
	if (starttls_is_offered(s))
		buf_puts(text, "\nSTARTTLS");
	if (auth_is_offered(s))
		auth_put_keyword(text, s);
	buf_puts(text, "\nHELP");
}

static enum step
ehlo_done(struct session *s)
{
	struct buf text = { .maximum = 1024 };
	enum step step;

	ehlo_put_keywords(&text, s);
	step = session_reply_lines(s, 250, buf_slice(&text));
	buf_free(&text);
	return step;
}

static enum step
ehlo_known(struct session *s)
{
	return milters_helo(s, ehlo_done);
}

enum step
cmd_ehlo(struct session *s, struct slice argument)
{
	enum step step;

	if (!helo_accept(s, argument, &step))
		return step;
	s->is_esmtp = s->has_enhanced = true;
	checks_hello(s);
	return caller_find_submitter(s, ehlo_known);
}
