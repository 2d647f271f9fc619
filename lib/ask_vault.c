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
