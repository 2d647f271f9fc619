/* SPDX-License-Identifier: ISC */
/*
 * route.c - sealed routes; see route.h.
 *
 * Form: version (1), kind (1), expires (8), recipient, session, program,
 * number of leaves (4), leaves, HMAC-SHA256 of all that (32). Both directions
 * apply the same rules, so that a route that was sealed can be opened.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include "ipc.h"
#include "mac.h"
#include "pack.h"
#include "route.h"

#define ROUTE_VERSION 2
/* uid, gid, quota and four empty strings */
#define LEAF_MIN_SIZE (4 + 4 + 8 + 4 * 2)

/* ---- what a route may hold ---- */

/* These end in header lines, logs and paths: no control octets. */
static bool
is_clean(struct slice s, size_t max)
{
	return s.size <= max && !slice_has_control(s);
}

/* Absolute, without "..", and without control octets. */
static bool
is_safe_path(struct slice path)
{
	struct slice rest = path;

	if (path.size == 0 || path.data[0] != '/' ||
	    !is_clean(path, PATH_MAX - 1))
		return false;
	while (rest.size > 0) {
		struct slice part = { rest.data, slice_find(rest, '/') };
		size_t used = part.size < rest.size ? part.size + 1 : part.size;

		if (slice_equals(part, SLICE("..")))
			return false;
		rest.data += used;
		rest.size -= used;
	}
	return true;
}

static bool
is_leaf_valid(const struct route_leaf *leaf)
{
	return is_safe_path(leaf->maildir) &&
	    (leaf->home.size == 0 || is_safe_path(leaf->home)) &&
	    leaf->user.size > 0 && is_clean(leaf->user, UINT8_MAX) &&
	    leaf->delivered_to.size > 0 &&
	    is_clean(leaf->delivered_to, UINT16_MAX) &&
	    leaf->uid != (uid_t)-1 && leaf->gid != (gid_t)-1;
}

/* What each kind leads to. */
static bool
is_target_valid(const struct route *route)
{
	if (route->kind == ROUTE_PROGRAM)
		return route->program.size > 0 &&
		    is_clean(route->program, ROUTE_PROGRAM_MAX);
	if (route->program.size > 0)
		return false;
	return (route->kind == ROUTE_MAILBOX && route->n_leaves > 0) ||
	    (route->kind == ROUTE_DISCARD && route->n_leaves == 0);
}

static bool
is_head_valid(const struct route *route)
{
	return is_clean(route->recipient, UINT16_MAX) &&
	    is_clean(route->session, UINT8_MAX) && is_target_valid(route) &&
	    route->n_leaves <= ROUTE_MAX_LEAVES;
}

static bool
is_route_valid(const struct route *route)
{
	if (!is_head_valid(route))
		return false;
	for (size_t i = 0; i < route->n_leaves; i++)
		if (!is_leaf_valid(&route->leaves[i]))
			return false;
	return true;
}

/* ---- encode ---- */

static void
pack_leaf(struct pack *p, const struct route_leaf *leaf)
{
	pack_u32(p, leaf->uid);
	pack_u32(p, leaf->gid);
	pack_u64(p, leaf->quota_bytes);
	pack_slice(p, leaf->user);
	pack_slice(p, leaf->home);
	pack_slice(p, leaf->maildir);
	pack_slice(p, leaf->delivered_to);
}

int
route_seal(struct buf *out, const struct route *route, const uint8_t *secret)
{
	struct pack p = { .out = out };
	size_t begin = out->size;

	if (!is_route_valid(route))
		return -EINVAL;
	pack_u8(&p, ROUTE_VERSION);
	pack_u8(&p, (uint8_t)route->kind);
	pack_u64(&p, (uint64_t)route->expires_s);
	pack_slice(&p, route->recipient);
	pack_slice(&p, route->session);
	pack_slice(&p, route->program);
	pack_u32(&p, (uint32_t)route->n_leaves);
	for (size_t i = 0; i < route->n_leaves; i++)
		pack_leaf(&p, &route->leaves[i]);
	return mac_seal(&p, begin, ROUTE_MAX_BYTES, secret);
}

/* ---- decode ---- */

static void
get_leaf(struct ipc_reader *r, struct route_leaf *leaf)
{
	leaf->uid = ipc_get_u32(r);
	leaf->gid = ipc_get_u32(r);
	leaf->quota_bytes = ipc_get_u64(r);
	leaf->user = ipc_get_slice(r);
	leaf->home = ipc_get_slice(r);
	leaf->maildir = ipc_get_slice(r);
	leaf->delivered_to = ipc_get_slice(r);
}

static int
get_leaves(struct ipc_reader *r, struct route *route)
{
	if (route->n_leaves == 0)
		return ipc_reader_is_done(r) ? 0 : -EBADMSG;
	/* what cannot be there is not allocated for */
	if (route->n_leaves > (r->size - r->at) / LEAF_MIN_SIZE)
		return -EBADMSG;
	route->leaves = calloc(route->n_leaves, sizeof *route->leaves);
	if (route->leaves == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < route->n_leaves; i++) {
		get_leaf(r, &route->leaves[i]);
		if (r->failed || !is_leaf_valid(&route->leaves[i]))
			return -EBADMSG;
	}
	return ipc_reader_is_done(r) ? 0 : -EBADMSG;
}

int
route_open(struct route *route, struct slice sealed, const uint8_t *secret)
{
	struct ipc_reader r;
	int error;

	*route = (struct route){ 0 };
	error = mac_open(&sealed, ROUTE_MAX_BYTES, secret);
	if (error)
		return error;
	ipc_reader_init(&r, sealed.data, sealed.size);
	if (ipc_get_u8(&r) != ROUTE_VERSION)
		return -EBADMSG;
	route->kind = (enum route_kind)ipc_get_u8(&r);
	route->expires_s = (int64_t)ipc_get_u64(&r);
	route->recipient = ipc_get_slice(&r);
	route->session = ipc_get_slice(&r);
	route->program = ipc_get_slice(&r);
	route->n_leaves = ipc_get_u32(&r);
	error = r.failed || !is_head_valid(route) ? -EBADMSG :
	    get_leaves(&r, route);
	if (error)
		route_close(route);
	return error;
}

void
route_close(struct route *route)
{
	free(route->leaves);
	*route = (struct route){ 0 };
}
