/* SPDX-License-Identifier: ISC */
/*
 * scoreboard_client.h - what an smtpd counts of each client network.
 *
 * A board (scoreboard.h) has a bucket for each; which clients share one
 * cannot be known from outside. What they have now is summed up by bucket,
 * what they have done and until when they are marked is remembered of the
 * last one only, so that nobody pays for a stranger.
 */
#ifndef POSTERN_SCOREBOARD_CLIENT_H
#define POSTERN_SCOREBOARD_CLIENT_H

#include "scoreboard.h"

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

/* What this board says of a client in a window. */
uint32_t scoreboard_client_counted(const struct scoreboard *board,
    const struct scoreboard_client *client,
    enum scoreboard_client_count count, uint32_t window);

#endif
