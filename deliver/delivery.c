/* SPDX-License-Identifier: ISC */
/*
 * delivery.c - what a transaction holds, and its only end; see
 * delivery.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "peer.h"

static struct delivery **
bucket_of(struct peer *peer, uint64_t id)
{
	/* ids are counted up by the peer */
	return &peer->buckets[id % DELIVERY_BUCKETS];
}

struct delivery *
delivery_find(struct peer *peer, uint64_t id)
{
	struct delivery *tx = *bucket_of(peer, id);

	while (tx != NULL && tx->id != id)
		tx = tx->next;
	return tx;
}

struct delivery *
delivery_new(struct peer *peer, uint64_t id, struct slice session)
{
	struct delivery *tx;

	if (peer->n_transactions >= DELIVERIES_MAX)
		return NULL;
	tx = calloc(1, sizeof *tx);
	if (tx == NULL)
		return NULL;
	if (!slice_copy(tx->session, sizeof tx->session, session)) {
		free(tx);
		return NULL;
	}
	tx->deliver = peer->deliver;
	tx->peer = peer;
	tx->id = id;
	tx->message.fd = -1;
	tx->next = *bucket_of(peer, id);
	*bucket_of(peer, id) = tx;
	peer->n_transactions++;
	return tx;
}

/* ---- recipients ---- */

struct recipient *
delivery_recipient(const struct delivery *tx, uint16_t index)
{
	return index < tx->n_slots ? tx->recipients[index] : NULL;
}

int
delivery_add(struct delivery *tx, struct recipient *r)
{
	uint32_t slots = tx->n_slots ? tx->n_slots : 1;
	struct recipient **grown;

	if (tx->n_recipients >= DELIVERY_RECIPIENTS_MAX ||
	    r->route.n_leaves > ROUTE_MAX_LEAVES - tx->n_leaves)
		return -ENOBUFS;
	while (slots <= r->index)
		slots *= 2;
	if (slots > tx->n_slots) {
		grown = reallocarray(tx->recipients, slots, sizeof(*grown));
		if (grown == NULL)
			return -ENOMEM;
		memset(grown + tx->n_slots, 0,
		    (slots - tx->n_slots) * sizeof(*grown));
		tx->recipients = grown;
		tx->n_slots = slots;
	}
	tx->recipients[r->index] = r;
	tx->n_recipients++;
	tx->n_leaves += (uint32_t)r->route.n_leaves;
	r->tx = tx;
	return 0;
}

static void
copy_release(struct copy *copy)
{
	if (copy->box == NULL)
		return;
	box_release(copy->box, &copy->held);
	box_put(&copy->box);
}

void
delivery_recipient_free(struct recipient *r)
{
	if (r == NULL)
		return;
	assert(r->n_waiting == 0);
	if (r->tx != NULL) {
		r->tx->recipients[r->index] = NULL;
		r->tx->n_recipients--;
		r->tx->n_leaves -= (uint32_t)r->route.n_leaves;
	}
	for (size_t i = 0; r->copies != NULL && i < r->route.n_leaves; i++)
		copy_release(&r->copies[i]);
	free(r->copies);
	route_close(&r->route);
	buf_free(&r->sealed);
	free(r);
}

int
delivery_recipient_error(const struct recipient *r)
{
	for (size_t i = 0; i < r->route.n_leaves; i++)
		if (r->copies[i].error != 0)
			return r->copies[i].error;
	return 0;
}

struct copy *
delivery_next_copy(const struct delivery *tx, const struct copy *after)
{
	struct recipient *r = after ? after->recipient : NULL;
	size_t leaf = r ? (size_t)(after - r->copies) + 1 : 0;
	uint32_t slot = r ? r->index : 0;

	if (r != NULL && leaf < r->route.n_leaves)
		return &r->copies[leaf];
	for (slot += r != NULL; slot < tx->n_slots; slot++) {
		r = tx->recipients[slot];
		if (r != NULL && r->route.n_leaves > 0)
			return r->copies;
	}
	return NULL;
}

/* ---- the end ---- */

static void
delivery_free(struct delivery *tx)
{
	for (uint32_t i = 0; i < tx->n_slots; i++)
		delivery_recipient_free(tx->recipients[i]);
	free(tx->recipients);
	buf_free(&tx->top);
	buf_free(&tx->trace);
	message_close(&tx->message);
	buf_free(&tx->held);
	free(tx);
}

static void
unlink_from(struct delivery **at, const struct delivery *tx)
{
	while (*at != tx)
		at = &(*at)->next;
	*at = tx->next;
}

void
delivery_orphan(struct delivery *tx)
{
	unlink_from(bucket_of(tx->peer, tx->id), tx);
	tx->peer->n_transactions--;
	tx->peer = NULL;
	tx->next = tx->deliver->orphans;
	tx->deliver->orphans = tx;
	delivery_settle(tx);
}

void
delivery_settle(struct delivery *tx)
{
	if (tx->peer != NULL || tx->n_out > 0)
		return;
	unlink_from(&tx->deliver->orphans, tx);
	delivery_free(tx);
}
