/* SPDX-License-Identifier: ISC */
/*
 * test_route.c - routes survive sealing, and nothing else opens.
 */
#include <errno.h>
#include <stdio.h>
#include "route.h"
#include "table.h"

static const uint8_t secret[32] = { 1, 2, 3 };
static const uint8_t other_secret[32] = { 1, 2, 4 };

static struct route_leaf
leaf(const char *maildir)
{
	return (struct route_leaf){ .uid = 1000, .gid = 100,
		.quota_bytes = 1ull << 40, .user = SLICE("alice"),
		.home = SLICE("/home/alice"), .maildir = slice_of(maildir),
		.delivered_to = SLICE("alice@example.org") };
}

static struct route
route_of(struct route_leaf *leaves, size_t n)
{
	return (struct route){ .kind = n ? ROUTE_MAILBOX : ROUTE_DISCARD,
		.recipient = SLICE("Alice@Example.org"),
		.session = SLICE("k3f9q2m7t"), .expires_s = 1700000000,
		.leaves = leaves, .n_leaves = n };
}

static void
test_round_trip(void **state)
{
	struct route_leaf leaves[] = { leaf("/home/alice/Maildir"),
		leaf("/var/vmail/..b/x") };
	struct route in = route_of(leaves, 2), out;
	struct buf sealed = { 0 };

	(void)state;
	leaves[1].home = SLICE("");
	/* what stands in the buffer already is left alone */
	assert_int_equal(buf_puts(&sealed, "before"), 0);
	assert_int_equal(route_seal(&sealed, &in, secret), 0);
	buf_consume(&sealed, 6);
	assert_int_equal(route_open(&out, buf_slice(&sealed), secret), 0);
	assert_int_equal(out.kind, ROUTE_MAILBOX);
	assert_int_equal(out.expires_s, 1700000000);
	assert_true(slice_equals(out.recipient, in.recipient));
	assert_true(slice_equals(out.session, in.session));
	assert_int_equal(out.n_leaves, 2);
	assert_int_equal(out.leaves[0].uid, 1000);
	assert_int_equal(out.leaves[0].gid, 100);
	assert_int_equal(out.leaves[0].quota_bytes, 1ull << 40);
	assert_true(slice_equals(out.leaves[0].home, SLICE("/home/alice")));
	assert_true(slice_equals(out.leaves[1].maildir,
	    SLICE("/var/vmail/..b/x")));
	assert_int_equal(out.leaves[1].home.size, 0);
	assert_true(slice_equals(out.leaves[1].delivered_to,
	    SLICE("alice@example.org")));
	route_close(&out);
	route_close(&out);
	buf_free(&sealed);
}

static void
test_discard(void **state)
{
	struct route in = route_of(NULL, 0), out;
	struct buf sealed = { 0 };

	(void)state;
	assert_int_equal(route_seal(&sealed, &in, secret), 0);
	assert_int_equal(route_open(&out, buf_slice(&sealed), NULL), 0);
	assert_int_equal(out.kind, ROUTE_DISCARD);
	assert_int_equal(out.n_leaves, 0);
	route_close(&out);
	buf_free(&sealed);
}

static void
test_program(void **state)
{
	struct route_leaf one = leaf("/m");
	struct route in = route_of(NULL, 0), out;
	struct buf sealed = { 0 };

	(void)state;
	for (size_t n = 0; n <= 1; n++) {
		in.kind = ROUTE_PROGRAM;
		in.program = SLICE("/usr/bin/tee \"a b\"");
		in.leaves = &one;
		in.n_leaves = n;
		sealed.size = 0;
		assert_int_equal(route_seal(&sealed, &in, secret), 0);
		assert_int_equal(route_open(&out, buf_slice(&sealed), secret),
		    0);
		assert_int_equal(out.kind, ROUTE_PROGRAM);
		assert_int_equal(out.n_leaves, n);
		assert_true(slice_equals(out.program, in.program));
		route_close(&out);
	}
	in.program = SLICE("");
	assert_int_equal(route_seal(&sealed, &in, secret), -EINVAL);
	in.program = SLICE("/bin/cat\n/bin/rm");
	assert_int_equal(route_seal(&sealed, &in, secret), -EINVAL);
	in.kind = ROUTE_MAILBOX;
	in.program = SLICE("/bin/cat");
	assert_int_equal(route_seal(&sealed, &in, secret), -EINVAL);
	buf_free(&sealed);
}

/* Every octet counts, with the seal; without it nothing may crash. */
static void
test_forgery(void **state)
{
	struct route_leaf one = leaf("/m");
	struct route in = route_of(&one, 1), out;
	struct buf sealed = { 0 };

	(void)state;
	assert_int_equal(route_seal(&sealed, &in, secret), 0);
	assert_int_equal(route_open(&out, buf_slice(&sealed), other_secret),
	    -EBADMSG);
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.data[i] ^= 0x40;
		if (route_open(&out, buf_slice(&sealed), secret) != -EBADMSG)
			fail_msg("octet %zu may be changed", i);
		if (route_open(&out, buf_slice(&sealed), NULL) == 0)
			route_close(&out);
		sealed.data[i] ^= 0x40;
	}
	for (size_t size = 0; size < sealed.size; size++) {
		struct slice cut = { sealed.data, size };

		assert_int_equal(route_open(&out, cut, secret), -EBADMSG);
		assert_int_equal(route_open(&out, cut, NULL), -EBADMSG);
	}
	buf_free(&sealed);
}

static const struct {
	const char *name;
	const char *maildir, *home, *user, *delivered_to, *recipient;
	unsigned uid;
} invalid[] = {
	{ "relative", "home/a", "", "a", "a@b", "a@b", 1 },
	{ "empty maildir", "", "", "a", "a@b", "a@b", 1 },
	{ "parent in the middle", "/a/../b", "", "a", "a@b", "a@b", 1 },
	{ "parent at the end", "/a/..", "", "a", "a@b", "a@b", 1 },
	{ "parent at the front", "/../a", "", "a", "a@b", "a@b", 1 },
	{ "line end in path", "/a\n", "", "a", "a@b", "a@b", 1 },
	{ "relative home", "/a", "b", "a", "a@b", "a@b", 1 },
	{ "parent in home", "/a", "/..", "a", "a@b", "a@b", 1 },
	{ "no user", "/a", "", "", "a@b", "a@b", 1 },
	{ "control in user", "/a", "", "a\x7f", "a@b", "a@b", 1 },
	{ "no address", "/a", "", "a", "", "a@b", 1 },
	{ "header injection", "/a", "", "a", "a@b\r\nX: y", "a@b", 1 },
	{ "control in recipient", "/a", "", "a", "a@b", "a\r@b", 1 },
	{ "no uid", "/a", "", "a", "a@b", "a@b", UINT32_MAX },
};

static void
test_invalid(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(invalid); i++) {
		struct route_leaf bad = leaf(invalid[i].maildir);
		struct route in = route_of(&bad, 1);
		struct buf sealed = { 0 };

		bad.home = slice_of(invalid[i].home);
		bad.user = slice_of(invalid[i].user);
		bad.delivered_to = slice_of(invalid[i].delivered_to);
		bad.uid = invalid[i].uid;
		in.recipient = slice_of(invalid[i].recipient);
		CHECK(invalid[i].name,
		    route_seal(&sealed, &in, secret) == -EINVAL);
		CHECK(invalid[i].name, sealed.size == 0);
		buf_free(&sealed);
	}
}

/* setgid(-1) would change nothing. */
static void
test_no_gid(void **state)
{
	struct route_leaf bad = leaf("/m");
	struct route in = route_of(&bad, 1);
	struct buf sealed = { 0 };

	(void)state;
	bad.gid = (gid_t)-1;
	assert_int_equal(route_seal(&sealed, &in, secret), -EINVAL);
	buf_free(&sealed);
}

static void
test_kinds(void **state)
{
	struct route_leaf one = leaf("/m");
	struct route in = route_of(&one, 1);
	struct buf sealed = { 0 };

	(void)state;
	in.kind = ROUTE_REFUSE;
	assert_int_equal(route_seal(&sealed, &in, secret), -EINVAL);
	in.kind = ROUTE_DISCARD;
	assert_int_equal(route_seal(&sealed, &in, secret), -EINVAL);
	in.kind = ROUTE_MAILBOX;
	in.n_leaves = 0;
	assert_int_equal(route_seal(&sealed, &in, secret), -EINVAL);
	buf_free(&sealed);
}

static void
test_limits(void **state)
{
	size_t n = ROUTE_MAX_LEAVES + 1;
	struct route_leaf *leaves = calloc(n, sizeof *leaves);
	char path[300];
	struct route in, out;
	struct buf sealed = { 0 };

	(void)state;
	snprintf(path, sizeof path, "/%0250d", 1);
	for (size_t i = 0; i < n; i++)
		leaves[i] = leaf("/var/vmail/example.org/alice/Maildir");
	in = route_of(leaves, n);
	assert_int_equal(route_seal(&sealed, &in, secret), -EINVAL);
	in.n_leaves--;
	assert_int_equal(route_seal(&sealed, &in, secret), 0);
	assert_int_equal(route_open(&out, buf_slice(&sealed), secret), 0);
	assert_int_equal(out.n_leaves, ROUTE_MAX_LEAVES);
	route_close(&out);
	sealed.size = 0;
	for (size_t i = 0; i < n; i++)
		leaves[i].maildir = slice_of(path);
	assert_int_equal(route_seal(&sealed, &in, secret), -EMSGSIZE);
	assert_int_equal(sealed.size, 0);
	buf_free(&sealed);
	free(leaves);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_forgery),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_no_gid),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
