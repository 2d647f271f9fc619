/* SPDX-License-Identifier: ISC */
/*
 * envelope.h - who sends a message and to whom: from the command line, and
 * with -t from its header.
 */
#ifndef POSTERN_COMMANDS_ENVELOPE_H
#define POSTERN_COMMANDS_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"
#include "letter.h"
#include "sendmail_options.h"
#include "server_place.h"

#define ENVELOPE_RECIPIENTS_MAX 10000

struct recipient {
	char *address;
	unsigned transaction;	/* in which it was accepted; from 1 */
};

struct envelope {
	char *sender;			/* "" is <> */
	struct recipient *recipients;
	size_t n_recipients, room;
	bool needs_smtputf8;
};

/* All return 0, or a status of sysexits.h after complaining. */
int envelope_set_sender(struct envelope *e, const struct sendmail_options *o,
    const struct server_place *place);
/* A word of the command line: a mailbox, or a list of them. */
int envelope_add(struct envelope *e, const char *text,
    const struct server_place *place);
/*
 * The recipients of To, Cc and Bcc; where there are fields whose names
 * begin with Resent-, of those instead (RFC 5322 3.6.6). Bcc fields are
 * removed.
 */
int envelope_take_header(struct envelope *e, struct letter *letter,
    const struct server_place *place);
/* From and Date, where the header has none. */
int envelope_complete(const struct envelope *e, struct letter *letter,
    const struct sendmail_options *o, const struct server_place *place);
void envelope_free(struct envelope *e);

#endif
