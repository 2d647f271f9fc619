/* SPDX-License-Identifier: ISC */
/*
 * dkim_key.h - public keys of DKIM (RFC 6376 3.6.1, RFC 8463 4).
 *
 * The key in p= is read here and handed to OpenSSL as numbers: OpenSSL 3's
 * decoder of a SubjectPublicKeyInfo, which libopendkim would use, takes ten
 * times as long as the verification itself. No I/O, no logging.
 */
#ifndef POSTERN_POLICY_DKIM_KEY_H
#define POSTERN_POLICY_DKIM_KEY_H

#include <openssl/types.h>
#include <stdbool.h>
#include "buf.h"

/*
 * Base64 of a SubjectPublicKeyInfo or a bare RSAPublicKey, or of the 32
 * octets of Ed25519. NULL: it is no such key, or memory is short. The
 * caller's to free with EVP_PKEY_free.
 */
EVP_PKEY *dkim_key_decode(struct slice p, bool is_ed25519);
/* Octets of the modulus in bits, as libopendkim counts them. */
unsigned dkim_key_bits(EVP_PKEY *key);
/* Whether signature (base64, folds and all) is the key's over a SHA-256. */
bool dkim_key_verifies(EVP_PKEY *key, const unsigned char hash[32],
    struct slice signature);

#endif
