/* SPDX-License-Identifier: ISC */
/*
 * digest.c - see digest.h. Poly1305 gives 16 octets; the message's size
 * stands behind them.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "digest.h"

#define TAG_SIZE 16

struct digest {
	EVP_MAC_CTX *mac;	/* NULL: there was no key */
	uint64_t size_bytes;
	bool has_failed;
};

/* This process's only state: fetched once, and the key set up in keyed. */
static EVP_MAC *poly1305;
static EVP_MAC_CTX *keyed;

void
digest_warm_up(void)
{
	if (poly1305 == NULL)
		poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
}

bool
digest_set_key(const uint8_t key[DIGEST_KEY_SIZE])
{
	EVP_MAC_CTX *ctx;

	digest_warm_up();
	ctx = EVP_MAC_CTX_new(poly1305);
	if (ctx == NULL || EVP_MAC_init(ctx, key, DIGEST_KEY_SIZE, NULL) != 1) {
		EVP_MAC_CTX_free(ctx);
		return false;
	}
	EVP_MAC_CTX_free(keyed);
	keyed = ctx;
	return true;
}

struct digest *
digest_new(void)
{
	struct digest *d = calloc(1, sizeof(*d));

	if (d == NULL || keyed == NULL)
		return d;
	d->mac = EVP_MAC_CTX_dup(keyed);
	if (d->mac == NULL)
		digest_free(&d);
	return d;
}

void
digest_free(struct digest **dp)
{
	struct digest *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	EVP_MAC_CTX_free(d->mac);
	free(d);
}

void
digest_update(struct digest *d, const void *data, size_t size)
{
	d->size_bytes += size;
	if (d->mac != NULL && EVP_MAC_update(d->mac, data, size) != 1)
		d->has_failed = true;
}

bool
digest_final(struct digest *d, uint8_t out[DIGEST_SIZE])
{
	size_t size = 0;

	memset(out, 0, DIGEST_SIZE);
	if (d->has_failed || d->mac == NULL)
		return false;
	if (EVP_MAC_final(d->mac, out, &size, TAG_SIZE) != 1 ||
	    size != TAG_SIZE)
		return false;
	memcpy(out + TAG_SIZE, &d->size_bytes, sizeof(d->size_bytes));
	return true;
}
