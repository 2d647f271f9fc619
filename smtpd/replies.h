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
#include "reply_name.h"

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
