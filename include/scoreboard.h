/* SPDX-License-Identifier: ISC */
/*
 * scoreboard.h - what each smtpd counts, for all to read.
 *
 * One memfd per smtpd, made by the supervisor: its smtpd maps it writable,
 * the other smtpd and control read-only, so that limits and sums hold over
 * all processes without a question.
 * What is read from another's board is its owner's claim: numbers only,
 * bounded before they are added up.
 *
 *	supervisor  scoreboard_create, scoreboard_reset_gauges (owner died)
 *	smtpd       scoreboard_map_own, scoreboard_add, scoreboard_client_*
 *	control     scoreboards_update, scoreboards_sum (scoreboards.h)
 *
 * The *_now counters and what the clients have now are gauges: they begin at
 * 0 with each process. Marks and counts of clients outlive it. Nothing here
 * logs.
 */
#ifndef POSTERN_SCOREBOARD_H
#define POSTERN_SCOREBOARD_H

#include <stddef.h>
#include <stdint.h>
#include "buf.h"

enum scoreboard_counter {
	/* gauges, first */
	SCOREBOARD_SESSIONS_NOW,
	SCOREBOARD_TRANSACTIONS_NOW,
	SCOREBOARD_MEMORY_MESSAGES_BYTES,
	SCOREBOARD_SELF_TEST_FAILING,	/* stages, of each process */
	SCOREBOARD_SIGNATURES_AGE_S,	/* of clamd; 0: not known */
	SCOREBOARD_GAUGES,
	/* totals */
	SCOREBOARD_SESSIONS_TOTAL = SCOREBOARD_GAUGES,
	SCOREBOARD_SESSIONS_REFUSED,
	SCOREBOARD_MESSAGES_ACCEPTED,
	SCOREBOARD_MESSAGES_BYTES,
	SCOREBOARD_MESSAGES_DISCARDED,
	SCOREBOARD_COPIES_DELIVERED,
	SCOREBOARD_RECIPIENTS_ACCEPTED,
	SCOREBOARD_RECIPIENTS_REFUSED,
	SCOREBOARD_REFUSED_4XX,
	SCOREBOARD_REFUSED_5XX,
	SCOREBOARD_LEFT_BEHIND,		/* copies that a failed commit left */
	SCOREBOARD_DUPLICATES_SUPPRESSED,
	SCOREBOARD_ABORTED_CLIENT_GONE,
	SCOREBOARD_COMMITS_UNKNOWN,	/* no answer from deliver */
	SCOREBOARD_TIMEOUTS,
	SCOREBOARD_MEMORY_REFUSED,	/* 452 for want of memory_messages */
	SCOREBOARD_TRAIL_LOST,		/* records that could not be written */
	SCOREBOARD_SELF_TESTS,
	SCOREBOARD_BOUNCES_REFUSED,	/* 5xx, to a null reverse-path */
	/* from a RCPT to its reply; each has those of the one before */
	SCOREBOARD_RCPT_WITHIN_5MS,
	SCOREBOARD_RCPT_WITHIN_50MS,
	SCOREBOARD_RCPT_WITHIN_500MS,
	SCOREBOARD_RCPT_WITHIN_5S,
	SCOREBOARD_RCPT_ANSWERED,
	SCOREBOARD_RCPT_US,		/* all of these times together */
	SCOREBOARD_COUNTERS
};

struct scoreboard;

/* "sessions_now". */
const char *scoreboard_counter_name(enum scoreboard_counter counter);

/* A board (sealed.h), or a negative errno. All of one process share one hash
 * key. */
int scoreboard_create(void);
/* The owner is gone: so are its sessions. */
void scoreboard_reset_gauges(int fd);

/* NULL with errno. fd may be closed after it. */
struct scoreboard *scoreboard_map_own(int fd);
void scoreboard_unmap(struct scoreboard **board);
void scoreboard_add(struct scoreboard *board,
    enum scoreboard_counter counter, int64_t delta);
uint64_t scoreboard_get(const struct scoreboard *board,
    enum scoreboard_counter counter);

/* A board that nobody else sees: all 0. NULL with errno. */
struct scoreboard *scoreboard_map_private(void);

#endif
