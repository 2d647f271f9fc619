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
struct report;

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
	struct channel *directories[QUEUE_DIRECTORIES_MAX];
	unsigned next_directory;
	struct job *jobs;
	uint32_t n_jobs, last_job;
	uint64_t last_delivery;		/* transaction at deliver */
	struct loop_timer work, sleep, removals, saves, stop_limit;
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

/* ---- messages.c ---- */
int messages_init(struct queue *q);
/* What is in the spool at start. fatal() when it cannot be read. */
void messages_load(struct queue *q);
struct queued *queued_find(const struct queue *q, uint64_t id);
/* From an envelope that is in this folder; NULL without memory. */
struct queued *queued_add(struct queue *q, const struct envelope *e,
    enum spool_folder folder);
/* Nothing is left to do: out of memory and spool. */
void queued_remove(struct queue *q, struct queued *m);
/* Sort its recipients into parts; those that run must have ended. */
int queued_make_parts(struct queue *q, struct queued *m,
    const struct envelope *e);
/* Let its parts wait for their time, or rest (held, failed). */
void queued_schedule(struct queue *q, struct queued *m,
    const struct envelope *e);
/* 0 and the envelope in m->open; a damaged one is forgotten: m is gone. */
int queued_open(struct queue *q, struct queued *m);
/* One need less; then what is to become of it is decided: m may be gone. */
void queued_close(struct queue *q, struct queued *m);
/* When to look at it again. */
void queued_set_deadline(struct queue *q, struct queued *m,
    const struct envelope *e);
bool queued_is_running(const struct queued *m);
/* Fresh envelopes that nobody needs are given up. */
void messages_round_end(struct queue *q);
/* The table is walked; fn may remove the message that it is given. */
void messages_each(struct queue *q,
    void (*fn)(struct queue *q, struct queued *m, void *arg), void *arg);

/* ---- changes.c ---- */
/* m->open has changed: write it in this round. It stays open until then. */
void queued_save(struct queue *q, struct queued *m);
/* Put what was to be saved into the spool's batch. */
void messages_write(struct queue *q);
/* Deadlines that have passed: holds, delay notices, giving up, DSNs. */
void messages_tick(struct queue *q);
/* The destinations may be others: a new configuration. */
void messages_rebuild(struct queue *q);
/* Held as long as it has a lease. */
void queued_update_hold(struct queue *q, struct queued *m);

/* ---- intake.c ---- */
extern const struct channel_rule intake_rules[];
extern const size_t intake_n_rules;
/* The channel has ended: what is not committed is dropped. */
void intake_forget(struct peer *peer);

/* ---- jobs.c ---- */
/* Start everything that may run now. */
void jobs_start(struct queue *q);
extern const struct channel_rule relay_rules[];
extern const size_t relay_n_rules;

/* ---- results.c ---- */
/* Whether this kind of report is wanted about him (RFC 3461 4.1). */
bool recipient_wants(const struct envelope *e,
    const struct envelope_recipient *r, enum report_kind kind);
void recipient_sent(struct envelope *e, struct envelope_recipient *r,
    const struct relay_result *result, int64_t now_s);
/* A 4yz or 5yz; the caller decides what follows from it. */
void recipient_answered(struct envelope *e, struct envelope_recipient *r,
    const struct verdict *v, struct slice host, int64_t now_s);
/* Final: owes a DSN if he wants one. */
void recipient_failed(struct envelope *e, struct envelope_recipient *r);
bool envelope_owes(const struct envelope *e);
bool envelope_is_waiting(const struct envelope *e);

/* ---- reports.c ---- */
/* Bring the DSN home that m owes, if it is time and none is under way. */
void report_start(struct queue *q, struct queued *m);
/* m is going away. */
void report_drop(struct queue *q, struct queued *m);

/* ---- tags.c ---- */
/* The reverse-path is ours and there is no tag that will do. */
bool tag_is_wanted(const struct queue *q, const struct envelope *e);
/* Ask vault; 0 when it cannot be asked. */
uint32_t tag_ask(struct queue *q, const struct envelope *e,
    channel_answered_fn *answered, void *arg);
/* Note the answer in the envelope. False: there was no good one. */
bool tag_take(const struct queue *q, struct envelope *e,
    struct ipc_message *answer);

/* ---- commands.c ---- */
/* mailq of an ordinary user, by smtpd: his own. */
bool queue_on_own(struct channel *ch, struct ipc_message *m, void *arg);
extern const struct channel_rule command_rules[];
extern const size_t command_n_rules;

#endif
