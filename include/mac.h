/* SPDX-License-Identifier: ISC */
/*
 * mac.h - HMAC-SHA256 under keys that change from call to call, for what
 * compartments hand each other sealed (route.h, voucher.h).
 */
#ifndef POSTERN_MAC_H
#define POSTERN_MAC_H

#include <stddef.h>
#include <stdint.h>

#define MAC_SIZE 32
#define MAC_KEY_SIZE 32

/* 0, or -ENOMEM without memory or algorithm. */
int mac_compute(uint8_t mac[MAC_SIZE], const uint8_t key[MAC_KEY_SIZE],
    const void *data, size_t size);

#endif
