/* SPDX-License-Identifier: ISC */
/*
 * phases.c - PREPARE, COMMIT and RELEASE of a transaction; the drawing is in
 * delivery.h.
 *
 * Each phase gives the copies that it is for to workers (steps.c) and goes
 * on in phase_next when all of them are back:
 *
 *	PREPARING   any failure -> UNDOING: unlink what must not stay
 *	COMMITTING  any failure -> RECALLING: from new/ back to tmp/, where it
 *	            stays until RELEASE, because a delivery record may still
 *	            say INTENT and would take a missing file for a delivered one
 *
 * DELIVER enters COMMITTING right away with a job that does both. Where the
 * job did not find its clearance it was PREPARE after all, and COMMIT follows.
 *
 * A kill of deliver in any phase leaves copies in tmp/ or new/; the records
 * of the transaction then ask each of them (RESOLVE).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "failure.h"
#include "fault.h"
#include "log.h"
#include "maildir.h"
#include "received.h"
#include "phases.h"
#include "renames.h"

#define HEADERS_MAX 8000	/* Return-Path and trace; see WORK_ROOM */

/* ---- outcomes ---- */

static bool
has_failed(const struct delivery *tx)
{
	for (uint32_t i = 0; i < tx->n_slots; i++)
		if (tx->recipients[i] != NULL &&
		    tx->recipients[i]->is_chosen &&
		    delivery_recipient_error(tx->recipients[i]) != 0)
			return true;
	return false;
}

/* Large, and lent until the next one begins. */
static struct outcome *
outcome_begin(void)
{
	static struct outcome outcome;

	outcome.n_failures = outcome.n_left_behind = 0;
	outcome.is_prepared = false;
	return &outcome;
}

static void
outcome_answer(const struct outcome *outcome, struct channel *asker,
    uint32_t question, uint16_t type)
{
	static struct ipc_writer w;	/* large */

	ipc_writer_init(&w);
	put_outcome(&w, outcome);
	channel_answer(asker, question, type, &w, -1);
}

static void
outcome_add(struct outcome *outcome, uint16_t recipient, int error)
{
	struct outcome_failure *f;

	if (outcome->n_failures == OUTCOME_MAX_FAILURES) {
		/* the last one stands for all that did not fit */
		outcome->failures[OUTCOME_MAX_FAILURES - 1].is_own = false;
		return;
	}
	f = &outcome->failures[outcome->n_failures++];
	f->recipient = recipient;
	f->is_own = delivery_failure_verdict(&f->verdict, error, false);
	f->is_of_message = error == FAILURE_NEVER_FITS;
}

static bool
is_left_behind(const struct delivery *tx, const struct copy *copy)
{
	if (copy->state == COPY_LEFT || copy->state == COPY_UNSURE)
		return true;
	return copy->state == COPY_IN_NEW && copy->recipient->is_chosen &&
	    (!tx->is_each || delivery_recipient_error(copy->recipient) != 0);
}

/* DELIVER without a failure: its clearance was not there in time. */
static bool
is_prepared(const struct delivery *tx)
{
	struct copy *copy = NULL;

	while ((copy = delivery_next_copy(tx, copy)) != NULL)
		if (copy->recipient->is_chosen && copy->state == COPY_IN_TMP)
			return true;
	return false;
}

/* What the running phase came to, for the recipients that are in it. */
static void
answer_outcome(struct delivery *tx, uint16_t type, bool has_prepared)
{
	struct outcome *outcome = outcome_begin();
	struct copy *copy = NULL;

	outcome->is_prepared = has_prepared;
	for (uint32_t i = 0; i < tx->n_slots; i++) {
		const struct recipient *r = tx->recipients[i];
		int error = r && r->is_chosen ? delivery_recipient_error(r) : 0;

		if (error)
			outcome_add(outcome, r->index, error);
	}
	while (type == COMMIT_ANSWER && outcome->n_failures > 0 &&
	    (copy = delivery_next_copy(tx, copy)) != NULL)
		outcome->n_left_behind += is_left_behind(tx, copy);
	outcome_answer(outcome, tx->peer->channel, tx->question, type);
}

/* ---- PREPARE ---- */

/* No octet that could end the header or begin another (RFC 5322 2.2). */
static bool
is_header(struct slice s)
{
	if (s.size == 0)
		return true;
	if (s.data[0] == ' ' || s.data[0] == '\t' || s.data[0] == '\n' ||
	    s.data[s.size - 1] != '\n' || memchr(s.data, '\0', s.size) ||
	    memchr(s.data, '\r', s.size))
		return false;
	return memmem(s.data, s.size, "\n\n", 2) == NULL;
}

bool
phase_has_valid_headers(struct slice return_path, struct slice trace)
{
	return return_path.size + trace.size <= HEADERS_MAX &&
	    slice_find(return_path, '\n') == return_path.size &&
	    is_header(trace);
}

static bool
is_prepare_valid(const struct prepare_ask *ask)
{
	return maildir_is_name(ask->name) && maildir_is_name(ask->host) &&
	    phase_has_valid_headers(ask->return_path, ask->trace);
}

static bool
choose(struct delivery *tx, const struct prepare_ask *ask)
{
	struct recipient *r;

	for (size_t i = 0; i < ask->n_recipients; i++) {
		r = delivery_recipient(tx, ask->recipients[i]);
		if (r == NULL || r->is_chosen || r->n_waiting > 0)
			return false;
		r->is_chosen = true;
	}
	for (size_t i = 0; i < ask->n_skipped; i++) {
		r = delivery_recipient(tx, ask->skipped[i].recipient);
		if (r == NULL || ask->skipped[i].leaf >= r->route.n_leaves)
			return false;
		r->copies[ask->skipped[i].leaf].state = COPY_SKIPPED;
	}
	return true;
}

static int
take_headers(struct delivery *tx, const struct prepare_ask *ask)
{
	int error;

	if (!slice_copy(tx->name, sizeof tx->name, ask->name) ||
	    !slice_copy(tx->host, sizeof tx->host, ask->host))
		return -ENAMETOOLONG;
	error = received_write_return_path(&tx->top, ask->return_path);
	if (!error)
		error = buf_append_slice(&tx->trace, ask->trace);
	return error ? error : buf_append_slice(&tx->held, ask->message);
}

static int
reserve(const struct delivery *tx, struct copy *copy)
{
	struct buf line = { 0 };
	int error = received_write_delivered_to(&line,
	    copy->leaf->delivered_to);

	copy->size = tx->top.size + line.size + tx->trace.size +
	    tx->message.size_bytes;
	buf_free(&line);
	return error ? error :
	    box_reserve(copy->box, copy->size, &copy->held);
}

static bool
wants_prepare(const struct delivery *tx, const struct copy *copy)
{
	(void)tx;
	return copy->recipient->is_chosen && copy->state == COPY_NONE &&
	    copy->error == 0;
}

static bool
wants_nothing(const struct delivery *tx, const struct copy *copy)
{
	(void)tx;
	(void)copy;
	return false;
}

/* For each copy its size, and room for that much in its mailbox. */
static void
reserve_all(struct delivery *tx)
{
	struct copy *copy = NULL;
	int error;

	while ((copy = delivery_next_copy(tx, copy)) != NULL) {
		if (!wants_prepare(tx, copy))
			continue;
		error = reserve(tx, copy);
		copy->error = error == -EFBIG ? FAILURE_NEVER_FITS : error;
		if (error)
			log_info("quota_refused",
			    LOG_S("session", tx->session),
			    LOG_SL("user", copy->leaf->user),
			    LOG_U("size", copy->size),
			    LOG_E("error", error), LOG_END);
	}
}

/* A small message has come in ask, any other in fd, which is taken over. */
static bool
message_take(struct message *message, const struct prepare_ask *ask, int fd)
{
	*message = (struct message){ .fd = -1,
		.size_bytes = ask->message_size };
	if (fd < 0)
		return ask->message.size > 0;
	if (ask->message.size == 0 &&
	    message_accept(message, fd, ask->message_size) == 0)
		return true;
	close(fd);
	return false;
}

/*
 * Take over what smtpd hands in with a message; NULL: it broke the rules.
 * Deliver does not read it, so that what is in it cannot matter here.
 */
static struct delivery *
message_begin(struct peer *peer, const struct prepare_ask *ask, int fd)
{
	struct delivery *tx = delivery_find(peer, ask->transaction);
	struct message message;

	if (!message_take(&message, ask, fd))
		return NULL;
	if (tx == NULL || tx->state != DELIVERY_OPEN || tx->is_running ||
	    tx->is_release_wanted || !is_prepare_valid(ask) ||
	    !choose(tx, ask)) {
		message_close(&message);
		return NULL;
	}
	message_close(&tx->message);
	tx->message = message;
	tx->is_each = ask->is_each;
	tx->is_junk = ask->is_junk;
	tx->clearance = ask->clearance;
	return tx;
}

static void
message_submit(struct delivery *tx, const struct prepare_ask *ask,
    enum work_kind kind)
{
	int error;

	tx->top.size = tx->trace.size = tx->held.size = 0;
	error = take_headers(tx, ask);
	for (size_t i = 0; error && i < ask->n_recipients; i++) {
		struct recipient *r = tx->recipients[ask->recipients[i]];

		for (size_t j = 0; j < r->route.n_leaves; j++)
			r->copies[j].error = error;
	}
	reserve_all(tx);
	steps_submit(tx, kind, !tx->is_each && has_failed(tx) ?
	    wants_nothing : wants_prepare);
}

/*
 * A recipient that was told could not be frozen, or for want of memory the
 * whole transaction is unknown: nothing is written. Then true.
 */
static bool
is_refused(struct peer *peer, const struct prepare_ask *ask, int fd,
    uint32_t question, uint16_t type)
{
	const struct delivery *tx = delivery_find(peer, ask->transaction);
	int error = tx == NULL ? -ENOMEM : tx->error;
	struct outcome *outcome;

	if (!error)
		return false;
	if (fd >= 0)
		close(fd);
	outcome = outcome_begin();
	for (size_t i = 0; i < ask->n_recipients; i++)
		outcome_add(outcome, ask->recipients[i], error);
	for (size_t i = 0; i < outcome->n_failures; i++)
		outcome->failures[i].is_own = false;
	outcome_answer(outcome, peer->channel, question, type);
	return true;
}

bool
phase_prepare(struct peer *peer, const struct prepare_ask *ask, int fd,
    uint32_t question)
{
	struct delivery *tx;

	if (is_refused(peer, ask, fd, question, PREPARE_ANSWER))
		return true;
	tx = message_begin(peer, ask, fd);
	if (tx == NULL)
		return false;
	FAULT_STEP("deliver.before-prepare");
	tx->question = question;
	tx->state = DELIVERY_PREPARING;
	message_submit(tx, ask, WORK_PREPARE);
	return true;
}

static bool
is_same_owner(const struct route_leaf *a, const struct route_leaf *b)
{
	return a->uid == b->uid && a->gid == b->gid;
}

/* Only smtpd's promise that all of it fits into a worker's job. */
static bool
is_one_job(struct peer *peer, const struct prepare_ask *ask)
{
	const struct delivery *tx = delivery_find(peer, ask->transaction);
	const struct route_leaf *first = NULL;
	size_t size = ask->message.size + ask->return_path.size +
	    ask->trace.size;

	for (size_t i = 0; tx != NULL && i < ask->n_recipients; i++) {
		const struct recipient *r = delivery_recipient(tx,
		    ask->recipients[i]);

		for (size_t j = 0; r != NULL && j < r->route.n_leaves; j++) {
			if (first == NULL)
				first = r->route.leaves;
			if (!is_same_owner(first, &r->route.leaves[j]))
				return false;
			size += deliver_leaf_size(&r->route.leaves[j]);
		}
	}
	return first != NULL && size <= DELIVER_ROOM && !ask->is_each &&
	    !ask->is_junk;
}

bool
phase_deliver(struct peer *peer, const struct prepare_ask *ask, int fd,
    uint32_t question)
{
	struct delivery *tx;

	if (is_refused(peer, ask, fd, question, COMMIT_ANSWER))
		return true;
	if (!is_one_job(peer, ask)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	tx = message_begin(peer, ask, fd);
	if (tx == NULL)
		return false;
	FAULT_STEP("deliver.before-deliver");
	tx->question = question;
	tx->state = DELIVERY_COMMITTING;
	message_submit(tx, ask, WORK_DELIVER);
	return true;
}

/* ---- UNDOING ---- */

/* Without is_each one failure undoes everything. */
static bool
is_undone(const struct delivery *tx, const struct copy *copy)
{
	return copy->recipient->is_chosen &&
	    (!tx->is_each || delivery_recipient_error(copy->recipient) != 0);
}

static bool
wants_undo(const struct delivery *tx, const struct copy *copy)
{
	return (copy->state == COPY_IN_TMP || copy->state == COPY_UNSURE) &&
	    is_undone(tx, copy);
}

/* Recipients that failed have no part in COMMIT. */
static void
drop_failed(struct delivery *tx)
{
	for (uint32_t i = 0; i < tx->n_slots; i++)
		if (tx->recipients[i] != NULL &&
		    delivery_recipient_error(tx->recipients[i]) != 0)
			tx->recipients[i]->is_chosen = false;
}

/* ---- COMMIT ---- */

static bool
wants_commit(const struct delivery *tx, const struct copy *copy)
{
	(void)tx;
	return copy->recipient->is_chosen && copy->state == COPY_IN_TMP;
}

static bool
wants_recall(const struct delivery *tx, const struct copy *copy)
{
	return (copy->state == COPY_IN_NEW || copy->state == COPY_UNSURE) &&
	    is_undone(tx, copy);
}

bool
phase_commit(struct peer *peer, uint64_t id, uint32_t question)
{
	struct delivery *tx = delivery_find(peer, id);

	if (tx == NULL || tx->state != DELIVERY_READY || tx->is_running ||
	    tx->is_release_wanted)
		return false;
	FAULT_STEP("deliver.before-commit");
	tx->question = question;
	tx->state = DELIVERY_COMMITTING;
	steps_submit(tx, WORK_COMMIT, wants_commit);
	return true;
}

/* A worker that has passed the place where it looks goes on. */
void
phase_cancel(struct peer *peer, uint64_t id)
{
	const struct delivery *tx = delivery_find(peer, id);
	char room[MAILDIR_NAME_SIZE];
	struct copy *copy = NULL;

	if (tx == NULL || tx->state != DELIVERY_COMMITTING)
		return;
	/* one of a job stands for all */
	while ((copy = delivery_next_copy(tx, copy)) != NULL)
		if (copy->state == COPY_UNSURE) {
			renames_cancel(steps_file_name(copy, room));
			break;
		}
}

/* ---- RELEASE ---- */

static bool
wants_release(const struct delivery *tx, const struct copy *copy)
{
	(void)tx;
	return copy->state == COPY_IN_TMP || copy->state == COPY_UNSURE;
}

static void
release_answer(struct peer *peer, uint32_t question)
{
	/* a release that was told and not asked has no question */
	if (question != 0)
		channel_answer(peer->channel, question, RELEASE_ANSWER, NULL,
		    -1);
}

static void
release_all(struct delivery *tx)
{
	tx->state = DELIVERY_RELEASING;
	steps_submit(tx, WORK_ABORT, wants_release);
}

static bool
release_recipient(struct delivery *tx, uint16_t index)
{
	struct recipient *r = delivery_recipient(tx, index);

	if (r == NULL)
		return true;	/* its probe had failed */
	if (tx->state != DELIVERY_OPEN)
		return false;
	if (r->n_waiting > 0) {
		r->is_dropped = true;
		return true;
	}
	delivery_recipient_free(r);
	if (tx->n_recipients == 0 && tx->n_out == 0)
		delivery_orphan(tx);
	return true;
}

bool
phase_release(struct peer *peer, const struct release_ask *ask,
    uint32_t question)
{
	struct delivery *tx = delivery_find(peer, ask->transaction);

	if (tx == NULL || ask->how == RELEASE_RECIPIENT) {
		release_answer(peer, question);
		return tx == NULL || release_recipient(tx, ask->recipient);
	}
	if (ask->how == RELEASE_KEEP_FILES) {
		release_answer(peer, question);
		delivery_orphan(tx);
		return true;
	}
	if (tx->is_release_wanted || tx->state == DELIVERY_RELEASING)
		return false;
	tx->is_release_wanted = true;
	tx->release_question = question;
	if (tx->n_out == 0)
		release_all(tx);
	return true;
}

/* ---- one after the other ---- */

/* With PRDR a program comes after COMMIT; then smtpd says RELEASE. */
static bool
is_program_to_come(const struct delivery *tx)
{
	for (uint32_t i = 0; tx->is_each && i < tx->n_slots; i++)
		if (tx->recipients[i] != NULL &&
		    tx->recipients[i]->route.kind == ROUTE_PROGRAM)
			return true;
	return false;
}

static void
phase_end(struct delivery *tx, enum delivery_state state)
{
	tx->state = state;
	if (tx->is_release_wanted)
		release_all(tx);
	else if (state == DELIVERY_OVER && !has_failed(tx) &&
	    !is_program_to_come(tx))
		delivery_orphan(tx);	/* nothing is left to undo */
}

static void
prepare_end(struct delivery *tx)
{
	bool is_ready = tx->is_each || !has_failed(tx);

	FAULT_STEP("deliver.after-prepare");
	answer_outcome(tx, PREPARE_ANSWER, false);
	if (is_ready)
		drop_failed(tx);
	phase_end(tx, is_ready ? DELIVERY_READY : DELIVERY_OVER);
}

static void
commit_end(struct delivery *tx)
{
	bool is_ready = tx->state == DELIVERY_COMMITTING && is_prepared(tx);

	answer_outcome(tx, COMMIT_ANSWER, is_ready);
	phase_end(tx, is_ready ? DELIVERY_READY : DELIVERY_OVER);
}

static void
after_failure(struct delivery *tx, enum delivery_state state,
    enum work_kind kind, step_wants_fn *wants)
{
	FAULT_STEP("deliver.before-undo");
	tx->state = state;
	steps_submit(tx, kind, wants);
}

void
phase_next(struct delivery *tx)
{
	if (tx->peer == NULL) {
		delivery_settle(tx);
		return;
	}
	switch (tx->state) {
	case DELIVERY_PREPARING:
		message_close(&tx->message);
		if (has_failed(tx))
			after_failure(tx, DELIVERY_UNDOING, WORK_ABORT,
			    wants_undo);
		else
			prepare_end(tx);
		break;
	case DELIVERY_UNDOING:
		prepare_end(tx);
		break;
	case DELIVERY_COMMITTING:
		message_close(&tx->message);
		buf_free(&tx->held);
		FAULT_STEP("deliver.after-commit");
		if (has_failed(tx))
			after_failure(tx, DELIVERY_RECALLING,
			    WORK_TAKE_BACK, wants_recall);
		else
			commit_end(tx);
		break;
	case DELIVERY_RECALLING:
		commit_end(tx);
		break;
	case DELIVERY_RELEASING:
		release_answer(tx->peer, tx->release_question);
		delivery_orphan(tx);
		break;
	default:
		if (tx->is_release_wanted)
			release_all(tx);
	}
}
