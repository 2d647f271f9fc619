/* SPDX-License-Identifier: ISC */
/*
 * sent_rules.c - what has left? Asked by control, and by queue for a user of
 * this host, who hears of his own mail only. The search goes on in steps.
 */
#include <stdlib.h>
#include <unistd.h>
#include "log.h"
#include "rules.h"
#include "sent.h"
#include "store.h"

#define STEP_EVERY_MS 1
#define SENTS_AT_ONCE 4

struct sent_job {
	struct sent_job *next;
	struct peer *peer;
	uint32_t question;
	struct sent *sent;
	struct loop_timer timer;
};

static void
job_free(struct sent_job *job)
{
	struct sent_job **at = &job->peer->sents;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job->peer->store->n_sents--;
	loop_timer_stop(job->peer->store->c.loop, &job->timer);
	sent_free(&job->sent);
	free(job);
}

void
store_sents_end(struct peer *peer)
{
	while (peer->sents != NULL)
		job_free(peer->sents);
}

static void
answer(struct sent_job *job, int fd)
{
	(void)channel_answer(job->peer->ch, job->question, SENT_ANSWER, NULL,
	    fd);
	close(fd);
}

/* Who gets no answer is told that store is silent. */
static void
on_step(struct loop_timer *timer, void *arg)
{
	struct sent_job *job = arg;
	int fd, more = sent_step(job->sent);

	if (more == 1) {
		loop_timer_start(job->peer->store->c.loop, timer,
		    STEP_EVERY_MS, on_step, job);
		return;
	}
	fd = more < 0 ? more : sent_result(job->sent);
	if (fd < 0)
		log_warning("sent", LOG_E("error", fd), LOG_END);
	else
		answer(job, fd);
	job_free(job);
}

bool
store_on_sent_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct store *s = peer->store;
	struct sent_job *job;
	struct sent_ask q;

	(void)ch;
	if (m->id == 0 || !get_sent_ask(&m->body, &q))
		return false;
	job = s->n_sents < SENTS_AT_ONCE ? calloc(1, sizeof *job) : NULL;
	if (job == NULL)
		return true;
	*job = (struct sent_job){ .next = peer->sents, .peer = peer,
		.question = m->id, .sent = sent_begin(s->ledger, &q) };
	peer->sents = job;
	s->n_sents++;
	if (job->sent == NULL)
		job_free(job);
	else
		loop_timer_start(s->c.loop, &job->timer, STEP_EVERY_MS,
		    on_step, job);
	return true;
}
