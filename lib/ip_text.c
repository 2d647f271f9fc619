/* SPDX-License-Identifier: ISC */
/*
 * ip_text.c - see ip_text.h.
 */
#include <arpa/inet.h>
#include "ip_text.h"

void
ip_write(char to[INET6_ADDRSTRLEN], int family, const void *octets)
{
	const struct in6_addr *v6 = octets;

	/* with that much room it cannot fail */
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		(void)inet_ntop(AF_INET, &v6->s6_addr[12], to,
		    INET6_ADDRSTRLEN);
	else
		(void)inet_ntop(family, octets, to, INET6_ADDRSTRLEN);
}
