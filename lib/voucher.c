/* SPDX-License-Identifier: ISC */
/*
 * voucher.c - who a session is, with a MAC; see voucher.h.
 *
 * HMAC-SHA256 of user, address, session, each with its length in 16 bits,
 * and of the time: no two vouchers look alike.
 */
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>
#include "mac.h"
#include "voucher.h"

static bool
is_valid(const struct voucher *v)
{
	return slice_is_field(v->user, VOUCHER_USER_MAX) &&
	    slice_is_field(v->address, VOUCHER_ADDRESS_MAX) &&
	    slice_is_field(v->session, VOUCHER_SESSION_MAX);
}

static int
compute(const struct voucher *v, const uint8_t key[VOUCHER_KEY_SIZE],
    uint8_t mac[VOUCHER_MAC_SIZE])
{
	static struct ipc_writer w;	/* large */

	ipc_writer_init(&w);
	ipc_put_slice(&w, v->user);
	ipc_put_slice(&w, v->address);
	ipc_put_slice(&w, v->session);
	ipc_put_u64(&w, v->expires_s);
	if (w.failed || mac_compute(mac, key, w.data, w.size) != 0)
		return -EIO;
	return 0;
}

int
voucher_make(struct voucher *v, const uint8_t key[VOUCHER_KEY_SIZE])
{
	return is_valid(v) ? compute(v, key, v->mac) : -EINVAL;
}

int
voucher_check(const struct voucher *v, const uint8_t key[VOUCHER_KEY_SIZE],
    uint64_t now_s)
{
	uint8_t mac[VOUCHER_MAC_SIZE];

	if (!is_valid(v) || compute(v, key, mac) != 0 ||
	    CRYPTO_memcmp(mac, v->mac, sizeof mac) != 0)
		return -EACCES;
	return v->expires_s > now_s ? 0 : -ETIMEDOUT;
}

bool
voucher_copy(struct voucher_copy *to, const struct voucher *v)
{
	memset(to, 0, sizeof *to);
	if (!slice_copy(to->user, sizeof to->user, v->user) ||
	    !slice_copy(to->address, sizeof to->address, v->address) ||
	    !slice_copy(to->session, sizeof to->session, v->session)) {
		memset(to, 0, sizeof *to);
		return false;
	}
	to->voucher = *v;
	to->voucher.user = slice_of(to->user);
	to->voucher.address = slice_of(to->address);
	to->voucher.session = slice_of(to->session);
	return true;
}

void
put_voucher(struct ipc_writer *w, const struct voucher *v)
{
	ipc_put_slice(w, v->user);
	ipc_put_slice(w, v->address);
	ipc_put_slice(w, v->session);
	ipc_put_u64(w, v->expires_s);
	ipc_put_bytes(w, v->mac, sizeof v->mac);
}

bool
get_voucher(struct ipc_reader *r, struct voucher *v)
{
	v->user = ipc_get_slice(r);
	v->address = ipc_get_slice(r);
	v->session = ipc_get_slice(r);
	v->expires_s = ipc_get_u64(r);
	ipc_get_bytes(r, v->mac, sizeof v->mac);
	if (!is_valid(v))
		r->failed = true;
	return !r->failed;
}
