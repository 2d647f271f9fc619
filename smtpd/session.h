/* SPDX-License-Identifier: ISC */
/*
 * session.h - one SMTP session (RFC 5321), without its socket.
 *
 * Bytes, answers and time come in; bytes, questions and timer wishes go out
 * through struct session_host, so that a test can be the network and all
 * other compartments at once.
 *
 *	session_new -> session_greet -> session_input | session_answer |
 *	    session_timeout | session_hang_up ...  -> STEP_CLOSE: it is freed
 *
 * Every one of these calls ends in the one reader (session.c). It reads
 * lines while handlers say NEXT, keeps the rest of the input while they say
 * WAIT for an answer, and frees the session when they say CLOSE: after a
 * call that returned STEP_CLOSE the session does not exist.
 *
 * A transaction that has been told to commit is finished even when the
 * client has gone: the session then lives on without a connection.
 */
#ifndef POSTERN_SMTPD_SESSION_H
#define POSTERN_SMTPD_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "config.h"
#include "question.h"
#include "replies.h"
#include "session_host.h"

struct client;

enum step { STEP_NEXT, STEP_WAIT, STEP_CLOSE };

/* Of one transaction: what the configuration says, within our bounds. */
unsigned session_max_recipients(const struct config *config);
/*
 * ip is copied. is_admitted: limits_admit has counted it, and its client
 * (or NULL) becomes the session's; it leaves at the session's end. NULL
 * without memory: nothing was taken over then.
 */
struct session *session_new(const struct session_settings *settings,
    void *conn, const char *ip, struct client *client, bool is_admitted);
/* It exists, and waits to be greeted: makes its id. */
void session_begin(struct session *s);
/* Say 220; or, if the client has talked already, 554. */
enum step session_greet(struct session *s, bool has_talked);
/* Turn the client away with this reply instead of a greeting. */
enum step session_turn_away(struct session *s, enum reply_name reply);
enum step session_input(struct session *s, struct slice data);
/* Stop reading while this is false. */
bool session_wants_input(const struct session *s);
/* The client has said QUIT. */
bool session_has_quit(const struct session *s);
/* a->is_known false: unknown. An id that is not out is ignored. */
enum step session_answer(struct session *s, uint32_t id, struct answer *a);
enum step session_timeout(struct session *s);
/* The client has closed it, but nothing is read now: if its message is just
 * being delivered, it should not be. */
void session_client_left(struct session *s);
/* The client has closed or broken the connection. */
enum step session_hang_up(struct session *s);
/*
 * End idle sessions with 421 4.3.2. A transaction goes on to its end, or to
 * the next call before which nothing more has come from its client (but
 * within DATA), or with is_cutting. What has reached its end always
 * finishes.
 */
enum step session_stop(struct session *s);

#endif
