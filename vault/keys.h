/* SPDX-License-Identifier: ISC */
/*
 * keys.h - private keys, and signatures with them.
 */
#ifndef POSTERN_VAULT_KEYS_H
#define POSTERN_VAULT_KEYS_H

#include <openssl/types.h>
#include "tls.h"

struct keys;

struct keys *keys_new(void);
void keys_free(struct keys **keys);
/*
 * Read a PEM private key from fd, a sealed memfd, and keep it; one of that
 * name is replaced. fd stays the caller's. 0, -EBADF (no such memfd),
 * -ENOMEM, or -EINVAL: OpenSSL does not take it.
 */
int keys_add(struct keys *keys, const struct tls_key *name, int fd);
/* The same, to be kept elsewhere: EVP_PKEY_free it. */
int keys_read(int fd, EVP_PKEY **key);
/* Those of one generation, or of all when it is 0. */
void keys_forget(struct keys *keys, uint16_t generation);
size_t keys_count(const struct keys *keys);
/*
 * Sign data. 0; -ENOENT: no such key; -EPERM: not what a TLS server signs,
 * or not with such a key; -EIO. signature has TLS_SIGNATURE_MAX octets.
 */
int keys_sign(const struct keys *keys, const struct tls_key *name,
    enum tls_scheme scheme, struct slice data, struct slice *signature,
    uint8_t *room);

#endif
