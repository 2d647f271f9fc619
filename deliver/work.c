/* SPDX-License-Identifier: ISC */
/*
 * work.c - encoders and decoders of work.h.
 */
#include <limits.h>
#include "maildir.h"
#include "work.h"

static void
put_leaf(struct ipc_writer *w, const struct work_leaf *leaf)
{
	ipc_put_slice(w, leaf->maildir);
	ipc_put_slice(w, leaf->home);
	ipc_put_slice(w, leaf->file);
	ipc_put_slice(w, leaf->delivered_to);
	ipc_put_u64(w, leaf->quota_bytes);
	ipc_put_u64(w, leaf->size_bytes);
}

static bool
is_path(struct slice s)
{
	return s.size < PATH_MAX && s.data[0] == '/' &&
	    slice_find(s, '\0') == s.size;
}

static bool
get_leaf(struct ipc_reader *r, struct work_leaf *leaf, enum work_kind kind)
{
	leaf->maildir = ipc_get_slice(r);
	leaf->home = ipc_get_slice(r);
	leaf->file = ipc_get_slice(r);
	leaf->delivered_to = ipc_get_slice(r);
	leaf->quota_bytes = ipc_get_u64(r);
	leaf->size_bytes = ipc_get_u64(r);
	if (r->failed || leaf->maildir.size == 0 || !is_path(leaf->maildir) ||
	    (leaf->home.size > 0 && !is_path(leaf->home)))
		return false;
	return kind == WORK_PROBE || kind == WORK_SWEEP ||
	    maildir_is_name(leaf->file);
}

void
put_work(struct ipc_writer *w, const struct work *work)
{
	ipc_put_u8(w, (uint8_t)work->kind);
	ipc_put_u8(w, work->is_junk);
	ipc_put_u64(w, work->message_size);
	ipc_put_slice(w, work->message);
	ipc_put_slice(w, work->return_path);
	ipc_put_slice(w, work->trace);
	ipc_put_u64(w, work->clearance);
	ipc_put_u16(w, work->n_leaves);
	for (size_t i = 0; i < work->n_leaves; i++)
		put_leaf(w, &work->leaves[i]);
}

static bool
has_valid_message(const struct work *work)
{
	return work->message.size == 0 || (work->kind == WORK_DELIVER &&
	    work->message.size == work->message_size);
}

bool
get_work(struct ipc_reader *r, struct work *work)
{
	uint8_t is_junk;

	work->kind = (enum work_kind)ipc_get_u8(r);
	is_junk = ipc_get_u8(r);
	work->is_junk = is_junk == 1;
	work->message_size = ipc_get_u64(r);
	work->message = ipc_get_slice(r);
	work->return_path = ipc_get_slice(r);
	work->trace = ipc_get_slice(r);
	work->clearance = ipc_get_u64(r);
	work->n_leaves = ipc_get_u16(r);
	if (r->failed || is_junk > 1 || work->kind < WORK_PROBE ||
	    work->kind > WORK_SWEEP || !has_valid_message(work) ||
	    work->n_leaves == 0 || work->n_leaves > WORK_MAX_LEAVES)
		return false;
	for (size_t i = 0; i < work->n_leaves; i++)
		if (!get_leaf(r, &work->leaves[i], work->kind))
			return false;
	return ipc_reader_is_done(r);
}

void
put_work_answer(struct ipc_writer *w, const struct work_answer *a)
{
	ipc_put_u16(w, a->n_leaves);
	for (size_t i = 0; i < a->n_leaves; i++) {
		ipc_put_u32(w, (uint32_t)-a->leaves[i].error);
		ipc_put_u64(w, a->leaves[i].value);
	}
}

bool
get_work_answer(struct ipc_reader *r, struct work_answer *a)
{
	a->n_leaves = ipc_get_u16(r);
	if (r->failed || a->n_leaves > WORK_MAX_LEAVES)
		return false;
	for (size_t i = 0; i < a->n_leaves; i++) {
		uint32_t error = ipc_get_u32(r);

		if (error > 4095)	/* the kernel's own limit for errno */
			return false;
		a->leaves[i].error = -(int32_t)error;
		a->leaves[i].value = ipc_get_u64(r);
	}
	return ipc_reader_is_done(r);
}
