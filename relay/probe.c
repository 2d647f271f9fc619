/* SPDX-License-Identifier: ISC */
/*
 * probe.c - RELAY_PROBE: would the next hop take this recipient?
 *
 *	said a while ago? -> that	over a limit? -> not asked
 *	    -> a job without a message (job.h): hosts, TLS and connections as
 *	       for mail -> MAIL, RCPT, RSET -> kept, and answered
 *
 * The reply to RCPT alone counts as said. All else (no host, no time, no
 * TLS where it has to be) is answered as "not said, because": who asked goes
 * on as if there were no probes. A crash here leaves nothing behind.
 */
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "relay.h"

#define MARGIN_MS 700			/* before the asker gives up on us */
#define LEAST_MS 100

/* Its job's; a channel that ends takes its jobs along. */
struct probe {
	struct channel *asker;
	uint32_t question;
	int64_t began_us;
	enum probe_end end;
};

/* ---- answers ---- */

static void
say(struct channel *ch, uint32_t question, const struct hop_reply *a)
{
	static struct ipc_writer w;	/* large */

	ipc_writer_init(&w);
	put_hop_reply(&w, a);
	(void)channel_answer(ch, question, RELAY_PROBED, &w, -1);
}

static void
say_not_asked(struct relay *r, struct channel *ch, uint32_t question,
    const char *why)
{
	struct hop_reply a = { .stage = RELAY_AT_DNS,
		.remote_host = SLICE("") };

	r->counts.probes_skipped++;
	verdict_set(&a.verdict, 451, 4, 5, "not asked: %s", why);
	say(ch, question, &a);
}

static void
log_reply(const struct job *job, const struct hop_reply *a)
{
	const struct probe *p = job->arg;
	int64_t took_us = loop_now_us(job->relay->c.loop) - p->began_us;

	log_info("probe", LOG_S("outcome", !a->is_said ? "silent" :
	    hop_refuses(a) ? "refused" : a->verdict.code == 250 ? "accepted" :
	    "later"), LOG_S("from", job->errand.reverse_path),
	    LOG_S("to", job->errand.recipients[0].address),
	    LOG_S("host", job->remote),
	    LOG_S("tls", job->tls), LOG_U("code", a->verdict.code),
	    LOG_S("says", a->verdict.text),
	    LOG_D("took_ms", took_us / 1000), LOG_END);
}

/* ---- the job behind it ---- */

static enum probe_end
end_of(const struct job *job, const struct hop_reply *a)
{
	if (hop_refuses(a))
		return PROBE_REFUSED;
	if (a->is_said)
		return PROBE_ANSWERED;
	return job->is_waiting ? PROBE_BROKEN_OFF : PROBE_SILENT;
}

static void
keep(const struct job *job, const struct errand_recipient *to,
    const struct hop_reply *a)
{
	const struct relay_probe ask = { .envelope = {
		.domain = slice_of(job->destination),
		.is_smart_host = job->errand.is_for_smart_host,
		.reverse_path = slice_of(job->errand.reverse_path),
		.is_utf8 = job->errand.is_utf8,
		.requires_tls = job->errand.requires_tls },
		.address = slice_of(to->address) };

	probe_cache_keep(job->relay->probe_cache, &ask, a,
	    loop_now_us(job->relay->c.loop));
}

static void
told(struct job *job, const struct errand_recipient *to)
{
	struct probe *p = job->arg;
	struct relay *r = job->relay;
	const struct hop_reply a = { .is_said = to->is_said,
		.stage = to->stage, .verdict = to->verdict,
		.remote_host = slice_of(job->remote) };

	p->end = end_of(job, &a);
	r->counts.probes_refused += p->end == PROBE_REFUSED;
	r->counts.probes_silent += p->end == PROBE_SILENT;
	if (a.is_said)
		keep(job, to, &a);
	log_reply(job, &a);
	say(p->asker, p->question, &a);
}

static void
gone(struct job *job)
{
	struct probe *p = job->arg;
	struct relay *r = job->relay;

	if (p == NULL)		/* it was never complete */
		return;
	probe_limits_end(r->probe_limits, job->destination, p->end,
	    loop_now_us(r->c.loop));
	r->n_probes--;
	free(p);
}

static const struct job_asker probe_asker = { .told = told, .gone = gone };

static struct recipient_list *
list_of(struct slice address)
{
	struct recipient_list *list = recipient_list_new(1);

	if (list != NULL && recipient_list_add(list, address, SLICE("")))
		return list;
	recipient_list_free(list);
	return NULL;
}

/* NULL without memory. */
static struct job *
job_of(struct relay *r, const struct relay_probe *q)
{
	const struct hop_envelope *e = &q->envelope;
	const struct relay_send send = { .domain = e->domain,
		.is_smart_host = e->is_smart_host,
		.reverse_path = e->reverse_path, .envid = SLICE(""),
		.is_utf8 = e->is_utf8, .requires_tls = e->requires_tls };
	struct recipient_list *list = list_of(q->address);
	struct probe *p = calloc(1, sizeof *p);
	struct job *job = NULL;

	if (list != NULL && p != NULL)
		job = job_new(r, &send, list, -1, &probe_asker);
	else
		recipient_list_free(list);
	if (job == NULL) {
		free(p);
		return NULL;
	}
	p->end = PROBE_BROKEN_OFF;
	p->began_us = loop_now_us(r->c.loop);
	job->arg = p;
	job->errand.is_probe = true;
	r->n_probes++;
	r->counts.probes++;
	return job;
}

/* ---- the question ---- */

/* Why nothing is asked, or NULL: it is, and will be answered. */
static const char *
begin(struct relay *r, const struct relay_probe *q, struct channel *ch,
    const struct ipc_message *m)
{
	int64_t now_us = loop_now_us(r->c.loop);
	char destination[JOB_DESTINATION_MAX];
	struct job *job = NULL;
	struct probe *p;
	const char *why;

	if (!slice_copy(destination, sizeof destination, q->envelope.domain))
		return "its name is too long";
	why = probe_limits_begin(r->probe_limits, destination, now_us);
	if (why != NULL)
		return why;
	job = job_of(r, q);
	if (job == NULL) {
		probe_limits_end(r->probe_limits, destination,
		    PROBE_BROKEN_OFF, now_us);
		return "no memory";
	}
	p = job->arg;
	p->asker = ch;
	p->question = m->id;
	job_begin(job, m->deadline_ms > MARGIN_MS + LEAST_MS ?
	    m->deadline_ms - MARGIN_MS : LEAST_MS);
	return NULL;
}

bool
relay_on_probe(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct relay *r = arg;
	struct relay_probe q;
	struct hop_reply kept;
	const char *why;

	if (m->id == 0 || m->deadline_ms == 0 ||
	    !get_relay_probe(&m->body, &q))
		return false;
	if (probe_cache_find(r->probe_cache, &q, loop_now_us(r->c.loop),
	    &kept)) {
		r->counts.probes_kept++;
		say(ch, m->id, &kept);
		return true;
	}
	why = r->is_stopping || r->is_draining ? "the server is stopped" :
	    r->n_probes >= RELAY_PROBES_MAX ? "too many are asked about at "
	    "the moment" : begin(r, &q, ch, m);
	if (why != NULL)
		say_not_asked(r, ch, m->id, why);
	return true;
}
