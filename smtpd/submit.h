/* SPDX-License-Identifier: ISC */
/*
 * submit.h - mail of our own users: what submission and local instances do
 * beyond what an mx does; and mail of anybody to lists with members elsewhere.
 *
 *	MAIL  who is it? may he write as this address?	submit.c
 *	RCPT  elsewhere? does that domain take mail?	submit_rcpt.c
 *	      does its host take that recipient?	submit_hop.c
 *	      a list with members elsewhere?		submit_list.c (mx, too)
 *	data  whose From is it? complete the header	submit_message.c
 *	      sign it, put our trace on top		submit_sign.c
 *	end   queue prepares, then commits, as deliver	submit_queue.c
 *
 * Local recipients go the way of any mail, delivered before the 250. With
 * some elsewhere, queue is one more participant of the transaction
 * (finish.h): it has prepared before anybody commits, and commits last,
 * since what it has committed may be on its way and cannot be called back.
 */
#ifndef POSTERN_SMTPD_SUBMIT_H
#define POSTERN_SMTPD_SUBMIT_H

#include "complete.h"
#include "transaction.h"

/* Does this instance take our own users' mail? (A self-test is a stranger,
 * but for the part that tries to write without a login.) */
bool session_is_own(const struct session *s);

/* What MAIL and RCPT offer beyond an mx's (enum command_param). */
unsigned submit_mail_offered(const struct session *s);
unsigned submit_rcpt_offered(const struct session *s);
/* What is completed, and with what. */
struct complete_names submit_names(const struct session *s);
/* Put our origin behind a bare local name; false: it gets too long. */
bool submit_complete(const struct session *s, struct address *a);

/* Before MAIL is read: REPLY_COUNT, or why nobody may begin. */
enum reply_name submit_may_begin(const struct session *s);
/* May the user write as tx->reverse_path? Goes on in then, or refuses. */
enum step submit_mail(struct session *s, const struct address *sender,
    session_then_fn *then);
/* The same of any address, without its tags; answered is not called for
 * what is his own anyway: then is. */
enum step submit_ask_may(struct session *s, struct slice address,
    session_then_fn *then, session_answered_fn *answered);

/* Of our own user's: tx->rcpt has no mailbox here, and mail for it is
 * queued: in no domain of ours, or in one that has a next hop. */
bool submit_is_remote(const struct session *s,
    const struct route_answer *route);
/* tx->rcpt is remote: does its domain take mail? */
enum step submit_rcpt(struct session *s);
/* tx->rcpt forwards, and has no mailbox here: it is where that leads to, and
 * goes on as remote. */
enum step submit_forward(struct session *s);
/* From here on it is where this route leads to; false: that is no address. */
bool submit_follow(struct transaction *tx, struct slice hop);
/* It has mailboxes too: the other is one more recipient. 0, -ENOMEM. */
int submit_accept_forward(struct session *s, struct slice hop);
/* With probe: ask the next hop; refuses, or goes on in then. */
enum step submit_ask_hop(struct session *s, session_then_fn *then);

/* tx->rcpt is a list: its members elsewhere are kept, then it goes on. */
enum step submit_list(struct session *s, session_then_fn *then);
/* Queue hears of all of them whose copies it has not got. */
void submit_tell_lists(struct session *s);
/* A stranger's message to lists as it goes out and in: our trace on top, and
 * a Message-ID if it has none; then goes on. */
enum step submit_list_out(struct session *s, session_then_fn *then);

/* The sealed message: From, completion; then goes on. */
enum step submit_message(struct session *s, session_then_fn *then);
/* The message as it goes out and in: signed, our trace field on top. */
enum step submit_sign(struct session *s, session_then_fn *then);
void signing_free(struct signing **signing);
/* These octets become the beginning of the sealed message. */
bool submit_put_on_top(struct session *s, struct slice top);

/*
 * Queue has a part in this transaction: recipients elsewhere, or here but
 * with NOTIFY=SUCCESS, of whom it brings the DSN.
 */
bool submit_is_for_queue(const struct transaction *tx);
/* The same, and it is more than a DSN. */
bool submit_goes_elsewhere(const struct transaction *tx);
/* All local copies are prepared, or there are none. */
enum step submit_prepare(struct session *s, session_then_fn *then);
/* There are none: both steps at once. */
enum step submit_take(struct session *s, session_then_fn *then);
/* All local copies are in new/, or there are none. */
enum step submit_commit(struct session *s, session_then_fn *then);
/* The transaction ends: queue forgets what it has not committed. */
void submit_abort(struct session *s);

#endif
