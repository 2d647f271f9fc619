/* SPDX-License-Identifier: ISC */
/*
 * addressing.h - who sends a message and to whom: from the command line, and
 * with -t from its header.
 */
#ifndef POSTERN_COMMANDS_ADDRESSING_H
#define POSTERN_COMMANDS_ADDRESSING_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"
#include "letter.h"
#include "sendmail_options.h"
#include "server_place.h"

#define ADDRESSING_RECIPIENTS_MAX 10000

struct recipient {
	char *address;
	unsigned transaction;	/* in which it was accepted; from 1 */
};

struct addressing {
	char *sender;			/* "" is <> */
	struct recipient *recipients;
	size_t n_recipients, room;
	bool needs_smtputf8;
};

/* All return 0, or a status of sysexits.h after complaining. */
int addressing_set_sender(struct addressing *e,
    const struct sendmail_options *o, const struct server_place *place);
/* A word of the command line: a mailbox, or a list of them. */
int addressing_add(struct addressing *e, const char *text,
    const struct server_place *place);
/*
 * The recipients of To, Cc and Bcc; where there are fields whose names
 * begin with Resent-, of those instead (RFC 5322 3.6.6). Bcc fields are
 * removed.
 */
int addressing_take_header(struct addressing *e, struct letter *letter,
    const struct server_place *place);
/* Message-ID, where there is none: copies of several transactions are one
 * message. Of a single one the server makes it. */
int addressing_identify(struct letter *letter,
    const struct server_place *place);
/* From and Date, where the header has none. */
int addressing_complete(const struct addressing *e, struct letter *letter,
    const struct sendmail_options *o, const struct server_place *place);
void addressing_free(struct addressing *e);

#endif
