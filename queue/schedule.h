/* SPDX-License-Identifier: ISC */
/*
 * schedule.h - which message is sent next, and where to.
 *
 * A part is a message's recipients at one destination. It lives in memory
 * alone and is rebuilt from the envelopes at start.
 *
 *	      schedule_wait            due                   schedule_take
 *	IDLE ---------------> WAITING ----> READY in a lane ---------------+
 *	  ^                                                                v
 *	  +------------------------- schedule_done -------------------- RUNNING
 *
 * A lane holds the ready parts of one sender to one destination, in order.
 * Senders take turns, and each sender's lanes take turns, so that one with
 * 50,000 messages and one with a single message wait alike. A lane whose
 * destination has no free place waits there, in turn with the lanes of the
 * other senders, and costs nothing meanwhile.
 *
 * A destination whose host is bad (it cannot be connected, or greets with an
 * error) is left alone for a while that grows; its parts wait together, and
 * then one of them probes. Pure: time comes in as seconds, no I/O.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include "heap.h"
#include "word.h"

struct schedule;
struct destination;
struct lane;
struct queued;

enum part_state { PART_IDLE, PART_WAITING, PART_READY, PART_RUNNING };

struct part {			/* zeroed before schedule_join */
	struct heap_item due;		/* WAITING */
	struct queued *message;		/* its owner; not looked at here */
	struct destination *destination;
	struct lane *lane;		/* READY */
	struct part *next, *prev;	/* in its lane */
	struct word *user;		/* whose turn it is */
	struct word *reason;		/* why it waits, or NULL: see
					 * part_reason */
	char *addresses;		/* of its recipients, one a line */
	uint16_t tries;
	uint8_t state;			/* enum part_state */
	bool is_asked_for;		/* by hand: relay spares no host */
};

struct schedule_settings {
	unsigned per_destination;	/* parts that run at once, most */
	unsigned most;			/* over all destinations */
	uint32_t retry_first_s, retry_longest_s;
	uint64_t seed;			/* of the jitter */
};

enum host_state { HOST_UNKNOWN, HOST_IS_GOOD, HOST_IS_BAD };

struct schedule *schedule_new(const struct schedule_settings *settings);
void schedule_free(struct schedule **s);
/* From now on. */
void schedule_set(struct schedule *s,
    const struct schedule_settings *settings);

/* The part is to go to this destination; IDLE. 0 or -ENOMEM. */
int schedule_join(struct schedule *s, struct part *part, struct slice name);
/* It does not exist any more, whatever its state. */
void schedule_leave(struct schedule *s, struct part *part);
/* Not before due_s; an IDLE or WAITING part. 0 or -ENOMEM. */
int schedule_wait(struct schedule *s, struct part *part, int64_t due_s);
/* Take a WAITING or READY part out: IDLE (held, expired). */
void schedule_rest(struct schedule *s, struct part *part);

/*
 * The part that runs next, or NULL: nothing is due, or everything that may
 * run does.
 */
struct part *schedule_take(struct schedule *s, int64_t now_s);
/* When to ask again; INT64_MAX: never by time alone. */
int64_t schedule_next_s(const struct schedule *s);
/*
 * A RUNNING part has ended; it is IDLE then, the caller lets it wait or
 * leave. reason is why the host is bad.
 */
void schedule_done(struct schedule *s, struct part *part,
    enum host_state host, struct slice reason, int64_t now_s);
/* For how long to wait after so many tries; jitter included. */
uint32_t schedule_delay_s(struct schedule *s, unsigned tries);
/* If it waits, this part may run now, also where the host is bad. */
void schedule_retry(struct schedule *s, struct part *part);
/* Everything that waits may run now; name "" is all destinations. */
void schedule_flush(struct schedule *s, struct slice name);

struct slice part_destination(const struct part *part);
/* Its own reason, or why its destination is bad; "" for none. */
struct slice part_reason(const struct part *part);
bool part_host_is_bad(const struct part *part);

struct schedule_counts {
	uint32_t n_running, n_waiting, n_destinations, n_bad;
};
struct schedule_counts schedule_counts(const struct schedule *s);

#endif
