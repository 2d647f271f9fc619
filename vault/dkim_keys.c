/* SPDX-License-Identifier: ISC */
/*
 * dkim_keys.c - see dkim_keys.h. There is no function that gives a key out.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "dkim_keys.h"
#include "dkim_sign.h"
#include "keys.h"

struct entry {
	uint16_t generation;
	uint32_t hash;			/* of domain */
	char *domain, *selector;
	enum dkim_algorithm algorithm;
	EVP_PKEY *key;
};

struct dkim_keys {
	struct entry *entries;
	size_t n;
};

static const char *const algorithm_names[DKIM_ALGORITHM_COUNT] = {
	[DKIM_RSA_SHA256] = "rsa-sha256",
	[DKIM_ED25519_SHA256] = "ed25519-sha256",
};

struct dkim_keys *
dkim_keys_new(void)
{
	return calloc(1, sizeof(struct dkim_keys));
}

static void
entry_free(struct entry *entry)
{
	EVP_PKEY_free(entry->key);	/* wipes it */
	free(entry->domain);
	free(entry->selector);
}

void
dkim_keys_free(struct dkim_keys **keys)
{
	if (*keys == NULL)
		return;
	for (size_t i = 0; i < (*keys)->n; i++)
		entry_free(&(*keys)->entries[i]);
	free((*keys)->entries);
	free(*keys);
	*keys = NULL;
}

void
dkim_keys_forget(struct dkim_keys *keys, uint16_t generation)
{
	size_t n = 0;

	for (size_t i = 0; i < keys->n; i++)
		if (keys->entries[i].generation == generation)
			entry_free(&keys->entries[i]);
		else
			keys->entries[n++] = keys->entries[i];
	keys->n = n;
}

static int
read_entry(struct entry *entry, const struct config_dkim *section, int fd)
{
	int error = keys_read(fd, &entry->key);

	if (error)
		return error;
	if (EVP_PKEY_is_a(entry->key, "RSA") &&
	    EVP_PKEY_get_size(entry->key) <= TLS_SIGNATURE_MAX)
		entry->algorithm = DKIM_RSA_SHA256;
	else if (EVP_PKEY_is_a(entry->key, "ED25519"))
		entry->algorithm = DKIM_ED25519_SHA256;
	else
		return -EINVAL;
	entry->hash = slice_hash(slice_of(section->domain));
	entry->domain = strdup(section->domain);
	entry->selector = strdup(section->selector);
	return entry->domain != NULL && entry->selector != NULL ? 0 : -ENOMEM;
}

int
dkim_keys_add(struct dkim_keys *keys, uint16_t generation,
    const struct config_dkim *section, int fd)
{
	struct entry entry = { .generation = generation }, *grown;
	int error = read_entry(&entry, section, fd);

	grown = error ? NULL : reallocarray(keys->entries, keys->n + 1,
	    sizeof *grown);
	if (grown == NULL) {
		entry_free(&entry);
		return error ? error : -ENOMEM;
	}
	keys->entries = grown;
	grown[keys->n++] = entry;
	return 0;
}

/* ---- signing ---- */

/* There are thousands, and a name is compared with each. */
static bool
is_of(const struct entry *entry, uint32_t hash, struct slice domain)
{
	return entry->hash == hash &&
	    slice_equals(slice_of(entry->domain), domain);
}

static uint16_t
newest(const struct dkim_keys *keys, struct slice domain)
{
	uint32_t hash = slice_hash(domain);
	uint16_t generation = 0;

	for (size_t i = 0; i < keys->n; i++)
		if (is_of(&keys->entries[i], hash, domain) &&
		    keys->entries[i].generation > generation)
			generation = keys->entries[i].generation;
	return generation;
}

/* Which keys there are. */
static int
list(const struct dkim_keys *keys, struct slice domain,
    struct vault_dkim_signed *answer)
{
	uint32_t hash = slice_hash(domain);
	uint16_t generation = newest(keys, domain);

	for (size_t i = 0; i < keys->n; i++) {
		const struct entry *entry = &keys->entries[i];

		if (entry->generation != generation ||
		    !is_of(entry, hash, domain) ||
		    answer->n_signatures == VAULT_DKIM_MAX)
			continue;
		answer->signatures[answer->n_signatures].algorithm =
		    entry->algorithm;
		answer->signatures[answer->n_signatures].selector =
		    slice_of(entry->selector);
		answer->signatures[answer->n_signatures++].signature =
		    SLICE("");
	}
	return 0;
}

static const struct entry *
find(const struct dkim_keys *keys, const struct dkim_input *input)
{
	uint32_t hash = slice_hash(input->domain);
	const struct entry *found = NULL;

	for (size_t i = 0; i < keys->n; i++) {
		const struct entry *entry = &keys->entries[i];

		if (!is_of(entry, hash, input->domain) ||
		    !slice_equals(slice_of(entry->selector),
		    input->selector) ||
		    !slice_equals(slice_of(algorithm_names[entry->algorithm]),
		    input->algorithm))
			continue;
		if (found == NULL || entry->generation > found->generation)
			found = entry;
	}
	return found;
}

/* RFC 8463 3: Ed25519 signs the SHA-256 of the text. */
static bool
sign(const struct entry *entry, struct slice data, uint8_t *room,
    size_t *size)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool is_rsa = entry->algorithm == DKIM_RSA_SHA256, is_ok;
	uint8_t hash[EVP_MAX_MD_SIZE];
	size_t hash_size = 0;

	*size = TLS_SIGNATURE_MAX;
	is_ok = md != NULL && EVP_DigestSignInit_ex(md, NULL,
	    is_rsa ? "SHA256" : NULL, NULL, NULL, entry->key, NULL) == 1;
	if (is_ok && !is_rsa) {
		is_ok = EVP_Q_digest(NULL, "SHA256", NULL, data.data,
		    data.size, hash, &hash_size) == 1;
		data = (struct slice){ (const char *)hash, hash_size };
	}
	is_ok = is_ok && EVP_DigestSign(md, room, size,
	    (const uint8_t *)data.data, data.size) == 1;
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return is_ok;
}

int
dkim_keys_sign(const struct dkim_keys *keys, const struct vault_dkim *q,
    struct vault_dkim_signed *answer, uint8_t *room)
{
	struct dkim_input input;
	const struct entry *entry;
	size_t size;

	answer->n_signatures = 0;
	if (q->input.size == 0)
		return list(keys, q->domain, answer);
	if (!dkim_input_read(q->input, &input) ||
	    !slice_equals(input.domain, q->domain))
		return -EPERM;
	entry = find(keys, &input);
	if (entry == NULL)
		return -ENOENT;
	if (!sign(entry, q->input, room, &size))
		return -EIO;
	answer->n_signatures = 1;
	answer->signatures[0].algorithm = entry->algorithm;
	answer->signatures[0].selector = slice_of(entry->selector);
	answer->signatures[0].signature =
	    (struct slice){ (const char *)room, size };
	return 0;
}
