/* SPDX-License-Identifier: ISC */
/*
 * tls_signature.c - signatures that are made elsewhere. Only what a TLS
 * handshake uses is here: EVP_DigestSignInit, the padding of RSA, and
 * EVP_DigestSign at once. See provider-signature(7).
 */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>
#include "tls_provider.h"

struct signature {
	const struct remote_key *key;	/* the caller holds it */
	char digest[32];		/* "" : none */
	bool is_pss;
};

static void *
signature_new(void *context, const char *properties)
{
	(void)context;
	(void)properties;
	return calloc(1, sizeof(struct signature));
}

static void *
signature_dup(void *from)
{
	struct signature *copy = malloc(sizeof *copy);

	if (copy != NULL)
		memcpy(copy, from, sizeof *copy);
	return copy;
}

/* TLS salts with as many octets as the digest has; nothing else is known. */
static int
take_salt(const OSSL_PARAM *p)
{
	int number;

	if (p->data_type == OSSL_PARAM_UTF8_STRING)
		return strcmp(p->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
	return OSSL_PARAM_get_int(p, &number) == 1 &&
	    number == RSA_PSS_SALTLEN_DIGEST;
}

static int
take_padding(struct signature *s, const OSSL_PARAM *p)
{
	int number = 0;

	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		if (strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0)
			number = RSA_PKCS1_PSS_PADDING;
		else if (strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0)
			number = RSA_PKCS1_PADDING;
	} else if (OSSL_PARAM_get_int(p, &number) != 1) {
		return 0;
	}
	s->is_pss = number == RSA_PKCS1_PSS_PADDING;
	return s->is_pss || number == RSA_PKCS1_PADDING;
}

static int
signature_set(void *context, const OSSL_PARAM params[])
{
	struct signature *s = context;
	const OSSL_PARAM *p;

	if (params == NULL)
		return 1;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (p != NULL && !take_padding(s, p))
		return 0;
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	return p == NULL || take_salt(p);
}

static const OSSL_PARAM *
signature_settable(void *context, void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)context;
	(void)provider;
	return list;
}

static int
signature_init(void *context, const char *digest, void *key,
    const OSSL_PARAM params[])
{
	struct signature *s = context;

	s->key = key;
	s->is_pss = false;
	s->digest[0] = '\0';
	if (digest != NULL && !slice_copy(s->digest, sizeof s->digest,
	    slice_of(digest)))
		return 0;
	return signature_set(s, params);
}

static int
signature_sign(void *context, unsigned char *to, size_t *size, size_t room,
    const unsigned char *data, size_t data_size)
{
	struct signature *s = context;
	const struct tls_scheme_info *info;

	if (to == NULL) {
		*size = (size_t)EVP_PKEY_get_size(s->key->public);
		return 1;
	}
	info = tls_scheme_of(s->key->type, s->digest[0] ? s->digest : NULL,
	    s->is_pss);
	*size = room;
	return info != NULL && tls_handshake_sign(&s->key->key, info->scheme,
	    (struct slice){ (const char *)data, data_size }, to, size);
}

#define FN(f) ((void (*)(void))(f))

static const OSSL_DISPATCH functions[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, FN(signature_new) },
	{ OSSL_FUNC_SIGNATURE_FREECTX, FN(free) },
	{ OSSL_FUNC_SIGNATURE_DUPCTX, FN(signature_dup) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, FN(signature_init) },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, FN(signature_sign) },
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, FN(signature_set) },
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, FN(signature_settable) },
	{ 0, NULL },
};

const OSSL_ALGORITHM tls_signatures[] = {
	{ "ECDSA", TLS_PROPERTY, functions, "signed by vault" },
	{ "RSA", TLS_PROPERTY, functions, "signed by vault" },
	{ "ED25519", TLS_PROPERTY, functions, "signed by vault" },
	{ NULL, NULL, NULL, NULL },
};
