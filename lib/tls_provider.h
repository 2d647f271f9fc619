/* SPDX-License-Identifier: ISC */
/*
 * tls_provider.h - "postern", a provider of OpenSSL 3 in this process.
 *
 * It has keys of which only the public half is here, and signatures with
 * them, which it asks for (tls_handshake_sign). Everything else that a
 * public key can do it leaves to the default provider, whose key it keeps.
 */
#ifndef POSTERN_LIB_TLS_PROVIDER_H
#define POSTERN_LIB_TLS_PROVIDER_H

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include "tls.h"

#define TLS_PROPERTY "provider=postern"

struct remote_key {
	const char *type;	/* "EC", "RSA", "ED25519" */
	EVP_PKEY *public;	/* the default provider's */
	struct tls_key key;
};

extern const OSSL_ALGORITHM tls_keymgmts[];	/* tls_key.c */
extern const OSSL_ALGORITHM tls_signatures[];	/* tls_signature.c */

/* Load it, and the default one. 0 or -EIO. */
int tls_provider_load(void);
/* A private key for SSL_CTX_use_PrivateKey, or NULL. */
EVP_PKEY *tls_key_new(EVP_PKEY *public, const struct tls_key *key);

/*
 * Sign for the handshake that runs now, which pauses (stream_tls.c). False:
 * there is no signature. *size is the room, then the signature's size.
 */
bool tls_handshake_sign(const struct tls_key *key, enum tls_scheme scheme,
    struct slice data, uint8_t *signature, size_t *size);

#endif
