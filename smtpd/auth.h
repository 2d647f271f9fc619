/* SPDX-License-Identifier: ISC */
/*
 * auth.h - AUTH (RFC 4954), on submission instances and under TLS only.
 *
 *	AUTH -> AUTH_STEP -> 334, a line -> AUTH_STEP ... -> 235, s->user is set
 *
 * What a client says in it never stands in a log, a trail or a milter's
 * question.
 */
#ifndef POSTERN_SMTPD_AUTH_H
#define POSTERN_SMTPD_AUTH_H

#include "commands.h"

#define AUTH_LINE_MAX 12290		/* RFC 4954 4, with CR LF */

/* Is AUTH a command here at all? */
bool auth_is_known(const struct session *s);
/* May this session use it now: is it to be told so by EHLO? */
bool auth_is_offered(const struct session *s);
/* "AUTH" and the mechanisms, as a line of EHLO's reply. */
void auth_put_keyword(struct buf *text, const struct session *s);

/* A line in the middle of it (INPUT_AUTH), without its line end. */
enum step auth_line(struct session *s, struct slice line);
/* The same, of one that is no line: the exchange ends with this reply. */
enum step auth_bad_line(struct session *s, enum reply_name reply);
/* The session ends, or the exchange does: auth is to forget it. */
void auth_end(struct session *s);

/* Does this line begin AUTH? Then nothing behind that is to be shown. */
bool auth_is_line(struct slice line);

#endif
