/* SPDX-License-Identifier: ISC */
/*
 * peers.c - who is connected to the store.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "log.h"
#include "rules.h"
#include "store.h"
#include "trail.h"

bool
store_has_smtpd(const struct store *s)
{
	for (const struct peer *p = s->peers; p != NULL; p = p->next)
		if (p->role == ROLE_SMTPD)
			return true;
	return false;
}

static void
tell_failures(struct peer *peer)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	ipc_put_u32(&w, failures_count_armed(peer->store->failures));
	(void)channel_tell(peer->ch, FAILURE_COUNT, &w, -1);
}

void
store_tell_failures(struct store *s)
{
	bool has_some = failures_count_armed(s->failures) > 0;

	if (has_some == s->has_told_failures)
		return;
	s->has_told_failures = has_some;
	for (struct peer *p = s->peers; p != NULL; p = p->next)
		if (p->role == ROLE_SMTPD)
			tell_failures(p);
}

static void
peer_free(struct peer *peer)
{
	struct store *s = peer->store;
	struct peer **at = &s->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	store_whys_end(peer);
	store_sents_end(peer);
	free(peer);
}

static void
on_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct peer *peer = arg;
	struct store *s = peer->store;
	bool was_smtpd = peer->role == ROLE_SMTPD;

	(void)ch;
	if (misbehaved)
		log_error("suspected_break_in", LOG_S("peer",
		    role_name(peer->role)), LOG_U("index", peer->index),
		    LOG_S("effect", "its channel is closed"), LOG_END);
	if (misbehaved)
		compartment_accuse(peer->role, peer->index);
	store_ledger_peer_gone(s, peer);
	proofs_owner_gone(s->proofs, peer);
	if (was_smtpd) {
		records_peer_gone(s->records, peer);
		if (peer->segment != TRAIL_SEGMENT_NONE)
			segments_end(s->segments, peer->segment);
	}
	peer_free(peer);
	if (was_smtpd)
		store_resolve(s);
	if (s->is_stopping && !store_has_smtpd(s))
		loop_stop(s->c.loop);
}

static void
rules_of(enum role role, const struct channel_rule **rules, size_t *n)
{
	*rules = NULL;
	*n = 0;
	if (role == ROLE_SMTPD) {
		*rules = store_smtpd_rules;
		*n = store_n_smtpd_rules;
	} else if (role == ROLE_QUEUE) {
		*rules = store_queue_rules;
		*n = store_n_queue_rules;
	} else if (role == ROLE_RELAY) {
		*rules = store_relay_rules;
		*n = store_n_relay_rules;
	} else if (role == ROLE_CONTROL) {
		*rules = store_control_rules;
		*n = store_n_control_rules;
	}
}

/* What a message that comes again is known by (smtpd/digest.h). */
static void
tell_digest_key(struct peer *peer)
{
	const struct slice field = SLICE("digest of messages");
	uint8_t key[HMAC_SIZE];
	struct ipc_writer w;

	if (hmac_fields(peer->store->hmac, &field, 1, key) < 0)
		return;		/* smtpd goes on with SHA-256 */
	ipc_writer_init(&w);
	ipc_put_bytes(&w, key, sizeof key);
	(void)channel_tell(peer->ch, DIGEST_KEY, &w, -1);
}

void
store_on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct store *s = c->arg;
	struct peer *peer = calloc(1, sizeof *peer);
	const struct channel_rule *rules;
	size_t n_rules;

	if (peer == NULL) {
		log_error("peer", LOG_E("error", ENOMEM), LOG_END);
		close(fd);
		return;
	}
	rules_of(role, &rules, &n_rules);
	*peer = (struct peer){ .next = s->peers, .store = s, .role = role,
		.index = index, .segment = TRAIL_SEGMENT_NONE };
	s->peers = peer;
	peer->ch = channel_new(c->loop, fd, role_name(role), rules, n_rules,
	    on_closed, peer);
	if (peer->ch == NULL) {
		log_error("peer", LOG_E("error", errno), LOG_END);
		peer_free(peer);
		return;
	}
	if (role == ROLE_SMTPD) {
		tell_digest_key(peer);
		tell_failures(peer);
	} else if (role == ROLE_DELIVER) {
		store_resolve(s);
	}
}
