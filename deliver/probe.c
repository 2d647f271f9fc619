/* SPDX-License-Identifier: ISC */
/*
 * probe.c - RCPT: freeze a route, look at its mailboxes, reserve quota.
 *
 * The route is the only thing that tells deliver where to write, so it is
 * taken only with its seal, for this session, and in time; and even then not
 * into mailboxes of uids that have none.
 */
#include <errno.h>
#include <stdlib.h>
#include "clock.h"
#include "failure.h"
#include "fault.h"
#include "log.h"
#include "phases.h"
#include "sealed.h"

#define ROUTE_EXPIRED (-ETIME)

/* ---- the answer ---- */

static void
answer(struct peer *peer, uint32_t question, const struct probe_answer *a)
{
	struct ipc_writer w;

	ipc_writer_init(&w);
	put_probe_answer(&w, a);
	channel_answer(peer->channel, question, PROBE_ANSWER, &w, -1);
}

static void
answer_error(struct peer *peer, uint32_t question, int error)
{
	struct probe_answer a = { 0 };

	(void)delivery_failure_verdict(&a.verdict, error, true);
	answer(peer, question, &a);
}

/* ---- the route ---- */

/* The sealed form as our own memory; from the message or its descriptor. */
static int
copy_sealed(struct buf *sealed, const struct probe_ask *ask, int fd)
{
	if ((fd >= 0) != (ask->sealed_size > 0))
		return -EBADMSG;
	return fd >= 0 ? sealed_read(sealed, fd, ask->sealed_size) :
	    buf_append_slice(sealed, ask->sealed);
}

bool
deliver_probe_allows(const struct deliver *d, uid_t uid, gid_t gid)
{
	/* (uid_t)-1 means "unchanged" to setresuid */
	if (uid == (uid_t)-1 || gid == (gid_t)-1)
		return false;
	if (!d->c.is_privileged)
		return uid == d->own_uid;
	return uid != 0 && gid != 0 && uid >= d->min_uid;
}

/* 0, a negative errno to answer with, or -EBADMSG: the peer lies. */
static int
open_route(const struct deliver *d, struct recipient *r,
    const struct probe_ask *ask, int fd)
{
	int error = copy_sealed(&r->sealed, ask, fd);

	if (!error)
		error = route_open(&r->route, buf_slice(&r->sealed),
		    d->c.secrets[SECRET_ROUTE]);
	if (error)
		return error;
	if (!slice_equals(r->route.session, ask->session))
		return -EBADMSG;
	if (r->route.expires_s < clock_wall_s())
		return ROUTE_EXPIRED;
	if (r->route.kind == ROUTE_PROGRAM && d->programs == NULL)
		return FAILURE_NO_PROGRAMS;
	for (size_t i = 0; i < r->route.n_leaves; i++)
		if (!deliver_probe_allows(d, r->route.leaves[i].uid,
		    r->route.leaves[i].gid)) {
			log_warning("uid_without_mailbox",
			    LOG_SL("session", ask->session),
			    LOG_SL("user", r->route.leaves[i].user),
			    LOG_U("uid", r->route.leaves[i].uid), LOG_END);
			return -EACCES;
		}
	return 0;
}

static int
make_copies(struct deliver *d, struct recipient *r)
{
	size_t n = r->route.n_leaves;

	if (n == 0)
		return 0;
	r->copies = calloc(n, sizeof *r->copies);
	if (r->copies == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct copy *copy = &r->copies[i];

		copy->recipient = r;
		copy->leaf = &r->route.leaves[i];
		copy->box = box_get(d->boxes, copy->leaf);
		if (copy->box == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* ---- its mailboxes ---- */

static void
answer_found(struct peer *peer, const struct recipient *r)
{
	struct probe_answer a = { .believed_ms = PROBE_BELIEVED_MS };
	uint32_t ms;

	for (size_t i = 0; i < r->route.n_leaves; i++) {
		ms = box_believed_ms(r->copies[i].box);
		if (ms < a.believed_ms)
			a.believed_ms = ms;
	}
	answer(peer, r->question, &a);
}

/* All that was asked about this recipient is known. */
static void
finish(struct recipient *r)
{
	struct delivery *tx = r->tx;
	struct peer *peer = tx->peer;
	int error = delivery_recipient_error(r);

	FAULT_STEP("deliver.after-probe");
	if (peer != NULL && error)
		answer_error(peer, r->question, error);
	else if (peer != NULL)
		answer_found(peer, r);
	if (error || r->is_dropped)
		delivery_recipient_free(r);
	if (tx->n_out > 0)
		return;
	if (peer == NULL)
		delivery_settle(tx);
	else if (tx->state != DELIVERY_OPEN || tx->is_release_wanted)
		phase_next(tx);
	else if (tx->n_recipients == 0)
		delivery_orphan(tx);
}

static void
waited_for(struct recipient *r)
{
	r->tx->n_out--;
	if (--r->n_waiting == 0)
		finish(r);
}

static void
on_known(struct box_waiter *waiter, int error)
{
	struct copy *copy = (struct copy *)(void *)((char *)waiter -
	    offsetof(struct copy, waiter));

	if (!error)
		error = box_reserve(copy->box, copy->recipient->size_bytes,
		    &copy->held);
	copy->error = error;
	waited_for(copy->recipient);
}

static void
probe_copies(struct recipient *r)
{
	struct delivery *tx = r->tx;

	r->n_waiting = r->route.n_leaves + 1;
	tx->n_out += (uint32_t)r->n_waiting;
	for (size_t i = 0; i < r->route.n_leaves; i++) {
		r->copies[i].waiter.fn = on_known;
		box_probe(r->copies[i].box, r->size_bytes,
		    &r->copies[i].waiter);
	}
	waited_for(r);
}

/* ---- begin ---- */

static struct delivery *
find_or_new(struct peer *peer, const struct probe_ask *ask, bool *is_bad)
{
	struct delivery *tx = delivery_find(peer, ask->transaction);

	*is_bad = tx != NULL && (tx->state != DELIVERY_OPEN ||
	    tx->is_release_wanted ||
	    !slice_equals(slice_of(tx->session), ask->session) ||
	    delivery_recipient(tx, ask->recipient) != NULL);
	return tx != NULL || *is_bad ? tx :
	    delivery_new(peer, ask->transaction, ask->session);
}

static int
recipient_new(struct recipient **rp, struct delivery *tx,
    const struct probe_ask *ask, int fd)
{
	struct recipient *r = calloc(1, sizeof *r);
	int error;

	*rp = r;
	if (r == NULL)
		return -ENOMEM;
	r->index = ask->recipient;
	r->size_bytes = ask->size_bytes;
	r->sealed.maximum = ROUTE_MAX_BYTES;
	error = open_route(tx->deliver, r, ask, fd);
	if (!error)
		error = make_copies(tx->deliver, r);
	return error ? error : delivery_add(tx, r);
}

bool
deliver_probe_begin(struct peer *peer, const struct probe_ask *ask,
    int fd, uint32_t question)
{
	struct recipient *r;
	struct delivery *tx;
	bool is_bad;
	int error;

	FAULT_STEP("deliver.before-probe");
	tx = find_or_new(peer, ask, &is_bad);
	if (is_bad)
		return false;
	if (tx == NULL) {
		answer_error(peer, question, -ENOMEM);
		return true;
	}
	error = recipient_new(&r, tx, ask, fd);
	if (error) {
		delivery_recipient_free(r);
		if (tx->n_recipients == 0 && tx->n_out == 0)
			delivery_orphan(tx);
		if (error != -EBADMSG)
			answer_error(peer, question, error);
		return error != -EBADMSG;
	}
	r->question = question;
	probe_copies(r);
	return true;
}

/* ---- told ---- */

static bool
has_quota(const struct recipient *r)
{
	for (size_t i = 0; i < r->route.n_leaves; i++)
		if (r->route.leaves[i].quota_bytes > 0)
			return true;
	return false;
}

/* Nobody waits for an answer: what is wrong is told by PREPARE's. */
bool
deliver_freeze(struct peer *peer, const struct probe_ask *ask)
{
	struct recipient *r;
	struct delivery *tx;
	bool is_bad;
	int error;

	tx = find_or_new(peer, ask, &is_bad);
	if (tx == NULL || is_bad)
		return !is_bad;		/* PREPARE finds none: phases.c */
	error = recipient_new(&r, tx, ask, -1);
	if (!error && has_quota(r))
		return false;
	if (!error)
		return true;
	delivery_recipient_free(r);
	tx->error = error;
	return error != -EBADMSG;
}
