/* SPDX-License-Identifier: ISC */
/*
 * caller.h - who is at the other end of the `local` listener's socket.
 *
 * auth asks the kernel, with the socket itself in hand, and vouches for the
 * account; nobody says AUTH here. smtpd looks, too, but only to count what
 * one user has (limits.h) and to name him in the trace.
 */
#ifndef POSTERN_SMTPD_CALLER_H
#define POSTERN_SMTPD_CALLER_H

#include "session_state.h"

#define CALLER_IP "local"	/* in the place of a client's address */

/* A number that no other exchange of this process with auth has. */
uint32_t caller_next_exchange(void);
/* Ask auth; then the greeting, or the session is turned away. */
enum step caller_greet(struct session *s);
/*
 * On submission, after EHLO: a device of a `submitter` network needs no
 * AUTH, for auth vouches for it by the address of its socket. Goes on in
 * then in any case but that of silence, which is a 454.
 */
enum step caller_find_submitter(struct session *s, session_then_fn *then);

#endif
