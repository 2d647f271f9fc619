/* SPDX-License-Identifier: ISC */
/*
 * sender_auth.h - may the reverse-path be believed? The result "sender", for
 * forwards (srs.h): a bounce is passed on to nobody else. "spf DOMAIN" from
 * MAIL on, or "dkim DOMAIN" of a signature that is aligned with it (relaxed,
 * RFC 7489 3.1.1) at DATA; none: nobody vouches for it. What the From field
 * says has no part in it: it is not he who would get the bounce.
 */
#ifndef POSTERN_POLICY_SENDER_AUTH_H
#define POSTERN_POLICY_SENDER_AUTH_H

#include "check.h"
#include "dkim.h"

/* SPF has passed for the domain of the reverse-path. */
void sender_put_spf(struct check *c, const char *domain);
/* Has one of these signatures? */
void sender_put_dkim(struct check *c, const struct dkim_report *report);

#endif
