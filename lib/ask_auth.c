/* SPDX-License-Identifier: ISC */
/*
 * ask_auth.c - what is asked of auth; see ask_outbound.h.
 */
#include "ask.h"

void
put_auth_step(struct ipc_writer *w, const struct auth_step *q)
{
	ipc_put_u32(w, q->exchange);
	ipc_put_u8(w, (uint8_t)q->mechanism);
	ipc_put_u8(w, q->is_first);
	ipc_put_u8(w, q->has_response);
	ipc_put_slice(w, q->response);
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->network);
}

/* What auth puts into logs and vouchers. */
static struct slice
get_word(struct ipc_reader *r, size_t room, bool may_be_empty)
{
	struct slice word = ipc_get_slice(r);

	if (slice_has_control(word) || word.size >= room ||
	    (word.size == 0 && !may_be_empty))
		r->failed = true;
	return word;
}

bool
get_auth_step(struct ipc_reader *r, struct auth_step *q)
{
	q->exchange = ipc_get_u32(r);
	q->mechanism = (enum auth_mechanism)ipc_get_u8(r);
	q->is_first = ipc_get_bool(r);
	q->has_response = ipc_get_bool(r);
	q->response = ipc_get_slice(r);
	q->session = get_word(r, ASK_SESSION_MAX, false);
	q->network = get_word(r, AUTH_NETWORK_MAX, false);
	return ipc_reader_is_done(r) && q->mechanism < AUTH_MECHANISM_COUNT &&
	    q->response.size <= AUTH_RESPONSE_MAX &&
	    (q->has_response || (q->is_first && q->response.size == 0));
}

void
put_auth_peer(struct ipc_writer *w, const struct auth_peer *q)
{
	ipc_put_u32(w, q->exchange);
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->network);
}

bool
get_auth_peer(struct ipc_reader *r, struct auth_peer *q)
{
	q->exchange = ipc_get_u32(r);
	q->session = get_word(r, ASK_SESSION_MAX, false);
	q->network = get_word(r, AUTH_NETWORK_MAX, true);
	return ipc_reader_is_done(r);
}

/* Of OK alone; a challenge also of CONTINUE. */
void
put_auth_answer(struct ipc_writer *w, const struct auth_answer *a)
{
	ipc_put_u8(w, (uint8_t)a->result);
	ipc_put_slice(w, a->challenge);
	if (a->result == AUTH_OK)
		put_voucher(w, &a->voucher);
}

bool
get_auth_answer(struct ipc_reader *r, struct auth_answer *a)
{
	a->result = (enum auth_result)ipc_get_u8(r);
	a->challenge = ipc_get_slice(r);
	if (a->result >= AUTH_RESULT_COUNT ||
	    a->challenge.size > AUTH_RESPONSE_MAX ||
	    (a->challenge.size > 0 && a->result > AUTH_OK))
		r->failed = true;
	if (a->result == AUTH_OK && !get_voucher(r, &a->voucher))
		return false;
	return ipc_reader_is_done(r);
}

void
put_auth_offers(struct ipc_writer *w, unsigned mechanisms)
{
	ipc_put_u8(w, (uint8_t)mechanisms);
}

bool
get_auth_offers(struct ipc_reader *r, unsigned *mechanisms)
{
	*mechanisms = ipc_get_u8(r);
	return ipc_reader_is_done(r) &&
	    *mechanisms < 1u << AUTH_MECHANISM_COUNT;
}
