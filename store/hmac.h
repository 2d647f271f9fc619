/* SPDX-License-Identifier: ISC */
/*
 * hmac.h - HMAC-SHA256 (RFC 2104) of a list of fields, with the key's two
 * blocks hashed beforehand: short inputs cost half of what they would.
 *
 * Each field goes in with its length, so no two lists look alike. One
 * thread. Only store uses this.
 */
#ifndef STORE_HMAC_H
#define STORE_HMAC_H

#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define HMAC_SIZE 32

struct hmac;

/* At most 64 octets of key. 0 or -ENOMEM. */
int hmac_new(struct hmac **h, const void *key, size_t size);
void hmac_free(struct hmac **h);
/* 0, or -EIO when the library fails. */
int hmac_fields(struct hmac *h, const struct slice *fields, size_t n,
    uint8_t out[HMAC_SIZE]);

#endif
