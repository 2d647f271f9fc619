/* SPDX-License-Identifier: ISC */
/*
 * peers.c - channels to those who ask here, and to those who are asked.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "log.h"
#include "messages.h"
#include "queue.h"
#include "sending.h"

static void
say_misbehaved(enum role role, uint16_t index)
{
	log_error("suspected_break_in", LOG_S("peer", role_name(role)),
	    LOG_U("index", index), LOG_S("effect", "its channel is closed"),
	    LOG_END);
	compartment_accuse(role, index);
}

/* ---- who asks ---- */

static void
on_asker_closed(struct channel *ch, bool misbehaved, void *arg)
{
	struct peer *peer = arg;

	(void)ch;
	if (misbehaved)
		say_misbehaved(peer->role, peer->index);
	intake_forget(peer);
	probes_forget(peer);
	sents_forget(peer);
	free(peer);
}

static void
add_asker(struct queue *q, enum role role, uint16_t index, int fd)
{
	struct peer *peer = calloc(1, sizeof *peer);
	const struct channel_rule *rules = command_rules;
	size_t n_rules = command_n_rules;

	if (peer == NULL) {
		close(fd);
		return;
	}
	*peer = (struct peer){ .queue = q, .role = role, .index = index };
	if (role == ROLE_SMTPD) {
		bool is_mx = q->c.peer_kind == LISTEN_MX;

		rules = is_mx ? list_rules : intake_rules;
		n_rules = is_mx ? list_n_rules : intake_n_rules;
	}
	peer->ch = channel_new(q->c.loop, fd, role_name(role), rules, n_rules,
	    on_asker_closed, peer);
	if (peer->ch != NULL)
		return;
	log_error("peer", LOG_E("error", errno), LOG_END);
	free(peer);
}

/* ---- who is asked ---- */

static struct channel **
slot_of(struct queue *q, enum role role, uint16_t index)
{
	switch (role) {
	case ROLE_RELAY:
		return &q->relay;
	case ROLE_STORE:
		return &q->store;
	case ROLE_VAULT:
		return &q->vault;
	case ROLE_DELIVER:
		return &q->deliver;
	case ROLE_DIRECTORY:
		return &q->directories[index % QUEUE_DIRECTORIES_MAX];
	default:
		return NULL;
	}
}

/* Its place may have been taken by its successor. */
static void
on_answerer_closed(struct channel *ch, bool misbehaved, void *arg)
{
	static const enum role roles[] = { ROLE_RELAY, ROLE_STORE, ROLE_VAULT,
		ROLE_DELIVER, ROLE_DIRECTORY };
	struct queue *q = arg;

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		for (uint16_t k = 0; k < QUEUE_DIRECTORIES_MAX; k++) {
			struct channel **slot = slot_of(q, roles[i], k);

			if (*slot != ch)
				continue;
			*slot = NULL;
			if (misbehaved)
				say_misbehaved(roles[i],
				    roles[i] == ROLE_RELAY ? q->relay_index :
				    k);
		}
	log_info("peer_gone", LOG_S("peer", channel_name(ch)), LOG_END);
	queue_want_work(q);
}

static void
add_answerer(struct queue *q, enum role role, uint16_t index, int fd)
{
	struct channel **slot = slot_of(q, role, index);
	bool is_relay = role == ROLE_RELAY;

	/* a relay that has a successor still ends what it has begun */
	if (is_relay)
		q->relay_index = index;
	else if (*slot != NULL)
		channel_free(slot);
	*slot = channel_new(q->c.loop, fd, role_name(role),
	    is_relay ? relay_rules : NULL, is_relay ? relay_n_rules : 0,
	    on_answerer_closed, q);
	if (*slot == NULL)
		log_error("peer", LOG_E("error", errno), LOG_END);
	queue_want_work(q);
}

void
queue_on_peer(struct compartment *c, enum role role, uint16_t index, int fd)
{
	struct queue *q = c->arg;

	if (role == ROLE_SMTPD || role == ROLE_CONTROL)
		add_asker(q, role, index, fd);
	else if (slot_of(q, role, index) != NULL)
		add_answerer(q, role, index, fd);
	else
		close(fd);
}

struct channel *
queue_directory(struct queue *q)
{
	for (unsigned i = 0; i < QUEUE_DIRECTORIES_MAX; i++) {
		unsigned at = q->next_directory++ % QUEUE_DIRECTORIES_MAX;

		if (q->directories[at] != NULL)
			return q->directories[at];
	}
	return NULL;
}
