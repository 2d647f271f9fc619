/* SPDX-License-Identifier: ISC */
/*
 * fuzz_route.c - any octets as a sealed route: what opens is safe to use
 * and seals to the same octets again.
 */
#include "mac.h"
#include "require.h"
#include "route.h"

static void
check_leaf(const struct route_leaf *leaf, struct slice whole)
{
	REQUIRE(is_within(leaf->maildir, whole));
	REQUIRE(is_within(leaf->delivered_to, whole));
	REQUIRE(leaf->maildir.size > 0 && leaf->maildir.data[0] == '/');
	REQUIRE(leaf->home.size == 0 || leaf->home.data[0] == '/');
	REQUIRE(!has_control_octet(leaf->maildir));
	REQUIRE(!has_control_octet(leaf->home));
	REQUIRE(!has_control_octet(leaf->user));
	REQUIRE(!has_control_octet(leaf->delivered_to));
	for (size_t i = 0; i + 4 <= leaf->maildir.size; i++)
		REQUIRE(memcmp(leaf->maildir.data + i, "/../", 4) != 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[32] = { 7 };
	struct slice sealed = { (const char *)data, size };
	struct buf again = { 0 };
	struct route route;

	/* nobody guesses the seal */
	REQUIRE(route_open(&route, sealed, secret) != 0);
	if (route_open(&route, sealed, NULL) != 0)
		return 0;
	REQUIRE(route.kind != ROUTE_MAILBOX || route.n_leaves > 0);
	REQUIRE((route.kind == ROUTE_PROGRAM) == (route.program.size > 0));
	REQUIRE(!has_control_octet(route.program));
	REQUIRE(!has_control_octet(route.recipient));
	REQUIRE(!has_control_octet(route.session));
	for (size_t i = 0; i < route.n_leaves; i++)
		check_leaf(&route.leaves[i], sealed);
	REQUIRE(route_seal(&again, &route, secret) == 0);
	REQUIRE(again.size == size);
	REQUIRE(memcmp(again.data, data, size - MAC_SIZE) == 0);
	route_close(&route);
	REQUIRE(route_open(&route, buf_slice(&again), secret) == 0);
	route_close(&route);
	buf_free(&again);
	return 0;
}
