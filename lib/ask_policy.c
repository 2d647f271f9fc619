/* SPDX-License-Identifier: ISC */
/*
 * ask_policy.c - questions to policy; see ask.h.
 */
#include "ask.h"

void
put_judge_more(struct ipc_writer *w, const struct judge_more *q)
{
	ipc_put_u32(w, q->set);
	ipc_put_slice(w, q->facts);
}

bool
get_judge_more(struct ipc_reader *r, struct judge_more *q)
{
	q->set = ipc_get_u32(r);
	q->facts = ipc_get_slice(r);
	if (q->set == 0)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_judge_ask(struct ipc_writer *w, const struct judge_ask *q)
{
	ipc_put_u8(w, (uint8_t)q->stage);
	ipc_put_u32(w, q->set);
	ipc_put_u64(w, q->message_bytes);
	ipc_put_slice(w, q->facts);
}

bool
get_judge_ask(struct ipc_reader *r, struct judge_ask *q)
{
	q->stage = ipc_get_u8(r);
	q->set = ipc_get_u32(r);
	q->message_bytes = ipc_get_u64(r);
	q->facts = ipc_get_slice(r);
	if (q->stage >= JUDGE_STAGES ||
	    (q->stage != JUDGE_DATA && q->message_bytes != 0))
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_judge_answer(struct ipc_writer *w, const struct judge_answer *a)
{
	ipc_put_u32(w, a->sealed_size);
	ipc_put_slice(w, a->judgement);
}

bool
get_judge_answer(struct ipc_reader *r, struct judge_answer *a)
{
	a->sealed_size = ipc_get_u32(r);
	a->judgement = ipc_get_slice(r);
	if (a->sealed_size > JUDGEMENT_BYTES_MAX ||
	    (a->sealed_size > 0 && a->judgement.size > 0))
		r->failed = true;
	return ipc_reader_is_done(r);
}
