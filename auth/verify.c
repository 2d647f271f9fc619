/* SPDX-License-Identifier: ISC */
/*
 * See verify.h.
 */
#include <crypt.h>
#include <errno.h>
#include <gsasl.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "verify.h"

/* What a name is measured against where no account has a password yet: the
 * settings are those that mkpasswd(1) of Debian gives. */
#define NO_ACCOUNT "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$" \
    "X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
#define DEFAULT_ITERATIONS 4096
#define MADE_UP_SALT 16			/* octets, as most programs write it */

/* A number that only the table's holder can tell, the same for a name each
 * time. */
static void
hash_of_name(const struct verify_entry *entry, const char *purpose,
    uint8_t digest[32])
{
	static const uint8_t nobody[PASSWORD_TABLE_SECRET_SIZE];
	const uint8_t *secret = entry->secret ? entry->secret : nobody;
	char text[VOUCHER_USER_MAX + 16];
	unsigned size = 32;
	int n = snprintf(text, sizeof(text), "%s:%s", purpose, entry->name);

	memset(digest, 0, 32);
	HMAC(EVP_sha256(), secret, PASSWORD_TABLE_SECRET_SIZE,
	    (const unsigned char *)text, (size_t)n, digest, &size);
}

static bool
is_usable(enum password_kind kind)
{
	return kind == PASSWORD_CRYPT || kind == PASSWORD_SCRAM;
}

/* The first usable entry from a place that depends on the name. */
static void
choose_other(struct verify_entry *entry, const struct password_table *table)
{
	size_t n = table ? password_table_size(table) : 0;
	struct password_entry other;
	uint8_t digest[32];
	uint64_t start;

	hash_of_name(entry, "other", digest);
	memcpy(&start, digest, sizeof(start));
	for (size_t i = 0; i < n; i++) {
		password_table_at(table, (size_t)((start % n + i) % n),
		    &other);
		entry->kind = password_kind_of(other.password);
		entry->password = other.password;
		if (is_usable(entry->kind))
			return;
	}
	entry->kind = PASSWORD_CRYPT;
	entry->password = SLICE(NO_ACCOUNT);
}

void
verify_find(struct verify_entry *entry, const struct password_table *table,
    const struct account *account, bool is_one)
{
	struct password_entry found;

	*entry = (struct verify_entry){ .is_real = false };
	if (table != NULL)
		entry->secret = password_table_secret(table);
	slice_copy(entry->name, sizeof(entry->name), slice_of(account->key));
	if (is_one && table != NULL && password_table_find(table,
	    slice_of(account->key), &found)) {
		entry->kind = password_kind_of(found.password);
		entry->password = found.password;
		entry->is_real = is_usable(entry->kind) &&
		    slice_copy(entry->account.user,
		    sizeof(entry->account.user), found.user) &&
		    slice_copy(entry->account.address,
		    sizeof(entry->account.address), found.address) &&
		    slice_copy(entry->account.key,
		    sizeof(entry->account.key), found.name);
	}
	if (!entry->is_real)
		choose_other(entry, table);
}

/* ---- crypt(3) ---- */

static enum verify_result
verify_crypt(const char *stored, const char *password)
{
	static struct crypt_data data;	/* 32 KiB */
	enum verify_result result = VERIFY_FAILED;
	const char *hash;

	memset(&data, 0, sizeof(data));
	errno = 0;
	hash = crypt_rn(password, stored, &data, sizeof(data));
	if (hash != NULL)
		result = strlen(hash) == strlen(stored) &&
		    CRYPTO_memcmp(hash, stored, strlen(stored)) == 0 ?
		    VERIFY_RIGHT : VERIFY_WRONG;
	else if (errno == EINVAL)
		result = VERIFY_WRONG;	/* no such hash: never matches */
	explicit_bzero(&data, sizeof(data));
	return result;
}

/* ---- SCRAM's keys, with a password (RFC 5802 3) ---- */

static bool
hmac_key(const uint8_t key[32], const char *text, uint8_t out[32])
{
	unsigned size = 32;

	return HMAC(EVP_sha256(), key, 32, (const unsigned char *)text,
	    strlen(text), out, &size) != NULL;
}

static enum verify_result
verify_scram(const char *stored, const char *password)
{
	enum verify_result result = VERIFY_FAILED;
	struct sasl_scram keys;
	uint8_t salted[32], server_key[32];
	char *prepared = NULL;

	if (!sasl_parse_scram(slice_of(stored), &keys))
		return VERIFY_WRONG;
	/* what SASLprep refuses, no client can have sent to make the keys */
	if (gsasl_saslprep(password, GSASL_ALLOW_UNASSIGNED, &prepared,
	    NULL) == GSASL_OK)
		password = prepared;
	if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), keys.salt,
	    (int)keys.salt_size, (int)keys.iterations, EVP_sha256(),
	    sizeof(salted), salted) == 1 &&
	    hmac_key(salted, "Server Key", server_key))
		result = CRYPTO_memcmp(server_key, keys.server_key,
		    sizeof(server_key)) == 0 ? VERIFY_RIGHT : VERIFY_WRONG;
	if (prepared != NULL)
		explicit_bzero(prepared, strlen(prepared));
	gsasl_free(prepared);
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(server_key, sizeof(server_key));
	explicit_bzero(&keys, sizeof(keys));
	return result;
}

enum verify_result
verify_password(const struct verify_entry *entry, struct slice password)
{
	char guess[SASL_PASSWORD_MAX + 1], stored[PASSWORD_TEXT_MAX + 1];
	enum verify_result result = VERIFY_WRONG;

	if (slice_copy(guess, sizeof(guess), password) &&
	    slice_copy(stored, sizeof(stored), entry->password))
		result = entry->kind == PASSWORD_SCRAM ?
		    verify_scram(stored, guess) :
		    verify_crypt(stored, guess);
	explicit_bzero(guess, sizeof(guess));
	explicit_bzero(stored, sizeof(stored));
	if (result == VERIFY_RIGHT && !entry->is_real)
		return VERIFY_WRONG;
	return result;
}

/* ---- SCRAM itself ---- */

/* The iterations of the first account from a place that depends on the
 * name. */
static uint32_t
iterations_of_other(const struct verify_entry *entry,
    const struct password_table *table)
{
	size_t n = table ? password_table_size(table) : 0;
	struct password_entry other;
	struct sasl_scram keys;
	uint32_t iterations = DEFAULT_ITERATIONS;
	uint8_t digest[32];
	uint64_t start;

	hash_of_name(entry, "iterations", digest);
	memcpy(&start, digest, sizeof(start));
	for (size_t i = 0; i < n; i++) {
		password_table_at(table, (size_t)((start % n + i) % n),
		    &other);
		if (!sasl_parse_scram(other.password, &keys))
			continue;
		iterations = keys.iterations;
		break;
	}
	explicit_bzero(&keys, sizeof(keys));
	return iterations;
}

bool
verify_scram_keys(const struct verify_entry *entry,
    const struct password_table *table, struct sasl_scram *keys)
{
	uint8_t digest[32];

	if (entry->is_real && entry->kind == PASSWORD_SCRAM &&
	    sasl_parse_scram(entry->password, keys))
		return true;
	memset(keys, 0, sizeof(*keys));
	keys->iterations = iterations_of_other(entry, table);
	hash_of_name(entry, "salt", digest);
	keys->salt_size = MADE_UP_SALT;
	memcpy(keys->salt, digest, MADE_UP_SALT);
	hash_of_name(entry, "stored", keys->stored_key);
	hash_of_name(entry, "server", keys->server_key);
	return false;
}

bool
verify_all_have_scram(const struct password_table *table)
{
	size_t n = table ? password_table_size(table) : 0;
	size_t n_scram = 0;
	struct password_entry entry;

	for (size_t i = 0; i < n; i++) {
		password_table_at(table, i, &entry);
		switch (password_kind_of(entry.password)) {
		case PASSWORD_SCRAM:
			n_scram++;
			break;
		case PASSWORD_CRYPT:
			return false;
		default:
			break;
		}
	}
	return n_scram > 0;
}
