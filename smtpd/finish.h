/* SPDX-License-Identifier: ISC */
/*
 * finish.h - from the end of the message to the reply.
 *
 *	RECORDS --> PREPARE --> INTENT --> client still there? --> COMMIT
 *	   |           |           |              |                |  |
 *	   +-----------+-- WITHDRAW, RELEASE <----+             DONE  SETTLE
 *	                                                        250   451
 *
 * Before COMMIT a last participant, if there is one, gets the message and
 * answers (last.h).
 *
 * RECORDS asks what earlier attempts have delivered: those copies are left
 * out. INTENT says that all is prepared; without it nothing counts as
 * delivered. WITHDRAW is acknowledged before RELEASE unlinks anything.
 *
 * Copies that one worker writes need no vote between two phases: it moves
 * all of them or none. Where they have records they go the short way, with
 * half of the questions:
 *
 *	RECORDS and INTENT --> client still there? --> DELIVER --> DONE, 250
 *
 * With one copy DELIVER does not wait for store: store clears it for its
 * worker (clearances.h). If that was not there in time:
 *
 *	client still there? --> BEGIN, DELIVER --> LOOK --> COMMIT --> DONE, 250
 *
 * finish.c goes through the steps, copies.c keeps the delivery records of
 * all copies, prdr.c each recipient's own reply, trace.c what stands on top.
 */
#ifndef POSTERN_SMTPD_FINISH_H
#define POSTERN_SMTPD_FINISH_H

#include "transaction.h"

/* The message is complete (body_has_ended): check it and deliver it. */
enum step transaction_finish(struct session *s);

enum step finish_prepare(struct session *s);
enum step finish_deliver(struct session *s);
enum step finish_commit(struct session *s);
enum step finish_refuse(struct session *s, enum reply_name reply);
/* Undo all, and answer with the first of these failures; those that are a
 * recipient's own are kept for his retry. */
enum step finish_failed(struct session *s,
    const struct outcome_failure *failures, size_t n, enum reply_name reply);
/* The same in a check's own words: its verdict, and its name for the trail
 * (which must be a literal). */
enum step finish_refuse_with(struct session *s, const struct verdict *v,
    const char *check);
/*
 * A check is about to refuse the message. True: it came from a relay_peer,
 * which would return it to a stranger, so it goes into .Junk instead, as the
 * log and the trail say at the end; go on. Never for a 4yz. Where it goes on
 * to a next hop or a program, which have no .Junk, it is refused after all.
 */
bool finish_spares(struct session *s, const struct verdict *v,
    const char *check);
/* The same where that is known: why is the whole refusal, check a literal. */
void finish_spare(struct session *s, const char *check, const char *why);
/* A loop ends there as well as by a refusal: REPLY_COUNT, or the reply. */
enum reply_name finish_spared(struct session *s, enum reply_name reply);
/* All have spoken. False, and *v: it goes on to where there is no .Junk. */
bool finish_may_spare(struct session *s, struct verdict *v);
/* The client has left, and all is undone. */
enum step finish_gone(struct session *s);
/* The same, unless an earlier attempt has delivered all of it: 250. */
enum step finish_refuse_unless_done(struct session *s,
    const struct verdict *v, const char *check);
/* Everybody has it: the 250. */
enum step finish_delivered(struct session *s);
/* What is wrong with the message itself (finish_check.c); REPLY_COUNT:
 * nothing. */
enum reply_name finish_check(const struct session *s);
/* The client has left: DELIVER, if it is out, should write nothing more. */
void finish_cancel(struct session *s);
void finish_release(struct session *s, enum release_how how);

/* Our Received field (trace.c). */
int trace_make(struct session *s);
int trace_make_as(struct session *s, struct slice id);
/* The base name of all copies; is_whole is known. */
void trace_name_copies(struct transaction *tx);
/* The complete file name of one copy, as deliver will name it. */
int trace_file_name(const struct transaction *tx, const char *host,
    const struct recipient *r, uint16_t leaf, struct buf *name);

/* Could one worker take all copies in one job, beside size octets? */
bool copies_are_one_job(const struct transaction *tx, size_t size);
/* Ask about all leaves, then go on in finish_prepare (copies.c). */
enum step copies_look_up(struct session *s);
/* DELIVER did not find its clearance, so it was PREPARE: what says store?
 * Then finish_commit, or the reply. */
enum step copies_look(struct session *s);
/* After PREPARE: INTENT, then finish_commit. */
enum step copies_intend(struct session *s);
/* Withdraw all of it, have it undone, then go on in then. */
enum step copies_undo(struct session *s, finish_fn *then);
/* Withdraw the recipients that failed (PRDR), then go on in then. */
enum step copies_drop_failed(struct session *s, finish_fn *then);
/* After COMMIT: note what is in new/. */
void copies_done(struct session *s);
void copies_settle(struct session *s);
/* At once: whom a last participant or queue has taken it for (is_last_done,
 * is_queue_done). */
void copies_taken(struct session *s);
/* The same of queue: it has committed, and nobody can call it back. Not
 * before: what has a record is left out of the retry. */
void copies_queued(struct session *s);

#endif
