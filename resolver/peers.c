/* SPDX-License-Identifier: ISC */
/*
 * peers.c - who asks the resolver, and what.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "log.h"
#include "resolver.h"
#include "trail.h"

bool
resolver_has_smtpd(const struct resolver *r)
{
	for (const struct peer *p = r->peers; p != NULL; p = p->next)
		if (p->role == ROLE_SMTPD)
			return true;
	return false;
}

/* ---- questions ---- */

void
resolver_answer(void *arg, uint32_t id, const struct dns_answer *answer)
{
	static struct ipc_writer w;	/* large */
	struct peer *peer = arg;
	struct buf *text = &peer->resolver->answer;

	text->size = 0;
	if (put_dns_answer(text, answer) != 0)
		return;		/* no memory: "unknown" */
	ipc_writer_init(&w);
	ipc_put_slice(&w, buf_slice(text));
	(void)channel_answer(peer->ch, id, DNS_ANSWER, &w, -1);
}

static bool
on_dns_ask(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct dns_ask q;

	(void)ch;
	if (!get_dns_ask(&m->body, &q) || m->deadline_ms == 0)
		return false;
	q.wants_proof = m->type == DNS_ASK_SECURE;
	questions_ask(peer->resolver->questions, peer, m->id, &q,
	    m->deadline_ms);
	return true;
}

/* ---- status ---- */

static void
put_servers(struct buf *to, const struct settings *s)
{
	for (unsigned i = 0; i < s->n_servers; i++)
		(void)buf_printf(to, "%s%s", i ? " " : "", s->servers[i]);
}

static void
put_status(struct buf *to, const struct resolver *r)
{
	struct questions_counts n = questions_count(r->questions);
	struct buf servers = { 0 };

	put_servers(&servers, &r->settings);
	trail_put_values(to, (const struct log_value[]){
	    LOG_S("dnssec", probe_state(r->probe)),
	    LOG_S("dnssec_why", probe_why(r->probe)),
	    LOG_SL("servers", buf_slice(&servers)),
	    LOG_U("asked", n.asked), LOG_U("joined", n.joined),
	    LOG_U("cached", n.cached), LOG_U("ok", n.ok),
	    LOG_U("no_data", n.no_data), LOG_U("no_name", n.no_name),
	    LOG_U("failed", n.failed), LOG_U("timed_out", n.timed_out),
	    LOG_U("bogus", n.bogus), LOG_U("over_limit", n.over_limit),
	    LOG_U("secure", n.secure), LOG_U("waiting", n.n_waiting),
	    LOG_U("lookups", n.n_lookups), LOG_U("networks", n.n_networks),
	    LOG_END });
	buf_free(&servers);
}

static bool
on_status(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct peer *peer = arg;
	struct buf line = { .maximum = 4096 };
	struct ipc_writer w;

	if (m->body.size != 0)
		return false;
	put_status(&line, peer->resolver);
	ipc_writer_init(&w);
	ipc_put_slice(&w, buf_slice(&line));
	(void)channel_answer(ch, m->id, RESOLVER_STATUS, &w, -1);
	buf_free(&line);
	return true;
}

/* of smtpd; of control, which may ask for the status; of relay */
static const struct channel_rule rules[] = {
	{ DNS_ASK, CHANNEL_NO_FD, on_dns_ask },
	{ RESOLVER_STATUS, CHANNEL_NO_FD, on_status },
};
static const struct channel_rule relay_rules[] = {
	{ DNS_ASK, CHANNEL_NO_FD, on_dns_ask },
	{ DNS_ASK_SECURE, CHANNEL_NO_FD, on_dns_ask },
};

/* ---- coming and going ---- */

static void
peer_free(struct peer *peer)
{
	struct peer **at = &peer->resolver->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	questions_forget_peer(peer->resolver->questions, peer);
	free(peer);
}

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct peer *peer = arg;
	struct resolver *r = peer->resolver;

	(void)ch;
	if (misbehaved) {
		log_error("suspected_break_in", LOG_S("peer",
		    role_name(peer->role)), LOG_U("index", peer->index),
		    LOG_S("effect", "its channel is closed"), LOG_END);
		compartment_accuse(peer->role, peer->index);
	}
	peer_free(peer);
	if (r->is_stopping && !resolver_has_smtpd(r))
		loop_stop(r->c.loop);
}

void
resolver_on_peer(struct compartment *c, enum role role, uint16_t index,
    int fd)
{
	struct resolver *r = c->arg;
	struct peer *peer = calloc(1, sizeof *peer);
	size_t n_rules = role == ROLE_SMTPD ? 1 : 2;

	if (peer == NULL || (role != ROLE_CONTROL && role != ROLE_SMTPD &&
	    role != ROLE_RELAY)) {
		log_error("peer", LOG_S("peer", role_name(role)), LOG_END);
		free(peer);
		close(fd);
		return;
	}
	*peer = (struct peer){ .next = r->peers, .resolver = r, .role = role,
		.index = index };
	r->peers = peer;
	peer->ch = channel_new(c->loop, fd, role_name(role),
	    role == ROLE_RELAY ? relay_rules : rules, n_rules, on_closed,
	    peer);
	if (peer->ch == NULL) {
		log_error("peer", LOG_E("error", errno), LOG_END);
		peer_free(peer);
	}
}
