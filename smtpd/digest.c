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
	EVP_MAC_CTX *mac;	/* NULL: SHA-256 */
	EVP_MD_CTX *md;
	uint64_t size_bytes;
	bool has_failed;
};

/* This process's only state: fetched once, and the key set up in keyed. */
static EVP_MAC *poly1305;
static EVP_MD *sha256;
static EVP_MAC_CTX *keyed;

void
digest_warm_up(void)
{
	if (sha256 == NULL)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
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

static bool
digest_begin(struct digest *d)
{
	digest_warm_up();
	if (keyed != NULL)
		return (d->mac = EVP_MAC_CTX_dup(keyed)) != NULL;
	d->md = EVP_MD_CTX_new();
	return d->md != NULL && EVP_DigestInit_ex(d->md, sha256, NULL) == 1;
}

struct digest *
digest_new(void)
{
	struct digest *d = calloc(1, sizeof(*d));

	if (d != NULL && !digest_begin(d))
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
	EVP_MD_CTX_free(d->md);
	free(d);
}

void
digest_update(struct digest *d, const void *data, size_t size)
{
	int ok = d->mac != NULL ? EVP_MAC_update(d->mac, data, size) :
	    EVP_DigestUpdate(d->md, data, size);

	d->size_bytes += size;
	d->has_failed = d->has_failed || ok != 1;
}

bool
digest_final(struct digest *d, uint8_t out[DIGEST_SIZE])
{
	size_t size = 0;

	memset(out, 0, DIGEST_SIZE);
	if (d->has_failed)
		return false;
	if (d->mac == NULL)
		return EVP_DigestFinal_ex(d->md, out, NULL) == 1;
	if (EVP_MAC_final(d->mac, out, &size, TAG_SIZE) != 1 ||
	    size != TAG_SIZE)
		return false;
	memcpy(out + TAG_SIZE, &d->size_bytes, sizeof(d->size_bytes));
	return true;
}
