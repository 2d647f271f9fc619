/* SPDX-License-Identifier: ISC */
/*
 * intake.h - one transaction of smtpd's on its way into the queue; for
 * intake.c and intake_told.c.
 *
 * It brings one message to the recipients that were named, and one to the
 * members of each list, which has the list's owner for a sender. All of them
 * become durable together, and runnable together, or none.
 */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include "queue.h"

enum intake_state { INTAKE_OPEN, INTAKE_PREPARING, INTAKE_PREPARED,
	INTAKE_COMMITTING };

struct intake;

/* The first is of those that were named, and may have nobody. */
struct intake_message {
	struct intake_message *next;
	struct intake *in;
	struct envelope *e;
	size_t room;			/* for recipients */
	bool is_prepared, is_active;	/* in the spool's folders */
};

struct intake {
	struct intake *next;
	struct queue *queue;
	struct peer *peer;		/* NULL: its channel has ended */
	uint64_t transaction;
	uint32_t question;		/* answered when all is durable */
	enum intake_state state;
	bool is_aborted;
	bool is_alone;			/* taken over by its PREPARE */
	int error;			/* the first one of its messages */
	uint16_t n_waiting;		/* of these, for the spool */
	uint16_t n_lists;
	struct intake_message first;
};

/* ---- intake.c ---- */
struct intake *intake_find(const struct peer *peer, uint64_t transaction);
/* The one of this number, or a new one; NULL: no more, or no memory. */
struct intake *intake_open(struct peer *peer, uint64_t transaction);

/* ---- intake_told.c ---- */
bool intake_on_recipient(struct channel *ch, struct ipc_message *m,
    void *arg);
bool intake_on_list(struct channel *ch, struct ipc_message *m, void *arg);

#endif
