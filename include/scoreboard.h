/* SPDX-License-Identifier: ISC */
/*
 * scoreboard.h - what each smtpd counts, for all to read.
 *
 * One memfd per smtpd, made by the supervisor: its smtpd maps it writable,
 * the other smtpd and control read-only, so that limits and sums hold over
 * all processes without a question. It is sealed against a change of size.
 * What is read from another's board is its owner's claim: numbers only,
 * bounded before they are added up.
 *
 *	supervisor  scoreboard_create, scoreboard_reset_gauges (owner died)
 *	smtpd       scoreboard_map_own, scoreboard_add, scoreboard_client_*
 *	control     scoreboards_update, scoreboards_sum
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
	SCOREBOARD_COUNTERS
};

/* What a client has now: gauges, shared by all that share its bucket. */
enum scoreboard_client_gauge {
	SCOREBOARD_CLIENT_SESSIONS,
	SCOREBOARD_CLIENT_MEMORY_KIB,
	SCOREBOARD_CLIENT_GAUGES
};

/* What a client has done in one window of time. */
enum scoreboard_client_count {
	SCOREBOARD_CLIENT_MESSAGES,
	SCOREBOARD_CLIENT_RECIPIENTS,
	SCOREBOARD_CLIENT_UNKNOWN,	/* of these */
	SCOREBOARD_CLIENT_CONNECTS,
	SCOREBOARD_CLIENT_RCPTS,	/* commands, whatever the answer */
	SCOREBOARD_CLIENT_COUNTS
};

#define SCOREBOARD_BUCKETS 16384	/* by client network */
#define SCOREBOARD_MAX_OTHERS 64

struct scoreboard;

/* "sessions_now". */
const char *scoreboard_counter_name(enum scoreboard_counter counter);

/* A sealed memfd; -1 with errno. All of one process share one hash key. */
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

/* A client on every board: its bucket, and who tells it from others there. */
struct scoreboard_client {
	uint32_t bucket, who;
};

/*
 * A client by its IPv4 address (4 octets) or IPv6 address (16, of which the
 * first 8 count; ::ffff:a.b.c.d counts as IPv4). Which clients share a
 * bucket cannot be known from outside.
 */
struct scoreboard_client scoreboard_client_of(const struct scoreboard *board,
    const void *address, size_t size);
void scoreboard_client_add(struct scoreboard *board,
    const struct scoreboard_client *client,
    enum scoreboard_client_gauge gauge, int64_t delta);
/*
 * Mark a client for all processes until a second of the monotonic clock. Of
 * a bucket's clients the last one marked is remembered.
 */
void scoreboard_client_mark(struct scoreboard *board,
    const struct scoreboard_client *client, uint32_t until_s);
/*
 * Say how often this process has counted a client in a window: a number
 * that all processes make alike from the monotonic clock. Of a bucket's
 * clients the last one counted is remembered, so a stranger's count is never
 * held against anybody. Up to 2^24 - 1.
 */
void scoreboard_client_count(struct scoreboard *board,
    const struct scoreboard_client *client,
    enum scoreboard_client_count count, uint32_t window, uint32_t n);

/* ---- others' boards ---- */

struct scoreboards;

/*
 * Make *set (NULL at first) hold the boards of these n descriptors; one
 * that comes twice counts once, the totals of one that is no longer listed
 * are kept in the sums. A descriptor that is no board is left out.
 * 0 or -ENOMEM.
 */
int scoreboards_update(struct scoreboards **set, const int *fds, size_t n);
void scoreboards_free(struct scoreboards **set);
/* own may be NULL. */
uint64_t scoreboards_sum(const struct scoreboards *set,
    const struct scoreboard *own, enum scoreboard_counter counter);
uint64_t scoreboards_client_sum(const struct scoreboards *set,
    const struct scoreboard *own, const struct scoreboard_client *client,
    enum scoreboard_client_gauge gauge);
/* What this board, and what all of a set, say of a client in a window. */
uint32_t scoreboard_client_counted(const struct scoreboard *board,
    const struct scoreboard_client *client,
    enum scoreboard_client_count count, uint32_t window);
uint64_t scoreboards_client_counted(const struct scoreboards *set,
    const struct scoreboard_client *client,
    enum scoreboard_client_count count, uint32_t window);
/* Until when any of them has marked this client; 0: never. */
uint32_t scoreboards_client_marked(const struct scoreboards *set,
    const struct scoreboard *own, const struct scoreboard_client *client);

#endif
