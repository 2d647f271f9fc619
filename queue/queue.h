/* SPDX-License-Identifier: ISC */
/*
 * queue.h - what the queue compartment owns, for this folder only.
 *
 *	intake.c    smtpd: PREPARE, COMMIT, ABORT
 *	messages.c  the messages in memory, and what becomes of each
 *	jobs.c      ledger, tag, relay: one part is sent
 *	results.c   what relay told goes into the envelope
 *	reports.c   a DSN is brought home
 *	commands.c  posternctl's
 *	sent.c      smtpd: what of his own has a user of this host sent?
 *	probes.c    smtpd: would the next hop take this recipient?
 *
 * A message is a struct queued of some hundred octets; its envelope is read
 * from the spool as long as somebody needs it, and all who do share it.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "ask.h"
#include "compartment.h"
#include "envelope.h"
#include "heap.h"
#include "schedule.h"
#include "spool.h"

#define QUEUE_DIRECTORIES_MAX 64
#define QUEUE_JOBS_MAX 256		/* at once */

struct intake;
struct job;
struct probe;
struct report;
struct sent_question;

struct queued {
	struct queue *queue;
	struct queued *next;		/* in its bucket */
	uint64_t id;
	int64_t time_s;
	uint64_t size_bytes;
	struct word *user, *from;
	struct part *parts;		/* a destination each */
	uint16_t n_parts;
	uint16_t n_open;		/* who needs the envelope */
	struct envelope *open;
	struct report *report;		/* under way */
	struct heap_item deadline;	/* when something must be decided */
	struct queued *next_fresh, *next_save;
	uint8_t folder;			/* enum spool_folder */
	bool is_held, is_delayed, owes_report;
	bool is_saving;			/* the spool has not taken it yet */
	bool is_unsaved;		/* ... and could not: tried again */
	bool is_removed;		/* by the postmaster: end it soon */
	bool is_stale;			/* its parts belong elsewhere now */
};

/* One channel of somebody who asks here. */
struct peer {
	struct queue *queue;
	struct channel *ch;
	enum role role;
	uint16_t index;
	struct intake *intakes;
};

struct queue {
	struct compartment c;
	struct spool *spool;
	struct schedule *schedule;
	struct queued **buckets;
	uint32_t n_buckets, n_messages, n_held;
	struct heap deadlines;
	struct queued *fresh;		/* committed in this round */
	struct queued *to_save;
	uint64_t last_id;
	int64_t clock_offset_s;		/* wall less monotonic, at start */
	struct channel *relay, *store, *vault, *deliver;
	uint16_t relay_index;		/* after a reload not 0 any more */
	struct channel *directories[QUEUE_DIRECTORIES_MAX];
	unsigned next_directory;
	struct job *jobs;
	uint32_t n_jobs, last_job;
	struct probe *probes;
	uint32_t n_probes;
	struct sent_question *sents;
	uint32_t n_sents;
	uint64_t last_delivery;		/* transaction at deliver */
	struct loop_timer work, sleep, removals, trim, saves, stop_limit;
	bool is_stopping;
	/* since the start */
	uint64_t n_taken, n_sent, n_failed, n_reports, n_damaged;
};

/* ---- queue.c ---- */
/* Seconds since 1970 that never go back while we run. */
int64_t queue_now_s(const struct queue *q);
/* Flush the spool and start what may start, soon. */
void queue_want_work(struct queue *q);

/* ---- peers.c ---- */
void queue_on_peer(struct compartment *c, enum role role, uint16_t index,
    int fd);
struct channel *queue_directory(struct queue *q);

#endif
