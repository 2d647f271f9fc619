/* SPDX-License-Identifier: ISC */
/*
 * digest.h - what a message is known by when a client sends it again.
 *
 * A keyed universal hash (Poly1305) under a key that store derives from its
 * secret and tells every smtpd: a fifth of what SHA-256 costs. It never
 * leaves the server but inside of store's HMAC, so nobody can find two
 * messages with one digest, or learn anything of the key. A message that
 * begins before store has told the key has no digest, and gets a 451 where it
 * needs one: another hash would not know its earlier attempt again.
 *
 * Only body.c uses this. No logging.
 */
#ifndef POSTERN_SMTPD_DIGEST_H
#define POSTERN_SMTPD_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32
#define DIGEST_KEY_SIZE 32

struct digest;

/* Load the algorithm, before the sandbox closes. */
void digest_warm_up(void);
/* For all that begin from now on. False: the library failed, none changes. */
bool digest_set_key(const uint8_t key[DIGEST_KEY_SIZE]);

/* NULL without memory. */
struct digest *digest_new(void);
void digest_free(struct digest **digest);
void digest_update(struct digest *digest, const void *data, size_t size);
/* False when there was no key or the library failed; out is zeros then. */
bool digest_final(struct digest *digest, uint8_t out[DIGEST_SIZE]);

#endif
