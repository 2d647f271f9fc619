/* SPDX-License-Identifier: ISC */
/*
 * forward.c - mail from outside for next hops: smtpd's questions.
 *
 *	HOP_RCPT --> seal good? --> a job without a message: MAIL, RCPT, RSET
 *	    --> its reply is the answer; the connection waits for the next
 *	HOP_RECIPIENT... HOP_SEND --> a job: MAIL, RCPT ..., DATA
 *	    --> what was said to each of them
 *
 * The reverse-path of a forward is rewritten first (rewrite.h).
 *
 * A client is at the other end of it, so nothing is kept, tried later or
 * made of the message that was not in it. What came of it counts, however
 * long it takes: from the end of the message on the next hop has its 10
 * minutes (final_timeout), whatever the limit of the question was before.
 *
 * A crash here, or the end of an smtpd, leaves no whole message behind that
 * its client was not told of, but for one whose end was sent: then nobody
 * knows whether it was taken (RFC 1047).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "fault.h"
#include "log.h"
#include "message.h"
#include "relay.h"
#include "rewrite.h"

#define MARGIN_MS 2000			/* before smtpd gives up on us */
#define LEAST_MS 100
#define TOLD_MAX 1000			/* transactions of one smtpd */

/* Recipients that were told, until their SEND comes. */
struct told {
	struct told *next;
	uint64_t transaction;
	struct recipient_list *list;
	char destination[HOP_DESTINATION_MAX];
	char srs_domain[ADDRESS_DOMAIN_MAX + 1];	/* "": none */
	bool is_smart_host;
	bool is_bounce;			/* to a forward's sender: from <> */
	bool is_expired;		/* a route of one of them has */
};

struct forward_peer {
	struct forward_peer *next;
	struct relay *relay;
	struct channel *channel;
	uint16_t index;
	struct told *told;
	size_t n_told;
};

/* Its job's. */
struct forward {
	struct forward_peer *peer;
	uint32_t question;
	uint64_t transaction;		/* of a SEND */
	int64_t began_us;
	char *top;			/* of a SEND: our trace fields */
};

/* ---- routes ---- */

/*
 * Only what directory has sealed, or vault, for this session. Vault's are for
 * bounces alone: they lead to any host that a forward came from.
 */
static bool
open_route(const struct relay *r, struct hop_route *route, bool *is_bounce,
    struct slice session, struct slice sealed)
{
	*is_bounce = false;
	if (hop_route_open(route, sealed, r->c.secrets[SECRET_HOP]) != 0) {
		*is_bounce = true;
		if (hop_route_open(route, sealed,
		    r->c.secrets[SECRET_RETURN]) != 0)
			return false;
	}
	return slice_equals(route->session, session);
}

/* Of a client that took hours, or the clock was set: smtpd has not lied. */
static bool
is_expired(const struct hop_route *route)
{
	return route->expires_s < clock_wall_s();
}

/* ---- recipients that were told ---- */

static void
told_free(struct told *told)
{
	if (told == NULL)
		return;
	recipient_list_free(told->list);
	free(told);
}

static struct told **
told_find(struct forward_peer *p, uint64_t transaction)
{
	struct told **at = &p->told;

	while (*at != NULL && (*at)->transaction != transaction)
		at = &(*at)->next;
	return at;
}

static struct told *
told_take(struct forward_peer *p, uint64_t transaction)
{
	struct told **at = told_find(p, transaction), *told = *at;

	if (told == NULL)
		return NULL;
	*at = told->next;
	p->n_told--;
	return told;
}

static struct told *
told_new(struct forward_peer *p, uint64_t transaction,
    const struct hop_route *route, bool is_bounce)
{
	struct told *told = calloc(1, sizeof *told);

	if (told != NULL)
		told->list = recipient_list_new(HOP_RECIPIENTS_MAX);
	if (told == NULL || told->list == NULL) {
		told_free(told);
		return NULL;
	}
	told->transaction = transaction;
	told->is_smart_host = route->is_smart_host;
	told->is_bounce = is_bounce;
	(void)slice_copy(told->srs_domain, sizeof told->srs_domain,
	    route->srs_domain);
	(void)slice_copy(told->destination, sizeof told->destination,
	    route->destination);
	told->next = p->told;
	p->told = told;
	p->n_told++;
	return told;
}

static bool
on_recipient(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct forward_peer *p = arg;
	struct hop_recipient q;
	struct errand_recipient *to;
	struct hop_route route;
	struct told *told;
	bool is_bounce;

	(void)ch;
	if (!get_hop_recipient(&m->body, &q) ||
	    !open_route(p->relay, &route, &is_bounce, q.session, q.sealed))
		return false;
	told = *told_find(p, q.transaction);
	if (told == NULL && p->n_told < TOLD_MAX)
		told = told_new(p, q.transaction, &route, is_bounce);
	/* all of one dialogue */
	if (told == NULL || told->is_smart_host != route.is_smart_host ||
	    told->is_bounce != is_bounce ||
	    !slice_equals(slice_of(told->srs_domain), route.srs_domain) ||
	    !slice_equals(slice_of(told->destination), route.destination))
		return false;
	told->is_expired |= is_expired(&route);
	to = recipient_list_add(told->list, route.address, SLICE(""));
	if (to != NULL)
		to->index = q.index;
	return to != NULL;
}

/* ---- answers to HOP_RCPT ---- */

static void
say_reply(struct channel *ch, uint32_t question, const struct hop_reply *a)
{
	static struct ipc_writer w;	/* large */

	ipc_writer_init(&w);
	put_hop_reply(&w, a);
	(void)channel_answer(ch, question, HOP_REPLIED, &w, -1);
}

static void
log_said(const struct job *job, const struct errand_recipient *to)
{
	const struct forward *f = job->arg;
	int64_t took_us = loop_now_us(job->relay->c.loop) - f->began_us;
	unsigned class = to->verdict.code / 100;

	log_info("forward", LOG_S("at", job->errand.is_probe ? "rcpt" :
	    "data"), LOG_S("outcome", class == 2 ? "taken" : class == 5 ?
	    "refused" : "later"), LOG_S("from", job->errand.reverse_path),
	    LOG_S("to", to->address), LOG_S("host", job->remote),
	    LOG_S("tls", job->tls), LOG_U("code", to->verdict.code),
	    LOG_S("says", to->verdict.text),
	    LOG_D("took_ms", took_us / 1000), LOG_END);
}

static void
rcpt_told(struct job *job, const struct errand_recipient *to)
{
	const struct forward *f = job->arg;
	const struct hop_reply a = { .is_said = to->is_said,
		.stage = to->stage, .verdict = to->verdict,
		.remote_host = slice_of(job->remote) };

	log_said(job, to);
	say_reply(f->peer->channel, f->question, &a);
}

static void
rcpt_answered(struct job *job, bool is_host_bad)
{
	(void)job;
	(void)is_host_bad;
}

static void
gone(struct job *job)
{
	struct forward *f = job->arg;

	if (f == NULL)		/* it was never complete */
		return;
	job->relay->n_forwards--;
	free(f->top);
	free(f);
}

static const struct job_asker rcpt_asker = { .told = rcpt_told,
	.answered = rcpt_answered, .gone = gone };

/* ---- answers to HOP_SEND ---- */

static void
send_told(struct job *job, const struct errand_recipient *to)
{
	struct relay *r = job->relay;

	log_said(job, to);
	r->counts.forwards_taken += to->verdict.code == 250;
	r->counts.forwards_uncertain += to->stage == RELAY_AT_END &&
	    to->verdict.code == 451 && to->verdict.subject == 4;
}

static void
send_answered(struct job *job, bool is_host_bad)
{
	static struct hop_sent a;	/* large */
	static struct ipc_writer w;
	const struct forward *f = job->arg;

	(void)is_host_bad;
	a.remote_host = slice_of(job->remote);
	a.tls = slice_of(job->tls);
	a.n = job->errand.n_recipients;
	for (uint16_t i = 0; i < a.n; i++) {
		const struct errand_recipient *to =
		    &job->errand.recipients[i];

		a.results[i] = (struct hop_result){ .index = to->index,
			.stage = to->stage, .is_said = to->is_said,
			.verdict = to->verdict };
	}
	ipc_writer_init(&w);
	put_hop_sent(&w, &a);
	FAULT_STEP("relay.before-sent");
	(void)channel_answer(f->peer->channel, f->question, HOP_SENT, &w, -1);
}

static const struct job_asker send_asker = { .told = send_told,
	.answered = send_answered, .gone = gone };

/* ---- jobs ---- */

static const char expired[] = "its route has expired";

/* Why it is not begun, or NULL. */
static const char *
is_too_much(const struct relay *r, struct slice destination)
{
	size_t n = 0;

	if (r->is_stopping || r->is_draining)
		return "the server is stopped";
	if (r->n_forwards >= RELAY_FORWARDS_MAX)
		return "too many messages are forwarded at the moment";
	for (const struct job *job = r->jobs; job != NULL; job = job->next)
		n += job->errand.is_forward && slice_equals(destination,
		    slice_of(job->destination));
	return n < RELAY_FORWARDS_PER_HOP ? NULL :
	    "too many messages wait for it at the moment";
}

/* Takes list and fd over. NULL without memory. */
static struct job *
job_of(struct forward_peer *p, const struct relay_send *send,
    struct recipient_list *list, int fd, const struct job_asker *asker)
{
	struct relay *r = p->relay;
	struct forward *f = calloc(1, sizeof *f);
	struct job *job = NULL;

	if (f != NULL) {
		job = job_new(r, send, list, fd, asker);
	} else {
		recipient_list_free(list);
		if (fd >= 0)
			close(fd);
	}
	if (job == NULL) {
		free(f);
		return NULL;
	}
	f->peer = p;
	f->began_us = loop_now_us(r->c.loop);
	job->arg = f;
	job->errand.is_forward = true;
	r->n_forwards++;
	return job;
}

static uint32_t
limit_ms(uint32_t deadline_ms, uint32_t kept_ms)
{
	return deadline_ms > kept_ms + LEAST_MS ? deadline_ms - kept_ms :
	    LEAST_MS;
}

static struct relay_send
send_of(const struct hop_mail *mail, struct slice destination,
    bool is_smart_host)
{
	return (struct relay_send){ .domain = destination,
		.is_smart_host = is_smart_host,
		.reverse_path = mail->reverse_path, .envid = SLICE(""),
		.is_8bit = mail->is_8bit, .is_utf8 = mail->is_utf8,
		.requires_tls = mail->requires_tls, .is_asked_for = true };
}

/* ---- HOP_RCPT ---- */

/* NULL: it is asked, and will be answered. */
static const char *
begin_rcpt(struct forward_peer *p, const struct hop_rcpt *q,
    const struct hop_route *route, const struct ipc_message *m)
{
	const struct relay_send send = send_of(&q->mail, route->destination,
	    route->is_smart_host);
	const char *why = is_too_much(p->relay, route->destination);
	const struct rewrite how = { .domain = route->srs_domain,
		.is_authenticated = q->mail.is_authenticated };
	struct recipient_list *list;
	char client[INET6_ADDRSTRLEN];
	struct forward *f;
	struct job *job;

	if (why != NULL)
		return why;
	(void)slice_copy(client, sizeof client, q->client);
	list = recipient_list_new(1);
	if (list == NULL || recipient_list_add(list, route->address,
	    SLICE("")) == NULL) {
		recipient_list_free(list);
		return "no memory";
	}
	job = job_of(p, &send, list, -1, &rcpt_asker);
	if (job == NULL)
		return "no memory";
	f = job->arg;
	f->question = m->id;
	job->errand.is_probe = true;
	job->errand.size_bytes = q->mail.size_bytes;
	(void)net_address_parse(&job->circle.client, client);
	p->relay->counts.forwards_asked++;
	rewrite_begin(job, &how, limit_ms(m->deadline_ms, MARGIN_MS));
	return NULL;
}

static bool
on_rcpt(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct forward_peer *p = arg;
	struct hop_reply a = { .stage = RELAY_AT_DNS,
		.remote_host = SLICE("") };
	struct hop_route route;
	struct hop_rcpt q;
	const char *why;
	bool is_bounce;

	if (m->id == 0 || m->deadline_ms == 0 || !get_hop_rcpt(&m->body, &q) ||
	    !open_route(p->relay, &route, &is_bounce, q.session, q.sealed) ||
	    (is_bounce && q.mail.reverse_path.size > 0))
		return false;
	why = is_expired(&route) ? expired : begin_rcpt(p, &q, &route, m);
	if (why == NULL)
		return true;
	p->relay->counts.forwards_skipped++;
	verdict_set(&a.verdict, 451, 4, 5, "%s", why);
	say_reply(ch, m->id, &a);
	return true;
}

/* ---- HOP_SEND ---- */

/* False: nothing was begun, and nobody is told; smtpd takes that for
 * "unknown" before the message. */
static bool
begin_send(struct forward_peer *p, const struct hop_send *q,
    struct told *told, struct ipc_message *m)
{
	struct relay_send send = send_of(&q->mail,
	    slice_of(told->destination), told->is_smart_host);
	const struct rewrite how = { .domain = slice_of(told->srs_domain),
		.is_authenticated = q->mail.is_authenticated };
	struct relay *r = p->relay;
	struct forward *f;
	struct job *job;

	send.message_size = q->message_size;
	job = job_of(p, &send, told->list, m->fd, &send_asker);
	told->list = NULL;
	m->fd = -1;
	if (job == NULL)
		return false;
	f = job->arg;
	f->question = m->id;
	f->transaction = q->transaction;
	f->top = slice_strdup(q->trace);
	if (f->top == NULL) {
		job_abandon(job);
		return false;
	}
	job->errand.source.top = (struct slice){ f->top, q->trace.size };
	r->counts.forwards_sent++;
	rewrite_begin(job, &how, limit_ms(m->deadline_ms,
	    r->settings.end_ms + MARGIN_MS));
	return true;
}

static void
say_not_sent(struct forward_peer *p, const struct told *told,
    uint32_t question, const char *why)
{
	static struct hop_sent a;	/* large */
	static struct ipc_writer w;

	a.remote_host = a.tls = SLICE("");
	a.n = told->list->n;
	for (uint16_t i = 0; i < a.n; i++) {
		a.results[i] = (struct hop_result){ .stage = RELAY_AT_DNS,
			.index = told->list->recipients[i].index };
		verdict_set(&a.results[i].verdict, 451, 4, 5, "%s", why);
	}
	p->relay->counts.forwards_skipped++;
	ipc_writer_init(&w);
	put_hop_sent(&w, &a);
	(void)channel_answer(p->channel, question, HOP_SENT, &w, -1);
}

static bool
on_send(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct forward_peer *p = arg;
	struct hop_send q;
	struct told *told;
	const char *why;
	bool is_good;

	(void)ch;
	if (m->id == 0 || m->deadline_ms == 0 || !get_hop_send(&m->body, &q))
		return false;
	told = told_take(p, q.transaction);
	is_good = told != NULL && told->list->n == q.n_recipients &&
	    (!told->is_bounce || q.mail.reverse_path.size == 0) &&
	    message_is_sealed(m->fd, q.message_size);
	if (is_good) {
		why = told->is_expired ? expired :
		    is_too_much(p->relay, slice_of(told->destination));
		if (why != NULL)
			say_not_sent(p, told, m->id, why);
		else
			(void)begin_send(p, &q, told, m);
	}
	told_free(told);
	return is_good;
}

/* Its client has left, or smtpd waits no more: before the end of the message
 * that is no harm. */
static bool
on_cancel(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct forward_peer *p = arg;
	uint64_t transaction = ipc_get_u64(&m->body);
	struct verdict why;

	(void)ch;
	if (!ipc_reader_is_done(&m->body))
		return false;
	/* its SEND has not come */
	told_free(told_take(p, transaction));
	verdict_set(&why, 451, 4, 2, "given up: nobody waits for it");
	for (struct job *job = p->relay->jobs; job != NULL; job = job->next) {
		const struct forward *f = job->arg;

		if (!job->errand.is_forward || job->errand.is_probe ||
		    f->peer != p || f->transaction != transaction)
			continue;
		job_cancel(job, &why);
		break;
	}
	return true;
}

/* ---- coming and going ---- */

/* Nobody waits for their answers: what has no end yet gets none. */
static void
forget_jobs(struct forward_peer *p)
{
	struct job *next;

	for (struct job *job = p->relay->jobs; job != NULL; job = next) {
		const struct forward *f = job->arg;

		next = job->next;
		if (job->errand.is_forward && f->peer == p)
			job_abandon(job);
	}
}

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct forward_peer *p = arg, **at = &p->relay->forward_peers;

	(void)ch;
	if (misbehaved) {
		log_error("suspected_break_in", LOG_S("peer", "smtpd"),
		    LOG_U("index", p->index), LOG_S("effect",
		    "its channel is closed"), LOG_END);
		compartment_accuse(ROLE_SMTPD, p->index);
	}
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	forget_jobs(p);
	while (p->told != NULL)
		told_free(told_take(p, p->told->transaction));
	free(p);
}

static const struct channel_rule rules[] = {
	{ HOP_RCPT, CHANNEL_NO_FD, on_rcpt },
	{ HOP_RECIPIENT, CHANNEL_NO_FD, on_recipient },
	{ HOP_SEND, CHANNEL_WANTS_FD, on_send },
	{ HOP_CANCEL, CHANNEL_NO_FD, on_cancel },
};
#define N_RULES (sizeof rules / sizeof *rules)

void
relay_add_forward_peer(struct relay *r, uint16_t index, int fd)
{
	struct forward_peer *p = calloc(1, sizeof *p);

	if (p == NULL) {
		close(fd);
		return;
	}
	p->relay = r;
	p->index = index;
	p->channel = channel_new(r->c.loop, fd, role_name(ROLE_SMTPD), rules,
	    N_RULES, on_closed, p);
	if (p->channel == NULL) {
		log_error("peer", LOG_E("error", errno), LOG_END);
		free(p);
		return;
	}
	p->next = r->forward_peers;
	r->forward_peers = p;
}
