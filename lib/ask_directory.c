/* SPDX-License-Identifier: ISC */
/*
 * ask_directory.c - questions to directory; see ask.h.
 */
#include "ask.h"

void
put_route_ask(struct ipc_writer *w, const struct route_ask *q)
{
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->local);
	ipc_put_slice(w, q->domain);
	ipc_put_slice(w, q->recipient);
	ipc_put_u8(w, q->explains);
	ipc_put_u8(w, q->wants_list);
}

bool
get_route_ask(struct ipc_reader *r, struct route_ask *q)
{
	q->session = ipc_get_slice(r);
	q->local = ipc_get_slice(r);
	q->domain = ipc_get_slice(r);
	q->recipient = ipc_get_slice(r);
	q->explains = ipc_get_u8(r) != 0;
	q->wants_list = ipc_get_bool(r);
	if (q->session.size >= ASK_SESSION_MAX ||
	    q->local.size >= ASK_ADDRESS_MAX ||
	    q->domain.size >= ASK_ADDRESS_MAX ||
	    q->recipient.size >= ASK_ADDRESS_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_route_answer(struct ipc_writer *w, const struct route_answer *a)
{
	ipc_put_u8(w, (uint8_t)a->kind);
	put_verdict(w, &a->verdict);
	ipc_put_u8(w, a->is_unknown_user);
	ipc_put_u8(w, a->is_exempt);
	ipc_put_u8(w, a->is_elsewhere);
	ipc_put_slice(w, a->alarm);
	ipc_put_slice(w, a->explanation);
	ipc_put_slice(w, a->sealed);
	ipc_put_u32(w, a->sealed_size);
	ipc_put_slice(w, a->hop);
}

bool
get_route_answer(struct ipc_reader *r, struct route_answer *a)
{
	a->kind = (enum route_kind)ipc_get_u8(r);
	get_verdict(r, &a->verdict);
	a->is_unknown_user = ipc_get_u8(r) != 0;
	a->is_exempt = ipc_get_u8(r) != 0;
	a->is_elsewhere = ipc_get_u8(r) != 0;
	a->alarm = ipc_get_slice(r);
	a->explanation = ipc_get_slice(r);
	a->sealed = ipc_get_slice(r);
	a->sealed_size = ipc_get_u32(r);
	a->hop = ipc_get_slice(r);
	if (a->kind < ROUTE_MAILBOX || a->kind > ROUTE_PROGRAM ||
	    (a->kind != ROUTE_HOP && a->hop.size > 0) ||
	    (a->kind == ROUTE_REFUSE) != (a->verdict.code != 0) ||
	    (a->is_elsewhere && a->kind != ROUTE_REFUSE) ||
	    a->sealed_size > ROUTE_MAX_BYTES)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_mailbox_ask(struct ipc_writer *w, const struct mailbox_ask *q)
{
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->user);
}

bool
get_mailbox_ask(struct ipc_reader *r, struct mailbox_ask *q)
{
	q->session = ipc_get_slice(r);
	q->user = ipc_get_slice(r);
	if (q->session.size >= ASK_SESSION_MAX ||
	    q->user.size >= VOUCHER_USER_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_may_ask(struct ipc_writer *w, const struct may_ask *q)
{
	ipc_put_slice(w, q->user);
	ipc_put_slice(w, q->address);
}

bool
get_may_ask(struct ipc_reader *r, struct may_ask *q)
{
	q->user = ipc_get_slice(r);
	q->address = ipc_get_slice(r);
	if (q->user.size == 0 || q->user.size >= VOUCHER_USER_MAX ||
	    q->address.size == 0 || q->address.size >= ASK_ADDRESS_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_may_answer(struct ipc_writer *w, enum may_answer a)
{
	ipc_put_u8(w, (uint8_t)a);
}

bool
get_may_answer(struct ipc_reader *r, enum may_answer *a)
{
	uint8_t value = ipc_get_u8(r);

	if (value >= MAY_ANSWER_COUNT)
		r->failed = true;
	*a = r->failed ? MAY_UNKNOWN : (enum may_answer)value;
	return ipc_reader_is_done(r);
}
