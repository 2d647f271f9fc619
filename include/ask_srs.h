/* SPDX-License-Identifier: ISC */
/*
 * ask_srs.h - the reverse-paths of forwards (srs.h): the part of ask.h (which
 * includes it) on what relay and smtpd ask vault about them.
 *
 *	relay --VAULT_SRS-------> vault	before MAIL at the next hop of an alias
 *	smtpd --VAULT_SRS_CHECK-> vault	at RCPT of what that has made
 *
 * Only relay, which may write any reverse-path as it is, has them made: an
 * smtpd that is taken over learns none but those that bounces come to.
 */
#ifndef POSTERN_ASK_SRS_H
#define POSTERN_ASK_SRS_H

#include <stdbool.h>
#include "buf.h"
#include "ipc_cursor.h"
#include "srs.h"

struct vault_srs {
	struct slice reverse_path;	/* as given; not null */
	struct slice domain;		/* ours, that the new one is in */
	bool is_authenticated;		/* SPF, or DKIM of its domain */
};

struct vault_srs_check {
	struct slice session;
	struct slice recipient;		/* as given */
};

struct vault_srs_checked {
	enum srs_result result;
	struct slice original;		/* "" for NONE and WRONG */
	struct slice way_back;		/* VALID: to him, sealed (hop_route.h);
					 * "" if he is in a domain of ours */
};

void put_vault_srs(struct ipc_writer *w, const struct vault_srs *q);
bool get_vault_srs(struct ipc_reader *r, struct vault_srs *q);
/* "" if it cannot be rewritten: too long, or no address. */
void put_vault_srs_made(struct ipc_writer *w, struct slice address);
bool get_vault_srs_made(struct ipc_reader *r, struct slice *address);
void put_vault_srs_check(struct ipc_writer *w,
    const struct vault_srs_check *q);
bool get_vault_srs_check(struct ipc_reader *r, struct vault_srs_check *q);
void put_vault_srs_checked(struct ipc_writer *w,
    const struct vault_srs_checked *a);
bool get_vault_srs_checked(struct ipc_reader *r,
    struct vault_srs_checked *a);

#endif
