/* SPDX-License-Identifier: ISC */
/*
 * checks.c - runs of checks: rounds of asking, one continuation.
 *
 * A session has one run at a time. While it is out, any number of questions
 * are; the run goes on when the last of them is answered. Nothing here owns
 * a timer: each question has its deadline, and is answered "unknown" then.
 */
#include <stdlib.h>
#include <string.h>
#include "checks_run.h"
#include "clock.h"
#include "commands.h"
#include "fault.h"
#include "log.h"
#include "sealed.h"
#include "submit.h"

#define ROUNDS_MAX 64
#define JUDGE_DEADLINE_MS 15000
#define FACT_DEADLINE_MS 5000
#define STAGE_US 20000000	/* before the data; then CHECKS_BUDGET_S */

static enum step run_round(struct session *s);

/* ---- the end of a run ---- */

static void
run_clear(struct session *s)
{
	struct check_run *run = &s->checks->run;

	if (run->judging != 0)
		s->settings->host->forget(s, run->judging);
	for (size_t i = 0; i < run->asked.n_wanted && run->out != NULL; i++)
		if (run->out[i] != 0)
			s->settings->host->forget(s, run->out[i]);
	facts_free(&run->asked);
	free(run->out);
	if (run->judgement != NULL)
		judgement_free(run->judgement);
	free(run->judgement);
	memset(run, 0, sizeof *run);
}

/* What was asked ahead is there or not; MAIL finds out. */
static enum step
run_end_ahead(finish_fn *then, struct session *s, const struct judgement *j)
{
	struct slice name;

	if (j != NULL && facts_find(&j->facts, FACT_RESULT, SLICE("fcrdns"),
	    &name))
		(void)slice_copy(s->client_name, sizeof s->client_name, name);
	return then != NULL ? then(s) : STEP_WAIT;
}

static enum step
run_end(struct session *s, bool is_known)
{
	struct check_run *run = &s->checks->run;
	struct judgement *j = is_known ? run->judgement : NULL;
	enum judge_stage stage = run->stage;
	finish_fn *then = run->then;
	int64_t took_us = clock_monotonic_us() - run->began_us;
	enum step step;

	if (is_known)
		run->judgement = NULL;
	run_clear(s);
	if (stage == JUDGE_HELO) {
		step = run_end_ahead(then, s, j);
	} else {
		note_asked(judge_stage_name(stage), stage == JUDGE_RCPT ?
		    slice_of(s->tx->rcpt.text) :
		    slice_of(s->tx->reverse_path), (uint32_t)took_us);
		step = checks_conclude(s, stage, j, then);
	}
	if (j != NULL)
		judgement_free(j);
	free(j);
	return step;
}

/* ---- what is wanted ---- */

/* Nobody is asked any more when the stage has used up its time. */
static uint32_t
time_left_ms(const struct session *s)
{
	const struct check_run *run = &s->checks->run;
	int64_t used_us = clock_monotonic_us() - run->began_us;

	if (run->rounds > ROUNDS_MAX)
		return 0;
	if (run->stage == JUDGE_DATA)
		return transaction_time_left_ms(s->tx);
	return used_us < STAGE_US ? FACT_DEADLINE_MS : 0;
}

static enum step
all_answered(struct session *s)
{
	struct check_run *run = &s->checks->run;

	facts_free(&run->asked);
	free(run->out);
	run->out = NULL;
	if (run->judgement != NULL)
		return run_end(s, true);
	/* MAIL is there: its own round asks for what is left of this one */
	if (run->stage == JUDGE_HELO && run->then != NULL && !run->is_whole)
		return run_end(s, false);
	return run_round(s);
}

/* Ask for all at once; what cannot be asked is answered now. */
static enum step
run_ask(struct session *s)
{
	static const struct answer unknown = { .fd = -1 };
	struct check_run *run = &s->checks->run;
	uint32_t left_ms = time_left_ms(s);
	bool is_noting = run->judgement != NULL;

	if (left_ms > FACT_DEADLINE_MS)
		left_ms = FACT_DEADLINE_MS;
	run->out = calloc(run->asked.n_wanted, sizeof *run->out);
	if (run->out == NULL)
		return run_end(s, is_noting);
	for (size_t i = 0; i < run->asked.n_wanted; i++) {
		const struct fact *wanted = &run->asked.wanted[i];

		if (left_ms > 0)
			run->out[i] = is_noting ? checks_note(s, wanted) :
			    checks_ask(s, wanted, left_ms);
		if (run->out[i] != 0)
			run->n_out++;
		else if (!is_noting && !checks_keep(s, wanted, &unknown))
			return run_end(s, false);
	}
	return run->n_out > 0 ? STEP_WAIT : all_answered(s);
}

/* ---- what policy said ---- */

static bool
read_judgement(const struct answer *a, struct judgement *j)
{
	struct buf octets = { 0 };
	bool is_good;

	if (a->fd < 0)
		return get_judgement(a->as.judge.judgement, j);
	is_good = sealed_read(&octets, a->fd, a->as.judge.sealed_size) == 0 &&
	    get_judgement(buf_slice(&octets), j);
	buf_free(&octets);
	return is_good;
}

/*
 * Move what is to be noted where wanted facts stand. What policy finds worth
 * noting about a message is true when it is accepted: milters, clamd and
 * deliver have not spoken yet.
 */
static void
take_notes(struct checks *c, const struct judgement *j)
{
	struct slice none, key;

	for (size_t i = 0; i < j->facts.n; i++) {
		if (j->facts.items[i].kind != FACT_SEEN)
			continue;
		key = j->facts.items[i].key;
		if (c->run.stage != JUDGE_DATA)
			(void)facts_get(&c->run.asked, FACT_SEEN, key, &none);
		else if (buf_append_slice(&c->if_accepted, key) < 0 ||
		    buf_append(&c->if_accepted, "", 1) < 0)
			buf_free(&c->if_accepted);
	}
}

static enum step
run_judged(struct session *s, struct answer *a)
{
	struct check_run *run = &s->checks->run;

	run->judgement = calloc(1, sizeof *run->judgement);
	if (!a->is_known || run->judgement == NULL)
		return run_end(s, false);
	if (!read_judgement(a, run->judgement)) {
		log_error("malformed_judgement", LOG_S("session", s->id),
		    LOG_END);
		return run_end(s, false);
	}
	if (run->judgement->is_complete) {
		take_notes(s->checks, run->judgement);
		return run->asked.n_wanted > 0 ? run_ask(s) :
		    run_end(s, true);
	}
	run->asked = run->judgement->facts;
	run->judgement->facts = (struct facts){ 0 };
	free(run->judgement);
	run->judgement = NULL;
	return run_ask(s);
}

/* After the last round policy hears silence, and once more it may judge. */
static enum step
run_round(struct session *s)
{
	struct check_run *run = &s->checks->run;

	if (run->rounds++ > ROUNDS_MAX)
		return run_end(s, false);
	FAULT_STEP("smtpd.before-judge");
	run->judging = checks_ask_policy(s, JUDGE_DEADLINE_MS);
	return run->judging != 0 ? STEP_WAIT : run_end(s, false);
}

bool
checks_answered(struct session *s, uint32_t id, struct answer *a,
    enum step *step)
{
	struct check_run *run = s->checks != NULL ? &s->checks->run : NULL;

	if (run == NULL || !run->is_running || id == 0)
		return false;
	if (id == run->judging) {
		run->judging = 0;
		*step = run_judged(s, a);
		return true;
	}
	for (size_t i = 0; i < run->asked.n_wanted && run->out != NULL; i++) {
		if (run->out[i] != id)
			continue;
		run->out[i] = 0;
		run->n_out--;
		*step = STEP_WAIT;
		if (run->judgement == NULL)
			checks_account(s->checks, &run->asked.wanted[i], a);
		if (run->judgement == NULL &&
		    !checks_keep(s, &run->asked.wanted[i], a))
			*step = run_end(s, false);
		else if (run->n_out == 0)
			*step = all_answered(s);
		return true;
	}
	return false;
}

/* ---- the stages ---- */

static enum step
run_begin(struct session *s, enum judge_stage stage, finish_fn *then)
{
	struct check_run *run = &s->checks->run;

	run->is_running = true;
	run->stage = stage;
	run->then = then;
	run->began_us = clock_monotonic_us();
	return run_round(s);
}

static bool
is_wanted(const struct session *s, enum judge_stage stage)
{
	/* a self-test is not about DNS: it must come to what it tries */
	return !s->is_self_test && !session_is_own(s) &&
	    judge_is_wanted(&s->settings->config->checks, stage);
}

/* Any refusal of the stage; without memory, say. */
static enum step
stage_unknown(struct session *s, enum judge_stage stage)
{
	return checks_conclude(s, stage, NULL, NULL);
}

void
checks_hello(struct session *s)
{
	bool is_first = s->checks == NULL;

	checks_free(s);
	if (s->is_self_test || session_is_own(s))
		return;
	s->checks = calloc(1, sizeof *s->checks);
	if (s->checks == NULL)
		return;
	if (checks_tell_connection(s) < 0) {
		checks_free(s);
		return;
	}
	/* one who says EHLO again and again is not looked up each time */
	if (is_first && is_wanted(s, JUDGE_HELO))
		(void)run_begin(s, JUDGE_HELO, NULL);
}

bool
checks_await_hello(struct session *s, finish_fn *then)
{
	if (s->checks == NULL || !s->checks->run.is_running)
		return false;
	s->checks->run.then = then;
	s->checks->run.is_whole = true;
	return true;
}

static enum step
stage_after_hello(struct session *s)
{
	return run_begin(s, s->checks->next_stage, s->checks->next_then);
}

/* At once, or when the run of HELO that is still out has ended. */
static enum step
stage_begin(struct session *s, enum judge_stage stage, finish_fn *then)
{
	struct checks *c = s->checks;

	if (!c->run.is_running)
		return run_begin(s, stage, then);
	c->next_stage = stage;
	c->next_then = then;
	c->run.then = stage_after_hello;
	return STEP_WAIT;
}

enum step
checks_mail(struct session *s, const struct address *sender, finish_fn *then)
{
	if (s->is_self_test || session_is_own(s))
		return then(s);
	if (s->checks == NULL || checks_tell_sender(s, sender) < 0)
		return stage_unknown(s, JUDGE_MAIL);
	if (!is_wanted(s, JUDGE_MAIL))
		return then(s);
	return stage_begin(s, JUDGE_MAIL, then);
}

enum step
checks_rcpt(struct session *s, bool is_exempt, finish_fn *then)
{
	if (!is_wanted(s, JUDGE_RCPT))
		return then(s);
	if (s->checks == NULL || checks_tell_recipient(s, is_exempt) < 0)
		return stage_unknown(s, JUDGE_RCPT);
	return stage_begin(s, JUDGE_RCPT, then);
}

/*
 * With every check off a message may still have results in our name, which
 * readers would believe: policy cuts them. And it may be a bounce.
 */
bool
checks_data_are_wanted(struct session *s)
{
	const struct transaction *tx = s->tx;

	if (is_wanted(s, JUDGE_DATA))
		return true;
	return !s->is_self_test && !session_is_own(s) &&
	    (tx->body.header.has_results || tx->body.header.may_be_bounce ||
	    tx->has_to_be_bounce ||
	    tx->reverse_path[0] == '\0');
}

enum step
checks_data(struct session *s, finish_fn *then)
{
	if (!checks_data_are_wanted(s))
		return then(s);
	if (s->checks == NULL || checks_tell_tag(s) < 0)
		return stage_unknown(s, JUDGE_DATA);
	return stage_begin(s, JUDGE_DATA, then);
}

struct slice
checks_result(const struct session *s, const char *check)
{
	struct slice value = SLICE("");

	if (s->checks != NULL)
		facts_find(&s->checks->transaction, FACT_RESULT,
		    slice_of(check), &value);
	return value;
}

void
checks_accepted(struct session *s)
{
	struct slice rest, key;

	if (s->checks == NULL)
		return;
	if (s->tx->is_junk || s->tx->changes.disposal != DISPOSAL_NONE)
		return;
	rest = buf_slice(&s->checks->if_accepted);
	while (rest.size > 0) {
		key = (struct slice){ rest.data, slice_find(rest, '\0') };
		if (key.size == rest.size)
			break;
		checks_tell_seen(s, key);
		rest.data += key.size + 1;
		rest.size -= key.size + 1;
	}
	buf_free(&s->checks->if_accepted);
}

bool
checks_are_awaited(const struct session *s)
{
	return s->checks != NULL && s->checks->run.is_running &&
	    s->checks->run.then != NULL;
}

void
checks_end_transaction(struct session *s)
{
	if (s->checks == NULL)
		return;
	if (checks_are_awaited(s))
		run_clear(s);
	checks_drop_claims(s);
	facts_free(&s->checks->transaction);
	facts_free(&s->checks->own);
	buf_free(&s->checks->if_accepted);
}

void
checks_free(struct session *s)
{
	if (s->checks == NULL)
		return;
	run_clear(s);
	checks_drop_claims(s);
	facts_free(&s->checks->connection);
	facts_free(&s->checks->transaction);
	facts_free(&s->checks->own);
	buf_free(&s->checks->if_accepted);
	buf_free(&s->checks->asked_ahead);
	buf_free(&s->checks->asked);
	free(s->checks);
	s->checks = NULL;
}
