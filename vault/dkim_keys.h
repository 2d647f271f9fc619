/* SPDX-License-Identifier: ISC */
/*
 * dkim_keys.h - DKIM keys, and signatures with them.
 *
 * Kept by configuration: those of a new one stand beside the old until
 * dkim_keys_forget, and are found first.
 */
#ifndef POSTERN_VAULT_DKIM_KEYS_H
#define POSTERN_VAULT_DKIM_KEYS_H

#include "ask.h"
#include "config.h"

struct dkim_keys;

struct dkim_keys *dkim_keys_new(void);
void dkim_keys_free(struct dkim_keys **keys);
/* Read a key of this section from a sealed memfd, which stays the caller's.
 * 0, -EBADF, -ENOMEM, -EINVAL: neither RSA nor Ed25519. */
int dkim_keys_add(struct dkim_keys *keys, uint16_t generation,
    const struct config_dkim *section, int fd);
/* Those of this generation. */
void dkim_keys_forget(struct dkim_keys *keys, uint16_t generation);
/*
 * Answer the question of ask.h. answer points into room, which has
 * VAULT_DKIM_MAX times TLS_SIGNATURE_MAX octets, and into keys. 0; -ENOENT:
 * no such key; -EPERM: not what a signer signs; -EIO. No signatures then.
 */
int dkim_keys_sign(const struct dkim_keys *keys, const struct vault_dkim *q,
    struct vault_dkim_signed *answer, uint8_t *room);

#endif
