/* SPDX-License-Identifier: ISC */
/*
 * steps.c - one step of a transaction as jobs for workers.
 *
 * Copies of one owner go together in one question, as many as fit. What a
 * worker answers is noted in each copy here, and nowhere else.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "failure.h"
#include "log.h"
#include "maildir.h"
#include "received.h"
#include "phases.h"

#define LOOK_BACK 16		/* open jobs that are tried for a copy */

struct step {
	struct job job;
	struct step *next;
	struct delivery *tx;
	enum work_kind kind;
	size_t size;		/* octets on the wire so far */
	uint16_t n;
	struct copy *copies[WORK_MAX_LEAVES];
};

/* ---- what the worker is asked ---- */

/* Longest Delivered-To line is in the route, which has 64 KiB strings. */
struct texts {
	char files[WORK_MAX_LEAVES][MAILDIR_NAME_SIZE];
	struct buf delivered_to;
};

struct slice
steps_file_name(const struct copy *copy, char room[MAILDIR_NAME_SIZE])
{
	const struct recipient *r = copy->recipient;
	int n = snprintf(room, MAILDIR_NAME_SIZE, "%s_%u_%zu.%s,S=%" PRIu64,
	    r->tx->name, r->index, (size_t)(copy - r->copies), r->tx->host,
	    copy->size);

	if (n < 0 || n >= MAILDIR_NAME_SIZE)
		return (struct slice){ "", 0 };	/* the worker refuses it */
	return (struct slice){ room, (size_t)n };
}

static void
encode_copy(const struct step *step, uint16_t i, struct texts *texts,
    struct work_leaf *leaf)
{
	const struct copy *copy = step->copies[i];

	*leaf = (struct work_leaf){ .maildir = box_maildir(copy->box),
		.home = box_home(copy->box),
		.file = steps_file_name(copy, texts->files[i]),
		.quota_bytes = box_quota(copy->box),
		.size_bytes = copy->size };
}

/* Delivered-To lines one after another, pointed into when all are there. */
static void
encode_delivered_to(const struct step *step, struct texts *texts,
    struct work *work)
{
	size_t ends[WORK_MAX_LEAVES], at = 0;

	texts->delivered_to.size = 0;
	for (uint16_t i = 0; i < step->n; i++) {
		/* without memory the size is not what it must be: refused */
		(void)received_write_delivered_to(&texts->delivered_to,
		    step->copies[i]->leaf->delivered_to);
		ends[i] = texts->delivered_to.size;
	}
	for (uint16_t i = 0; i < step->n; i++) {
		work->leaves[i].delivered_to = (struct slice){
			texts->delivered_to.data + at, ends[i] - at };
		at = ends[i];
	}
}

static bool
has_message(enum work_kind kind)
{
	return kind == WORK_PREPARE || kind == WORK_DELIVER;
}

static void
encode_step(struct job *job, struct work *work)
{
	static struct texts texts;	/* large; lent until it is sent */
	const struct step *step = job->arg;

	work->kind = step->kind;
	work->is_junk = step->tx->is_junk;
	work->n_leaves = step->n;
	work->message_size = 0;
	work->clearance = step->tx->clearance;
	work->message = work->return_path = work->trace =
	    (struct slice){ "", 0 };
	for (uint16_t i = 0; i < step->n; i++)
		encode_copy(step, i, &texts, &work->leaves[i]);
	if (!has_message(step->kind))
		return;
	work->message_size = step->tx->message.size_bytes;
	work->message = buf_slice(&step->tx->held);
	work->return_path = buf_slice(&step->tx->top);
	work->trace = buf_slice(&step->tx->trace);
	encode_delivered_to(step, &texts, work);
}

/* ---- what became of it ---- */

static const char *
step_name(enum work_kind kind)
{
	switch (kind) {
	case WORK_PREPARE:
		return "prepare";
	case WORK_COMMIT:
		return "commit";
	case WORK_DELIVER:
		return "deliver";
	case WORK_TAKE_BACK:
		return "take_back";
	default:
		return "abort";
	}
}

static void
copy_failed(struct copy *copy, enum work_kind kind, int error)
{
	const struct delivery *tx = copy->recipient->tx;

	/* undoing is nobody's failure: it is counted as left behind */
	if (copy->error == 0 && (has_message(kind) || kind == WORK_COMMIT))
		copy->error = error;
	box_forget(copy->box);
	log_warning("delivery_step_failed", LOG_S("session", tx->session),
	    LOG_S("step", step_name(kind)),
	    LOG_SL("user", copy->leaf->user),
	    LOG_SL("maildir", box_maildir(copy->box)),
	    LOG_E("error", error), LOG_END);
}

static void
copy_done(struct copy *copy, enum work_kind kind,
    const struct work_result *result)
{
	int error = result ? result->error : FAILURE_UNKNOWN;

	if (error)
		copy_failed(copy, kind, error);
	switch (kind) {
	case WORK_PREPARE:
		if (error != FAILURE_UNKNOWN)
			copy->state = error ? COPY_NONE : COPY_IN_TMP;
		break;
	case WORK_COMMIT:
	case WORK_DELIVER:
		if (!error && kind == WORK_DELIVER &&
		    result->value == MAILDIR_TMP) {
			copy->state = COPY_IN_TMP;
		} else if (!error) {
			copy->state = COPY_IN_NEW;
			box_committed(copy->box, &copy->held);
		} else if (kind == WORK_DELIVER && result != NULL &&
		    result->value == MAILDIR_NOWHERE) {
			copy->state = COPY_NONE;
		}
		break;
	case WORK_TAKE_BACK:
		copy->state = error || result->value == MAILDIR_NOWHERE ?
		    COPY_LEFT : COPY_IN_TMP;
		box_forget(copy->box);
		break;
	default:
		copy->state = COPY_NONE;
	}
}

static void
step_done(struct job *job, const struct work_answer *answer)
{
	struct step *step = job->arg;
	struct delivery *tx = step->tx;

	if (answer != NULL && answer->n_leaves != step->n)
		answer = NULL;
	for (uint16_t i = 0; i < step->n; i++)
		copy_done(step->copies[i], step->kind,
		    answer ? &answer->leaves[i] : NULL);
	free(step);
	if (--tx->n_out == 0)
		phase_next(tx);
}

/* ---- making steps ---- */

static struct step *
step_new(struct delivery *tx, enum work_kind kind, const struct copy *copy)
{
	struct step *step = calloc(1, sizeof *step);

	if (step == NULL)
		return NULL;
	step->tx = tx;
	step->kind = kind;
	if (has_message(kind))
		step->size = tx->top.size + tx->trace.size + tx->held.size;
	step->job = (struct job){ .uid = copy->leaf->uid,
		.gid = copy->leaf->gid, .affinity = box_hash(copy->box),
		.fd = has_message(kind) ? tx->message.fd : -1,
		.encode = encode_step, .done = step_done, .arg = step };
	/* whoever closes a large message last has its memory to free: not
	 * us, before the answer */
	if (kind == WORK_DELIVER)
		step->job.spent_fd = &tx->message.fd;
	return step;
}

static bool
step_takes(const struct step *step, const struct copy *copy)
{
	return step->job.uid == copy->leaf->uid &&
	    step->job.gid == copy->leaf->gid && step->n < WORK_MAX_LEAVES &&
	    step->size + deliver_leaf_size(copy->leaf) <= WORK_ROOM;
}

static void
steps_add(struct step **steps, struct delivery *tx, enum work_kind kind,
    struct copy *copy)
{
	struct step *step = *steps;

	for (int i = 0; i < LOOK_BACK && step != NULL &&
	    !step_takes(step, copy); i++)
		step = step->next;
	if (step == NULL || !step_takes(step, copy)) {
		step = step_new(tx, kind, copy);
		if (step == NULL) {
			copy_failed(copy, kind, -ENOMEM);
			return;
		}
		step->next = *steps;
		*steps = step;
	}
	copy->state = COPY_UNSURE;
	step->copies[step->n++] = copy;
	step->size += deliver_leaf_size(copy->leaf);
}

void
steps_submit(struct delivery *tx, enum work_kind kind,
    step_wants_fn *wants)
{
	struct step *steps = NULL, *step;
	struct copy *copy = NULL;

	while ((copy = delivery_next_copy(tx, copy)) != NULL)
		if (wants(tx, copy))
			steps_add(&steps, tx, kind, copy);
	tx->n_out++;		/* so that nothing ends before all are out */
	while ((step = steps) != NULL) {
		steps = step->next;
		tx->n_out++;
		pools_submit(tx->deliver->pools, &step->job);
	}
	if (--tx->n_out == 0)
		phase_next(tx);
}
