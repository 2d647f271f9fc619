/* SPDX-License-Identifier: ISC */
/*
 * RSET NOOP VRFY EXPN HELP QUIT (RFC 5321 4.1.1).
 *
 * VRFY tells nobody who lives here and EXPN shows no list (RFC 5321 7.3):
 * RCPT is the one place that answers, and it counts its unknown ones.
 */
#include "commands.h"
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

enum step
cmd_help(struct session *s, struct slice argument)
{
	(void)argument;
	return session_reply(s, REPLY_HELP);
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
