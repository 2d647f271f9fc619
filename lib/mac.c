/* SPDX-License-Identifier: ISC */
/*
 * mac.c - see mac.h.
 */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "mac.h"

/*
 * One context for the life of the process: fetching the algorithm costs
 * more than the MAC of a usual route. Every compartment has one thread.
 */
static EVP_MAC_CTX *
mac_context(void)
{
	static EVP_MAC_CTX *context;
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    digest, 0),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac;

	if (context != NULL)
		return context;
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	context = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (context != NULL && !EVP_MAC_CTX_set_params(context, parameters)) {
		EVP_MAC_CTX_free(context);
		context = NULL;
	}
	return context;
}

int
mac_compute(uint8_t mac[MAC_SIZE], const uint8_t key[MAC_KEY_SIZE],
    const void *data, size_t size)
{
	EVP_MAC_CTX *context = mac_context();
	size_t written;

	if (context == NULL ||
	    !EVP_MAC_init(context, key, MAC_KEY_SIZE, NULL) ||
	    !EVP_MAC_update(context, data, size) ||
	    !EVP_MAC_final(context, mac, &written, MAC_SIZE))
		return -ENOMEM;
	return 0;
}

int
mac_seal(struct pack *packed, size_t begin, size_t most,
    const uint8_t key[MAC_KEY_SIZE])
{
	struct buf *out = packed->out;
	uint8_t mac[MAC_SIZE];

	if (packed->error == 0 && out->size - begin > most - MAC_SIZE)
		packed->error = -EMSGSIZE;
	if (packed->error == 0)
		packed->error = mac_compute(mac, key, out->data + begin,
		    out->size - begin);
	pack_bytes(packed, mac, sizeof mac);
	if (packed->error)
		out->size = begin;
	return packed->error == -ENOBUFS ? -EMSGSIZE : packed->error;
}

int
mac_open(struct slice *sealed, size_t most, const uint8_t key[MAC_KEY_SIZE])
{
	uint8_t mac[MAC_SIZE];
	int error;

	if (sealed->size <= MAC_SIZE || sealed->size > most)
		return -EBADMSG;
	sealed->size -= MAC_SIZE;
	if (key == NULL)
		return 0;
	error = mac_compute(mac, key, sealed->data, sealed->size);
	if (error)
		return error;
	return CRYPTO_memcmp(mac, sealed->data + sealed->size,
	    MAC_SIZE) == 0 ? 0 : -EBADMSG;
}
