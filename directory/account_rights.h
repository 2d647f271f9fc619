/* SPDX-License-Identifier: ISC */
/*
 * account_rights.h - questions about one of our own accounts.
 *
 * An account is "name@domain", an entry of the domain's users table, or the
 * login name of a user of the system, as auth vouches for it.
 */
#ifndef DIRECTORY_ACCOUNT_RIGHTS_H
#define DIRECTORY_ACCOUNT_RIGHTS_H

#include "ask.h"
#include "resolve.h"

/*
 * Its own mailbox, whatever the aliases say; of one that has none what
 * dsn_to says, or postmaster's. "" asks for postmaster's. Valid until the
 * next resolution.
 */
const struct resolved *account_find_mailbox(struct resolver *resolver,
    struct slice user);
/*
 * Whether it may write as that address: its own name, in its domain or, of
 * a login name, at the origin; one that leads to its mailbox and to no
 * other; or one that a section sender grants it.
 */
enum may_answer account_may_send(struct resolver *resolver,
    struct slice user, struct slice address);

#endif
