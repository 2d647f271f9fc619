/* SPDX-License-Identifier: ISC */
/*
 * dkim_key.c - see dkim_key.h.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>
#include "dkim_key.h"
#include "mime.h"

#define OCTETS_MAX 1024		/* of a key or signature, decoded */

enum { DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_SEQUENCE = 0x30 };

/* AlgorithmIdentifier of rsaEncryption: its OID, and NULL */
static const unsigned char rsa_algorithm[] = { 0x06, 0x09, 0x2a, 0x86, 0x48,
	0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };

static void
skip(struct slice *in, size_t n)
{
	in->data += n;
	in->size -= n;
}

/* False if it does not fit or is empty. */
static bool
decode_base64(struct slice text, char octets[OCTETS_MAX], size_t *size)
{
	struct mime_decode decode;
	char more;

	mime_decode_start(&decode, MIME_BASE64, text);
	*size = mime_decode_next(&decode, octets, OCTETS_MAX);
	return *size > 0 && mime_decode_next(&decode, &more, 1) == 0;
}

/* Definite lengths of at most two octets: a key has no longer ones. */
static bool
take_size(struct slice *in, size_t *size)
{
	size_t n = 0;

	if (in->size == 0)
		return false;
	*size = (unsigned char)*in->data;
	skip(in, 1);
	if (*size < 0x80)
		return *size <= in->size;
	n = *size - 0x80;
	if (n == 0 || n > 2 || n > in->size)
		return false;
	*size = 0;
	for (size_t i = 0; i < n; i++)
		*size = *size << 8 | (unsigned char)in->data[i];
	skip(in, n);
	return *size <= in->size;
}

/* The next element, if it has this tag. */
static bool
take(struct slice *in, unsigned char tag, struct slice *value)
{
	size_t size;

	if (in->size == 0 || (unsigned char)*in->data != tag)
		return false;
	skip(in, 1);
	if (!take_size(in, &size))
		return false;
	*value = (struct slice){ in->data, size };
	skip(in, size);
	return true;
}

/* What stands in a SubjectPublicKeyInfo of RSA; else in itself. */
static bool
unwrap(struct slice *key)
{
	struct slice outer = *key, inner, algorithm, bits;

	if (!take(&outer, DER_SEQUENCE, &inner) || outer.size > 0)
		return false;
	if (!take(&inner, DER_SEQUENCE, &algorithm))
		return true;	/* an integer: RSAPublicKey */
	/* the NULL may be missing */
	if ((algorithm.size != sizeof(rsa_algorithm) &&
	    algorithm.size != sizeof(rsa_algorithm) - 2) ||
	    memcmp(algorithm.data, rsa_algorithm, algorithm.size) != 0 ||
	    !take(&inner, DER_BIT_STRING, &bits) || inner.size > 0 ||
	    bits.size == 0 || *bits.data != 0)
		return false;
	skip(&bits, 1);
	*key = bits;
	return true;
}

static bool
take_integer(struct slice *in, BIGNUM **number)
{
	struct slice value;

	*number = NULL;
	if (!take(in, DER_INTEGER, &value) || value.size == 0 ||
	    ((unsigned char)*value.data & 0x80) != 0)
		return false;
	*number = BN_bin2bn((const unsigned char *)value.data,
	    (int)value.size, NULL);
	return *number != NULL && !BN_is_zero(*number);
}

static EVP_PKEY *
make_rsa(const BIGNUM *n, const BIGNUM *e)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *parameters = NULL;
	EVP_PKEY *key = NULL;

	if (context != NULL && build != NULL &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) &&
	    (parameters = OSSL_PARAM_BLD_to_param(build)) != NULL &&
	    EVP_PKEY_fromdata_init(context) == 1)
		(void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY,
		    parameters);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *
decode_rsa(struct slice octets)
{
	struct slice numbers;
	BIGNUM *n = NULL, *e = NULL;
	EVP_PKEY *key = NULL;

	if (unwrap(&octets) && take(&octets, DER_SEQUENCE, &numbers) &&
	    octets.size == 0 && take_integer(&numbers, &n) &&
	    take_integer(&numbers, &e) && numbers.size == 0)
		key = make_rsa(n, e);
	BN_free(n);
	BN_free(e);
	return key;
}

EVP_PKEY *
dkim_key_decode(struct slice p, bool is_ed25519)
{
	char octets[OCTETS_MAX];
	size_t size;

	if (!decode_base64(p, octets, &size))
		return NULL;
	if (!is_ed25519)
		return decode_rsa((struct slice){ octets, size });
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
	    (const unsigned char *)octets, size);
}

unsigned
dkim_key_bits(EVP_PKEY *key)
{
	return 8 * (unsigned)EVP_PKEY_get_size(key);
}

static bool
rsa_verifies(EVP_PKEY *key, const unsigned char hash[32], struct slice s)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool is_good = context != NULL &&
	    EVP_PKEY_verify_init(context) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
	    EVP_PKEY_verify(context, (const unsigned char *)s.data, s.size,
	    hash, 32) == 1;

	EVP_PKEY_CTX_free(context);
	return is_good;
}

/* RFC 8463 3: of the hash, not of the text. */
static bool
ed25519_verifies(EVP_PKEY *key, const unsigned char hash[32], struct slice s)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_good = context != NULL &&
	    EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(context, (const unsigned char *)s.data, s.size,
	    hash, 32) == 1;

	EVP_MD_CTX_free(context);
	return is_good;
}

bool
dkim_key_verifies(EVP_PKEY *key, const unsigned char hash[32],
    struct slice signature)
{
	char octets[OCTETS_MAX];
	struct slice s = { octets, 0 };

	if (!decode_base64(signature, octets, &s.size))
		return false;
	return EVP_PKEY_is_a(key, "RSA") ? rsa_verifies(key, hash, s) :
	    ed25519_verifies(key, hash, s);
}
