/* SPDX-License-Identifier: ISC */
/*
 * hop_route.c - see hop_route.h.
 *
 * Form: version (1), expires (8), recipient, session, destination,
 * is_smart_host (1), is_forward (1), srs_domain, address, HMAC-SHA256 of all
 * that (32).
 */
#include <errno.h>
#include "ask.h"
#include "hop_route.h"
#include "mac.h"
#include "pack.h"

#define VERSION 1

static bool
is_valid(const struct hop_route *r)
{
	return slice_is_field(r->recipient, ASK_ADDRESS_MAX) &&
	    slice_is_field(r->session, ASK_SESSION_MAX) &&
	    slice_is_field(r->destination, HOP_DESTINATION_MAX) &&
	    slice_find(r->destination, ' ') == r->destination.size &&
	    (r->is_forward ?
	    slice_is_field(r->srs_domain, ADDRESS_DOMAIN_MAX + 1) :
	    r->srs_domain.size == 0) &&
	    slice_is_field(r->address, ASK_ADDRESS_MAX);
}

bool
hop_route_is_same_hop(const struct hop_route *a, const struct hop_route *b)
{
	return slice_equals(a->destination, b->destination) &&
	    a->is_smart_host == b->is_smart_host &&
	    a->is_forward == b->is_forward &&
	    slice_equals(a->srs_domain, b->srs_domain);
}

int
hop_route_seal(struct buf *out, const struct hop_route *route,
    const uint8_t *secret)
{
	struct pack p = { .out = out };
	size_t begin = out->size;

	if (!is_valid(route))
		return -EINVAL;
	pack_u8(&p, VERSION);
	pack_u64(&p, (uint64_t)route->expires_s);
	pack_slice(&p, route->recipient);
	pack_slice(&p, route->session);
	pack_slice(&p, route->destination);
	pack_u8(&p, route->is_smart_host);
	pack_u8(&p, route->is_forward);
	pack_slice(&p, route->srs_domain);
	pack_slice(&p, route->address);
	return mac_seal(&p, begin, HOP_ROUTE_MAX_BYTES, secret);
}

int
hop_route_open(struct hop_route *route, struct slice sealed,
    const uint8_t *secret)
{
	struct ipc_reader in;
	int error;

	*route = (struct hop_route){ 0 };
	error = mac_open(&sealed, HOP_ROUTE_MAX_BYTES, secret);
	if (error)
		return error;
	ipc_reader_init(&in, sealed.data, sealed.size);
	if (ipc_get_u8(&in) != VERSION)
		return -EBADMSG;
	route->expires_s = (int64_t)ipc_get_u64(&in);
	route->recipient = ipc_get_slice(&in);
	route->session = ipc_get_slice(&in);
	route->destination = ipc_get_slice(&in);
	route->is_smart_host = ipc_get_bool(&in);
	route->is_forward = ipc_get_bool(&in);
	route->srs_domain = ipc_get_slice(&in);
	route->address = ipc_get_slice(&in);
	if (!ipc_reader_is_done(&in) || !is_valid(route)) {
		*route = (struct hop_route){ 0 };
		return -EBADMSG;
	}
	return 0;
}
