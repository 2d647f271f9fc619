/* SPDX-License-Identifier: ISC */
/*
 * messages.h - the messages that queue holds, by their ids; for this folder
 * only. What is open has its envelope in memory; whoever opened it closes it.
 */
#ifndef QUEUE_MESSAGES_H
#define QUEUE_MESSAGES_H

#include "address.h"
#include "queue.h"

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
/* Where mail for this address goes; "" if it is no address. */
void queue_destination_of(const struct queue *q, struct slice address,
    char to[ADDRESS_DOMAIN_MAX + 1]);
/* Whether that is the smart host: it goes by the sender, with a password. */
bool queue_is_smart_host(const struct queue *q, struct slice destination);
/* Sort its recipients into parts; those that run must have ended. */
int queued_make_parts(struct queue *q, struct queued *m,
    const struct envelope *e);
/* One of those that it waits with. */
bool part_has(const struct part *part, struct slice address);
/* It waits for this destination, or for somebody in this domain: by a smart
 * host, or by a next hop. Not one that has left. */
bool part_is_for(const struct part *part, struct slice domain);
/* What is due later than that is due then: a far future is no reason to
 * wait, but a clock that was set. */
int64_t queued_latest_s(const struct queue *q);
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

#endif
