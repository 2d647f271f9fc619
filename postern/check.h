/* SPDX-License-Identifier: ISC */
/*
 * check.h - what lies outside the configuration file, looked at in a child
 * that has become another user. For the supervisor's own folder.
 */
#ifndef POSTERN_CHECK_H
#define POSTERN_CHECK_H

#include <stdbool.h>
#include <sys/types.h>
#include "compartment.h"
#include "config.h"

/*
 * Walk users, aliases and includes in a child with the compiler's uid.
 * Adds problems; 0 or a negative errno when the child could not run.
 */
int check_outside(const struct config *config, bool is_privileged,
    struct config_problems *problems);

typedef void check_fn(void *arg, struct config_problems *problems);
/*
 * Run fn in a child and take over the problems that it adds. 0 or a
 * negative errno when it did not come to its end.
 */
int check_in_child(check_fn *fn, void *arg, struct config_problems *problems);
/* In such a child: be this user for good, or end. */
void check_become(uid_t uid, gid_t gid);
/* The same, the user of this role. */
void check_become_role(const struct config *config, enum role role);

/*
 * Warns of what this host has not, for which the start has a warning in the
 * log only: the admin_group, files that are trusted, addresses to come from.
 * An error if a smart host's password is not there: its mail waits.
 */
int host_check(const struct config *config, bool is_privileged,
    struct config_problems *problems);

/*
 * Warns of clamd, milters, Dovecot and LMTP sockets where nobody answers, and
 * of a clamd whose signatures are too old.
 */
void endpoints_check(const struct config *config,
    struct config_problems *problems);
/* The latter; fd is lent, connected and non-blocking. */
void signatures_check(const struct config *config,
    const struct config_filter *clamd, int fd,
    struct config_problems *problems);

#endif
