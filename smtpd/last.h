/* SPDX-License-Identifier: ISC */
/*
 * last.h - the last participant: who answers once and cannot prepare
 * (DESIGN 6).
 *
 * A next hop or a program has taken the message or has not, and what it has
 * taken cannot be called back. So everybody else is prepared before it gets
 * the message, and committed after it has said yes (finish.h):
 *
 *	PREPARE -> INTENT -> client still there? -> last_deliver -> COMMIT
 *	                                                |
 *	                    all undone, its reply <--- no
 *
 * With PRDR, where each recipient has his own reply, mailboxes are committed
 * first. One transaction has one dialogue with one participant at most, with
 * any number of recipients (last_joins); for another one RCPT is 452.
 *
 * While it has the message the time limits of the checks do not count, and a
 * client that leaves stops it only if the participant can still be stopped
 * (last_cancel): what it says is noted and stands for the retry. Whom it has
 * taken the message for has a delivery record that says so, also when the
 * client hears 451 because of others.
 *
 * To add a kind: name it here; last_kind_of says whose it is, last_joins who
 * may share it, last_is_wanted and last_put_name what its records are about;
 * give it a row in the table of last.c. Its deliver gives the
 * message (tx->message_fd, last_top on top) to the participant and ends, at
 * once or in an answer, with last_answered, once, with one result for each
 * recipient of its kind.
 */
#ifndef POSTERN_SMTPD_LAST_H
#define POSTERN_SMTPD_LAST_H

#include "transaction.h"

#define HOP_HOST_SHOWN 100	/* octets; the words matter more */
#define HOP_DETAIL_SIZE (HOP_HOST_SHOWN + VERDICT_TEXT_MAX + 80)

enum last_kind { LAST_NONE, LAST_HOP, LAST_PROGRAM, LAST_KIND_COUNT };

/* What became of one recipient. */
struct last_result {
	uint16_t recipient;		/* his index in the transaction */
	bool is_own;			/* said of him alone */
	bool is_of_all;			/* a refusal of the message, in its
					 * own words: the same for all */
	struct verdict verdict;		/* 250: it has the message */
};

struct last;
void last_free(struct last **last);

/* Has he anything to do with one, whether it has taken the message or not? */
bool last_is_wanted(const struct recipient *r);
/* Append the name of what he wants of it, for delivery records. 0 or what
 * buf_puts returns. */
int last_put_name(struct buf *to, const struct recipient *r);

/* The transaction's participant, by its accepted recipients. */
enum last_kind last_kind_of(const struct transaction *tx);
/* Does the RCPT under way, with this next hop, fit the others? A program
 * has a message to itself (LAST_NONE). */
bool last_joins(const struct transaction *tx, const struct hop_route *hop);

/* The trace fields for it. It has no .Junk of ours, so what would go there
 * says so. Good until the next call. */
struct slice last_top(const struct transaction *tx);
/* Give it the message; goes on in then once it has been taken, or there is
 * nobody to give it to. Else all is undone and refused. */
enum step last_deliver(struct session *s, finish_fn *then);
/* The same where no mailbox is in the transaction, queue may be. */
enum step last_deliver_alone(struct session *s);
/* What it was refused with, for the trail: beside the refusal that follows, or
 * with PRDR by itself, since the first that follows may be a mailbox's. */
void last_note_refusal(const struct session *s, const char *check,
    const struct verdict *v, const char *detail);
/* A kind's one end: results of all of its recipients; who said it, "": the
 * 250 says nothing of it. */
enum step last_answered(struct session *s, const struct last_result *results,
    size_t n, struct slice who);
/* The client has left. */
void last_cancel(struct session *s);
/* It has the message: nothing may be undone any more. */
bool last_has_taken(const struct transaction *tx);
/* Its words for the 250, "" without any. */
const char *last_words(const struct transaction *tx);

/* ---- last_hop.c: a next hop, through relay ---- */

/* RCPT there, before our answer: refuses, or goes on in then. */
enum step hop_ask_rcpt(struct session *s, finish_fn *then);
enum step hop_deliver(struct session *s);
/* "mx.example.net[192.0.2.1] (9s ago): 550 5.1.1 no such user" */
void hop_describe(char to[HOP_DETAIL_SIZE], struct slice host, uint32_t age_s,
    const struct verdict *v);
void hop_cancel(struct session *s);

/* ---- last_program.c: a program of this host, through deliver ---- */

enum step program_deliver(struct session *s);

#endif
