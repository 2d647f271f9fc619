/* SPDX-License-Identifier: ISC */
/*
 * replies.h - every reply text of smtpd, named once (DESIGN 9).
 *
 * The texts that other compartments decide come as verdicts. The enhanced
 * code is left out for HELO clients, the digits stay (RFC 2034 4).
 */
#ifndef POSTERN_SMTPD_REPLIES_H
#define POSTERN_SMTPD_REPLIES_H

#include <stdbool.h>
#include <stdint.h>

enum reply_name {
	REPLY_BYE,
	REPLY_OK,
	REPLY_RESET,
	REPLY_HELP,
	REPLY_VRFY,
	REPLY_MAIL_OK,
	REPLY_RCPT_OK,
	REPLY_CHUNK_OK,
	REPLY_SEND_DATA,
	REPLY_PRDR_FOLLOWS,
	REPLY_DELIVERED,
	REPLY_DELIVERED_TO,
	REPLY_NOBODY,
	REPLY_TALKS_EARLY,
	REPLY_TOO_MANY_SESSIONS,
	REPLY_TOO_FAST,
	REPLY_SHUTTING_DOWN,
	REPLY_TIMEOUT,
	REPLY_TOO_SLOW,
	REPLY_TOO_MANY_ERRORS,
	REPLY_TOO_MANY_MAILS,
	REPLY_NO_MEMORY,
	REPLY_BAD_OCTETS,
	REPLY_BAD_LINE_END,
	REPLY_LINE_TOO_LONG,
	REPLY_LINE_ENDLESS,
	REPLY_UNKNOWN_COMMAND,
	REPLY_HTTP,
	REPLY_EXPN,
	REPLY_BAD_SEQUENCE,
	REPLY_BAD_ARGUMENT,
	REPLY_HELO_SYNTAX,
	REPLY_BDAT_SYNTAX,
	REPLY_SENDER_SYNTAX,
	REPLY_RECIPIENT_SYNTAX,
	REPLY_NEEDS_SMTPUTF8,
	REPLY_UNKNOWN_PARAM,
	REPLY_BAD_PARAM,
	REPLY_TOO_LARGE,
	REPLY_BUDGET_USED,
	REPLY_TOO_MANY_RECIPIENTS,
	REPLY_OTHER_FATE,
	REPLY_HARVEST_CLOSE,
	REPLY_HARVEST,
	REPLY_DIRECTORY_SILENT,
	REPLY_DELIVER_SILENT,
	REPLY_NO_RECIPIENTS,
	REPLY_BARE_OCTETS,
	REPLY_DATA_LINE_TOO_LONG,
	REPLY_DATA_IO_ERROR,
	REPLY_DATA_ENDLESS,
	REPLY_TOO_MANY_HOPS,
	REPLY_LOOP,
	REPLY_CHECKS_TOO_LONG,
	REPLY_RECORDS_SILENT,
	REPLY_RECORDS_OPEN,
	REPLY_FATE_UNKNOWN,
	REPLY_NOT_PREPARED,
	REPLY_NOT_COMMITTED,
	REPLY_COUNT,
};

enum reply_flags {
	REPLY_CLOSES = 1 << 0,		/* the connection ends with it */
	REPLY_IS_ERROR = 1 << 1,	/* counts towards errors_per_session */
	REPLY_IS_SILENCE = 1 << 3,	/* a check got no answer */
	REPLY_NAMES_HOST = 1 << 2,	/* RFC 5321 4.2: 220, 221 and 421 do */
};

struct reply_entry {
	uint16_t code;
	uint8_t subject, detail;	/* of the enhanced code */
	uint8_t flags;
	const char *check;		/* for the trail: who decided */
	const char *text;
};

const struct reply_entry *reply_find(enum reply_name name);

#endif
