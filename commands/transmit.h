/* SPDX-License-Identifier: ISC */
/*
 * transmit.h - a message and its envelope, handed to the server.
 *
 * All recipients or none: a program has one exit status for all of them, so
 * if one is refused nobody gets the message, as when a mail program talks
 * to a submission server. Where the server wants several transactions (more
 * recipients than it takes at once, recipients with different fates), all
 * recipients are asked for before the first message is sent.
 */
#ifndef POSTERN_COMMANDS_TRANSMIT_H
#define POSTERN_COMMANDS_TRANSMIT_H

#include "addressing.h"
#include "letter.h"
#include "sendmail_options.h"
#include "server_place.h"
#include "smtp_client.h"

struct transmission {
	struct addressing *envelope;
	struct letter *letter;			/* NULL: verify only */
	const struct sendmail_options *options;
	const struct server_place *place;
	struct smtp_client client;
	unsigned n_transactions;
	struct smtp_reply refusal;	/* of the connection; code 0: none */
	bool is_under_way;	/* the last dot has been sent, unanswered */
};

/* The octets that the server takes in a message; 0: any. Its word if it
 * can be had, else what the place says. */
uint64_t transmit_size_most(struct transmission *t);
/* 0, or a status of sysexits.h after complaining. */
int transmit(struct transmission *t);
/* Say what the server thinks of each recipient. */
int transmit_verify(struct transmission *t);
/* Complain of a server that cannot be reached: EX_TEMPFAIL. */
int transmit_unreachable(const struct server_place *place, int error);
/* The status of sysexits.h that says the most about a refusal. */
int transmit_status(const struct smtp_reply *reply);

#endif
