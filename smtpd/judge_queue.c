/* SPDX-License-Identifier: ISC */
/*
 * See judge_queue.h.
 */
#include <stdlib.h>
#include "judge_queue.h"

#define WAITING_MAX 20000	/* more sessions than one process has */

struct waiting_judge {
	struct waiting_judge *next;
	uint32_t id;
	struct question question;
	struct judge_question judge;
	struct slice *parts;		/* in octets */
	struct buf octets;
};

static void
waiting_free(struct waiting_judge *w)
{
	buf_free(&w->octets);
	free(w->parts);
	free(w);
}

static bool
copy_parts(struct waiting_judge *w, const struct judge_question *from)
{
	size_t at = 0;

	w->parts = calloc(from->n_parts, sizeof(*w->parts));
	if (w->parts == NULL)
		return false;
	for (size_t i = 0; i < from->n_parts; i++)
		if (buf_append_slice(&w->octets, from->parts[i]) != 0)
			return false;
	for (size_t i = 0; i < from->n_parts; i++) {
		w->parts[i] = (struct slice){ w->octets.data + at,
			from->parts[i].size };
		at += from->parts[i].size;
	}
	return true;
}

bool
judge_queue_put(struct judge_queue *queue, uint32_t id,
    const struct question *q)
{
	struct waiting_judge *w;

	if (queue->n == WAITING_MAX)
		return false;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return false;
	w->id = id;
	w->question = *q;
	w->judge = *q->as.judge;
	if (!copy_parts(w, q->as.judge)) {
		waiting_free(w);
		return false;
	}
	w->judge.parts = w->parts;
	w->question.as.judge = &w->judge;
	if (queue->first == NULL)
		queue->last = &queue->first;
	*queue->last = w;
	queue->last = &w->next;
	queue->n++;
	return true;
}

bool
judge_queue_first(const struct judge_queue *queue, uint32_t *id,
    struct question *q)
{
	if (queue->first == NULL)
		return false;
	*id = queue->first->id;
	*q = queue->first->question;
	return true;
}

bool
judge_queue_drop(struct judge_queue *queue, uint32_t id)
{
	struct waiting_judge **at = &queue->first, *w;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	w = *at;
	if (w == NULL)
		return false;
	*at = w->next;
	if (queue->last == &w->next)
		queue->last = at;
	queue->n--;
	waiting_free(w);
	return true;
}
