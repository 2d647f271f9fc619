/* SPDX-License-Identifier: ISC */
/*
 * intake_told.c - whom a transaction is for, before its PREPARE.
 *
 * A recipient is whoever the submitter named; that he may do so is said by
 * the voucher of PREPARE. The members of a list are whom directory has sealed
 * for this session: nobody else can write the seal, so nobody else can have
 * mail sent in the name of an owner.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "address.h"
#include "clock.h"
#include "intake.h"
#include "list_route.h"
#include "log.h"
#include "sealed.h"
#include "sending.h"

static bool
room_for_one(struct intake_message *m)
{
	struct envelope_recipient *grown;
	size_t room = m->room * 2;

	if (m->e->n_recipients < m->room)
		return true;
	grown = reallocarray(m->e->recipients, room, sizeof *grown);
	if (grown == NULL)
		return false;
	memset(grown + m->room, 0, m->room * sizeof *grown);
	m->e->recipients = grown;
	m->room = room;
	return true;
}

bool
intake_is_address(struct slice text)
{
	static struct address a;

	return address_parse(&a, text, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK;
}

bool
intake_on_recipient(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct queue_recipient told;
	struct envelope_recipient *r;
	struct envelope *e;
	struct intake *in;
	bool failed = false;

	(void)ch;
	if (!get_queue_recipient(&m->body, &told) ||
	    !intake_is_address(told.address))
		return false;
	in = intake_open(arg, told.transaction);
	if (in == NULL)
		return true;	/* PREPARE finds that it is not there */
	e = in->first.e;
	if (in->state != INTAKE_OPEN || told.index != e->n_recipients)
		return false;
	if (!room_for_one(&in->first))
		return true;	/* PREPARE counts them */
	r = &e->recipients[e->n_recipients++];
	*r = (struct envelope_recipient){ .notify = told.notify,
		.state = told.is_here ? RECIPIENT_DELIVERED :
		RECIPIENT_WAITING,
		.address = envelope_keep(e, told.address, told.address.size,
		&failed),
		.orcpt = envelope_keep(e, told.orcpt, told.orcpt.size,
		&failed) };
	if (failed)
		e->n_recipients--;
	return true;
}

/* ---- a list ---- */

/* The copies' sender is the owner; what he hears is what DSN's defaults are
 * (RFC 3461 5.2.7: nothing of the submitter's wishes goes along). */
static struct envelope *
make_envelope(const struct list_route *route)
{
	struct envelope *e = envelope_new(route->n_members);
	bool failed = false;

	if (e == NULL)
		return NULL;
	e->user = envelope_keep(e, route->account, VOUCHER_USER_MAX, &failed);
	e->from = envelope_keep(e, route->owner, ASK_ADDRESS_MAX, &failed);
	e->home = e->from;
	e->session = envelope_keep(e, route->session, ASK_SESSION_MAX,
	    &failed);
	for (size_t i = 0; i < route->n_members; i++)
		e->recipients[i].address = envelope_keep(e, route->members[i],
		    ASK_ADDRESS_MAX, &failed);
	e->n_recipients = route->n_members;
	if (failed)
		envelope_free(&e);
	return e;
}

static bool
are_addresses(const struct list_route *route)
{
	for (size_t i = 0; i < route->n_members; i++)
		if (!intake_is_address(route->members[i]))
			return false;
	return intake_is_address(route->owner);
}

/* Without memory it is left out, and PREPARE counts them. */
static void
add_list(struct intake *in, const struct list_route *route)
{
	struct intake_message *m = calloc(1, sizeof *m), *last = &in->first;

	if (m == NULL)
		return;
	m->e = make_envelope(route);
	if (m->e == NULL) {
		free(m);
		return;
	}
	m->in = in;
	while (last->next != NULL)
		last = last->next;
	last->next = m;
	in->n_lists++;
}

/* 0; -EBADMSG: the sender lies. */
static int
take_list(struct intake *in, struct slice sealed)
{
	struct list_route route;
	int error = list_route_open(&route, sealed,
	    in->queue->c.secrets[SECRET_LIST]);

	if (error)
		return error;
	if (!are_addresses(&route))
		error = -EBADMSG;
	else if (route.expires_s >= clock_wall_s())
		add_list(in, &route);
	list_route_close(&route);
	return error;
}

static int
take_descriptor(struct intake *in, const struct queue_members *told, int fd)
{
	struct buf sealed = { 0 };
	int error = sealed_read(&sealed, fd, told->sealed_size);

	if (!error)
		error = take_list(in, buf_slice(&sealed));
	buf_free(&sealed);
	return error;
}

bool
intake_on_list(struct channel *ch, struct ipc_message *m, void *arg)
{
	struct queue_members told;
	struct intake *in;
	int error;

	(void)ch;
	if (!get_queue_members(&m->body, &told) ||
	    (m->fd >= 0) != (told.sealed_size > 0))
		return false;
	in = intake_open(arg, told.transaction);
	if (in == NULL)
		return true;
	if (in->state != INTAKE_OPEN || in->n_lists == UINT16_MAX)
		return false;
	error = m->fd >= 0 ? take_descriptor(in, &told, m->fd) :
	    take_list(in, told.sealed);
	return error != -EBADMSG;
}
