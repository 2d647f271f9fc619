/* SPDX-License-Identifier: ISC */
/*
 * tls_provider.c - see tls_provider.h.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include "tls_provider.h"

static const OSSL_ALGORITHM *
query(void *context, int operation, int *no_store)
{
	(void)context;
	*no_store = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return tls_keymgmts;
	if (operation == OSSL_OP_SIGNATURE)
		return tls_signatures;
	return NULL;
}

static const OSSL_DISPATCH functions[] = {
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
	{ 0, NULL },
};

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **context)
{
	static char not_null;

	(void)handle;
	(void)in;
	*out = functions;
	*context = &not_null;
	return 1;
}

/* Where both have an algorithm, nobody means ours without saying so. */
int
tls_provider_load(void)
{
	/* for as long as the process lives */
	static OSSL_PROVIDER *volatile theirs, *volatile ours;

	theirs = OSSL_PROVIDER_load(NULL, "default");
	if (theirs == NULL ||
	    OSSL_PROVIDER_add_builtin(NULL, "postern", provider_init) != 1)
		return -EIO;
	ours = OSSL_PROVIDER_load(NULL, "postern");
	if (ours == NULL ||
	    EVP_set_default_properties(NULL, "?provider=default") != 1)
		return -EIO;
	return 0;
}
