/* SPDX-License-Identifier: ISC */
/*
 * tls_key.c - keys of which the private half is in vault.
 *
 * Such a key says that it has both halves, and can be compared and
 * measured; asked to hand its private half out, it fails. See provider-
 * keymgmt(7) for what each function is to do.
 */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdlib.h>
#include "tls_provider.h"

#define PARAM_KEY "postern-key"		/* generation << 16 | index */
#define WITH_PRIVATE OSSL_KEYMGMT_SELECT_PRIVATE_KEY

static void *
key_new(const char *type)
{
	struct remote_key *key = calloc(1, sizeof *key);

	if (key != NULL)
		key->type = type;
	return key;
}

static void *
ec_new(void *context)
{
	(void)context;
	return key_new("EC");
}

static void *
rsa_new(void *context)
{
	(void)context;
	return key_new("RSA");
}

static void *
ed25519_new(void *context)
{
	(void)context;
	return key_new("ED25519");
}

static void
key_free(void *data)
{
	struct remote_key *key = data;

	if (key == NULL)
		return;
	EVP_PKEY_free(key->public);
	free(key);
}

static int
key_has(const void *data, int selection)
{
	const struct remote_key *key = data;

	(void)selection;
	return key->public != NULL;
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct remote_key *left = a, *right = b;

	(void)selection;
	return left->public != NULL && right->public != NULL &&
	    EVP_PKEY_eq(left->public, right->public) == 1;
}

static int
key_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct remote_key *key = data;
	const OSSL_PARAM *number = OSSL_PARAM_locate_const(params, PARAM_KEY);
	EVP_PKEY_CTX *ctx;
	uint32_t value = 0;
	OSSL_PARAM *copy;
	int is_ok;

	(void)selection;
	if (number != NULL && OSSL_PARAM_get_uint32(number, &value) != 1)
		return 0;
	key->key.generation = (uint16_t)(value >> 16);
	key->key.index = (uint16_t)value;
	copy = OSSL_PARAM_dup(params);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, key->type, "provider=default");
	is_ok = copy != NULL && ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1
	    && EVP_PKEY_fromdata(ctx, &key->public, EVP_PKEY_PUBLIC_KEY,
	    copy) == 1;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(copy);
	return is_ok;
}

static int
key_export(void *data, int selection, OSSL_CALLBACK *callback, void *arg)
{
	struct remote_key *key = data;
	OSSL_PARAM *params = NULL;
	int is_ok;

	if ((selection & WITH_PRIVATE) != 0 || key->public == NULL ||
	    EVP_PKEY_todata(key->public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return 0;
	is_ok = callback(params, arg);
	OSSL_PARAM_free(params);
	return is_ok;
}

/* What there is depends on the default provider's key; we ask that. */
static const OSSL_PARAM *
no_types(int selection)
{
	static const OSSL_PARAM none[] = { OSSL_PARAM_END };

	(void)selection;
	return none;
}

static int
key_get_params(void *data, OSSL_PARAM params[])
{
	struct remote_key *key = data;

	return key->public != NULL && EVP_PKEY_get_params(key->public, params);
}

static const OSSL_PARAM *
gettable(void *context)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(
		    OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
		    NULL, 0),
		OSSL_PARAM_END
	};

	(void)context;
	return list;
}

static const char *
ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC";
}

#define FN(f) ((void (*)(void))(f))
#define COMMON(new) \
	{ OSSL_FUNC_KEYMGMT_NEW, FN(new) }, \
	{ OSSL_FUNC_KEYMGMT_FREE, FN(key_free) }, \
	{ OSSL_FUNC_KEYMGMT_HAS, FN(key_has) }, \
	{ OSSL_FUNC_KEYMGMT_MATCH, FN(key_match) }, \
	{ OSSL_FUNC_KEYMGMT_IMPORT, FN(key_import) }, \
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, FN(no_types) }, \
	{ OSSL_FUNC_KEYMGMT_EXPORT, FN(key_export) }, \
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, FN(no_types) }, \
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, FN(key_get_params) }, \
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, FN(gettable) }

static const OSSL_DISPATCH ec_functions[] = {
	COMMON(ec_new),
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, FN(ec_operation) },
	{ 0, NULL },
};

static const OSSL_DISPATCH rsa_functions[] = {
	COMMON(rsa_new),
	{ 0, NULL },
};

static const OSSL_DISPATCH ed25519_functions[] = {
	COMMON(ed25519_new),
	{ 0, NULL },
};

const OSSL_ALGORITHM tls_keymgmts[] = {
	{ "EC", TLS_PROPERTY, ec_functions, "key in vault" },
	{ "RSA", TLS_PROPERTY, rsa_functions, "key in vault" },
	{ "ED25519", TLS_PROPERTY, ed25519_functions, "key in vault" },
	{ NULL, NULL, NULL, NULL },
};

static EVP_PKEY *
key_make(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type,
	    TLS_PROPERTY);
	EVP_PKEY *made = NULL;

	if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_KEYPAIR, params);
	EVP_PKEY_CTX_free(ctx);
	return made;
}

EVP_PKEY *
tls_key_new(EVP_PKEY *public, const struct tls_key *key)
{
	static const char *const types[] = { "EC", "RSA", "ED25519" };
	uint32_t number = (uint32_t)key->generation << 16 | key->index;
	OSSL_PARAM own[] = { OSSL_PARAM_construct_uint32(PARAM_KEY, &number),
		OSSL_PARAM_construct_end() };
	OSSL_PARAM *params = NULL, *all;
	EVP_PKEY *made = NULL;

	if (EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return NULL;
	all = OSSL_PARAM_merge(params, own);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (all != NULL && EVP_PKEY_is_a(public, types[i]))
			made = key_make(types[i], all);
	OPENSSL_free(all);
	OSSL_PARAM_free(params);
	return made;
}
