/* SPDX-License-Identifier: ISC */
/*
 * transaction.h - all of one mail transaction, from MAIL to its reply.
 *
 *	MAIL --> RCPT ... --> message --> finish.c:
 *
 *	RECORDS --> PREPARE --> INTENT --> client still there? --> COMMIT
 *	   |           |           |              |                |  |
 *	   +-----------+-- WITHDRAW, RELEASE <----+             DONE  SETTLE
 *	                                                        250   451
 *
 * RECORDS asks what earlier attempts have delivered: those copies are left
 * out. INTENT says that all is prepared; without it nothing counts as
 * delivered. WITHDRAW is acknowledged before RELEASE unlinks anything.
 *
 * One struct, one end: RSET, EHLO, an error and a disconnect alike call
 * transaction_end, and deliver hears RELEASE.
 */
#ifndef POSTERN_SMTPD_TRANSACTION_H
#define POSTERN_SMTPD_TRANSACTION_H

#include "address.h"
#include "body.h"
#include "fate.h"
#include "session.h"
#include "smtp_command.h"

#define TRANSACTION_MAX_RECIPIENTS 1000		/* prepare_ask holds so many */
#define TRANSACTION_ROUTES_MAX (8u << 20)	/* octets of sealed routes */

struct recipient {
	uint16_t index;			/* its number at deliver */
	bool is_discarded;		/* swallowed on purpose, nobody has it */
	uint16_t n_done;		/* leaves that were there already */
	char *address;			/* as given */
	struct slice sealed;		/* owned; empty if discarded */
	struct route route;		/* points into sealed */
	struct verdict *failure;	/* its own reply (PRDR), or NULL;
					 * in transaction.failures */
};

/* A leaf that an earlier attempt has delivered. */
struct done_leaf {
	uint16_t recipient, leaf;
};

typedef enum step finish_fn(struct session *s);

struct transaction {
	uint64_t number;
	int64_t began_us;
	char *reverse_path;		/* as given, "" is <> */
	char *key;			/* its tags stripped: for records */
	struct mail_params params;
	uint64_t reserved_bytes;	/* of the memory budget */
	struct fate fate;
	struct recipient *recipients;	/* accepted ones */
	uint16_t n_recipients;
	uint16_t n_probed;		/* next index */
	bool is_probed;			/* deliver knows of it: RELEASE */
	size_t routes_bytes;
	struct body body;
	bool has_body;
	/* from the final dot on */
	bool is_finishing;
	bool is_each;			/* PRDR: each recipient by itself */
	bool is_committed;
	struct verdict *failures;	/* room for one each, with is_each */
	int64_t dot_us;
	int message_fd;			/* sealed, or -1 */
	uint64_t message_bytes;
	uint8_t digest[BODY_DIGEST_SIZE];
	bool has_records;		/* Message-ID and Date are there */
	struct buf trace;		/* our Received field */
	char name[64];			/* of the copies: TIME.UNIQUE */
	/* delivery records: entries are numbered over all leaves */
	struct done_leaf *done;
	size_t n_done;
	unsigned n_entries;		/* asked about, and not withdrawn */
	unsigned n_asked;		/* of these, in the last message */
	uint16_t at_recipient, at_leaf;	/* where that goes on */
	bool is_open;			/* some earlier attempt is not settled */
	/* what to do when all is undone */
	finish_fn *then;
	enum reply_name reply;
	struct verdict *refusal;
	/* the RCPT under way */
	struct address rcpt;
	struct slice rcpt_sealed;	/* owned */
	int rcpt_fd;			/* the same as a descriptor, or -1 */
};

/* NULL without memory. */
struct transaction *transaction_begin(const struct address *sender,
    const struct mail_params *params);
/* The number of the latest; each is larger than the one before. */
uint64_t transaction_last_number(void);
/* Release it at deliver, give its memory back, free it, phase READY. */
void transaction_end(struct session *s);

/*
 * Accept tx->rcpt; takes rcpt_sealed over. 0, -ENOMEM, -EBADMSG, or
 * -EMSGSIZE: too many routes for one transaction.
 */
int transaction_accept(struct transaction *tx, enum route_kind kind);
/* Forget the RCPT under way. */
void transaction_drop_rcpt(struct transaction *tx);
bool recipient_is_mailbox(const struct recipient *r);
/* How long a question may take now; 0 when the budget is used up. */
uint32_t transaction_time_left_ms(const struct transaction *tx);
/* The message is complete (body_has_ended): check it and deliver it. */
enum step transaction_finish(struct session *s);

/* ---- between finish.c and its neighbours ---- */

/* Our Received field, and the base name of all copies (trace.c). */
int trace_make(struct session *s);
/* The complete file name of one copy, as deliver will name it. */
int trace_file_name(const struct transaction *tx, const char *host,
    const struct recipient *r, uint16_t leaf, struct buf *name);

/* Ask about all leaves, then go on in finish_prepare (copies.c). */
enum step copies_look_up(struct session *s);
/* After PREPARE: INTENT, then finish_commit. */
enum step copies_intend(struct session *s);
/* Withdraw all of it, have it undone, then go on in then. */
enum step copies_undo(struct session *s, finish_fn *then);
/* Withdraw the recipients that failed (PRDR), then go on in then. */
enum step copies_drop_failed(struct session *s, finish_fn *then);
/* After COMMIT: note what is in new/. */
void copies_done(struct session *s);
void copies_settle(struct session *s);

enum step finish_prepare(struct session *s);
enum step finish_commit(struct session *s);
enum step finish_refuse(struct session *s, enum reply_name reply);
void finish_release(struct session *s, enum release_how how);

/* PRDR (prdr.c). May each recipient have its own reply? */
bool prdr_begin(struct transaction *tx);
/* Note failures of PREPARE or COMMIT; how many recipients are left. */
unsigned prdr_note_failures(struct transaction *tx,
    const struct outcome *outcome);
/* 353, each recipient's own reply, and the final one. */
enum step prdr_reply(struct session *s);

#endif
