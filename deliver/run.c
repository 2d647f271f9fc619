/* SPDX-License-Identifier: ISC */
/*
 * run.c - encoders and decoders of run.h.
 */
#include "run.h"

static void
put_texts(struct ipc_writer *w, const struct run *run)
{
	ipc_put_slice(w, run->command);
	ipc_put_slice(w, run->sender);
	ipc_put_slice(w, run->recipient);
	ipc_put_slice(w, run->local);
	ipc_put_slice(w, run->domain);
	ipc_put_slice(w, run->extension);
}

/* What ends in an argument or the environment of a program. */
static struct slice
get_text(struct ipc_reader *r, size_t max)
{
	struct slice s = ipc_get_slice(r);

	if (!r->failed && (s.size > max || slice_has_control(s)))
		r->failed = true;
	return s;
}

void
put_run(struct ipc_writer *w, const struct run *run)
{
	put_texts(w, run);
	ipc_put_slice(w, run->top);
	ipc_put_u64(w, run->message_size);
}

bool
get_run(struct ipc_reader *r, struct run *run)
{
	run->command = get_text(r, RUN_COMMAND_MAX);
	run->sender = get_text(r, RUN_ADDRESS_MAX);
	run->recipient = get_text(r, RUN_ADDRESS_MAX);
	run->local = get_text(r, RUN_ADDRESS_MAX);
	run->domain = get_text(r, RUN_ADDRESS_MAX);
	run->extension = get_text(r, RUN_ADDRESS_MAX);
	run->top = ipc_get_slice(r);
	run->message_size = ipc_get_u64(r);
	if (run->command.size == 0 || run->top.size > RUN_TOP_MAX ||
	    run->message_size > INT64_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_run_answer(struct ipc_writer *w, const struct run_answer *a)
{
	ipc_put_u8(w, (uint8_t)a->end);
	ipc_put_u32(w, a->status);
	ipc_put_u8(w, a->has_left);
	ipc_put_slice(w, a->output);
}

bool
get_run_answer(struct ipc_reader *r, struct run_answer *a)
{
	a->end = (enum run_end)ipc_get_u8(r);
	a->status = ipc_get_u32(r);
	a->has_left = ipc_get_bool(r);
	a->output = ipc_get_slice(r);
	if (a->end < RUN_EXITED || a->end > RUN_NOT_STARTED ||
	    a->status > 4095 || a->output.size > RUN_OUTPUT_MAX ||
	    (a->end == RUN_EXITED && a->status > 255))
		r->failed = true;
	return ipc_reader_is_done(r);
}
