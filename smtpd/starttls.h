/* SPDX-License-Identifier: ISC */
/*
 * starttls.h - what a session and its host say to each other about TLS.
 * These are calls like those of session.h: after STEP_CLOSE the session does
 * not exist.
 */
#ifndef POSTERN_SMTPD_STARTTLS_H
#define POSTERN_SMTPD_STARTTLS_H

#include "session.h"
#include "tls.h"

/* Is EHLO to say so now? */
bool starttls_is_offered(const struct session *s);
/* TLS from the first octet: a handshake, then the greeting. */
enum step session_secure(struct session *s);
/* The handshake that host->start_tls began has come to its end. */
enum step session_secured(struct session *s, const struct tls_facts *facts);
enum step session_insecure(struct session *s, const char *why);

#endif
