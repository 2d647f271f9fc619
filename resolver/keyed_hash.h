/* SPDX-License-Identifier: ISC */
/*
 * keyed_hash.h - SipHash-2-4, for this folder only: names come from whoever
 * sends us mail, and must not be able to all fall into one chain.
 */
#ifndef RESOLVER_KEYED_HASH_H
#define RESOLVER_KEYED_HASH_H

#include <stdint.h>
#include "buf.h"

uint64_t keyed_hash(const uint64_t key[2], struct slice data);

#endif
