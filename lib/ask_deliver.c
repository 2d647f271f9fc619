/* SPDX-License-Identifier: ISC */
/*
 * ask_deliver.c - questions to deliver; see ask.h.
 */
#include "ask.h"

#define LIST_MAX 1000	/* of recipients and skipped in prepare_ask */

void
put_probe_ask(struct ipc_writer *w, const struct probe_ask *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_u16(w, q->recipient);
	ipc_put_u64(w, q->size_bytes);
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->sealed);
	ipc_put_u32(w, q->sealed_size);
}

bool
get_probe_ask(struct ipc_reader *r, struct probe_ask *q)
{
	q->transaction = ipc_get_u64(r);
	q->recipient = ipc_get_u16(r);
	q->size_bytes = ipc_get_u64(r);
	q->session = ipc_get_slice(r);
	q->sealed = ipc_get_slice(r);
	q->sealed_size = ipc_get_u32(r);
	/* in the message or in a descriptor, never both, never neither */
	if (q->session.size >= ASK_SESSION_MAX ||
	    (q->sealed.size > 0) == (q->sealed_size > 0) ||
	    q->sealed_size > ROUTE_MAX_BYTES)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_probe_answer(struct ipc_writer *w, const struct probe_answer *a)
{
	put_verdict(w, &a->verdict);
	ipc_put_u32(w, a->believed_ms);
}

bool
get_probe_answer(struct ipc_reader *r, struct probe_answer *a)
{
	if (!get_verdict(r, &a->verdict))
		return false;
	a->believed_ms = ipc_get_u32(r);
	if (a->believed_ms > (a->verdict.code == 0 ? PROBE_BELIEVED_MS : 0))
		r->failed = true;
	return ipc_reader_is_done(r);
}

size_t
deliver_leaf_size(const struct route_leaf *leaf)
{
	/* its file name, length fields and numbers, and the words of the
	 * Delivered-To line */
	return leaf->maildir.size + leaf->home.size +
	    leaf->delivered_to.size + 256 + 64;
}

void
put_prepare_ask(struct ipc_writer *w, const struct prepare_ask *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_u64(w, q->message_size);
	ipc_put_slice(w, q->message);
	ipc_put_u8(w, q->is_each);
	ipc_put_u8(w, q->is_junk);
	ipc_put_u64(w, q->clearance);
	ipc_put_slice(w, q->name);
	ipc_put_slice(w, q->host);
	ipc_put_slice(w, q->return_path);
	ipc_put_slice(w, q->trace);
	ipc_put_u16(w, q->n_recipients);
	for (size_t i = 0; i < q->n_recipients; i++)
		ipc_put_u16(w, q->recipients[i]);
	ipc_put_u16(w, q->n_skipped);
	for (size_t i = 0; i < q->n_skipped; i++) {
		ipc_put_u16(w, q->skipped[i].recipient);
		ipc_put_u16(w, q->skipped[i].leaf);
	}
}

bool
get_prepare_ask(struct ipc_reader *r, struct prepare_ask *q)
{
	q->transaction = ipc_get_u64(r);
	q->message_size = ipc_get_u64(r);
	q->message = ipc_get_slice(r);
	if (q->message.size > 0 && q->message.size != q->message_size)
		r->failed = true;
	q->is_each = ipc_get_u8(r) != 0;
	q->is_junk = ipc_get_u8(r) != 0;
	q->clearance = ipc_get_u64(r);
	q->name = ipc_get_slice(r);
	q->host = ipc_get_slice(r);
	q->return_path = ipc_get_slice(r);
	q->trace = ipc_get_slice(r);
	q->n_recipients = ipc_get_u16(r);
	if (q->n_recipients > LIST_MAX)
		r->failed = true;
	for (size_t i = 0; !r->failed && i < q->n_recipients; i++)
		q->recipients[i] = ipc_get_u16(r);
	q->n_skipped = ipc_get_u16(r);
	if (q->n_skipped > LIST_MAX)
		r->failed = true;
	for (size_t i = 0; !r->failed && i < q->n_skipped; i++) {
		q->skipped[i].recipient = ipc_get_u16(r);
		q->skipped[i].leaf = ipc_get_u16(r);
	}
	return ipc_reader_is_done(r);
}

void
put_outcome(struct ipc_writer *w, const struct outcome *o)
{
	ipc_put_u16(w, o->n_failures);
	ipc_put_u16(w, o->n_left_behind);
	ipc_put_u8(w, o->is_prepared);
	for (size_t i = 0; i < o->n_failures; i++) {
		ipc_put_u16(w, o->failures[i].recipient);
		ipc_put_u8(w, o->failures[i].is_own);
		ipc_put_u8(w, o->failures[i].is_of_message);
		put_verdict(w, &o->failures[i].verdict);
	}
}

bool
get_outcome(struct ipc_reader *r, struct outcome *o)
{
	o->n_failures = ipc_get_u16(r);
	o->n_left_behind = ipc_get_u16(r);
	o->is_prepared = ipc_get_u8(r) != 0;
	if (o->n_failures > OUTCOME_MAX_FAILURES)
		r->failed = true;
	for (size_t i = 0; !r->failed && i < o->n_failures; i++) {
		o->failures[i].recipient = ipc_get_u16(r);
		o->failures[i].is_own = ipc_get_u8(r) != 0;
		o->failures[i].is_of_message = ipc_get_u8(r) != 0;
		get_verdict(r, &o->failures[i].verdict);
		if (o->failures[i].verdict.code == 0)
			r->failed = true;
	}
	return ipc_reader_is_done(r);
}

void
put_program_ask(struct ipc_writer *w, const struct program_ask *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_u16(w, q->recipient);
	ipc_put_u64(w, q->message_size);
	ipc_put_slice(w, q->return_path);
	ipc_put_slice(w, q->trace);
}

bool
get_program_ask(struct ipc_reader *r, struct program_ask *q)
{
	q->transaction = ipc_get_u64(r);
	q->recipient = ipc_get_u16(r);
	q->message_size = ipc_get_u64(r);
	q->return_path = ipc_get_slice(r);
	q->trace = ipc_get_slice(r);
	return ipc_reader_is_done(r);
}

void
put_program_answer(struct ipc_writer *w, const struct program_answer *a)
{
	put_verdict(w, &a->verdict);
	ipc_put_slice(w, a->told);
}

bool
get_program_answer(struct ipc_reader *r, struct program_answer *a)
{
	get_verdict(r, &a->verdict);
	a->told = ipc_get_slice(r);
	return ipc_reader_is_done(r);
}

void
put_release_ask(struct ipc_writer *w, const struct release_ask *q)
{
	ipc_put_u64(w, q->transaction);
	ipc_put_u8(w, (uint8_t)q->how);
	ipc_put_u16(w, q->recipient);
}

bool
get_release_ask(struct ipc_reader *r, struct release_ask *q)
{
	q->transaction = ipc_get_u64(r);
	q->how = (enum release_how)ipc_get_u8(r);
	q->recipient = ipc_get_u16(r);
	if (q->how > RELEASE_KEEP_FILES)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_resolve_ask(struct ipc_writer *w, const struct resolve_ask *q)
{
	ipc_put_u32(w, q->uid);
	ipc_put_u32(w, q->gid);
	ipc_put_slice(w, q->maildir);
	ipc_put_slice(w, q->file);
}

bool
get_resolve_ask(struct ipc_reader *r, struct resolve_ask *q)
{
	q->uid = ipc_get_u32(r);
	q->gid = ipc_get_u32(r);
	q->maildir = ipc_get_slice(r);
	q->file = ipc_get_slice(r);
	return ipc_reader_is_done(r);
}
