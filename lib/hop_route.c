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
is_word(struct slice s, size_t room)
{
	return s.size > 0 && s.size < room && !slice_has_control(s);
}

static bool
is_valid(const struct hop_route *r)
{
	return is_word(r->recipient, ASK_ADDRESS_MAX) &&
	    is_word(r->session, ASK_SESSION_MAX) &&
	    is_word(r->destination, HOP_DESTINATION_MAX) &&
	    slice_find(r->destination, ' ') == r->destination.size &&
	    (r->is_forward ? is_word(r->srs_domain, ADDRESS_DOMAIN_MAX + 1) :
	    r->srs_domain.size == 0) &&
	    is_word(r->address, ASK_ADDRESS_MAX);
}

bool
hop_route_is_same_hop(const struct hop_route *a, const struct hop_route *b)
{
	return slice_equals(a->destination, b->destination) &&
	    a->is_smart_host == b->is_smart_host &&
	    a->is_forward == b->is_forward &&
	    slice_equals(a->srs_domain, b->srs_domain);
}

static int
pack_hop(struct buf *out, const struct hop_route *r)
{
	struct pack p = { .out = out };

	pack_u8(&p, VERSION);
	pack_u64(&p, (uint64_t)r->expires_s);
	pack_slice(&p, r->recipient);
	pack_slice(&p, r->session);
	pack_slice(&p, r->destination);
	pack_u8(&p, r->is_smart_host);
	pack_u8(&p, r->is_forward);
	pack_slice(&p, r->srs_domain);
	pack_slice(&p, r->address);
	return p.error;
}

int
hop_route_seal(struct buf *out, const struct hop_route *route,
    const uint8_t *secret)
{
	size_t begin = out->size;
	int error = is_valid(route) ? pack_hop(out, route) : -EINVAL;

	if (!error && out->size - begin > HOP_ROUTE_MAX_BYTES - MAC_SIZE)
		error = -EMSGSIZE;
	if (!error)
		error = mac_append(out, begin, secret);
	if (error)
		out->size = begin;
	return error == -ENOBUFS ? -EMSGSIZE : error;
}

int
hop_route_open(struct hop_route *route, struct slice sealed,
    const uint8_t *secret)
{
	struct ipc_reader in;
	int error = 0;

	*route = (struct hop_route){ 0 };
	if (sealed.size <= MAC_SIZE || sealed.size > HOP_ROUTE_MAX_BYTES)
		return -EBADMSG;
	if (secret == NULL)
		sealed.size -= MAC_SIZE;
	else
		error = mac_check(&sealed, secret);
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
