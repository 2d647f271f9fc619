/* SPDX-License-Identifier: ISC */
/*
 * delivery.h - one transaction of one smtpd, as deliver holds it.
 *
 *	    PROBE*    PREPARE             COMMIT
 *	(none) -> OPEN -----> PREPARING ---> READY ---> COMMITTING ---> freed
 *	                failed |          ^ is_each     | failed
 *	                       v          |             v
 *	                    UNDOING ------+-> OVER <- RECALLING
 *
 *	RELEASE in any of them, once no job is out: ---> RELEASING ---> freed
 *	DELIVER, all copies in one job: OPEN ---> COMMITTING (---> READY)
 *
 * A transaction belongs to the peer that named it: no other peer reaches it.
 * When its peer dies, or says KEEP_FILES, it becomes an orphan: what its
 * workers are just doing ends, nothing more is done, and its files stay
 * where they are for RESOLVE. Everything a transaction holds is freed in one
 * place, delivery_free, once no worker and no probe refers to it.
 *
 * What is on disk is said by the state of each copy alone.
 */
#ifndef DELIVER_DELIVERY_H
#define DELIVER_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>
#include "ask.h"
#include "boxes.h"
#include "message.h"
#include "pool.h"

#define DELIVERY_RECIPIENTS_MAX 1000
#define DELIVERY_NAME_SIZE 128
#define DELIVERY_HOST_SIZE 256

enum delivery_state { DELIVERY_OPEN, DELIVERY_PREPARING,
	DELIVERY_UNDOING, DELIVERY_READY, DELIVERY_COMMITTING,
	DELIVERY_RECALLING, DELIVERY_OVER, DELIVERY_RELEASING };

enum copy_state {
	COPY_NONE,		/* nothing on disk */
	COPY_UNSURE,		/* a worker is at it, or died at it */
	COPY_IN_TMP,		/* prepared, durable */
	COPY_IN_NEW,		/* committed, durable */
	COPY_LEFT,		/* committed, and cannot be taken back */
	COPY_SKIPPED,		/* a delivery record has it already */
};

struct copy {			/* one leaf of one recipient */
	struct recipient *recipient;
	const struct route_leaf *leaf;
	struct box *box;
	struct box_waiter waiter;
	uint64_t held;		/* reserved quota */
	uint64_t size;		/* of the whole file */
	enum copy_state state;
	int error;		/* 0, or the first negative errno */
};

struct recipient {
	struct delivery *tx;
	uint16_t index;
	bool is_chosen;		/* PREPARE has named it */
	bool is_dropped;	/* freed when its probes are back */
	uint32_t question;	/* PROBE_ASK to answer; 0: none */
	uint64_t size_bytes;	/* SIZE= */
	struct buf sealed;	/* what route points into */
	struct route route;
	size_t n_waiting;	/* probes that are out */
	struct copy *copies;	/* route.n_leaves */
};

struct delivery {
	struct deliver *deliver;
	struct peer *peer;	/* NULL: orphan */
	struct delivery *next;	/* of the same hash; of all orphans */
	uint64_t id;
	enum delivery_state state;
	char session[ASK_SESSION_MAX];
	struct recipient **recipients;	/* by index, NULL where none is */
	uint32_t n_slots;
	int error;		/* of one that was told, not asked */
	uint32_t n_recipients, n_leaves;
	uint32_t n_out;		/* jobs and probes that refer to it */
	/* PREPARE */
	bool is_junk, is_each;	/* into .Junk; each by itself */
	char name[DELIVERY_NAME_SIZE], host[DELIVERY_HOST_SIZE];
	struct buf top, trace;	/* Return-Path line; what follows */
	struct message message;
	struct buf held;	/* or all of a small message */
	uint64_t clearance;	/* of DELIVER; not found: READY */
	uint32_t question;	/* that the running phase answers */
	bool is_release_wanted, is_running;	/* its program: programs.h */
	uint32_t release_question;
};

/* The one with this id, or NULL. */
struct delivery *delivery_find(struct peer *peer, uint64_t id);
/* NULL when the peer has too many, or without memory. */
struct delivery *delivery_new(struct peer *peer, uint64_t id,
    struct slice session);
/* The recipient that was probed with this index, or NULL. */
struct recipient *delivery_recipient(const struct delivery *tx,
    uint16_t index);
/* 0; -ENOBUFS, -ENOMEM. recipient->index says where. */
int delivery_add(struct delivery *tx, struct recipient *r);
/* Frees a recipient without outstanding probes. NULL is fine. */
void delivery_recipient_free(struct recipient *r);
/* Take it from its peer; freed when nothing refers to it any more. */
void delivery_orphan(struct delivery *tx);
/* Frees an orphan that nothing refers to. */
void delivery_settle(struct delivery *tx);
/* What is wrong with the first of its copies that failed; 0: nothing. */
int delivery_recipient_error(const struct recipient *r);
/* The copy after this one; NULL: the first, or there is no other. */
struct copy *delivery_next_copy(const struct delivery *tx,
    const struct copy *after);

#endif
