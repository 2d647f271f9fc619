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

#define MAC_SIZE 32
#define MAC_KEY_SIZE 32

/* 0, or -ENOMEM without memory or algorithm. */
int mac_compute(uint8_t mac[MAC_SIZE], const uint8_t key[MAC_KEY_SIZE],
    const void *data, size_t size);
/* Behind what stands in text from begin on, its MAC. The same, or -ENOBUFS. */
int mac_append(struct buf *text, size_t begin,
    const uint8_t key[MAC_KEY_SIZE]);
/* Take it off again. -EBADMSG for another, in equal time; -ENOMEM. */
int mac_check(struct slice *text, const uint8_t key[MAC_KEY_SIZE]);

#endif
