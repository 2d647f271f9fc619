/* SPDX-License-Identifier: ISC */
/*
 * ask_queue.c - questions to queue; see ask_outbound.h and ask_hop.h.
 */
#include "ask.h"
#include "list_route.h"

#define RECIPIENTS_MAX 1000
#define ENVID_MAX 400		/* octets */
#define ORCPT_MAX 1600
#define ARGUMENT_MAX 1000

void
put_queue_recipient(struct ipc_writer *w, const struct queue_recipient *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_u16(w, q->index);
	ipc_put_slice(w, q->address);
	ipc_put_u8(w, (uint8_t)q->notify);
	ipc_put_slice(w, q->orcpt);
	ipc_put_u8(w, q->is_here);
}

/* RFC 3461 4.1: NEVER stands alone. */
static bool
is_notify(unsigned notify)
{
	return (notify & ~(unsigned)NOTIFY_ALL) == 0 &&
	    (!(notify & NOTIFY_NEVER) || notify == NOTIFY_NEVER);
}

bool
get_queue_recipient(struct ipc_reader *r, struct queue_recipient *q)
{
	q->transaction = ipc_get_u64(r);
	q->index = ipc_get_u16(r);
	q->address = ipc_get_slice(r);
	q->notify = ipc_get_u8(r);
	q->orcpt = ipc_get_slice(r);
	q->is_here = ipc_get_bool(r);
	if (q->index >= RECIPIENTS_MAX || q->address.size == 0 ||
	    q->address.size >= ASK_ADDRESS_MAX || !is_notify(q->notify) ||
	    q->orcpt.size > ORCPT_MAX || slice_has_control(q->orcpt) ||
	    slice_has_control(q->address))
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_queue_members(struct ipc_writer *w, const struct queue_members *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_slice(w, q->sealed);
	ipc_put_u32(w, q->sealed_size);
}

bool
get_queue_members(struct ipc_reader *r, struct queue_members *q)
{
	q->transaction = ipc_get_u64(r);
	q->sealed = ipc_get_slice(r);
	q->sealed_size = ipc_get_u32(r);
	if ((q->sealed.size == 0) == (q->sealed_size == 0) ||
	    q->sealed_size > LIST_ROUTE_MAX_BYTES)
		r->failed = true;
	return ipc_reader_is_done(r);
}

enum { IS_8BIT = 1, IS_UTF8 = 2, REQUIRES_TLS = 4, IS_ALONE = 8 };

static void
put_flags(struct ipc_writer *w, const struct queue_prepare *q)
{
	ipc_put_u8(w, (uint8_t)((q->is_8bit ? IS_8BIT : 0) |
	    (q->is_utf8 ? IS_UTF8 : 0) |
	    (q->requires_tls ? REQUIRES_TLS : 0) |
	    (q->is_alone ? IS_ALONE : 0)));
}

static void
get_flags(struct ipc_reader *r, struct queue_prepare *q)
{
	uint8_t flags = ipc_get_u8(r);

	q->is_8bit = flags & IS_8BIT;
	q->is_utf8 = flags & IS_UTF8;
	q->requires_tls = flags & REQUIRES_TLS;
	q->is_alone = flags & IS_ALONE;
	if (flags >= 2 * IS_ALONE)
		r->failed = true;
}

void
put_queue_prepare(struct ipc_writer *w, const struct queue_prepare *q)
{
	ipc_put_u64(w, q->transaction);
	put_voucher(w, &q->voucher);
	ipc_put_slice(w, q->reverse_path);
	ipc_put_u8(w, (uint8_t)q->ret);
	ipc_put_slice(w, q->envid);
	put_flags(w, q);
	ipc_put_u64(w, q->message_size);
	ipc_put_u16(w, q->n_recipients);
	ipc_put_u16(w, q->n_lists);
}

bool
get_queue_prepare(struct ipc_reader *r, struct queue_prepare *q)
{
	uint8_t ret;

	q->transaction = ipc_get_u64(r);
	if (!get_voucher(r, &q->voucher))
		r->failed = true;
	q->reverse_path = ipc_get_slice(r);
	ret = ipc_get_u8(r);
	q->envid = ipc_get_slice(r);
	get_flags(r, q);
	q->message_size = ipc_get_u64(r);
	q->n_recipients = ipc_get_u16(r);
	q->n_lists = ipc_get_u16(r);
	q->ret = (enum dsn_ret)ret;
	if (ret > DSN_RET_HDRS ||
	    q->reverse_path.size >= ASK_ADDRESS_MAX ||
	    slice_has_control(q->reverse_path) ||
	    q->envid.size > ENVID_MAX || slice_has_control(q->envid) ||
	    q->n_recipients + q->n_lists == 0 ||
	    q->n_recipients > RECIPIENTS_MAX || q->n_lists > RECIPIENTS_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_queue_lists(struct ipc_writer *w, const struct queue_prepare *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_slice(w, q->voucher.session);
	put_flags(w, q);
	ipc_put_u64(w, q->message_size);
	ipc_put_u16(w, q->n_lists);
}

bool
get_queue_lists(struct ipc_reader *r, struct queue_prepare *q)
{
	*q = (struct queue_prepare){ .reverse_path = SLICE(""),
		.envid = SLICE("") };
	q->transaction = ipc_get_u64(r);
	q->voucher.session = ipc_get_slice(r);
	get_flags(r, q);
	q->message_size = ipc_get_u64(r);
	q->n_lists = ipc_get_u16(r);
	if (q->voucher.session.size >= ASK_SESSION_MAX || q->n_lists == 0 ||
	    q->n_lists > RECIPIENTS_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_queue_prepared(struct ipc_writer *w, const struct queue_prepared *a)
{
	put_verdict(w, &a->verdict);
	ipc_put_slice(w, a->queue_id);
}

bool
get_queue_prepared(struct ipc_reader *r, struct queue_prepared *a)
{
	get_verdict(r, &a->verdict);
	a->queue_id = ipc_get_slice(r);
	if (a->queue_id.size >= QUEUE_ID_MAX ||
	    (a->verdict.code == 0 && a->queue_id.size == 0) ||
	    slice_has_control(a->queue_id))
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_queue_own(struct ipc_writer *w, const struct queue_own *q)
{
	put_voucher(w, &q->voucher);
	ipc_put_u8(w, q->is_sent);
	ipc_put_slice(w, q->word);
}

bool
get_queue_own(struct ipc_reader *r, struct queue_own *q)
{
	uint8_t is_sent;

	if (!get_voucher(r, &q->voucher))
		return false;
	is_sent = ipc_get_u8(r);
	q->is_sent = is_sent == 1;
	q->word = ipc_get_slice(r);
	if (is_sent > 1 || q->word.size > SENT_WORD_MAX ||
	    slice_has_control(q->word) || (!q->is_sent && q->word.size > 0))
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_queue_command(struct ipc_writer *w, const struct queue_command *q)
{
	ipc_put_u8(w, (uint8_t)q->verb);
	ipc_put_slice(w, q->argument);
	ipc_put_slice(w, q->owner);
}

bool
get_queue_command(struct ipc_reader *r, struct queue_command *q)
{
	uint8_t verb = ipc_get_u8(r);

	q->argument = ipc_get_slice(r);
	q->owner = ipc_get_slice(r);
	q->verb = (enum queue_verb)verb;
	if (verb >= QUEUE_VERB_COUNT || q->argument.size > ARGUMENT_MAX ||
	    q->owner.size == 0 || q->owner.size >= VOUCHER_USER_MAX ||
	    slice_find(q->owner, ' ') < q->owner.size ||
	    slice_has_control(q->argument) || slice_has_control(q->owner))
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_queue_probe(struct ipc_writer *w, const struct queue_probe *q)
{
	put_voucher(w, &q->voucher);
	ipc_put_slice(w, q->reverse_path);
	ipc_put_slice(w, q->address);
	ipc_put_u8(w, q->is_utf8);
	ipc_put_u8(w, q->requires_tls);
}

bool
get_queue_probe(struct ipc_reader *r, struct queue_probe *q)
{
	if (!get_voucher(r, &q->voucher))
		r->failed = true;
	q->reverse_path = ipc_get_slice(r);
	q->address = ipc_get_slice(r);
	q->is_utf8 = ipc_get_bool(r);
	q->requires_tls = ipc_get_bool(r);
	if (q->reverse_path.size >= ASK_ADDRESS_MAX ||
	    q->address.size == 0 || q->address.size >= ASK_ADDRESS_MAX ||
	    slice_has_control(q->reverse_path) ||
	    slice_has_control(q->address))
		r->failed = true;
	return ipc_reader_is_done(r);
}
