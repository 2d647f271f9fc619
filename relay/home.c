/* SPDX-License-Identifier: ISC */
/*
 * home.c - RELAY_HOME: a report for one of our own users whose mailbox is
 * behind an LMTP server.
 *
 *	seal good? LMTP? a next hop of the configuration? -> a job of one
 *	    recipient, from <> -> what the server said
 *
 * directory seals where it goes, for this report alone, and nothing but
 * LMTP to a next hop that the configuration names is followed: a report can
 * leave for a mailbox of ours, and for nowhere else (DESIGN 1, P5). A crash
 * here leaves it with queue, which tries again.
 */
#include <stdlib.h>
#include "clock.h"
#include "log.h"
#include "message.h"
#include "relay.h"

#define MARGIN_MS 3000			/* before queue gives up on us */

/* ---- its answer ---- */

static void
say(struct relay *r, uint32_t question, const struct relay_result *a)
{
	static struct ipc_writer w;	/* large */

	if (r->queue == NULL)
		return;
	ipc_writer_init(&w);
	put_relay_result(&w, a);
	(void)channel_answer(r->queue, question, RELAY_HOMED, &w, -1);
}

static void
say_not_sent(struct relay *r, uint32_t question, const char *why)
{
	struct relay_result a = { .stage = RELAY_AT_DNS,
		.remote_host = SLICE("") };

	verdict_set(&a.verdict, 451, 4, 1, "%s", why);
	say(r, question, &a);
}

static void
told(struct job *job, const struct errand_recipient *to)
{
	const struct relay_result a = { .stage = to->stage,
		.verdict = to->verdict,
		.remote_host = slice_of(job->remote) };

	log_info("home", LOG_S("to", to->address), LOG_S("host",
	    job->remote), LOG_S("tls", job->tls), LOG_U("code",
	    to->verdict.code), LOG_S("says", to->verdict.text), LOG_END);
	say(job->relay, job->id, &a);
}

static const struct job_asker home_asker = { .told = told };

/* ---- the question ---- */

/* By LMTP alone, and to an address that is as it was: no smart host, no
 * forward. */
static bool
is_home(const struct hop_route *route)
{
	return slice_starts_nocase(route->destination, SLICE("lmtp:")) &&
	    !route->is_forward && !route->is_smart_host;
}

static bool
open_route(const struct relay *r, struct hop_route *route,
    const struct relay_home *q)
{
	return hop_route_open(route, q->sealed,
	    r->c.secrets[SECRET_HOP]) == 0 &&
	    slice_equals(route->session, q->session) && is_home(route);
}

static bool
is_configured(const struct relay *r, struct slice destination)
{
	char text[JOB_DESTINATION_MAX];

	return slice_copy(text, sizeof text, destination) &&
	    config_find_hop(r->c.config, text) != NULL;
}

/* NULL: it is sent, and will be answered. Else why not. */
static const char *
begin(struct relay *r, const struct relay_home *q,
    const struct hop_route *route, struct ipc_message *m)
{
	const struct relay_send send = { .domain = route->destination,
		.reverse_path = SLICE(""), .envid = SLICE(""),
		.is_8bit = q->is_8bit, .is_utf8 = q->is_utf8,
		.message_size = q->message_size, .n_recipients = 1,
		.is_asked_for = true };
	struct recipient_list *list = recipient_list_new(1);
	struct job *job;

	if (list == NULL || recipient_list_add(list, route->address,
	    SLICE("")) == NULL) {
		recipient_list_free(list);
		return "no memory";
	}
	job = job_new(r, &send, list, m->fd, &home_asker);
	m->fd = -1;
	if (job == NULL)
		return "no memory";
	r->counts.jobs++;
	job->id = m->id;
	job_begin(job, m->deadline_ms > 2 * MARGIN_MS ?
	    m->deadline_ms - MARGIN_MS : m->deadline_ms);
	return NULL;
}

bool
relay_on_home(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct relay *r = arg;
	struct hop_route route;
	struct relay_home q;
	const char *why;

	(void)ch;
	if (m->id == 0 || m->deadline_ms == 0 ||
	    !get_relay_home(&m->body, &q) || !open_route(r, &route, &q) ||
	    !message_is_sealed(m->fd, q.message_size))
		return false;
	why = r->is_stopping ? "the server is stopped" :
	    route.expires_s < clock_wall_s() ? "its route has expired" :
	    !is_configured(r, route.destination) ?
	    "the configuration has changed" : begin(r, &q, &route, m);
	if (why != NULL)
		say_not_sent(r, m->id, why);
	return true;
}
