/* SPDX-License-Identifier: ISC */
/*
 * ask_srs.c - see ask_srs.h.
 */
#include "ask.h"

static bool
is_word(struct slice s, size_t room)
{
	return s.size > 0 && s.size < room && !slice_has_control(s);
}

void
put_vault_srs(struct ipc_writer *w, const struct vault_srs *q)
{
	ipc_put_slice(w, q->reverse_path);
	ipc_put_slice(w, q->domain);
	ipc_put_u8(w, q->is_authenticated);
}

bool
get_vault_srs(struct ipc_reader *r, struct vault_srs *q)
{
	q->reverse_path = ipc_get_slice(r);
	q->domain = ipc_get_slice(r);
	q->is_authenticated = ipc_get_bool(r);
	return ipc_reader_is_done(r) &&
	    is_word(q->reverse_path, ASK_ADDRESS_MAX) &&
	    is_word(q->domain, ADDRESS_DOMAIN_MAX + 1);
}

void
put_vault_srs_made(struct ipc_writer *w, struct slice address)
{
	ipc_put_slice(w, address);
}

bool
get_vault_srs_made(struct ipc_reader *r, struct slice *address)
{
	*address = ipc_get_slice(r);
	return ipc_reader_is_done(r) && (address->size == 0 ||
	    is_word(*address, ASK_ADDRESS_MAX));
}

void
put_vault_srs_check(struct ipc_writer *w, const struct vault_srs_check *q)
{
	ipc_put_slice(w, q->session);
	ipc_put_slice(w, q->recipient);
}

bool
get_vault_srs_check(struct ipc_reader *r, struct vault_srs_check *q)
{
	q->session = ipc_get_slice(r);
	q->recipient = ipc_get_slice(r);
	return ipc_reader_is_done(r) &&
	    is_word(q->session, ASK_SESSION_MAX) &&
	    is_word(q->recipient, ASK_ADDRESS_MAX);
}

void
put_vault_srs_checked(struct ipc_writer *w,
    const struct vault_srs_checked *a)
{
	ipc_put_u8(w, (uint8_t)a->result);
	ipc_put_slice(w, a->original);
	ipc_put_slice(w, a->way_back);
}

bool
get_vault_srs_checked(struct ipc_reader *r, struct vault_srs_checked *a)
{
	uint8_t result = ipc_get_u8(r);
	bool is_nobody = result == SRS_NONE || result == SRS_WRONG;

	a->result = (enum srs_result)result;
	a->original = ipc_get_slice(r);
	a->way_back = ipc_get_slice(r);
	return ipc_reader_is_done(r) && result < SRS_RESULT_COUNT &&
	    a->way_back.size <= HOP_ROUTE_MAX_BYTES &&
	    (result == SRS_VALID || a->way_back.size == 0) &&
	    (is_nobody ? a->original.size == 0 :
	    is_word(a->original, ASK_ADDRESS_MAX));
}
