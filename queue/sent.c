/* SPDX-License-Identifier: ISC */
/*
 * sent.c - what of his own mail has left, for a user of this host: store is
 * asked with the account of auth's voucher, and its text goes back through
 * the smtpd that has brought the question. Who is not answered hears nothing.
 */
#include <stdlib.h>
#include "queue.h"
#include "sending.h"

#define SENT_MS 18000		/* less than smtpd waits */
#define SENTS_MAX 16		/* at a time */

struct sent_question {
	struct sent_question *next;
	struct queue *queue;
	struct peer *peer;		/* NULL: its channel has ended */
	uint32_t question;
};

static void
sent_free(struct sent_question *sent)
{
	struct sent_question **at = &sent->queue->sents;

	while (*at != sent)
		at = &(*at)->next;
	*at = sent->next;
	sent->queue->n_sents--;
	free(sent);
}

void
sents_forget(struct peer *peer)
{
	for (struct sent_question *sent = peer->queue->sents; sent != NULL;
	     sent = sent->next)
		if (sent->peer == peer)
			sent->peer = NULL;
}

static void
on_sent(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct sent_question *sent = arg;
	struct ipc_writer w;
	(void)ch;
	if (m != NULL && m->type == SENT_ANSWER && m->fd >= 0 &&
	    sent->peer != NULL) {
		ipc_writer_init(&w);
		ipc_put_u8(&w, 1);
		if (ipc_reader_is_done(&m->body))
			(void)channel_answer(sent->peer->ch, sent->question,
			    QUEUE_COMMAND_ANSWER, &w, m->fd);
	}
	sent_free(sent);
}

void
sent_ask(struct peer *peer, uint32_t question, const struct queue_own *own)
{
	struct queue *q = peer->queue;
	struct sent_ask ask = { .word = own->word, .user =
		slice_equals(own->voucher.user, SLICE("root")) ? SLICE("") :
		own->voucher.user };
	struct sent_question *sent;
	struct ipc_writer w;

	sent = q->n_sents < SENTS_MAX ? calloc(1, sizeof *sent) : NULL;
	if (sent == NULL)
		return;
	*sent = (struct sent_question){ .next = q->sents, .queue = q,
		.peer = peer, .question = question };
	q->sents = sent;
	q->n_sents++;
	ipc_writer_init(&w);
	put_sent_ask(&w, &ask);
	if (q->store == NULL || channel_ask(q->store, SENT_ASK, &w, -1,
	    SENT_MS, on_sent, sent) == 0)
		sent_free(sent);
}
