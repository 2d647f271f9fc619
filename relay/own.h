/* SPDX-License-Identifier: ISC */
/*
 * own.h - the addresses of this machine, for this folder only: mail for a
 * host that is us must not be sent to us (RFC 5321 5.1, 6.3).
 *
 * They count only where we listen for mail on the port that is connected to;
 * another server on this machine is another host. Interfaces are read before
 * the sandbox; of one that comes later the name in its greeting tells.
 */
#ifndef RELAY_OWN_H
#define RELAY_OWN_H

#include "config.h"

struct own_addresses;
struct net_address;

/* NULL without memory. */
struct own_addresses *own_addresses_new(const struct config *config);
void own_addresses_free(struct own_addresses **own);
bool own_addresses_has(const struct own_addresses *own,
    const struct net_address *address, uint16_t port);

#endif
