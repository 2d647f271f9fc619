/* SPDX-License-Identifier: ISC */
/*
 * smtp_command.h - the command lines of SMTP (RFC 5321 4.1.1), parsed.
 *
 * A line comes without its CRLF. Slices in the results point into it. What
 * a result means in reply codes stands beside it; the caller has the texts.
 * smtpd uses this. Pure, nothing is allocated.
 */
#ifndef POSTERN_SMTP_COMMAND_H
#define POSTERN_SMTP_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include "address.h"
#include "buf.h"

#define COMMAND_HELO_MAX 255		/* octets of a HELO argument */

enum command_result {
	COMMAND_OK,
	COMMAND_BAD_OCTETS,	/* 500 5.5.2 NUL, control, or not UTF-8 */
	COMMAND_BAD_SYNTAX,	/* 501 5.5.4 */
	COMMAND_BAD_PATH,	/* 501 5.1.7 (MAIL), 501 5.1.3 (RCPT);
				 * params->path says what is wrong */
	COMMAND_NEEDS_SMTPUTF8,	/* 553 5.6.7 not ASCII, RFC 6531 3.5 */
	COMMAND_UNKNOWN_PARAM,	/* 555 5.5.4 unknown or not offered */
	COMMAND_DUPLICATE_PARAM,	/* 501 5.5.4 */
	COMMAND_BAD_PARAM,	/* 501 5.5.4 value missing or malformed */
	COMMAND_NO_MEMORY,	/* 451 4.3.0 */
};

struct command {
	struct slice verb;	/* "MAIL", in any case; may be empty */
	struct slice argument;	/* white space removed at both ends */
};

/*
 * Split a line. Control octets anywhere (TAB is white space) and octets that
 * are no UTF-8 are COMMAND_BAD_OCTETS; nothing else is refused here.
 */
enum command_result command_split(struct command *c, struct slice line);
/* A command that is none of ours: is it the head of a request of HTTP? */
bool command_is_http(const struct command *c);

/* ESMTP parameters, as a set: what is offered, and what was given. */
enum command_param {
	COMMAND_SIZE = 1 << 0,		/* RFC 1870 */
	COMMAND_BODY = 1 << 1,		/* RFC 6152 */
	COMMAND_SMTPUTF8 = 1 << 2,	/* RFC 6531 */
	COMMAND_PRDR = 1 << 3,		/* draft-hall-prdr */
	COMMAND_RET = 1 << 4,		/* RFC 3461 */
	COMMAND_ENVID = 1 << 5,		/* RFC 3461 */
	COMMAND_AUTH = 1 << 6,		/* RFC 4954 */
	COMMAND_REQUIRETLS = 1 << 7,	/* RFC 8689 */
	COMMAND_NOTIFY = 1 << 8,	/* RFC 3461, RCPT */
	COMMAND_ORCPT = 1 << 9,		/* RFC 3461, RCPT */
	/* no parameter: a path may be a bare local name, ours to complete */
	COMMAND_BARE_LOCAL = 1 << 10,
};

enum command_body { COMMAND_BODY_7BIT, COMMAND_BODY_8BITMIME };
enum command_ret { COMMAND_RET_NONE, COMMAND_RET_FULL, COMMAND_RET_HDRS };
enum command_notify {
	COMMAND_NOTIFY_NEVER = 1 << 0,
	COMMAND_NOTIFY_SUCCESS = 1 << 1,
	COMMAND_NOTIFY_FAILURE = 1 << 2,
	COMMAND_NOTIFY_DELAY = 1 << 3,
};

struct mail_params {
	unsigned given;			/* of enum command_param */
	uint64_t size_bytes;		/* 0: not declared; more than fits is
					 * UINT64_MAX */
	enum command_body body;
	enum command_ret ret;
	struct slice envid;		/* xtext, as given, checked */
	struct slice auth;		/* xtext or "<>", as given, checked */
	enum address_result path;	/* with COMMAND_BAD_PATH */
	struct slice wrong;		/* keyword of the parameter refused */
};

struct rcpt_params {
	unsigned given;
	unsigned notify;		/* of enum command_notify */
	struct slice orcpt;		/* addr-type;xtext, as given, checked */
	enum address_result path;
	struct slice wrong;
};

/*
 * The argument of MAIL: "FROM:<path> [parameters]". offered is a set of
 * enum command_param; others are COMMAND_UNKNOWN_PARAM. White space after
 * the colon is tolerated, missing angle brackets are not.
 */
enum command_result command_parse_mail(struct slice argument,
    unsigned offered, struct address *sender, struct mail_params *params);
/*
 * The argument of RCPT: "TO:<path> [parameters]". COMMAND_SMTPUTF8 in
 * offered: the transaction was begun with SMTPUTF8.
 */
enum command_result command_parse_rcpt(struct slice argument,
    unsigned offered, struct address *recipient, struct rcpt_params *params);

/*
 * "SIZE [LAST]", RFC 3030. On failure the octets that follow cannot be
 * told from commands: the caller answers and closes.
 */
enum command_result command_parse_bdat(struct slice argument,
    uint64_t *size_bytes, bool *is_last);

/*
 * The argument of HELO and EHLO: one word of printable ASCII, at most
 * COMMAND_HELO_MAX octets. Deliberately lenient: underscores, bare names
 * and odd literals are common and prove nothing (RFC 5321 4.1.4).
 */
enum command_result command_check_helo(struct slice argument);

#endif
