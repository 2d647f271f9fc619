/* SPDX-License-Identifier: ISC */
/*
 * ask_relay.c - what is asked of relay; see ask_outbound.h and ask_hop.h.
 */
#include "ask.h"

#define DOMAIN_MAX HOP_DESTINATION_MAX		/* "smtp:[host]:port" */
#define ENVID_MAX 400		/* RFC 3461 5.4: 100 octets, as xtext */
#define ORCPT_MAX 1600		/* an address, as xtext */

/* What goes into a command: it must not end it, nor begin another. */
static bool
is_argument(struct slice s, size_t most)
{
	return s.size <= most && !slice_has_control(s);
}

static bool
is_word(struct slice s, size_t most)
{
	return is_argument(s, most) && slice_find(s, ' ') == s.size;
}

void
put_relay_recipient(struct ipc_writer *w, const struct relay_recipient *q)
{
	ipc_put_u32(w, q->job);
	ipc_put_u16(w, q->index);
	ipc_put_slice(w, q->address);
	ipc_put_u8(w, (uint8_t)q->notify);
	ipc_put_slice(w, q->orcpt);
}

bool
get_relay_recipient(struct ipc_reader *r, struct relay_recipient *q)
{
	q->job = ipc_get_u32(r);
	q->index = ipc_get_u16(r);
	q->address = ipc_get_slice(r);
	q->notify = ipc_get_u8(r);
	q->orcpt = ipc_get_slice(r);
	if (q->address.size == 0 ||
	    !is_argument(q->address, ASK_ADDRESS_MAX - 1) ||
	    !is_word(q->orcpt, ORCPT_MAX) || q->notify > NOTIFY_ALL)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_relay_home(struct ipc_writer *w, const struct relay_home *q)
{
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->sealed);
	ipc_put_u64(w, q->message_size);
	ipc_put_u8(w, q->is_8bit);
	ipc_put_u8(w, q->is_utf8);
}

bool
get_relay_home(struct ipc_reader *r, struct relay_home *q)
{
	q->session = ipc_get_slice(r);
	q->sealed = ipc_get_slice(r);
	q->message_size = ipc_get_u64(r);
	q->is_8bit = ipc_get_bool(r);
	q->is_utf8 = ipc_get_bool(r);
	if (q->session.size == 0 || q->session.size >= ASK_SESSION_MAX ||
	    q->sealed.size == 0 || q->message_size > INT64_MAX / 2)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_relay_send(struct ipc_writer *w, const struct relay_send *q)
{
	ipc_put_u32(w, q->job);
	ipc_put_slice(w, q->domain);
	ipc_put_u8(w, q->is_smart_host);
	ipc_put_slice(w, q->reverse_path);
	ipc_put_u8(w, (uint8_t)q->ret);
	ipc_put_slice(w, q->envid);
	ipc_put_u8(w, q->is_8bit);
	ipc_put_u8(w, q->is_utf8);
	ipc_put_u8(w, q->requires_tls);
	ipc_put_u64(w, q->message_offset);
	ipc_put_u64(w, q->message_size);
	ipc_put_u16(w, q->n_recipients);
	ipc_put_u8(w, q->is_asked_for);
}

bool
get_relay_send(struct ipc_reader *r, struct relay_send *q)
{
	uint8_t ret;

	q->job = ipc_get_u32(r);
	q->domain = ipc_get_slice(r);
	q->is_smart_host = ipc_get_bool(r);
	q->reverse_path = ipc_get_slice(r);
	ret = ipc_get_u8(r);
	q->ret = (enum dsn_ret)ret;
	q->envid = ipc_get_slice(r);
	q->is_8bit = ipc_get_bool(r);
	q->is_utf8 = ipc_get_bool(r);
	q->requires_tls = ipc_get_bool(r);
	q->message_offset = ipc_get_u64(r);
	q->message_size = ipc_get_u64(r);
	q->n_recipients = ipc_get_u16(r);
	q->is_asked_for = ipc_get_bool(r);
	if (q->domain.size == 0 || !is_word(q->domain, DOMAIN_MAX) ||
	    !is_argument(q->reverse_path, ASK_ADDRESS_MAX - 1) ||
	    !is_word(q->envid, ENVID_MAX) || ret > DSN_RET_HDRS ||
	    q->n_recipients == 0 ||
	    q->n_recipients > RELAY_JOB_RECIPIENTS ||
	    q->message_offset > INT64_MAX / 2 ||
	    q->message_size > INT64_MAX / 2)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_relay_result(struct ipc_writer *w, const struct relay_result *a)
{
	ipc_put_u32(w, a->job);
	ipc_put_u16(w, a->index);
	ipc_put_u8(w, (uint8_t)a->stage);
	put_verdict(w, &a->verdict);
	ipc_put_slice(w, a->remote_host);
	ipc_put_u8(w, a->passes_dsn);
}

bool
get_relay_result(struct ipc_reader *r, struct relay_result *a)
{
	uint8_t stage;

	a->job = ipc_get_u32(r);
	a->index = ipc_get_u16(r);
	stage = ipc_get_u8(r);
	a->stage = (enum relay_stage)stage;
	get_hop_words(r, &a->verdict);
	a->remote_host = ipc_get_slice(r);
	a->passes_dsn = ipc_get_bool(r);
	if (stage >= RELAY_STAGE_COUNT || !is_argument(a->remote_host,
	    ASK_ADDRESS_MAX))
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_relay_results(struct ipc_writer *w, const struct relay_results *a)
{
	ipc_put_u32(w, a->job);
	ipc_put_u8(w, a->is_host_bad);
	ipc_put_slice(w, a->tls);
	ipc_put_u32(w, a->delay_s);
}

bool
get_relay_results(struct ipc_reader *r, struct relay_results *a)
{
	a->job = ipc_get_u32(r);
	a->is_host_bad = ipc_get_bool(r);
	a->tls = ipc_get_slice(r);
	a->delay_s = ipc_get_u32(r);
	if (!is_argument(a->tls, 256))
		r->failed = true;
	return ipc_reader_is_done(r);
}
