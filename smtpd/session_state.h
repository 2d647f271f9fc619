/* SPDX-License-Identifier: ISC */
/*
 * session_state.h - what a session knows, for the handlers of its commands.
 * Of who feeds it (session.h) only the host looks inside, for its conn.
 */
#ifndef POSTERN_SMTPD_SESSION_STATE_H
#define POSTERN_SMTPD_SESSION_STATE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "fault.h"
#include "question.h"
#include "replies.h"
#include "session.h"
#include "short_id.h"
#include "voucher.h"

#define COMMAND_LINE_MAX 2048	/* RFC 5321 4.5.3.1.4 and the extensions */
/* Between final dot and reply. */
#define CHECKS_BUDGET_S (FAULT_ENV("POSTERN_SHORT_CHECKS") ? 6 : 60)

struct auth_talk;
struct checks;
struct transaction;

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
enum input_mode { INPUT_LINES, INPUT_AUTH, INPUT_DATA, INPUT_CHUNK,
	INPUT_NO_CHUNK };

typedef enum step session_then_fn(struct session *s);
typedef enum step session_answered_fn(struct session *s, struct answer *a);

struct session {
	const struct session_settings *settings;
	void *conn;
	struct client *client;		/* of limits.h; may be NULL */
	struct voucher_copy *user;	/* auth's word who it is; or NULL */
	struct auth_talk *auth;		/* AUTH under way (auth.c), or NULL */
	const char *auth_type;		/* of AUTH; NULL: no AUTH told us */
	session_then_fn *after_caller;	/* once it is known who that is */
	bool has_said_auth;		/* what it says may be a password */
	unsigned caller_uid;		/* of a local one, as the kernel says */
	char id[SHORT_ID_SIZE];
	char ip[INET6_ADDRSTRLEN];
	char client_name[256];		/* confirmed, or "[ip]": for milters */
	char *helo;			/* NULL before HELO */
	enum phase phase;
	enum input_mode mode;
	bool is_esmtp;			/* EHLO was said */
	bool has_enhanced;		/* replies do; not after HELO */
	bool is_admitted;		/* counted in limits.h */
	bool is_relay_peer;		/* took the mail before us */
	bool is_self_test;		/* our own: in no log, trail, count */
	bool is_login_test;		/* ... as a user who is nobody yet */
	bool has_quit;			/* it ends as RFC 5321 wants it */
	bool is_gone;			/* the connection is */
	bool is_bad_line;		/* skip the rest of this line */
	bool is_timer_wanted;		/* start the timer anew */
	bool is_securing;		/* a TLS handshake is under way */
	bool is_greeting_due;		/* ... from the first octet */
	enum config_tls_mode tls_mode;	/* of its listener */
	char *tls;			/* "TLSv1.3 CIPHER"; NULL without */
	unsigned cipher_bits;
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
	char *unknown_line;		/* the last one they saw, or NULL */
	struct transaction *tx;		/* NULL outside of one */
	struct checks *checks;		/* of checks.h, from EHLO on */
	int64_t opened_us;
	/* what the log and the limits count */
	unsigned n_idle;		/* commands since the last RCPT */
	int64_t rcpt_began_us;		/* of one without a reply yet, or 0 */
	unsigned n_errors, n_refusals, n_unknown, n_recipients;
	unsigned n_mails, n_accepted, n_inputs;
	/* a 250 that the client may not have read yet */
	uint64_t unconfirmed;		/* its transaction, or 0 */
	int spent_fd;			/* a message to close after the reply */
	unsigned confirmed_from;	/* input that proves it, of n_inputs */
	unsigned line_began;		/* the input that began this line */
	unsigned stop_inputs;		/* n_inputs + 1 at session_stop; or 0 */
	bool has_paused;		/* nothing came between two of them */
};

#endif
