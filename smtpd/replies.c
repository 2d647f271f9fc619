/* SPDX-License-Identifier: ISC */
/*
 * The table of replies.h. A text holds no reply code and no line end.
 */
#include <assert.h>
#include <stddef.h>
#include "replies.h"

#define CLOSES REPLY_CLOSES
#define HOST REPLY_NAMES_HOST
#define ERROR REPLY_IS_ERROR
#define SILENCE REPLY_IS_SILENCE

static const struct reply_entry entries[REPLY_COUNT] = {
	[REPLY_BYE] = { 221, 0, 0, CLOSES | HOST, NULL, "bye" },
	[REPLY_OK] = { 250, 0, 0, 0, NULL, "ok" },
	[REPLY_RESET] = { 250, 0, 0, 0, NULL, "reset" },
	[REPLY_HELP] = { 214, 0, 0, 0, NULL,
	    "EHLO HELO STARTTLS MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN HELP "
	    "QUIT; see RFC 5321" },
	[REPLY_VRFY] = { 252, 5, 0, 0, NULL,
	    "not verified here; send mail and RCPT will tell" },
	[REPLY_MAIL_OK] = { 250, 1, 0, 0, NULL, "sender ok" },
	[REPLY_RCPT_OK] = { 250, 1, 5, 0, NULL, "recipient ok" },
	[REPLY_CHUNK_OK] = { 250, 0, 0, 0, NULL, "chunk taken" },
	[REPLY_SEND_DATA] = { 354, 0, 0, 0, NULL,
	    "send the message, end with a dot on a line of its own" },
	[REPLY_PRDR_FOLLOWS] = { 353, 0, 0, 0, NULL,
	    "one reply for each recipient follows" },
	[REPLY_DELIVERED] = { 250, 0, 0, 0, NULL, "delivered" },
	[REPLY_DELIVERED_TO] = { 250, 1, 5, 0, NULL, "delivered" },
	[REPLY_NOBODY] = { 550, 3, 0, 0, "delivery", "nobody has received it" },

	[REPLY_TLS_READY] = { 220, 0, 0, 0, NULL, "begin the handshake" },
	[REPLY_TLS_ALREADY] = { 503, 5, 1, ERROR, "starttls",
	    "this connection has TLS already" },
	[REPLY_TLS_NOT_OFFERED] = { 502, 5, 1, ERROR, "starttls",
	    "TLS is not offered here" },
	[REPLY_TLS_PIPELINED] = { 554, 5, 1, CLOSES | ERROR, "starttls",
	    "nothing may stand behind STARTTLS until it is answered, "
	    "closing" },
	[REPLY_TLS_REQUIRED] = { 530, 7, 0, ERROR, "starttls",
	    "say STARTTLS first" },

	[REPLY_TALKS_EARLY] = { 554, 5, 1, CLOSES | ERROR, "greeting",
	    "wait for the greeting before you speak" },
	[REPLY_TOO_MANY_SESSIONS] = { 421, 7, 0, CLOSES | HOST, "sessions",
	    "too many connections, try again later" },
	[REPLY_TOO_FAST] = { 421, 7, 0, CLOSES | HOST, "rate",
	    "too many messages from your network, try again later" },
	[REPLY_SHUTTING_DOWN] = { 421, 3, 2, CLOSES | HOST, "shutdown",
	    "shutting down, try again later" },
	[REPLY_TIMEOUT] = { 421, 4, 2, CLOSES | HOST, "timeout",
	    "nothing heard for too long, closing" },
	[REPLY_TOO_SLOW] = { 421, 4, 2, CLOSES | HOST, "rate",
	    "the message comes too slowly, closing" },
	[REPLY_TOO_MANY_ERRORS] = { 421, 7, 0, CLOSES | HOST, "errors",
	    "too many errors, closing" },
	[REPLY_TOO_MANY_MAILS] = { 421, 7, 0, CLOSES | HOST, "mailmax",
	    "too many messages in one connection, come again" },
	[REPLY_NO_MEMORY] = { 421, 3, 0, CLOSES | HOST, "memory",
	    "out of memory, try again later" },

	[REPLY_BAD_OCTETS] = { 500, 5, 2, ERROR, "syntax",
	    "control octets or malformed UTF-8 in a command" },
	[REPLY_BAD_LINE_END] = { 500, 5, 2, ERROR, "syntax",
	    "a line ends with CR LF, not with LF alone" },
	[REPLY_LINE_TOO_LONG] = { 500, 5, 2, ERROR, "syntax",
	    "command line too long" },
	[REPLY_LINE_ENDLESS] = { 500, 5, 2, CLOSES | ERROR, "syntax",
	    "command line without end, closing" },
	[REPLY_UNKNOWN_COMMAND] = { 500, 5, 1, ERROR, "syntax",
	    "command not known" },
	[REPLY_EXPN] = { 502, 5, 1, ERROR, "expn", "lists are not shown here" },
	[REPLY_BAD_SEQUENCE] = { 503, 5, 1, ERROR, "sequence",
	    "not at this point of the dialogue" },
	[REPLY_BAD_ARGUMENT] = { 501, 5, 4, ERROR, "syntax",
	    "argument missing or not expected" },
	[REPLY_HELO_SYNTAX] = { 501, 5, 4, ERROR, "helo",
	    "say your host name" },
	[REPLY_BDAT_SYNTAX] = { 501, 5, 4, CLOSES | ERROR, "syntax",
	    "BDAT needs a size; closing, as what follows cannot be told "
	    "from commands" },
	[REPLY_SENDER_SYNTAX] = { 501, 1, 7, ERROR, "sender",
	    "malformed reverse-path" },
	[REPLY_RECIPIENT_SYNTAX] = { 501, 1, 3, ERROR, "recipient",
	    "malformed recipient" },
	[REPLY_NEEDS_SMTPUTF8] = { 553, 6, 7, 0, "smtputf8",
	    "an address that is not ASCII needs SMTPUTF8" },
	[REPLY_UNKNOWN_PARAM] = { 555, 5, 4, ERROR, "syntax",
	    "parameter not offered here" },
	[REPLY_BAD_PARAM] = { 501, 5, 4, ERROR, "syntax",
	    "parameter given twice or with a bad value" },

	[REPLY_TOO_LARGE] = { 552, 3, 4, 0, "size",
	    "message larger than we take" },
	[REPLY_BUDGET_USED] = { 452, 3, 1, 0, "memory",
	    "too much mail under way, try again later" },
	[REPLY_TOO_MANY_RECIPIENTS] = { 452, 5, 3, 0, "recipients",
	    "too many recipients, send the rest in another transaction" },
	[REPLY_OTHER_FATE] = { 452, 5, 3, 0, "fate",
	    "send to this recipient in another transaction" },
	[REPLY_HARVEST_CLOSE] = { 421, 7, 0, CLOSES | HOST, "harvest",
	    "too many unknown recipients, closing" },
	[REPLY_HARVEST] = { 450, 7, 1, 0, "harvest",
	    "too many unknown recipients from your network, try again later" },
	[REPLY_DIRECTORY_SILENT] = { 451, 4, 3, SILENCE, "recipient",
	    "cannot look up recipients now, try again later" },
	[REPLY_DELIVER_SILENT] = { 451, 3, 0, SILENCE, "mailbox",
	    "cannot look at mailboxes now, try again later" },
	[REPLY_NO_RECIPIENTS] = { 554, 5, 1, ERROR, "sequence",
	    "no valid recipients" },
	[REPLY_BARE_OCTETS] = { 550, 5, 2, 0, "line ends",
	    "bare CR, bare LF or NUL in the message (RFC 5321 2.3.8)" },
	[REPLY_DATA_LINE_TOO_LONG] = { 552, 6, 0, 0, "line length",
	    "a line of the message is too long" },
	[REPLY_DATA_IO_ERROR] = { 451, 3, 0, 0, "store",
	    "cannot store the message now, try again later" },
	[REPLY_DATA_ENDLESS] = { 552, 3, 4, CLOSES, "size",
	    "message far larger than we take, closing" },
	[REPLY_TOO_MANY_HOPS] = { 554, 4, 6, 0, "loop",
	    "too many hops, this message goes round in circles" },
	[REPLY_LOOP] = { 554, 4, 6, 0, "loop",
	    "this message was delivered here before (Delivered-To)" },
	[REPLY_CHECKS_TOO_LONG] = { 451, 3, 0, 0, "budget",
	    "checks took too long, try again later" },
	[REPLY_RECORDS_SILENT] = { 451, 3, 0, SILENCE, "records",
	    "cannot note the delivery now, try again later" },
	[REPLY_RECORDS_OPEN] = { 451, 3, 0, 0, "records",
	    "an earlier attempt is not settled yet, try again later" },
	[REPLY_FATE_UNKNOWN] = { 451, 3, 0, SILENCE, "commit",
	    "delivery broke off, try again later" },
	[REPLY_NOT_PREPARED] = { 451, 3, 0, 0, "prepare",
	    "cannot deliver now, try again later" },
	[REPLY_NOT_COMMITTED] = { 451, 3, 0, 0, "commit",
	    "cannot deliver now, try again later" },
};

const struct reply_entry *
reply_find(enum reply_name name)
{
	assert(name < REPLY_COUNT && entries[name].text != NULL);
	return &entries[name];
}
