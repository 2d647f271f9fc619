/* SPDX-License-Identifier: ISC */
/*
 * hmac.c - keys of records; see hmac.h.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "big_endian.h"
#include "hmac.h"

#define BLOCK 64	/* of SHA-256 */

struct hmac {
	EVP_MD_CTX *inner, *outer;	/* after the key */
	EVP_MD_CTX *work;
};

static int
begin(EVP_MD_CTX *ctx, const void *key, size_t size, uint8_t pad)
{
	uint8_t block[BLOCK];
	bool ok;

	memset(block, pad, sizeof block);
	for (size_t i = 0; i < size; i++)
		block[i] ^= ((const uint8_t *)key)[i];
	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(ctx, block, sizeof block) == 1;
	explicit_bzero(block, sizeof block);
	return ok ? 0 : -ENOMEM;
}

int
hmac_new(struct hmac **hp, const void *key, size_t size)
{
	struct hmac *h = size <= BLOCK ? calloc(1, sizeof *h) : NULL;

	*hp = NULL;
	if (h == NULL)
		return -ENOMEM;
	h->inner = EVP_MD_CTX_new();
	h->outer = EVP_MD_CTX_new();
	h->work = EVP_MD_CTX_new();
	if (h->work == NULL || begin(h->inner, key, size, 0x36) != 0 ||
	    begin(h->outer, key, size, 0x5c) != 0) {
		hmac_free(&h);
		return -ENOMEM;
	}
	*hp = h;
	return 0;
}

void
hmac_free(struct hmac **hp)
{
	struct hmac *h = *hp;

	*hp = NULL;
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->inner);
	EVP_MD_CTX_free(h->outer);
	EVP_MD_CTX_free(h->work);
	free(h);
}

static bool
add_field(EVP_MD_CTX *ctx, struct slice field)
{
	uint8_t size[4];

	big_endian_put(size, field.size, sizeof size);
	return EVP_DigestUpdate(ctx, size, sizeof size) == 1 &&
	    EVP_DigestUpdate(ctx, field.data, field.size) == 1;
}

int
hmac_fields(struct hmac *h, const struct slice *fields, size_t n,
    uint8_t out[HMAC_SIZE])
{
	bool ok = EVP_MD_CTX_copy_ex(h->work, h->inner) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = add_field(h->work, fields[i]);
	ok = ok && EVP_DigestFinal_ex(h->work, out, NULL) == 1 &&
	    EVP_MD_CTX_copy_ex(h->work, h->outer) == 1 &&
	    EVP_DigestUpdate(h->work, out, HMAC_SIZE) == 1 &&
	    EVP_DigestFinal_ex(h->work, out, NULL) == 1;
	return ok ? 0 : -EIO;
}
