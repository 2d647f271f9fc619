/* SPDX-License-Identifier: ISC */
/*
 * network.c - see network.h.
 */
#include <stdio.h>
#include <string.h>
#include "network.h"

bool
network_text(char to[NETWORK_TEXT_MAX], const char *ip)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char octets[16];
	int family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;
	size_t keep = family == AF_INET6 ? 8 : 3;

	*to = '\0';
	if (inet_pton(family, ip, octets) != 1)
		return false;
	memset(octets + keep, 0, sizeof octets - keep);
	if (inet_ntop(family, octets, text, sizeof text) == NULL)
		return false;
	snprintf(to, NETWORK_TEXT_MAX, "%s/%zu", text, keep * 8);
	return true;
}
