/* SPDX-License-Identifier: ISC */
/*
 * upkeep.c - what the store does by the clock, and once for many messages.
 */
#include <errno.h>
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "store.h"

#define HOLD_US 5000000		/* after the disk failed */
#define SWEEP_AT_ONCE 512
#define EVERY_MINUTE 60
#define EVERY_CHECKPOINT 300
#define EVERY_LOOK_AT_LOG 5
#define EVERY_HOUR 3600

/* Recovery needs a new process: the supervisor starts one. */
static void
check_engine(struct store *s, int error)
{
	if (error != -ENOTRECOVERABLE)
		return;
	log_error("kv_broken", LOG_S("effect", "store is started anew and "
	    "recovers"), LOG_END);
	s->status = 1;
	loop_stop(s->c.loop);
}

static bool
has_unstored(const struct store *s)
{
	return records_have_unstored(s->records) ||
	    notes_have_waiting(s->seen) ||
	    notes_have_waiting(grey_notes(s->grey));
}

static int
commit_once(struct store *s)
{
	int put = records_store(s->records), error;
	int seen = notes_store(s->seen);
	int grey = notes_store(grey_notes(s->grey));

	FAULT_STEP("store.before-commit");
	error = kv_commit(s->kv);
	FAULT_STEP("store.after-commit");
	store_ledger_committed(s, error);
	records_stored(s->records, error);
	notes_stored(s->seen, error ? error : seen);
	notes_stored(grey_notes(s->grey), error ? error : grey);
	if (!error)
		error = put ? put : seen ? seen : grey;
	return error;
}

void
store_commit(struct store *s)
{
	int error;

	do
		error = commit_once(s);
	while (!error && has_unstored(s));
	if (!error)
		return;
	s->hold_until_us = clock_monotonic_us() + HOLD_US;
	log_error("kv_commit", LOG_E("error", error), LOG_S("effect",
	    "records of ended sessions and the greylist stay in memory; it "
	    "is tried again"),
	    LOG_END);
	check_engine(s, error);
}

/* What does not wait: the ledger. */
static void
commit_rest(struct store *s)
{
	bool has_ledger = s->n_unanswered > 0;
	int error;

	FAULT_STEP("store.before-commit");
	error = kv_commit(s->kv);
	FAULT_STEP("store.after-commit");
	store_ledger_committed(s, error);
	if (error && has_ledger)
		log_error("kv_commit", LOG_E("error", error), LOG_S("effect",
		    "what is to be sent waits"), LOG_END);
	check_engine(s, error);
}

void
store_round_end(void *arg)
{
	struct store *s = arg;
	bool has_work = has_unstored(s) &&
	    loop_now_us(s->c.loop) >= s->hold_until_us;

	if (has_work)
		store_commit(s);
	else if (kv_has_transaction(s->kv) || s->n_unanswered > 0)
		commit_rest(s);
}

static void
report_expiry(struct store *s, int error)
{
	if (error >= 0)
		return;
	log_warning("kv_expire", LOG_E("error", error), LOG_END);
	check_engine(s, error);
}

/* A part of the table of ended sessions in each tick, until all is seen. */
static void
sweep(struct store *s)
{
	int more = ended_expire(s->ended, clock_wall_s(), SWEEP_AT_ONCE);

	s->is_sweeping = more == 1;
	report_expiry(s, more);
}

static void
sweep_ledger(struct store *s)
{
	int more = ledger_expire(s->ledger, clock_wall_s(), SWEEP_AT_ONCE);

	s->is_sweeping_ledger = more == 1;
	report_expiry(s, more);
}

static void
sweep_notes(struct store *s)
{
	report_expiry(s, notes_sweep(s->seen, clock_wall_s()));
	report_expiry(s, notes_sweep(grey_notes(s->grey), clock_wall_s()));
}

static void
log_refused_records(struct store *s)
{
	struct records_counts counts;

	records_get_counts(s->records, &counts);
	if (counts.n_refused > s->n_refused_logged)
		log_error("records_full", LOG_U("refused", counts.n_refused -
		    s->n_refused_logged), LOG_U("live", counts.n_live),
		    LOG_S("effect", "messages are answered 451"), LOG_END);
	s->n_refused_logged = counts.n_refused;
}

static void
each_minute(struct store *s)
{
	unsigned n = segments_expire(s->segments, clock_wall_s());

	if (n > 0)
		log_warning("trail_oversize", LOG_U("segments", n), LOG_END);
	failures_expire(s->failures, loop_now_us(s->c.loop));
	store_tell_failures(s);
	records_expire(s->records, loop_now_us(s->c.loop), clock_wall_s());
}

void
store_tick(struct loop_timer *timer, void *arg)
{
	struct store *s = arg;
	int error = 0;

	loop_timer_start(s->c.loop, timer, 1000, store_tick, s);
	s->n_ticks++;
	records_wake(s->records, loop_now_us(s->c.loop));
	store_resolve(s);
	log_refused_records(s);
	if (s->is_sweeping || s->n_ticks % EVERY_HOUR == 1)
		sweep(s);
	if (s->is_sweeping_ledger || s->n_ticks % EVERY_HOUR == 2)
		sweep_ledger(s);
	sweep_notes(s);
	proofs_write(s->proofs, clock_wall_s());
	if (s->n_ticks % EVERY_MINUTE == 0)
		each_minute(s);
	if (s->n_ticks % EVERY_CHECKPOINT == 0)
		error = kv_checkpoint(s->kv);
	else if (s->n_ticks % EVERY_LOOK_AT_LOG == 0)
		error = kv_checkpoint_if_due(s->kv);
	if (error) {
		log_warning("kv_checkpoint", LOG_E("error", error), LOG_END);
		check_engine(s, error);
	}
}
