/* SPDX-License-Identifier: ISC */
/*
 * judge_queue.h - questions that wait for a policy worker.
 *
 * smtpd has one question out with each worker. So a worker that dies of what
 * it was asked takes nobody else's question along, but for one of each other
 * smtpd: the others wait here and go to the next worker that is free.
 */
#ifndef POSTERN_SMTPD_JUDGE_QUEUE_H
#define POSTERN_SMTPD_JUDGE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include "question.h"

struct judge_queue {		/* zeroed at first */
	struct waiting_judge *first, **last;
	unsigned n;
};

/* Copies what the question points to; its descriptor stays lent. False
 * without memory, or when too many wait. */
bool judge_queue_put(struct judge_queue *queue, uint32_t id,
    const struct question *q);
/* The oldest: it stays in the queue until judge_queue_drop. False: none. */
bool judge_queue_first(const struct judge_queue *queue, uint32_t *id,
    struct question *q);
/* False: it is not waiting. */
bool judge_queue_drop(struct judge_queue *queue, uint32_t id);

#endif
