/* SPDX-License-Identifier: ISC */
/*
 * checks_end.c - what becomes of a judgement: trail, reply, message.
 */
#include <errno.h>
#include <unistd.h>
#include "checks_run.h"
#include "commands.h"
#include "file_io.h"
#include "finish.h"
#include "log.h"
#include "sealed.h"

#define BLOCK 65536

/* Results of one stage are facts of the next. */
static bool
keep_results(struct facts *set, const struct judgement *j)
{
	for (size_t i = 0; i < j->facts.n; i++) {
		const struct fact *fact = &j->facts.items[i];

		if (fact->kind == FACT_RESULT && facts_add(set, FACT_RESULT,
		    fact->key, fact->value) == -ENOMEM)
			return false;
	}
	return true;
}

/* ---- the end of a stage that refuses ---- */

static enum step
stage_over(struct session *s, enum judge_stage stage, enum step step)
{
	if (stage == JUDGE_RCPT) {
		transaction_drop_rcpt(s->tx);
		note_count(s, SCOREBOARD_RECIPIENTS_REFUSED, 1);
	} else {
		transaction_end(s);
	}
	return step;
}

/* ---- the message is changed ---- */

static int
copy_without(int to, const struct transaction *tx, const struct judgement *j)
{
	uint64_t at = 0;
	int error = 0;

	for (size_t i = 0; i < j->n_cuts && error == 0; i++) {
		const struct judgement_cut *cut = &j->cuts[i];

		if (cut->at + cut->size > tx->message_bytes)
			return -EBADMSG;
		error = file_copy(to, tx->message_fd, at, cut->at - at);
		at = cut->at + cut->size;
	}
	return error ? error : file_copy(to, tx->message_fd, at,
	    tx->message_bytes - at);
}

/* A new sealed message takes the place of the old one. */
static int
cut_message(struct session *s, const struct judgement *j)
{
	struct transaction *tx = s->tx;
	uint64_t bytes = tx->message_bytes;
	int fd, error;

	if (j->n_cuts == 0)
		return 0;
	fd = sealed_create(s->id);
	if (fd < 0)
		return fd;
	error = copy_without(fd, tx, j);
	if (error == 0)
		error = sealed_finish(fd);
	if (error < 0) {
		close(fd);
		return error;
	}
	for (size_t i = 0; i < j->n_cuts; i++)
		bytes -= j->cuts[i].size;
	close(tx->message_fd);
	tx->message_fd = fd;
	tx->message_bytes = bytes;
	return 0;
}

static int
take_message_part(struct session *s, const struct judgement *j)
{
	struct transaction *tx = s->tx;
	int error = cut_message(s, j);

	if (error == 0 && j->fields.size > 0)
		error = buf_append_slice(&tx->trace, buf_slice(&j->fields));
	return error;
}

static void
take_junk(struct session *s, const struct judgement *j)
{
	s->tx->is_junk = s->tx->is_junk || j->is_junk;
	if (j->is_spared && s->is_relay_peer)
		finish_spare(s, "checks", j->junk_reason);
}

/* It may be the one that has spent its proof. */
static bool
is_of_bounce(enum judge_stage stage, const struct finding *f)
{
	return stage == JUDGE_DATA && f->verdict.code >= 500 &&
	    slice_equals(slice_of(f->check), SLICE("bounce"));
}

/* ---- all of it ---- */

enum step
checks_conclude(struct session *s, enum judge_stage stage,
    const struct judgement *j, finish_fn *then)
{
	const struct finding *strictest;

	if (j == NULL)
		return stage_over(s, stage, session_reply(s,
		    REPLY_POLICY_SILENT));
	for (size_t i = 0; i < j->n_findings; i++)
		note_finding(s, j->findings[i].check, j->findings[i].kind,
		    j->findings[i].detail);
	strictest = judgement_strictest(j);
	if (strictest != NULL) {
		note_facts(s, "helo", &s->checks->asked_ahead);
		note_facts(s, judge_stage_name(stage), &s->checks->asked);
		note_told("%s", strictest->detail);
		if (is_of_bounce(stage, strictest))
			return finish_refuse_unless_done(s,
			    &strictest->verdict, "bounce");
		return stage_over(s, stage, session_reply_verdict(s,
		    &strictest->verdict, strictest->check,
		    stage == JUDGE_RCPT ? slice_of(s->tx->rcpt.text) :
		    SLICE("")));
	}
	if (stage != JUDGE_RCPT &&
	    !keep_results(&s->checks->transaction, j))
		return stage_over(s, stage, session_reply(s,
		    REPLY_POLICY_SILENT));
	take_junk(s, j);
	if (stage == JUDGE_DATA && take_message_part(s, j) < 0)
		return stage_over(s, stage, session_reply(s,
		    REPLY_DATA_IO_ERROR));
	return then(s);
}
