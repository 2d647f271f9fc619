/* SPDX-License-Identifier: ISC */
/*
 * peers.c - what queue asks relay, and the channels to resolver and store.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "log.h"
#include "relay.h"
#include "sts.h"

#define DEADLINE_MARGIN_MS 3000		/* before queue gives up on us */

static const struct job_asker queue_asker;

/* ---- recipients that were told ---- */

static void
forget_told(struct relay *r)
{
	recipient_list_free(r->told);
	r->told = NULL;
}

/* Queue tells all of a job in a row, and then SEND: what is there of another
 * one was given up, as its channel to us was full. */
static struct recipient_list *
list_of(struct relay *r, uint32_t job)
{
	if (r->told != NULL && r->told->job == job)
		return r->told;
	forget_told(r);
	r->told = recipient_list_new(RELAY_JOB_RECIPIENTS);
	if (r->told != NULL)
		r->told->job = job;
	return r->told;
}

static bool
on_recipient(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct relay *r = arg;
	struct recipient_list *list;
	struct errand_recipient *to;
	struct relay_recipient q;

	(void)ch;
	if (!get_relay_recipient(&m->body, &q))
		return false;
	list = list_of(r, q.job);
	to = list != NULL ? recipient_list_add(list, q.address, q.orcpt) :
	    NULL;
	if (to == NULL)
		return false;
	to->index = q.index;
	to->notify = q.notify;
	return true;
}

static struct recipient_list *
list_take(struct relay *r, uint32_t job)
{
	struct recipient_list *list = r->told;

	if (list == NULL || list->job != job)
		return NULL;
	r->told = NULL;
	return list;
}

/* ---- jobs ---- */

static uint32_t
limit_of(uint32_t deadline_ms)
{
	return deadline_ms > 2 * DEADLINE_MARGIN_MS ?
	    deadline_ms - DEADLINE_MARGIN_MS : deadline_ms;
}

static bool
on_send(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct relay *r = arg;
	struct recipient_list *list;
	struct relay_send q;
	struct job *job;

	(void)ch;
	if (!get_relay_send(&m->body, &q) || m->deadline_ms == 0)
		return false;
	list = list_take(r, q.job);
	if (list == NULL || list->n != q.n_recipients) {
		recipient_list_free(list);
		return false;
	}
	if (r->n_jobs - r->n_probes - r->n_forwards >= RELAY_JOBS_MAX ||
	    r->is_stopping) {
		recipient_list_free(list);
		return true;		/* no answer: "unknown" */
	}
	job = job_new(r, &q, list, m->fd, &queue_asker);
	m->fd = -1;
	if (job == NULL)
		return true;
	r->counts.jobs++;
	job->id = m->id;
	job_begin(job, limit_of(m->deadline_ms));
	return true;
}

static const struct channel_rule queue_rules[] = {
	{ RELAY_RECIPIENT, CHANNEL_NO_FD, on_recipient },
	{ RELAY_SEND, CHANNEL_WANTS_FD, on_send },
	{ RELAY_PROBE, CHANNEL_NO_FD, relay_on_probe },
	{ RELAY_HOME, CHANNEL_WANTS_FD, relay_on_home },
};
#define N_QUEUE_RULES (sizeof queue_rules / sizeof *queue_rules)

/* ---- answers ---- */

static const char *
outcome_of(const struct verdict *v)
{
	return v->code / 100 == 2 ? "taken" : v->code / 100 == 4 ?
	    "deferred" : "refused";
}

static void
count(struct relay *r, const struct verdict *v)
{
	r->counts.delivered += v->code / 100 == 2;
	r->counts.deferred += v->code / 100 == 4;
	r->counts.refused += v->code / 100 == 5;
}

static void
tell_result(struct job *job, const struct errand_recipient *to)
{
	struct relay *r = job->relay;
	struct ipc_writer w;
	const struct relay_result a = { .job = job->number,
		.index = to->index, .stage = to->stage,
		.verdict = to->verdict, .passes_dsn = to->passes_dsn,
		.remote_host = slice_of(job->remote) };

	count(r, &to->verdict);
	log_info("relay", LOG_S("outcome", outcome_of(&to->verdict)),
	    LOG_S("to", to->address), LOG_S("host", job->remote),
	    LOG_S("tls", job->tls), LOG_U("code", to->verdict.code),
	    LOG_S("says", to->verdict.text), LOG_END);
	if (r->queue == NULL)
		return;
	ipc_writer_init(&w);
	put_relay_result(&w, &a);
	(void)channel_tell(r->queue, RELAY_RESULT, &w, -1);
}

static void
answer(struct job *job, bool is_host_bad)
{
	struct relay *r = job->relay;
	struct ipc_writer w;
	const struct relay_results a = { .job = job->number,
		.is_host_bad = is_host_bad, .tls = slice_of(job->tls),
		.delay_s = job->delay_s };

	if (r->queue == NULL)
		return;
	ipc_writer_init(&w);
	put_relay_results(&w, &a);
	(void)channel_answer(r->queue, job->id, RELAY_RESULTS, &w, -1);
}

static void
gone(struct job *job)
{
	(void)job;
}

static const struct job_asker queue_asker = { .told = tell_result,
	.answered = answer, .gone = gone };

/* ---- coming and going ---- */

/* Nobody remembers the jobs: a new queue will send them again. Those of an
 * smtpd are its own. */
static void
forget_queue(struct relay *r)
{
	struct job *next;

	r->queue = NULL;
	for (struct job *job = r->jobs; job != NULL; job = next) {
		next = job->next;
		if (!job->errand.is_forward)
			job_abandon(job);
	}
	forget_told(r);
	if (r->is_stopping)
		loop_stop(r->c.loop);
}

static const struct channel_rule control_rules[] = {
	{ RELAY_STATUS, CHANNEL_NO_FD, relay_on_status },
	{ RELAY_TLS, CHANNEL_NO_FD, relay_on_tls },
};
#define N_CONTROL_RULES (sizeof control_rules / sizeof *control_rules)

static struct channel **
slot_of(struct relay *r, enum role role)
{
	return role == ROLE_QUEUE ? &r->queue : role == ROLE_RESOLVER ?
	    &r->resolver : role == ROLE_STORE ? &r->store :
	    role == ROLE_CONTROL ? &r->control :
	    role == ROLE_VAULT ? &r->vault : NULL;
}

static enum role
role_of(const struct relay *r, const struct channel *ch)
{
	return ch == r->queue ? ROLE_QUEUE : ch == r->resolver ?
	    ROLE_RESOLVER : ch == r->store ? ROLE_STORE :
	    ch == r->vault ? ROLE_VAULT : ROLE_CONTROL;
}

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct relay *r = arg;
	enum role role = role_of(r, ch);

	if (misbehaved) {
		log_error("suspected_break_in", LOG_S("peer",
		    role_name(role)), LOG_S("effect",
		    "its channel is closed"), LOG_END);
		compartment_accuse(role, 0);
	}
	if (role == ROLE_QUEUE)
		forget_queue(r);
	else if (*slot_of(r, role) == ch)
		*slot_of(r, role) = NULL;
}

static struct channel *
open_channel(struct relay *r, enum role role, int fd)
{
	const char *name = role_name(role);

	if (role == ROLE_QUEUE)
		return channel_new(r->c.loop, fd, name, queue_rules,
		    N_QUEUE_RULES, on_closed, r);
	if (role == ROLE_CONTROL)
		return channel_new(r->c.loop, fd, name, control_rules,
		    N_CONTROL_RULES, on_closed, r);
	return channel_new(r->c.loop, fd, name, NULL, 0, on_closed, r);
}

void
relay_on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct relay *r = c->arg;
	struct channel **slot = slot_of(r, role), *old;

	if (role == ROLE_SMTPD) {
		relay_add_forward_peer(r, index, fd);
		return;
	}
	if (slot == NULL) {
		log_error("peer", LOG_S("peer", role_name(role)), LOG_END);
		close(fd);
		return;
	}
	old = *slot;
	if (old != NULL && role == ROLE_QUEUE)
		forget_queue(r);
	*slot = NULL;
	channel_free(&old);
	*slot = open_channel(r, role, fd);
	if (*slot == NULL)
		log_error("peer", LOG_E("error", errno), LOG_END);
	else if (role == ROLE_STORE)
		sts_read(r->sts);
}
