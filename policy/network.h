/* SPDX-License-Identifier: ISC */
/*
 * network.h - the network of a client, in which it may change its address:
 * 24 bits of IPv4, 64 of IPv6.
 */
#ifndef POSTERN_POLICY_NETWORK_H
#define POSTERN_POLICY_NETWORK_H

#include <arpa/inet.h>
#include <stdbool.h>

#define NETWORK_TEXT_MAX (INET6_ADDRSTRLEN + 4)

/* "192.0.2.0/24"; false: no address. */
bool network_text(char to[NETWORK_TEXT_MAX], const char *ip);

#endif
