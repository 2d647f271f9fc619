/* SPDX-License-Identifier: ISC */
/*
 * ask_setup.c - the supervisor's messages and the verdict; see ask.h.
 */
#include "ask.h"

void
put_verdict(struct ipc_writer *w, const struct verdict *v)
{
	ipc_put_u16(w, v->code);
	ipc_put_u8(w, v->subject);
	ipc_put_u8(w, v->detail);
	ipc_put_string(w, v->text);
}

bool
get_verdict(struct ipc_reader *r, struct verdict *v)
{
	v->code = ipc_get_u16(r);
	v->subject = ipc_get_u8(r);
	v->detail = ipc_get_u8(r);
	ipc_get_string(r, v->text, sizeof v->text);
	/* 0 is "nothing to say"; anything else must be a refusal */
	if (v->code != 0 && (v->code < 400 || v->code > 599))
		r->failed = true;
	return !r->failed;
}

void
put_setup_self(struct ipc_writer *w, const struct setup_self *s)
{
	ipc_put_u16(w, s->role);
	ipc_put_u16(w, s->index);
	ipc_put_u16(w, s->generation);
	ipc_put_u16(w, s->kind);
	ipc_put_u8(w, s->is_privileged);
	ipc_put_u32(w, s->uid);
	ipc_put_u32(w, s->gid);
}

bool
get_setup_self(struct ipc_reader *r, struct setup_self *s)
{
	s->role = ipc_get_u16(r);
	s->index = ipc_get_u16(r);
	s->generation = ipc_get_u16(r);
	s->kind = ipc_get_u16(r);
	s->is_privileged = ipc_get_u8(r) != 0;
	s->uid = ipc_get_u32(r);
	s->gid = ipc_get_u32(r);
	if (s->role >= ROLE_COUNT || s->kind > LISTEN_LOCAL)
		r->failed = true;
	return ipc_reader_is_done(r);
}
