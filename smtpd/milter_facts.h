/* SPDX-License-Identifier: ISC */
/*
 * milter_facts.h - what a milter is told of a session, and as which macros.
 *
 * The names are Sendmail's, the values those that Postfix and Sendmail give.
 * A macro whose value is empty is not sent. All slices belong to the session
 * and stay as they are while its question is out.
 */
#ifndef POSTERN_SMTPD_MILTER_FACTS_H
#define POSTERN_SMTPD_MILTER_FACTS_H

#include <stdint.h>
#include "buf.h"
#include "milter.h"

struct milter_facts {
	struct slice host;		/* ours */
	struct slice session;		/* id */
	struct slice client_ip;
	struct slice client_name;	/* confirmed, or "[192.0.2.1]" */
	struct slice client_ptr;	/* as the reverse zone says, or "" */
	uint16_t client_port;		/* 0: not known */
	struct slice local_ip;
	uint16_t local_port;
	struct slice helo;
	struct slice tls_version, cipher;
	unsigned cipher_bits;
	struct slice auth_type, auth_user;
	struct slice sender;		/* without <> */
	struct slice sender_args;	/* "SIZE=100 BODY=8BITMIME" */
	struct slice recipient;
	struct slice line;		/* an unknown command */
};

/*
 * Append the macros of a stage, as command's: those that were asked for, or
 * without a wish (NULL) the usual ones. Nothing when all are empty.
 */
int milter_facts_put(struct buf *out, const struct milter_facts *facts,
    enum milter_macros stage, char command, const char *wish);

#endif
