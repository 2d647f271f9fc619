/* SPDX-License-Identifier: ISC */
/*
 * ip_text.h - an address of a client as everybody here writes it.
 *
 * Networks of the configuration are compared with this text, and what was
 * seen of a client is kept by it.
 */
#ifndef POSTERN_IP_TEXT_H
#define POSTERN_IP_TEXT_H

#include <netinet/in.h>

/* "192.0.2.1", "2001:db8::1"; IPv4 in the form of IPv6 is written as IPv4.
 * octets: struct in_addr of AF_INET, struct in6_addr of AF_INET6. */
void ip_write(char to[INET6_ADDRSTRLEN], int family, const void *octets);

#endif
