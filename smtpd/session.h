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

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "config.h"
#include "question.h"
#include "replies.h"
#include "session_host.h"
#include "short_id.h"

#define COMMAND_LINE_MAX 2048	/* RFC 5321 4.5.3.1.4 and the extensions */
#define CHECKS_BUDGET_S 60	/* between final dot and reply */

struct checks;
struct transaction;
struct client;

enum step { STEP_NEXT, STEP_WAIT, STEP_CLOSE };

enum phase {
	PHASE_CONNECTED = 1 << 0,	/* before HELO or EHLO */
	PHASE_READY = 1 << 1,		/* no transaction */
	PHASE_MAIL = 1 << 2,		/* reverse-path, no recipient yet */
	PHASE_RCPT = 1 << 3,		/* at least one recipient */
	PHASE_CHUNKS = 1 << 4,		/* within BDAT (RFC 3030) */
	PHASE_SPOILED = 1 << 5,		/* a chunk failed: RSET is awaited */
	PHASE_ANY = (1 << 6) - 1,
};

/* What the octets that come now are. */
enum input_mode { INPUT_LINES, INPUT_DATA, INPUT_CHUNK, INPUT_NO_CHUNK };

typedef enum step session_then_fn(struct session *s);
typedef enum step session_answered_fn(struct session *s, struct answer *a);

struct session {
	const struct session_settings *settings;
	void *conn;
	struct client *client;		/* of limits.h; may be NULL */
	char id[SHORT_ID_SIZE];
	char ip[INET6_ADDRSTRLEN];
	char client_name[256];		/* confirmed, or "[ip]": for milters */
	char *helo;			/* NULL before HELO */
	enum phase phase;
	enum input_mode mode;
	bool is_esmtp;			/* EHLO was said */
	bool has_enhanced;		/* replies do; not after HELO */
	bool is_admitted;		/* counted in limits.h */
	bool is_self_test;		/* our own: in no log, trail, count */
	bool has_quit;			/* it ends as RFC 5321 wants it */
	bool is_gone;			/* the connection is */
	bool is_bad_line;		/* skip the rest of this line */
	bool is_timer_wanted;		/* start the timer anew */
	bool is_slow;			/* the last answer took its time */
	bool is_chunk_last;
	struct slice input;		/* what has not been read yet */
	struct buf kept;		/* it, between calls */
	struct buf out;			/* replies that were not sent yet */
	size_t skipped_bytes;		/* of a line that is too long */
	uint64_t chunk_left;
	enum reply_name chunk_reply;	/* after one that is thrown away */
	int64_t data_began_us, data_last_us;
	int64_t data_paused_us;		/* since then, between chunks */
	/* the question that is out */
	uint32_t question;		/* id, or 0 */
	session_answered_fn *answered;
	session_then_fn *after_filter;	/* once milters, clamd let it pass */
	bool has_filters;		/* they were asked something */
	char *unknown_line;	/* the last one that they saw, or NULL */
	struct transaction *tx;		/* NULL outside of one */
	struct checks *checks;		/* of checks.h, from EHLO on */
	int64_t opened_us;
	/* what the log and the limits count */
	unsigned n_idle;		/* commands since the last RCPT */
	unsigned n_errors, n_refusals, n_unknown, n_recipients;
	unsigned n_mails, n_accepted, n_inputs;
	/* a 250 that the client may not have read yet */
	uint64_t unconfirmed;		/* its transaction, or 0 */
	unsigned confirmed_from;	/* input that proves it, of n_inputs */
	unsigned line_began;		/* the input that began this line */
};

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
/* The client has closed or broken the connection. */
enum step session_hang_up(struct session *s);
/*
 * End idle sessions with 421 4.3.2; a transaction goes on to its end, or to
 * the next call with is_cutting. What has reached its end always finishes.
 */
enum step session_stop(struct session *s);

#endif
