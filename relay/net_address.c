/* SPDX-License-Identifier: ISC */
/*
 * net_address.c - see net_address.h.
 */
#include <arpa/inet.h>
#include <string.h>
#include "net_address.h"

bool
net_address_parse(struct net_address *a, const char *text)
{
	memset(a, 0, sizeof *a);
	if (inet_pton(AF_INET, text, &a->as.v4) == 1)
		a->family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a->as.v6) == 1)
		a->family = AF_INET6;
	return a->family != 0;
}

struct address_text
net_address_text(const struct net_address *a)
{
	struct address_text t = { "" };

	(void)inet_ntop(a->family, &a->as, t.text, sizeof t.text);
	return t;
}

bool
net_address_equals(const struct net_address *a, const struct net_address *b)
{
	if (a->family != b->family)
		return false;
	return a->family != AF_INET6 ?
	    a->as.v4.s_addr == b->as.v4.s_addr :
	    memcmp(&a->as.v6, &b->as.v6, sizeof a->as.v6) == 0;
}
