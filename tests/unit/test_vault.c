/* SPDX-License-Identifier: ISC */
/*
 * test_vault.c - what vault signs, and what it refuses to.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../vault/keys.h"
#include "rsa_fixture.h"
#include "sealed.h"
#include "table.h"

#define SPACES "                                "
#define CONTEXT SPACES SPACES "TLS 1.3, server CertificateVerify"
#define HASH "0123456789abcdef0123456789abcdef"
/* SPACES stand for the randoms of TLS 1.2 too */
#define RANDOMS SPACES SPACES
#define POINT_65 HASH HASH "x"
#define POINT_97 HASH HASH HASH "x"

static const struct tls_key first = { 1, 0 };

#define ROW(is_good, text) { is_good, { text, sizeof(text) - 1 } }
static const struct {
	bool is_good;
	struct slice data;
} rows[] = {
	ROW(true, CONTEXT "\0" HASH),
	ROW(true, CONTEXT "\0" HASH "0123456789abcdef"),
	ROW(true, RANDOMS "\3\0\x1d\x20" HASH),
	ROW(true, RANDOMS "\3\0\x17\x41" POINT_65),
	ROW(true, RANDOMS "\3\0\x18\x61" POINT_97),
	ROW(false, ""),
	ROW(false, "x"),
	ROW(false, HASH),
	ROW(false, CONTEXT "\0"),
	ROW(false, CONTEXT "\0" HASH "x"),
	ROW(false, CONTEXT "x" HASH),
	ROW(false, "x" CONTEXT "\0" HASH),
	ROW(false, SPACES "x" SPACES "TLS 1.3, server CertificateVerify\0"
	    HASH),
	ROW(false, SPACES SPACES "TLS 1.3, client CertificateVerify\0" HASH),
	ROW(false, RANDOMS),
	ROW(false, RANDOMS "\3\0\x1d"),
	ROW(false, RANDOMS "\3\0\x1d\x20"),
	ROW(false, RANDOMS "\3\0\x1d\x20" HASH "x"),
	ROW(false, RANDOMS "\3\0\x1d\x21" HASH "x"),
	ROW(false, RANDOMS "\3\0\x19\x20" HASH),
	ROW(false, RANDOMS "\3\1\x1d\x20" HASH),
	ROW(false, RANDOMS "\1\0\x1d\x20" HASH),
};

static void
test_what_a_server_signs(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK(rows[i].data.data,
		    tls_is_signed_by_server(rows[i].data) == rows[i].is_good);
}

/* ---- keys ---- */

static int
memfd_with(const void *data, size_t size, bool is_sealed)
{
	int fd = sealed_create("key");

	assert_int_equal(write(fd, data, size), size);
	if (is_sealed)
		assert_int_equal(sealed_finish(fd), 0);
	return fd;
}

static int
pem_of(EVP_PKEY *key, const EVP_CIPHER *cipher, bool is_sealed)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long size;
	int fd;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher,
	    cipher ? "x" : NULL, cipher ? 1 : 0, NULL, NULL), 1);
	size = BIO_get_mem_data(bio, &data);
	fd = memfd_with(data, (size_t)size, is_sealed);
	BIO_free(bio);
	return fd;
}

static int
add_fd(struct keys *keys, const struct tls_key *name, int fd)
{
	int error = keys_add(keys, name, fd);

	close(fd);
	return error;
}

static void
test_bad_keys(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	struct keys *keys = keys_new();
	int ends[2];

	(void)state;
	assert_int_equal(add_fd(keys, &first, memfd_with("rubbish", 7, true)),
	    -EINVAL);
	assert_int_equal(add_fd(keys, &first, memfd_with("", 0, true)),
	    -EINVAL);
	assert_int_equal(add_fd(keys, &first, pem_of(key, NULL, false)),
	    -EBADF);
	/* with a passphrase: nobody can be asked for it */
	assert_int_equal(add_fd(keys, &first, pem_of(key, EVP_aes_128_cbc(),
	    true)), -EINVAL);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(add_fd(keys, &first, ends[0]), -EBADF);
	close(ends[1]);
	assert_int_equal(keys_count(keys), 0);
	assert_int_equal(add_fd(keys, &first, pem_of(key, NULL, true)), 0);
	assert_int_equal(keys_count(keys), 1);
	/* a bad one does not take the place of a good one */
	assert_int_equal(add_fd(keys, &first, memfd_with("rubbish", 7, true)),
	    -EINVAL);
	assert_int_equal(keys_count(keys), 1);
	keys_free(&keys);
	EVP_PKEY_free(key);
}

static bool
verifies(EVP_PKEY *key, const struct tls_scheme_info *info,
    struct slice data, struct slice signature)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	bool is_ok = EVP_DigestVerifyInit_ex(md, &ctx, info->digest, NULL,
	    NULL, key, NULL) == 1;

	if (is_ok && info->is_pss)
		is_ok = EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
		    RSA_PSS_SALTLEN_DIGEST) == 1;
	is_ok = is_ok && EVP_DigestVerify(md,
	    (const uint8_t *)signature.data, signature.size,
	    (const uint8_t *)data.data, data.size) == 1;
	EVP_MD_CTX_free(md);
	return is_ok;
}

/* Every scheme with every type of key: signed, or refused. */
static void
test_signatures(void **state)
{
	static const unsigned schemes[] = { 0x0401, 0x0501, 0x0601, 0x0403,
		0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0807, 0x0201, 0 };
	EVP_PKEY *key[] = { EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"),
		rsa_key(2048),
		EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	struct keys *keys = keys_new();
	uint8_t room[TLS_SIGNATURE_MAX];
	struct slice signature;
	unsigned n_signed = 0;

	(void)state;
	for (uint16_t k = 0; k < N_OF(key); k++) {
		const struct tls_key name = { 1, k };

		assert_int_equal(add_fd(keys, &name, pem_of(key[k], NULL,
		    true)), 0);
		for (size_t i = 0; i < N_OF(schemes); i++) {
			const struct tls_scheme_info *info =
			    tls_scheme_find(schemes[i]);
			bool fits = info != NULL &&
			    EVP_PKEY_is_a(key[k], info->key_type);
			int error = keys_sign(keys, &name,
			    (enum tls_scheme)schemes[i], rows[0].data,
			    &signature, room);

			assert_int_equal(error, fits ? 0 : -EPERM);
			if (fits)
				assert_true(verifies(key[k], info,
				    rows[0].data, signature));
			else
				assert_int_equal(signature.size, 0);
			n_signed += fits;
		}
		EVP_PKEY_free(key[k]);
	}
	assert_int_equal(n_signed, 10);
	keys_free(&keys);
}

/* One that comes anew under its name takes the place of the old. */
static void
test_replaced(void **state)
{
	EVP_PKEY *old = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	EVP_PKEY *new = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	struct keys *keys = keys_new();
	uint8_t room[TLS_SIGNATURE_MAX];
	struct slice signature;

	(void)state;
	assert_int_equal(add_fd(keys, &first, pem_of(old, NULL, true)), 0);
	assert_int_equal(add_fd(keys, &first, pem_of(new, NULL, true)), 0);
	assert_int_equal(keys_count(keys), 1);
	assert_int_equal(keys_sign(keys, &first, TLS_ECDSA_SHA256,
	    rows[0].data, &signature, room), 0);
	assert_true(verifies(new, tls_scheme_find(TLS_ECDSA_SHA256),
	    rows[0].data, signature));
	keys_free(&keys);
	EVP_PKEY_free(old);
	EVP_PKEY_free(new);
}

static void
test_refused_and_forgotten(void **state)
{
	const struct tls_key second = { 2, 0 }, none = { 1, 1 };
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	struct keys *keys = keys_new();
	uint8_t room[TLS_SIGNATURE_MAX];
	struct slice signature;

	(void)state;
	assert_int_equal(add_fd(keys, &first, pem_of(key, NULL, true)), 0);
	assert_int_equal(add_fd(keys, &second, pem_of(key, NULL, true)), 0);
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK(rows[i].data.data, keys_sign(keys, &first,
		    TLS_ECDSA_SHA256, rows[i].data, &signature, room) ==
		    (rows[i].is_good ? 0 : -EPERM));
	assert_int_equal(keys_sign(keys, &none, TLS_ECDSA_SHA256,
	    rows[0].data, &signature, room), -ENOENT);
	keys_forget(keys, 2);
	assert_int_equal(keys_sign(keys, &first, TLS_ECDSA_SHA256,
	    rows[0].data, &signature, room), 0);
	assert_int_equal(keys_sign(keys, &second, TLS_ECDSA_SHA256,
	    rows[0].data, &signature, room), -ENOENT);
	assert_int_equal(add_fd(keys, &second, pem_of(key, NULL, true)), 0);
	keys_forget(keys, 1);
	assert_int_equal(keys_sign(keys, &first, TLS_ECDSA_SHA256,
	    rows[0].data, &signature, room), -ENOENT);
	assert_int_equal(signature.size, 0);
	assert_int_equal(keys_sign(keys, &second, TLS_ECDSA_SHA256,
	    rows[0].data, &signature, room), 0);
	keys_free(&keys);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_server_signs),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_refused_and_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
