/* SPDX-License-Identifier: ISC */
/*
 * who.h - who is at the other end of this socket, by the kernel's word?
 *
 * Of a unix socket: the user that connected it (SO_PEERCRED), by the
 * system's list of users. Of TCP: the user whom `submitter` names for the
 * network that the other end is in. Nothing that smtpd says counts, and no
 * socket but one that a listener of ours has accepted for our own users.
 */
#ifndef AUTH_WHO_H
#define AUTH_WHO_H

#include "account.h"
#include "ask_outbound.h"
#include "config.h"

/* Before the sandbox: the modules that look up users. */
void who_warm_up(void);

/* AUTH_OK with *account; AUTH_NOT_A_USER; AUTH_UNAVAILABLE. */
enum auth_result who_is(struct account *account, const struct config *config,
    int fd);

/* The account that has this complete address as its own, if it can. */
bool who_has_address(struct account *account, const struct config *config,
    const char *address);

#endif
