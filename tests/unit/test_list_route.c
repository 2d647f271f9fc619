/* SPDX-License-Identifier: ISC */
/*
 * test_list_route.c - what is sealed comes back, and nothing else does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "list_route.h"
#include "mac.h"

static const uint8_t key[MAC_KEY_SIZE] = { 1, 2, 3 }, other[MAC_KEY_SIZE];

static struct list_route
example(struct slice members[2])
{
	members[0] = SLICE("bob@example.net");
	members[1] = SLICE("\"a b\"@example.net");
	return (struct list_route){ .list = SLICE("Team@example.org"),
		.session = SLICE("k3f9q2m7t"), .expires_s = 1795334400,
		.owner = SLICE("owner-team@example.org"),
		.account = SLICE("alice"), .members = members,
		.n_members = 2 };
}

static struct buf
sealed_example(void)
{
	struct slice members[2];
	struct list_route route = example(members);
	struct buf sealed = { 0 };

	assert_int_equal(list_route_seal(&sealed, &route, key), 0);
	return sealed;
}

static void
test_round_trip(void **state)
{
	struct buf sealed = sealed_example();
	struct list_route r;

	(void)state;
	assert_int_equal(list_route_open(&r, buf_slice(&sealed), key), 0);
	assert_true(slice_equals(r.list, SLICE("Team@example.org")));
	assert_true(slice_equals(r.session, SLICE("k3f9q2m7t")));
	assert_true(slice_equals(r.owner, SLICE("owner-team@example.org")));
	assert_true(slice_equals(r.account, SLICE("alice")));
	assert_int_equal(r.expires_s, 1795334400);
	assert_int_equal(r.n_members, 2);
	assert_true(slice_equals(r.members[1], SLICE("\"a b\"@example.net")));
	list_route_close(&r);
	assert_null(r.members);
	buf_free(&sealed);
}

/* Each octet, each length, and another key. */
static void
test_forged(void **state)
{
	struct buf sealed = sealed_example();
	struct list_route r;

	(void)state;
	assert_int_equal(list_route_open(&r, buf_slice(&sealed), other),
	    -EBADMSG);
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.data[i] ^= 1;
		assert_int_equal(list_route_open(&r, buf_slice(&sealed),
		    key), -EBADMSG);
		sealed.data[i] ^= 1;
		assert_int_equal(list_route_open(&r, (struct slice){
		    sealed.data, i }, key), -EBADMSG);
	}
	buf_free(&sealed);
}

/* Under the right key too: what no directory would write. */
static void
test_malformed(void **state)
{
	struct buf sealed = sealed_example(), changed = { 0 };
	struct list_route r;
	size_t body = sealed.size - MAC_SIZE;
	struct pack packed = { .out = &changed };
	char *at;

	(void)state;
	for (size_t i = 0; i < body; i++) {
		changed.size = 0;
		assert_int_equal(buf_append(&changed, sealed.data, i), 0);
		assert_int_equal(mac_seal(&packed, 0, SIZE_MAX, key), 0);
		assert_int_equal(list_route_open(&r, buf_slice(&changed),
		    key), -EBADMSG);
	}
	changed.size = 0;
	assert_int_equal(buf_append(&changed, sealed.data, body), 0);
	assert_int_equal(buf_puts(&changed, "x"), 0);
	assert_int_equal(mac_seal(&packed, 0, SIZE_MAX, key), 0);
	assert_int_equal(list_route_open(&r, buf_slice(&changed), key),
	    -EBADMSG);
	/* a member that is no field of an envelope's line */
	changed.size = 0;
	assert_int_equal(buf_append(&changed, sealed.data, body), 0);
	at = memmem(changed.data, body, "bob@", 4);
	assert_non_null(at);
	*at = '\n';
	assert_int_equal(mac_seal(&packed, 0, SIZE_MAX, key), 0);
	assert_int_equal(list_route_open(&r, buf_slice(&changed), key),
	    -EBADMSG);
	buf_free(&changed);
	buf_free(&sealed);
}

static void
test_what_is_not_sealed(void **state)
{
	static struct slice many[LIST_ROUTE_MAX_MEMBERS + 1];
	struct slice members[2];
	struct list_route route;
	struct buf out = { 0 };

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		route = example(members);
		if (i == 0)
			route.n_members = 0;
		else if (i == 1)
			route.owner = SLICE("");
		else if (i == 2)
			route.account = SLICE("");
		else if (i == 3)
			members[1] = SLICE("");
		else if (i == 4)
			members[1] = SLICE("a@b\nX: y");
		else if (i == 5)
			route.session = SLICE("012345678901234567890123");
		else
			route.list = SLICE("");
		assert_int_equal(list_route_seal(&out, &route, key), -EINVAL);
		assert_int_equal(out.size, 0);
	}
	for (size_t i = 0; i < LIST_ROUTE_MAX_MEMBERS + 1; i++)
		many[i] = SLICE("bob@example.net");
	route = example(members);
	route.members = many;
	route.n_members = LIST_ROUTE_MAX_MEMBERS + 1;
	assert_int_equal(list_route_seal(&out, &route, key), -EINVAL);
	route.n_members--;
	assert_int_equal(list_route_seal(&out, &route, key), 0);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_what_is_not_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
