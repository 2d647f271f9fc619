/* SPDX-License-Identifier: ISC */
/*
 * own.c - see own.h.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include "net_address.h"
#include "own.h"

struct listener {
	bool is_any;			/* each address of the machine, of the
					 * family of this one if it has one */
	struct net_address address;
	uint16_t port;
};

struct own_addresses {
	struct net_address *interfaces;
	size_t n_interfaces;
	struct listener *listeners;
	size_t n_listeners;
};

static void
interface_add(struct own_addresses *own, const struct sockaddr *sa)
{
	struct net_address a = { .family = sa->sa_family }, *more;
	const void *p = sa;

	if (sa->sa_family == AF_INET)
		a.as.v4 = ((const struct sockaddr_in *)p)->sin_addr;
	else if (sa->sa_family == AF_INET6)
		a.as.v6 = ((const struct sockaddr_in6 *)p)->sin6_addr;
	else
		return;
	more = reallocarray(own->interfaces, own->n_interfaces + 1,
	    sizeof *more);
	if (more == NULL)
		return;
	own->interfaces = more;
	more[own->n_interfaces++] = a;
}

static void
interfaces_read(struct own_addresses *own)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
	for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL)
			interface_add(own, i->ifa_addr);
	freeifaddrs(all);
}

static bool
is_loopback(const struct net_address *a)
{
	return a->family == AF_INET ? ntohl(a->as.v4.s_addr) >> 24 == 127 :
	    IN6_IS_ADDR_LOOPBACK(&a->as.v6);
}

/* 0.0.0.0 and :: lead to this machine too. */
static bool
is_unspecified(const struct net_address *a)
{
	return a->family == AF_INET ? a->as.v4.s_addr == 0 :
	    IN6_IS_ADDR_UNSPECIFIED(&a->as.v6);
}

struct own_addresses *
own_addresses_new(const struct config *config)
{
	struct own_addresses *own = calloc(1, sizeof *own);

	if (own == NULL)
		return NULL;
	own->listeners = calloc(config->n_listens + 1,
	    sizeof *own->listeners);
	if (own->listeners == NULL) {
		free(own);
		return NULL;
	}
	interfaces_read(own);
	for (size_t i = 0; i < config->n_listens; i++) {
		const struct config_listen *l = &config->listens[i];
		struct listener *to = &own->listeners[own->n_listeners];

		if (l->is_unix || l->role != LISTEN_MX)
			continue;
		to->port = l->port;
		to->is_any = !net_address_parse(&to->address, l->address) ||
		    is_unspecified(&to->address);
		own->n_listeners++;
	}
	return own;
}

void
own_addresses_free(struct own_addresses **own)
{
	if (*own == NULL)
		return;
	free((*own)->interfaces);
	free((*own)->listeners);
	free(*own);
	*own = NULL;
}

static bool
is_here(const struct own_addresses *own, const struct net_address *address)
{
	if (is_loopback(address) || is_unspecified(address))
		return true;
	for (size_t i = 0; i < own->n_interfaces; i++)
		if (net_address_equals(&own->interfaces[i], address))
			return true;
	return false;
}

static bool
leads_to(const struct own_addresses *own, const struct listener *l,
    const struct net_address *address)
{
	if (!l->is_any)
		return net_address_equals(&l->address, address);
	return (l->address.family == 0 ||
	    l->address.family == address->family) && is_here(own, address);
}

/* A connection to ::ffff:192.0.2.1 leads where one to 192.0.2.1 does. */
static struct net_address
unmapped(const struct net_address *a)
{
	struct net_address v4 = { .family = AF_INET };

	if (a->family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->as.v6))
		return *a;
	memcpy(&v4.as.v4, a->as.v6.s6_addr + 12, sizeof v4.as.v4);
	return v4;
}

bool
own_addresses_has(const struct own_addresses *own,
    const struct net_address *address, uint16_t port)
{
	const struct net_address to = unmapped(address);

	for (size_t i = 0; i < own->n_listeners; i++) {
		const struct listener *l = &own->listeners[i];

		if (l->port == port && leads_to(own, l, &to))
			return true;
	}
	return false;
}
