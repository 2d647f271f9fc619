/* SPDX-License-Identifier: ISC */
/*
 * transaction.h - all of one mail transaction, from MAIL to its reply.
 *
 *	MAIL --> RCPT ... --> DATA or BDAT --> finish.h --> one reply
 *
 * One struct, one end: RSET, EHLO, an error and a disconnect alike call
 * transaction_end, and deliver hears RELEASE.
 */
#ifndef POSTERN_SMTPD_TRANSACTION_H
#define POSTERN_SMTPD_TRANSACTION_H

#include "address.h"
#include "body.h"
#include "recipient.h"
#include "session_state.h"
#include "smtp_command.h"

#define TRANSACTION_MAX_RECIPIENTS 1000		/* prepare_ask holds so many */
#define TRANSACTION_ROUTES_MAX (8u << 20)	/* octets of sealed routes */

typedef session_then_fn finish_fn;

struct transaction {
	uint64_t number;
	int64_t began_us;
	bool is_counted;		/* in TRANSACTIONS_NOW */
	char *reverse_path;		/* as given, "" is <> */
	char *envid;			/* as given, or NULL */
	char *key;			/* its tags stripped: for records */
	struct mail_params params;
	char sender_args[80];		/* of MAIL, as milters are told */
	uint64_t reserved_bytes;	/* of the memory budget */
	struct recipient *recipients;	/* accepted ones */
	uint16_t n_recipients, n_repeats;
	struct repeat *repeats;		/* of prdr.h, in order */
	uint16_t n_probed;		/* next index */
	bool is_probed;			/* deliver knows of it: RELEASE */
	uint16_t n_remote, n_lists;	/* for queue; with members elsewhere */
	bool is_at_queue;		/* ... and knows of: QUEUE_ABORT */
	char queue_id[QUEUE_ID_MAX];	/* once queue has prepared it */
	size_t routes_bytes;
	struct body body;
	bool has_body;
	/* from the final dot on */
	bool is_finishing;
	bool is_each;			/* PRDR: each recipient by itself */
	bool is_whole;			/* DELIVER, in one step */
	uint64_t clearance;		/* of DELIVER; or CLEARANCE_NONE */
	bool is_committed;
	bool is_delivering;		/* DELIVER is out */
	bool is_cancelled;		/* ... and the client has left */
	struct last *last;		/* of last.h, or NULL */
	struct verdict *failures;	/* room for one each, with is_each */
	struct remembered *remembered;	/* of remembered.h, or NULL */
	int64_t dot_us;
	int message_fd;			/* sealed, or -1 */
	uint64_t message_bytes;
	uint8_t digest[BODY_DIGEST_SIZE];
	bool has_records;		/* Message-ID and Date are there */
	struct buf trace;		/* our Received field, then policy's */
	bool is_junk;			/* its copies go into .Junk */
	char spared[200];		/* ... instead of this refusal */
	const char *spared_check;
	char name[64];			/* of the copies: TIME.UNIQUE */
	struct milter_changes changes;	/* what milters want */
	size_t at_change;
	/* delivery records: entries are numbered over all leaves */
	struct done_leaf *done;
	size_t n_done;
	unsigned n_entries, n_asked;	/* not withdrawn; in one message */
	uint16_t at_recipient, at_leaf;	/* where that goes on */
	bool is_open;			/* an earlier attempt is unsettled */
	finish_fn *after_may, *after_members;	/* directory has answered */
	struct buf authors;		/* of the From field, one a line */
	size_t at_author;
	struct slice author;		/* the one asked about */
	struct signing *signing;	/* of submit_sign.c, or NULL */
	finish_fn *then;		/* all is undone, or queue answered */
	enum reply_name reply;
	struct verdict *refusal, *unless_done;	/* ... all is delivered */
	const char *refusal_check;	/* who decided; NULL: delivery */
	struct noted *noted, *unless_noted;	/* what it was decided on */
	int64_t hop_us;			/* waited for next hops' replies */
	bool has_tag, is_sender_changed, goes_back, has_to_be_bounce;
	/* the RCPT under way */
	struct address rcpt;		/* its tag taken off */
	bool rcpt_has_tag, rcpt_is_discarded, rcpt_goes_back;
	unsigned rcpt_notify;
	char *rcpt_orcpt;		/* owned, or NULL */
	finish_fn *after_hop;		/* the next hop has not refused it */
	struct slice rcpt_sealed, rcpt_members, rcpt_hop;	/* owned */
	struct route rcpt_route;	/* points into rcpt_sealed */
	int rcpt_fd;			/* the same as a descriptor, or -1 */
};

/* NULL without memory. */
struct transaction *transaction_begin(const struct address *sender,
    const struct mail_params *params);
/* The number of the latest; each is larger than the one before. */
uint64_t transaction_last_number(void);
/* Release it at deliver, give its memory back, free it, phase READY. */
void transaction_end(struct session *s);

/* Accept tx->rcpt; takes its routes over. 0, -ENOMEM, -EBADMSG, or
 * -EMSGSIZE: too many routes for one transaction. */
int transaction_accept(struct transaction *tx, enum route_kind kind);
/* One elsewhere: queue takes it. 0, -ENOMEM. */
int transaction_accept_remote(struct transaction *tx);
/* Take the recipient at this place out again, at deliver too. */
void transaction_remove(struct session *s, uint16_t at);
/* The message is for nobody: all recipients become such that discard it. */
void transaction_discard(struct session *s);
/* Forget the RCPT under way. */
void transaction_drop_rcpt(struct transaction *tx);
/* How long a question may take now; 0 when the budget is used up. */
uint32_t transaction_time_left_ms(const struct transaction *tx);

#endif
