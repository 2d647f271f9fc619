/* SPDX-License-Identifier: ISC */
/*
 * account.h - what an account is called: in the table of passwords, in a
 * voucher, and as an address.
 *
 * The table compiler and auth share it, so that what one writes the other
 * finds. There are two kinds: users of a domain's table, or of a domain whose
 * mailboxes are at its next hop, called "alice@example.com" with the name of
 * the domain's section, and those of the system, called "alice", "www-data".
 * Pure.
 */
#ifndef POSTERN_ACCOUNT_H
#define POSTERN_ACCOUNT_H

#include <stdbool.h>
#include "buf.h"
#include "config.h"
#include "voucher.h"

struct account {
	char key[VOUCHER_USER_MAX];	/* user, folded as it is compared */
	char user[VOUCHER_USER_MAX];
	char address[VOUCHER_ADDRESS_MAX];
};

/* A user of this domain's users table. False: too long to be one. */
bool account_of_user(struct account *a, const struct config_domain *domain,
    struct slice local);
/* A login name of the system. */
bool account_of_system(struct account *a, const struct config *config,
    struct slice login);
/*
 * Whom a client means that gives this name. With a domain: a user of that
 * domain (or of the one that it is the same as), of the system where that
 * domain's users are. Without: a user of origin's domain in the same way.
 * Never partial, never an alias, no tag is taken off. False: nobody's name
 * can look so; key then holds it, as far as it fits, for counting.
 */
bool account_of_login(struct account *a, const struct config *config,
    struct slice name);

#endif
