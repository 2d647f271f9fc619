/* SPDX-License-Identifier: ISC */
/*
 * control_rules.c - what control asks the store: why? And more.
 *
 * The search goes on in steps (why.h), between which mail is served.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "log.h"
#include "rules.h"
#include "store.h"
#include "why.h"

#define STEP_EVERY_MS 1

struct why_job {
	struct why_job *next;
	struct peer *peer;
	uint32_t question;
	struct why *why;
	struct loop_timer timer;
};

/* fd: of the lines, or a negative errno; -ENOENT: there are none. */
static void
answer(struct peer *peer, uint32_t question, int fd)
{
	struct ipc_writer w;

	if (fd < 0 && fd != -ENOENT)
		log_error("trail_unreadable", LOG_S("folder",
		    peer->store->trail), LOG_E("error", fd), LOG_END);
	ipc_writer_init(&w);
	ipc_put_u8(&w, fd >= 0);
	ipc_put_string(&w, fd >= 0 || fd == -ENOENT ? "" : strerror(-fd));
	(void)channel_answer(peer->ch, question, WHY_ANSWER, &w, fd);
	if (fd >= 0)
		close(fd);
}

static void
job_free(struct why_job *job)
{
	struct why_job **at = &job->peer->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job->peer->store->n_whys--;
	loop_timer_stop(job->peer->store->c.loop, &job->timer);
	why_free(&job->why);
	free(job);
}

void
store_whys_end(struct peer *peer)
{
	while (peer->jobs != NULL)
		job_free(peer->jobs);
}

static void
on_step(struct loop_timer *timer, void *arg)
{
	struct why_job *job = arg;

	if (why_step(job->why)) {
		loop_timer_start(job->peer->store->c.loop, timer,
		    STEP_EVERY_MS, on_step, job);
		return;
	}
	answer(job->peer, job->question, why_result(job->why));
	job_free(job);
}

static bool
on_why_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct store *s = peer->store;
	struct why_job *job;
	char id[ASK_SESSION_MAX];
	struct why *why;
	int error;

	(void)ch;
	if (!ipc_get_string(&m->body, id, sizeof id) ||
	    !ipc_reader_is_done(&m->body))
		return false;
	if (s->n_whys >= WHYS_AT_ONCE)
		return true;	/* no answer: "unknown" */
	error = why_begin(&why, s->segments, slice_of(id));
	job = why ? calloc(1, sizeof *job) : NULL;
	if (job == NULL) {
		why_free(&why);
		answer(peer, m->id, error ? error : -ENOMEM);
		return true;
	}
	*job = (struct why_job){ .next = peer->jobs, .peer = peer,
		.question = m->id, .why = why };
	peer->jobs = job;
	s->n_whys++;
	loop_timer_start(s->c.loop, &job->timer, STEP_EVERY_MS, on_step, job);
	return true;
}

static bool
on_store_status(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct store *s = peer->store;
	struct records_counts counts;
	struct ipc_writer w;
	char text[256];

	if (!ipc_reader_is_done(&m->body))
		return false;
	records_get_counts(s->records, &counts);
	snprintf(text, sizeof text, "records_live=%llu records_ended=%llu "
	    "greylist=%llu seen=%llu ledger_noted=%llu",
	    (unsigned long long)counts.n_live,
	    (unsigned long long)ended_count(s->ended),
	    (unsigned long long)notes_count(grey_notes(s->grey)),
	    (unsigned long long)notes_count(s->seen),
	    (unsigned long long)s->n_noted);
	ipc_writer_init(&w);
	ipc_put_string(&w, text);
	(void)channel_answer(ch, m->id, STORE_STATUS, &w, -1);
	return true;
}

const struct channel_rule store_control_rules[] = {
	{ STORE_STATUS, CHANNEL_NO_FD, on_store_status },
	{ WHY_ASK, CHANNEL_NO_FD, on_why_ask },
	{ GREY_ASK, CHANNEL_NO_FD, store_on_grey_ask },
	{ SEEN_ASK, CHANNEL_NO_FD, store_on_seen_ask },
	{ PROOF_ASK, CHANNEL_NO_FD, store_on_proof_ask },
	{ SENT_ASK, CHANNEL_NO_FD, store_on_sent_ask },
};
const size_t store_n_control_rules =
    sizeof store_control_rules / sizeof *store_control_rules;
