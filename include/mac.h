/* SPDX-License-Identifier: ISC */
/*
 * mac.h - HMAC-SHA256 under keys that change from call to call, for what
 * compartments hand each other sealed (route.h, voucher.h).
 */
#ifndef POSTERN_MAC_H
#define POSTERN_MAC_H

#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "pack.h"

#define MAC_SIZE 32
#define MAC_KEY_SIZE 32

/* 0, or -ENOMEM without memory or algorithm. */
int mac_compute(uint8_t mac[MAC_SIZE], const uint8_t key[MAC_KEY_SIZE],
    const void *data, size_t size);
/*
 * Behind what was packed from begin on, its MAC. When it could not be packed,
 * or is over most octets with the MAC, it is taken away again: -ENOMEM,
 * -EMSGSIZE.
 */
int mac_seal(struct pack *packed, size_t begin, size_t most,
    const uint8_t key[MAC_KEY_SIZE]);
/*
 * Take it off again. -EBADMSG for another, in equal time, and for more than
 * most octets; -ENOMEM. With key NULL it is not looked at.
 */
int mac_open(struct slice *sealed, size_t most,
    const uint8_t key[MAC_KEY_SIZE]);

#endif
