/* SPDX-License-Identifier: ISC */
/*
 * list_route.c - see list_route.h.
 *
 * Form: version (1), expires (8), list, session, owner, account, number of
 * members (4), the members, HMAC-SHA256 of all that (32).
 */
#include <errno.h>
#include <stdlib.h>
#include "ask.h"
#include "list_route.h"
#include "mac.h"
#include "pack.h"

#define VERSION 1

static bool
is_head_valid(const struct list_route *r)
{
	return slice_is_field(r->list, ASK_ADDRESS_MAX) &&
	    slice_is_field(r->session, ASK_SESSION_MAX) &&
	    slice_is_field(r->owner, ASK_ADDRESS_MAX) &&
	    slice_is_field(r->account, VOUCHER_USER_MAX) && r->n_members > 0 &&
	    r->n_members <= LIST_ROUTE_MAX_MEMBERS;
}

static bool
is_valid(const struct list_route *r)
{
	if (!is_head_valid(r))
		return false;
	for (size_t i = 0; i < r->n_members; i++)
		if (!slice_is_field(r->members[i], ASK_ADDRESS_MAX))
			return false;
	return true;
}

int
list_route_seal(struct buf *out, const struct list_route *route,
    const uint8_t *secret)
{
	struct pack p = { .out = out };
	size_t begin = out->size;

	if (!is_valid(route))
		return -EINVAL;
	pack_u8(&p, VERSION);
	pack_u64(&p, (uint64_t)route->expires_s);
	pack_slice(&p, route->list);
	pack_slice(&p, route->session);
	pack_slice(&p, route->owner);
	pack_slice(&p, route->account);
	pack_u32(&p, (uint32_t)route->n_members);
	for (size_t i = 0; i < route->n_members; i++)
		pack_slice(&p, route->members[i]);
	return mac_seal(&p, begin, LIST_ROUTE_MAX_BYTES, secret);
}

static int
get_members(struct ipc_reader *in, struct list_route *r)
{
	r->members = calloc(r->n_members, sizeof *r->members);
	if (r->members == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_members; i++)
		r->members[i] = ipc_get_slice(in);
	return ipc_reader_is_done(in) && is_valid(r) ? 0 : -EBADMSG;
}

int
list_route_open(struct list_route *route, struct slice sealed,
    const uint8_t *secret)
{
	struct ipc_reader in;
	int error;

	*route = (struct list_route){ 0 };
	error = mac_open(&sealed, LIST_ROUTE_MAX_BYTES, secret);
	if (error)
		return error;
	ipc_reader_init(&in, sealed.data, sealed.size);
	if (ipc_get_u8(&in) != VERSION)
		return -EBADMSG;
	route->expires_s = (int64_t)ipc_get_u64(&in);
	route->list = ipc_get_slice(&in);
	route->session = ipc_get_slice(&in);
	route->owner = ipc_get_slice(&in);
	route->account = ipc_get_slice(&in);
	route->n_members = ipc_get_u32(&in);
	error = in.failed || !is_head_valid(route) ? -EBADMSG :
	    get_members(&in, route);
	if (error)
		list_route_close(route);
	return error;
}

void
list_route_close(struct list_route *route)
{
	free(route->members);
	*route = (struct list_route){ 0 };
}
