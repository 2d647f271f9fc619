/* SPDX-License-Identifier: ISC */
/*
 * keys.c - see keys.h. There is no function that gives a key out.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <unistd.h>
#include "keys.h"
#include "pem_key.h"
#include "sealed.h"

struct entry {
	struct tls_key name;
	EVP_PKEY *key;
};

struct keys {
	struct entry *entries;
	size_t n;
};

struct keys *
keys_new(void)
{
	return calloc(1, sizeof(struct keys));
}

void
keys_free(struct keys **keys)
{
	if (*keys == NULL)
		return;
	keys_forget(*keys, 0);
	free((*keys)->entries);
	free(*keys);
	*keys = NULL;
}

size_t
keys_count(const struct keys *keys)
{
	return keys->n;
}

/* ---- reading ---- */

static EVP_PKEY *
parse(const char *pem, size_t size)
{
	EVP_PKEY *key = pem_key_parse((struct slice){ pem, size });

	ERR_clear_error();
	return key;
}

int
keys_read(int fd, EVP_PKEY **key)
{
	char *pem;
	size_t size;

	if (!sealed_is_text(fd, &size) || size > TLS_PEM_MAX)
		return -EBADF;
	pem = malloc(size + 1);
	if (pem == NULL)
		return -ENOMEM;
	*key = NULL;
	if (pread(fd, pem, size, 0) == (ssize_t)size)
		*key = parse(pem, size);
	OPENSSL_cleanse(pem, size);
	free(pem);
	return *key != NULL ? 0 : -EINVAL;
}

static struct entry *
find(const struct keys *keys, const struct tls_key *name)
{
	for (size_t i = 0; i < keys->n; i++)
		if (keys->entries[i].name.generation == name->generation &&
		    keys->entries[i].name.index == name->index)
			return &keys->entries[i];
	return NULL;
}

int
keys_add(struct keys *keys, const struct tls_key *name, int fd)
{
	struct entry *entry = find(keys, name), *grown;
	EVP_PKEY *key;
	int error = keys_read(fd, &key);

	if (error)
		return error;
	if (entry != NULL) {
		EVP_PKEY_free(entry->key);
		entry->key = key;
		return 0;
	}
	grown = reallocarray(keys->entries, keys->n + 1, sizeof *grown);
	if (grown == NULL) {
		EVP_PKEY_free(key);
		return -ENOMEM;
	}
	keys->entries = grown;
	grown[keys->n++] = (struct entry){ *name, key };
	return 0;
}

void
keys_forget(struct keys *keys, uint16_t generation)
{
	size_t n = 0;

	for (size_t i = 0; i < keys->n; i++) {
		struct entry *entry = &keys->entries[i];

		if (generation == 0 || entry->name.generation == generation)
			EVP_PKEY_free(entry->key);	/* wipes it */
		else
			keys->entries[n++] = *entry;
	}
	keys->n = n;
}

/* ---- signing ---- */

static bool
set_padding(EVP_PKEY_CTX *ctx, const struct tls_scheme_info *info)
{
	if (!info->is_pss)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static int
sign(EVP_PKEY *key, const struct tls_scheme_info *info, struct slice data,
    struct slice *signature, uint8_t *room)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	size_t size = TLS_SIGNATURE_MAX;
	bool is_ok;

	is_ok = md != NULL && EVP_DigestSignInit_ex(md, &ctx, info->digest,
	    NULL, NULL, key, NULL) == 1 && set_padding(ctx, info) &&
	    EVP_DigestSign(md, room, &size, (const uint8_t *)data.data,
	    data.size) == 1;
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	*signature = (struct slice){ (const char *)room, is_ok ? size : 0 };
	return is_ok ? 0 : -EIO;
}

int
keys_sign(const struct keys *keys, const struct tls_key *name,
    enum tls_scheme scheme, struct slice data, struct slice *signature,
    uint8_t *room)
{
	const struct entry *entry = find(keys, name);
	const struct tls_scheme_info *info = tls_scheme_find(scheme);

	*signature = SLICE("");
	if (entry == NULL)
		return -ENOENT;
	if (info == NULL || !EVP_PKEY_is_a(entry->key, info->key_type) ||
	    EVP_PKEY_get_size(entry->key) > TLS_SIGNATURE_MAX ||
	    !tls_is_signed_by_server(data))
		return -EPERM;
	return sign(entry->key, info, data, signature, room);
}
