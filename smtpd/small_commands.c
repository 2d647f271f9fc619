/* SPDX-License-Identifier: ISC */
/*
 * RSET NOOP VRFY EXPN HELP QUIT (RFC 5321 4.1.1).
 *
 * VRFY tells nobody who lives here and EXPN shows no list (RFC 5321 7.3):
 * RCPT is the one place that answers, and it counts its unknown ones.
 */
#include <stdio.h>
#include "auth.h"
#include "commands.h"
#include "starttls.h"
#include "transaction.h"

enum step
cmd_rset(struct session *s, struct slice argument)
{
	if (argument.size > 0)
		return session_reply(s, REPLY_BAD_ARGUMENT);
	transaction_end(s);
	return session_reply(s, REPLY_RESET);
}

enum step
cmd_noop(struct session *s, struct slice argument)
{
	(void)argument;
	return session_reply(s, REPLY_OK);
}

enum step
cmd_vrfy(struct session *s, struct slice argument)
{
	if (argument.size == 0)
		return session_reply(s, REPLY_BAD_ARGUMENT);
	return session_reply(s, REPLY_VRFY);
}

enum step
cmd_expn(struct session *s, struct slice argument)
{
	(void)argument;
	return session_reply(s, REPLY_EXPN);
}

/* What it would do for this client now. */
enum step
cmd_help(struct session *s, struct slice argument)
{
	char names[100];

	(void)argument;
	snprintf(names, sizeof(names),
	    "EHLO HELO%s%s MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT",
	    starttls_is_offered(s) ? " STARTTLS" : "",
	    auth_is_offered(s) ? " AUTH" : "");
	return session_reply_with(s, REPLY_HELP, slice_of(names));
}

enum step
cmd_quit(struct session *s, struct slice argument)
{
	if (argument.size > 0)
		return session_reply(s, REPLY_BAD_ARGUMENT);
	transaction_end(s);
	s->has_quit = true;
	return session_reply(s, REPLY_BYE);
}
