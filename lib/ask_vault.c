/* SPDX-License-Identifier: ISC */
/*
 * ask_vault.c - what is asked of vault; see ask.h.
 */
#include "ask.h"

void
put_tls_key(struct ipc_writer *w, const struct tls_key *key)
{
	ipc_put_u16(w, key->generation);
	ipc_put_u16(w, key->index);
}

static void
get_key(struct ipc_reader *r, struct tls_key *key)
{
	key->generation = ipc_get_u16(r);
	key->index = ipc_get_u16(r);
	if (key->index >= CONFIG_MAX_TLS)
		r->failed = true;
}

bool
get_tls_key(struct ipc_reader *r, struct tls_key *key)
{
	get_key(r, key);
	return ipc_reader_is_done(r);
}

bool
get_dkim_key(struct ipc_reader *r, struct tls_key *key)
{
	key->generation = ipc_get_u16(r);
	key->index = ipc_get_u16(r);
	if (key->index >= CONFIG_MAX_DKIM)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_vault_sign(struct ipc_writer *w, const struct vault_sign *q)
{
	put_tls_key(w, &q->key);
	ipc_put_u16(w, (uint16_t)q->scheme);
	ipc_put_slice(w, q->data);
}

bool
get_vault_sign(struct ipc_reader *r, struct vault_sign *q)
{
	uint16_t scheme;

	get_key(r, &q->key);
	scheme = ipc_get_u16(r);
	q->data = ipc_get_slice(r);
	if (tls_scheme_find(scheme) == NULL || q->data.size == 0 ||
	    q->data.size > TLS_SIGNED_MAX)
		r->failed = true;
	q->scheme = (enum tls_scheme)scheme;
	return ipc_reader_is_done(r);
}

void
put_vault_signature(struct ipc_writer *w, struct slice signature)
{
	ipc_put_slice(w, signature);
}

bool
get_vault_signature(struct ipc_reader *r, struct slice *signature)
{
	*signature = ipc_get_slice(r);
	if (signature->size > TLS_SIGNATURE_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

/* ---- tags, traces, DKIM ---- */

void
put_vault_tag(struct ipc_writer *w, const struct vault_tag *q)
{
	ipc_put_u8(w, (uint8_t)q->kind);
	ipc_put_slice(w, q->address);
	ipc_put_u32(w, q->day);
}

bool
get_vault_tag(struct ipc_reader *r, struct vault_tag *q)
{
	uint8_t kind = ipc_get_u8(r);

	q->address = ipc_get_slice(r);
	q->day = ipc_get_u32(r);
	if (kind >= VAULT_TAG_KIND_COUNT || q->address.size == 0 ||
	    q->address.size >= ASK_ADDRESS_MAX)
		r->failed = true;
	q->kind = (enum vault_tag_kind)kind;
	return ipc_reader_is_done(r);
}

void
put_vault_tag_checked(struct ipc_writer *w,
    const struct vault_tag_checked *a)
{
	ipc_put_u8(w, (uint8_t)a->result);
	ipc_put_slice(w, a->plain);
}

bool
get_vault_tag_checked(struct ipc_reader *r, struct vault_tag_checked *a)
{
	uint8_t result = ipc_get_u8(r);

	a->plain = ipc_get_slice(r);
	if (result >= BATV_RESULT_COUNT ||
	    a->plain.size > ADDRESS_LONG_LOCAL_MAX ||
	    slice_has_control(a->plain) ||
	    (result == BATV_VALID && a->plain.size == 0))
		r->failed = true;
	a->result = (enum batv_result)result;
	return ipc_reader_is_done(r);
}

void
put_vault_trace(struct ipc_writer *w, const struct vault_trace *q)
{
	ipc_put_slice(w, q->id);
	ipc_put_slice(w, q->sender);
}

bool
get_vault_trace(struct ipc_reader *r, struct vault_trace *q)
{
	q->id = ipc_get_slice(r);
	q->sender = ipc_get_slice(r);
	if (q->id.size == 0 || q->id.size >= PROOF_TRACE_MAX ||
	    q->sender.size >= ASK_ADDRESS_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_vault_dkim(struct ipc_writer *w, const struct vault_dkim *q)
{
	ipc_put_slice(w, q->domain);
	ipc_put_slice(w, q->input);
}

bool
get_vault_dkim(struct ipc_reader *r, struct vault_dkim *q)
{
	q->domain = ipc_get_slice(r);
	q->input = ipc_get_slice(r);
	if (q->domain.size == 0 || q->domain.size > DNS_NAME_MAX ||
	    q->input.size > VAULT_DKIM_INPUT_MAX)
		r->failed = true;
	return ipc_reader_is_done(r);
}

void
put_vault_dkim_signed(struct ipc_writer *w,
    const struct vault_dkim_signed *a)
{
	ipc_put_u8(w, a->n_signatures);
	for (size_t i = 0; i < a->n_signatures; i++) {
		ipc_put_u8(w, (uint8_t)a->signatures[i].algorithm);
		ipc_put_slice(w, a->signatures[i].selector);
		ipc_put_slice(w, a->signatures[i].signature);
	}
}

bool
get_vault_dkim_signed(struct ipc_reader *r, struct vault_dkim_signed *a)
{
	uint8_t algorithm;

	a->n_signatures = ipc_get_u8(r);
	if (a->n_signatures > VAULT_DKIM_MAX)
		r->failed = true;
	for (size_t i = 0; !r->failed && i < a->n_signatures; i++) {
		algorithm = ipc_get_u8(r);
		if (algorithm >= DKIM_ALGORITHM_COUNT)
			r->failed = true;
		a->signatures[i].algorithm = (enum dkim_algorithm)algorithm;
		a->signatures[i].selector = ipc_get_slice(r);
		a->signatures[i].signature = ipc_get_slice(r);
		if (a->signatures[i].selector.size == 0 ||
		    a->signatures[i].selector.size > DNS_NAME_MAX ||
		    a->signatures[i].signature.size > TLS_SIGNATURE_MAX)
			r->failed = true;
	}
	return ipc_reader_is_done(r);
}
