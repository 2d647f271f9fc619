/* SPDX-License-Identifier: ISC */
/*
 * net_address.h - an IPv4 or IPv6 address without a port, for this folder
 * only. Pure. One of family AF_UNIX holds a number in as.v4 (job_hop.c), and
 * has no text.
 */
#ifndef RELAY_NET_ADDRESS_H
#define RELAY_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>

struct net_address {
	int family;			/* 0: none */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} as;
};

struct address_text {
	char text[INET6_ADDRSTRLEN];
};

/* False, and family 0: text is none. */
bool net_address_parse(struct net_address *a, const char *text);
struct address_text net_address_text(const struct net_address *a);
bool net_address_equals(const struct net_address *a,
    const struct net_address *b);

#endif
