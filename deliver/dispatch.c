/* SPDX-License-Identifier: ISC */
/*
 * dispatch.c - questions to deliver; see dispatch.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "dispatch.h"
#include "log.h"
#include "phases.h"
#include "programs.h"

/* ---- handlers: decode, and hand on ---- */

static bool
on_probe(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct probe_ask ask;

	(void)ch;
	if (!get_probe_ask(&m->body, &ask))
		return false;
	if (m->id == 0)
		return m->fd < 0 && deliver_freeze(arg, &ask);
	return deliver_probe_begin(arg, &ask, m->fd, m->id);
}

/* PREPARE and DELIVER have the same fields. */
static bool
on_prepare(struct channel *ch, struct ipc_message *m, void *arg)
{
	static struct prepare_ask ask;	/* large, and lent only */
	int fd = m->fd;

	(void)ch;
	if (m->id == 0 || !get_prepare_ask(&m->body, &ask))
		return false;
	m->fd = -1;
	return m->type == DELIVER_ASK ?
	    phase_deliver(arg, &ask, fd, m->id) :
	    phase_prepare(arg, &ask, fd, m->id);
}

static bool
on_commit(struct channel *ch, struct ipc_message *m, void *arg)
{
	uint64_t id = ipc_get_u64(&m->body);

	(void)ch;
	return m->id != 0 && ipc_reader_is_done(&m->body) &&
	    phase_commit(arg, id, m->id);
}

static bool
on_cancel(struct channel *ch, struct ipc_message *m, void *arg)
{
	uint64_t id = ipc_get_u64(&m->body);

	(void)ch;
	if (!ipc_reader_is_done(&m->body))
		return false;
	phase_cancel(arg, id);
	return true;
}

static bool
on_release(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct release_ask ask;

	(void)ch;
	return get_release_ask(&m->body, &ask) &&
	    phase_release(arg, &ask, m->id);
}

static bool
on_program(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct program_ask ask;
	int fd = m->fd;

	(void)ch;
	if (m->id == 0 || !get_program_ask(&m->body, &ask))
		return false;
	m->fd = -1;
	return programs_begin(arg, &ask, fd, m);
}

static bool
on_resolve(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct resolve_ask ask;

	(void)ch;
	return m->id != 0 && get_resolve_ask(&m->body, &ask) &&
	    deliver_resolve_begin(arg, &ask, m->id);
}

static const struct channel_rule smtpd_rules[] = {
	{ PROBE_ASK, CHANNEL_MAY_FD, on_probe },
	{ PREPARE_ASK, CHANNEL_WANTS_FD, on_prepare },
	{ COMMIT_ASK, CHANNEL_NO_FD, on_commit },
	{ DELIVER_ASK, CHANNEL_MAY_FD, on_prepare },
	{ RELEASE_ASK, CHANNEL_NO_FD, on_release },
	{ DELIVER_CANCEL, CHANNEL_NO_FD, on_cancel },
	{ PROGRAM_ASK, CHANNEL_WANTS_FD, on_program },
};

static const struct channel_rule store_rules[] = {
	{ RESOLVE_ASK, CHANNEL_NO_FD, on_resolve },
};

/* ---- peers ---- */

static void
orphan_all(struct peer *peer)
{
	for (size_t i = 0; i < DELIVERY_BUCKETS; i++)
		while (peer->buckets[i] != NULL)
			delivery_orphan(peer->buckets[i]);
}

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct peer *peer = arg, **at = &peer->deliver->peers;
	struct deliver *d = peer->deliver;

	if (misbehaved)
		log_error("peer_misbehaved", LOG_S("peer", peer->name),
		    LOG_S("hint", "suspected break-in"), LOG_END);
	else
		log_info("peer_gone", LOG_S("peer", peer->name),
		    LOG_U("transactions", peer->n_transactions), LOG_END);
	if (misbehaved)
		compartment_accuse(peer->role, peer->index);
	orphan_all(peer);
	deliver_resolve_forget(d, ch);
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	free(peer);
	deliver_maybe_end(d);
}

/* Who brings messages: smtpd, and queue what comes home. */
static bool
delivers(enum role role)
{
	return role == ROLE_SMTPD || role == ROLE_QUEUE;
}

void
deliver_add_peer(struct deliver *d, enum role role, uint16_t index, int fd)
{
	struct peer *peer = calloc(1, sizeof *peer);

	if (peer == NULL || (!delivers(role) && role != ROLE_STORE)) {
		log_error("peer_refused", LOG_S("role", role_name(role)),
		    LOG_END);
		close(fd);
		free(peer);
		return;
	}
	snprintf(peer->name, sizeof peer->name, "%s.%u", role_name(role),
	    index);
	peer->deliver = d;
	peer->role = role;
	peer->index = index;
	peer->channel = delivers(role) ?
	    channel_new(d->c.loop, fd, peer->name, smtpd_rules,
	    sizeof smtpd_rules / sizeof *smtpd_rules, on_closed, peer) :
	    channel_new(d->c.loop, fd, peer->name, store_rules,
	    sizeof store_rules / sizeof *store_rules, on_closed, peer);
	if (peer->channel == NULL) {
		log_error("peer_refused", LOG_S("role", role_name(role)),
		    LOG_E("error", errno), LOG_END);
		free(peer);
		return;
	}
	peer->next = d->peers;
	d->peers = peer;
}

static bool
has_smtpd(const struct deliver *d)
{
	for (const struct peer *p = d->peers; p != NULL; p = p->next)
		if (p->role == ROLE_SMTPD)
			return true;
	return false;
}

void
deliver_maybe_end(struct deliver *d)
{
	bool is_idle = pools_n_jobs(d->pools) == 0 && d->resolves == NULL &&
	    programs_n_runs(d->programs) == 0;

	/* a supervisor that died leaves the smtpd behind: their running
	 * transactions are still served */
	if ((d->is_stopping || d->is_draining) && !has_smtpd(d) && is_idle)
		loop_stop(d->c.loop);
}
