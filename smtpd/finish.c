/* SPDX-License-Identifier: ISC */
/*
 * From the final dot to the reply, step by step. Everything that can refuse
 * comes before COMMIT; after it the answer is 250 or a 451 whose copies have
 * been taken back or are being settled.
 *
 * A crash here: before INTENT nothing counts as delivered; between INTENT and
 * DONE store asks deliver about each copy; after DONE a retry is answered 250.
 */
#include <stdlib.h>
#include <unistd.h>
#include "believed.h"
#include "checks.h"
#include "clearances.h"
#include "clock.h"
#include "commands.h"
#include "fault.h"
#include "filter_steps.h"
#include "finish.h"
#include "last.h"
#include "limits.h"
#include "prdr.h"
#include "remembered.h"
#include "submit.h"

#define COMMIT_DEADLINE_MS 60000

static enum step prepare_answered(struct session *s, struct answer *a);
static enum step commit_answered(struct session *s, struct answer *a);

/* ---- how it ends ---- */

void
finish_release(struct session *s, enum release_how how)
{
	struct question q = { .kind = QUESTION_RELEASE, .fd = -1,
		.as.release = { .transaction = s->tx->number, .how = how } };

	if (!s->tx->is_probed)
		return;
	s->tx->is_probed = false;
	session_tell(s, &q);
}

/* Nothing is left to undo: say why and end the transaction. */
static enum step
finish_say_refusal(struct session *s)
{
	struct transaction *tx = s->tx;
	enum step step;

	if (tx->refusal != NULL && tx->refusal_check != NULL)
		step = session_reply_filter(s, tx->refusal,
		    tx->refusal_check);
	else if (tx->refusal != NULL)
		step = session_reply_verdict(s, tx->refusal, "delivery",
		    (struct slice){ NULL, 0 });
	else
		step = session_reply(s, tx->reply);
	transaction_end(s);
	return step;
}

enum step
finish_refuse(struct session *s, enum reply_name reply)
{
	s->tx->reply = reply;
	return copies_undo(s, finish_say_refusal);
}

enum step
finish_refuse_with(struct session *s, const struct verdict *v,
    const char *check)
{
	struct transaction *tx = s->tx;

	free(tx->refusal);
	tx->refusal = malloc(sizeof(*tx->refusal));
	if (tx->refusal == NULL)
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	*tx->refusal = *v;
	tx->refusal_check = check;
	return copies_undo(s, finish_say_refusal);
}

/* The client left before the reply (RFC 1047): as if it had never sent it. */
enum step
finish_gone(struct session *s)
{
	note_count(s, SCOREBOARD_ABORTED_CLIENT_GONE, 1);
	transaction_end(s);
	return STEP_CLOSE;
}

/* The 250 is proof that the client knows only once it sends more. */
static void
finish_await_confirmation(struct session *s)
{
	struct question q = { .kind = QUESTION_END, .fd = -1,
		.as.transaction = s->unconfirmed };

	if (s->unconfirmed != 0)
		session_tell(s, &q);
	s->unconfirmed = s->tx->number;
	s->confirmed_from = s->n_inputs + 1;
	if (!s->is_gone &&
	    s->settings->host->presence(s->conn) == PRESENCE_HAS_SENT)
		s->confirmed_from++;
}

/*
 * Nobody knows whether the bounce's proof is spent. Its copies are where they
 * belong: their records answer the retry, which spends it if it is not.
 */
static enum step
finish_unproven(struct session *s)
{
	struct question q = { .kind = QUESTION_END, .fd = -1,
		.as.transaction = s->tx->number };

	note_count(s, SCOREBOARD_COMMITS_UNKNOWN, 1);
	session_tell(s, &q);
	s->tx->reply = REPLY_FATE_UNKNOWN;
	return finish_say_refusal(s);
}

static enum step
finish_say_delivered(struct session *s, bool is_proof_taken)
{
	enum step step;

	/* a next hop that has taken it would get it once more */
	if (!is_proof_taken && s->tx->n_entries > 0)
		return finish_unproven(s);
	FAULT_STEP("smtpd.before-reply");
	if (s->tx->n_entries > 0)
		finish_await_confirmation(s);
	if (s->tx->is_each) {
		step = prdr_reply(s);
	} else if (last_has_taken(s->tx)) {
		note_delivered(s);
		step = session_reply_with_id(s, REPLY_DELIVERED,
		    last_words(s->tx));
	} else if (submit_goes_elsewhere(s->tx)) {
		note_delivered(s);
		step = session_reply_with(s, REPLY_QUEUED,
		    slice_of(s->tx->queue_id));
	} else {
		note_delivered(s);
		step = session_reply_with_id(s, REPLY_DELIVERED, "");
	}
	transaction_end(s);
	return step;
}

enum step
finish_delivered(struct session *s)
{
	return checks_take_proof(s, finish_say_delivered);
}

/* ---- failures of PREPARE and COMMIT ---- */

static bool
is_refused_for_good(const struct recipient *r,
    const struct outcome_failure *failures, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (failures[i].recipient == r->index && failures[i].is_own &&
		    failures[i].verdict.code >= 500 && !r->is_added)
			return true;
	return false;
}

/* Then it is the reply to all. */
static bool
are_refused_for_good(const struct transaction *tx,
    const struct outcome_failure *failures, size_t n)
{
	for (uint16_t i = 0; i < tx->n_recipients; i++)
		if (!is_refused_for_good(&tx->recipients[i], failures, n))
			return false;
	return true;
}

/*
 * One reply for all recipients: where there are others, the permanent
 * failure of one must not become theirs, so it is answered 4yz now, and his
 * retry tells him.
 */
static void
refusal_set(struct session *s, const struct outcome_failure *failure,
    bool is_for_good)
{
	struct transaction *tx = s->tx;
	const struct recipient *r = recipient_find(tx->recipients,
	    tx->n_recipients, failure->recipient);
	const struct verdict *verdict = &failure->verdict;
	uint16_t code = verdict->code;

	tx->refusal = malloc(sizeof(*tx->refusal));
	if (tx->refusal == NULL)
		return;
	if (r != NULL && r->is_added) {
		milters_added_cannot(s, r->address, verdict->text,
		    tx->refusal);
		return;
	}
	if (!is_for_good && code >= 500)
		code = verdict_code_for_now(code);
	verdict_set(tx->refusal, code, verdict->subject, verdict->detail,
	    "%s%.200s%s%s", r != NULL ? "<" : "",
	    r != NULL ? r->address : "", r != NULL ? ">: " : "",
	    verdict->text);
}

enum step
finish_failed(struct session *s, const struct outcome_failure *failures,
    size_t n, enum reply_name reply)
{
	bool is_for_good = are_refused_for_good(s->tx, failures, n);

	believed_forget(s->settings->believed);
	if (!is_for_good)
		remembered_put(s, failures, n);
	refusal_set(s, &failures[0], is_for_good);
	return finish_refuse(s, reply);
}

/* ---- COMMIT ---- */

/* QUIT that has come already is not gone, even if nothing follows it. */
static bool
client_is_gone(const struct session *s)
{
	if (s->is_gone || s->input.size > 0)
		return s->is_gone;
	return s->settings->host->presence(s->conn) == PRESENCE_GONE;
}

/* From here on nothing but an answer of deliver's refuses it. */
static enum step
commit_ask(struct session *s)
{
	struct question q = { .kind = QUESTION_COMMIT, .fd = -1,
		.deadline_ms = COMMIT_DEADLINE_MS,
		.as.transaction = s->tx->number };

	FAULT_STEP("smtpd.before-commit");
	return session_ask(s, &q, commit_answered);
}

enum step
finish_commit(struct session *s)
{
	FAULT_STEP("smtpd.all-ready");
	if (client_is_gone(s))
		return copies_undo(s, finish_gone);
	if (transaction_time_left_ms(s->tx) == 0)
		return finish_refuse(s, REPLY_CHECKS_TOO_LONG);
	/* with PRDR mailboxes do not wait for its answer */
	return s->tx->is_each ? commit_ask(s) : last_deliver(s, commit_ask);
}

/* Who has a reply of his own is asked after mailboxes have theirs. */
static enum step
finish_each(struct session *s)
{
	return s->tx->is_each ? last_deliver(s, finish_delivered) :
	    finish_delivered(s);
}

/* Nobody knows what is in new/: store asks each mailbox's worker. */
static enum step
finish_unknown(struct session *s, enum reply_name reply)
{
	note_count(s, SCOREBOARD_COMMITS_UNKNOWN, 1);
	copies_settle(s);
	finish_release(s, RELEASE_KEEP_FILES);
	s->tx->reply = reply;
	return finish_say_refusal(s);
}

static enum step
commit_failed(struct session *s, const struct outcome *outcome)
{
	note_count(s, SCOREBOARD_LEFT_BEHIND, outcome->n_left_behind);
	if (outcome->n_left_behind > 0) {
		refusal_set(s, &outcome->failures[0], false);
		return finish_unknown(s, REPLY_NOT_COMMITTED);
	}
	if (s->tx->is_cancelled)
		return copies_undo(s, finish_gone);
	return finish_failed(s, outcome->failures, outcome->n_failures,
	    REPLY_NOT_COMMITTED);
}

/* Store was slower than the disk, or has something to say. */
static enum step
finish_prepared(struct session *s)
{
	if (s->tx->clearance == CLEARANCE_NONE)
		return finish_unknown(s, REPLY_FATE_UNKNOWN);
	return s->tx->is_cancelled ? copies_undo(s, finish_gone) :
	    copies_look(s);
}

static enum step
commit_answered(struct session *s, struct answer *a)
{
	struct transaction *tx = s->tx;
	const struct outcome *outcome = &a->as.outcome;

	FAULT_STEP("smtpd.after-commit");
	tx->is_delivering = false;
	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
	if (!a->is_known)
		return finish_unknown(s, REPLY_FATE_UNKNOWN);
	if (outcome->n_failures > 0 && !tx->is_each)
		return commit_failed(s, outcome);
	if (outcome->is_prepared)
		return finish_prepared(s);
	tx->is_committed = true;
	if (outcome->n_failures == 0) {
		tx->is_probed = tx->is_each && last_kind_of(tx) == LAST_PROGRAM;
		copies_done(s);
		return submit_commit(s, finish_each);
	}
	note_count(s, SCOREBOARD_LEFT_BEHIND, outcome->n_left_behind);
	prdr_note_failures(tx, outcome);
	copies_done(s);
	if (outcome->n_left_behind == 0)
		return copies_drop_failed(s, finish_each);
	copies_settle(s);
	finish_release(s, RELEASE_KEEP_FILES);
	return finish_each(s);
}

/* ---- PREPARE ---- */

static void
prepare_list(const struct transaction *tx, struct prepare_ask *ask)
{
	const struct recipient *r;
	uint16_t i;

	for (i = 0; i < tx->n_recipients; i++) {
		r = &tx->recipients[i];
		if (recipient_is_mailbox(r) && r->n_done < r->route.n_leaves)
			ask->recipients[ask->n_recipients++] = r->index;
	}
	for (i = 0; i < tx->n_done; i++) {
		ask->skipped[i].recipient = tx->done[i].recipient;
		ask->skipped[i].leaf = tx->done[i].leaf;
	}
	ask->n_skipped = (uint16_t)tx->n_done;
}

static void
prepare_fill(const struct session *s, struct prepare_ask *ask)
{
	const struct transaction *tx = s->tx;

	ask->transaction = tx->number;
	ask->message_size = tx->message_bytes;
	ask->message = (struct slice){ NULL, 0 };
	ask->is_each = tx->is_each;
	ask->is_junk = tx->is_junk;
	ask->clearance = tx->clearance;
	ask->name = slice_of(tx->name);
	ask->host = slice_of(s->settings->config->hostname);
	ask->return_path = slice_of(tx->reverse_path);
	ask->trace = buf_slice(&tx->trace);
	ask->n_recipients = 0;
	prepare_list(tx, ask);
}

/* The message as a descriptor, which is the transaction's. */
static bool
finish_hand_out(struct transaction *tx)
{
	if (tx->message_fd < 0)
		tx->message_fd = body_hand_out(&tx->body);
	return tx->message_fd >= 0;
}

/* Nothing for deliver: discarded, there already, or all of it queue's. */
static enum step
finish_no_copies(struct session *s)
{
	if (!submit_is_for_queue(s->tx) && last_kind_of(s->tx) == LAST_NONE)
		return finish_delivered(s);
	if (client_is_gone(s))
		return copies_undo(s, finish_gone);
	if (last_kind_of(s->tx) == LAST_NONE)
		return submit_take(s, finish_delivered);
	return last_deliver_alone(s);
}

enum step
finish_prepare(struct session *s)
{
	static struct prepare_ask ask;		/* large, and lent only */
	struct transaction *tx = s->tx;
	struct question q = { .kind = QUESTION_PREPARE,
		.deadline_ms = transaction_time_left_ms(tx),
		.as.prepare = &ask };

	prepare_fill(s, &ask);
	if (ask.n_recipients == 0)
		return finish_no_copies(s);
	if (!finish_hand_out(tx))
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	q.fd = tx->message_fd;
	if (q.deadline_ms == 0)
		return finish_refuse(s, REPLY_CHECKS_TOO_LONG);
	FAULT_STEP("smtpd.before-prepare");
	return session_ask(s, &q, prepare_answered);
}

/* From here on it is as after COMMIT: nobody but its answer ends it. */
static enum step
deliver_ask(struct session *s)
{
	static struct prepare_ask ask;		/* large, and lent only */
	struct question q = { .kind = QUESTION_DELIVER,
		.fd = s->tx->message_fd, .deadline_ms = COMMIT_DEADLINE_MS,
		.as.prepare = &ask };
	enum step step;

	prepare_fill(s, &ask);
	if (s->tx->message_fd < 0)
		ask.message = body_held(&s->tx->body);
	s->tx->is_delivering = true;
	step = session_ask(s, &q, commit_answered);
	/* it is the worker's now, which frees its memory while we go on */
	if (step == STEP_WAIT && s->tx->message_fd >= 0) {
		close(s->tx->message_fd);
		s->tx->message_fd = -1;
	}
	return step;
}

/* RFC 1047: a copy that is not in new/ yet need not get there. */
void
finish_cancel(struct session *s)
{
	struct question q = { .kind = QUESTION_CANCEL, .fd = -1,
		.as.transaction = s->tx->number };

	last_cancel(s);
	if (!s->tx->is_delivering || s->tx->is_cancelled)
		return;
	s->tx->is_cancelled = true;
	session_tell(s, &q);
}

enum step
finish_deliver(struct session *s)
{
	FAULT_STEP("smtpd.before-deliver");
	if (client_is_gone(s))
		return copies_undo(s, finish_gone);
	if (transaction_time_left_ms(s->tx) == 0)
		return finish_refuse(s, REPLY_CHECKS_TOO_LONG);
	return deliver_ask(s);
}

static enum step
prepare_answered(struct session *s, struct answer *a)
{
	struct transaction *tx = s->tx;
	const struct outcome *outcome = &a->as.outcome;

	FAULT_STEP("smtpd.after-prepare");
	note_asked("data", slice_of(s->tx->reverse_path), a->took_us);
	if (!a->is_known)
		return finish_refuse(s, REPLY_NOT_PREPARED);
	if (outcome->n_failures > 0 && !tx->is_each)
		return finish_failed(s, outcome->failures,
		    outcome->n_failures, REPLY_NOT_PREPARED);
	if (outcome->n_failures == 0)
		return submit_prepare(s, copies_intend);
	if (prdr_note_failures(tx, outcome) == 0)
		return copies_undo(s, finish_delivered);
	return copies_drop_failed(s, copies_intend);
}

/*
 * One worker does it, and records make a lost 250 harmless even if the
 * client leaves while it is written. size: of a message that goes along.
 */
static bool
is_whole(const struct transaction *tx, size_t size)
{
	return tx->has_records && !tx->is_each && !tx->is_junk &&
	    !submit_is_for_queue(tx) && last_kind_of(tx) == LAST_NONE &&
	    copies_are_one_job(tx, size);
}

/* Nobody but deliver is going to look at it. */
static bool
may_be_held(struct session *s)
{
	const struct transaction *tx = s->tx;
	const struct config *config = s->settings->config;

	return body_held(&tx->body).size > 0 && !session_is_own(s) &&
	    config->n_milters == 0 &&
	    config->n_clamds == 0 && !checks_data_are_wanted(s) &&
	    (tx->params.given & COMMAND_PRDR) == 0 &&
	    is_whole(tx, body_held(&tx->body).size);
}

/* The message cannot change any more. */
static bool
finish_seal(struct session *s)
{
	struct transaction *tx = s->tx;

	tx->message_bytes = tx->body.size_bytes;
	tx->has_records = tx->body.header.has_date &&
	    tx->body.header.has_message_id;
	return body_finish_digest(&tx->body, tx->digest) == 0 &&
	    trace_make(s) == 0 &&
	    (may_be_held(s) || finish_hand_out(tx));
}

/* Nothing speaks against it: deliver it. */
static enum step
finish_begin(struct session *s)
{
	struct transaction *tx = s->tx;

	tx->is_each = prdr_begin(tx);
	tx->is_whole = is_whole(tx, tx->message_fd < 0 ?
	    body_held(&tx->body).size : 0);
	trace_name_copies(tx);
	if (tx->has_records)
		return copies_look_up(s);
	return finish_prepare(s);
}

static enum step
finish_sign(struct session *s)
{
	return submit_sign(s, finish_begin);
}

/* Everybody has looked at it. */
static enum step
finish_checked(struct session *s)
{
	struct verdict v;

	if (!milters_dispose(s, &v))
		return finish_refuse_with(s, &v, "milter");
	if (!finish_may_spare(s, &v))
		return finish_refuse_with(s, &v, s->tx->spared_check);
	return session_is_own(s) ? finish_sign(s) :
	    submit_list_out(s, finish_begin);
}

static enum step
finish_scan(struct session *s)
{
	return clamd_scan(s, finish_checked);
}

static enum step
finish_filter(struct session *s)
{
	if (s->tx->has_to_be_bounce && checks_result(s, "report").size == 0)
		return finish_refuse(s, REPLY_SRS_NO_BOUNCE);
	return milters_message(s, finish_scan);
}

static enum step
finish_submission(struct session *s)
{
	return submit_message(s, finish_filter);
}

enum step
transaction_finish(struct session *s)
{
	struct transaction *tx = s->tx;
	enum reply_name reply;

	FAULT_STEP("smtpd.end-of-data");
	s->mode = INPUT_LINES;
	s->is_timer_wanted = true;
	tx->is_finishing = true;
	tx->dot_us = clock_monotonic_us();
	note_asked("data", slice_of(tx->reverse_path), 0);
	reply = finish_spared(s, finish_check(s));
	if (s->is_self_test && FAULT("self-test.smuggling"))
		reply = REPLY_DELIVERED;
	if (reply == REPLY_COUNT && !finish_seal(s))
		reply = REPLY_DATA_IO_ERROR;
	if (reply != REPLY_COUNT)
		return finish_refuse(s, reply);
	return session_is_own(s) ? finish_submission(s) :
	    checks_data(s, finish_filter);
}
