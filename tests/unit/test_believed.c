/* SPDX-License-Identifier: ISC */
/*
 * test_believed.c - which mailboxes need not be asked about again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "../../smtpd/believed.h"
#include "route.h"

#define NOW 5000000000ll
#define SECOND 1000000ll

static const uint8_t secret[32] = { 1 };

struct sealed_route {
	const char *maildir;
	uid_t uid;
	uint64_t quota_bytes;
	size_t n_leaves;
};

/* In memory that the next call reuses. */
static struct slice
seal(struct sealed_route r)
{
	static struct buf out;
	struct route_leaf leaf = { .uid = r.uid, .gid = 100,
		.quota_bytes = r.quota_bytes, .user = SLICE("u"),
		.home = SLICE("/home/u"), .maildir = slice_of(r.maildir),
		.delivered_to = SLICE("u@example.org") };
	struct route_leaf leaves[2] = { leaf, leaf };
	struct route route = { .kind = ROUTE_MAILBOX,
		.recipient = SLICE("u@example.org"), .session = SLICE("s"),
		.expires_s = 2000000000, .leaves = leaves,
		.n_leaves = r.n_leaves };

	out.size = 0;
	assert_int_equal(route_seal(&out, &route, secret), 0);
	return buf_slice(&out);
}

static void
test_one_mailbox(void **state)
{
	struct believed *b = believed_new();
	const struct sealed_route alice = { "/home/a/Maildir", 1000, 0, 1 };

	(void)state;
	assert_false(believed_has(b, seal(alice), NOW));
	believed_note(b, seal(alice), NOW, 2000);
	assert_true(believed_has(b, seal(alice), NOW));
	assert_true(believed_has(b, seal(alice), NOW + 2 * SECOND - 1));
	assert_false(believed_has(b, seal(alice), NOW + 2 * SECOND));
	believed_forget(b);
	assert_false(believed_has(b, seal(alice), NOW));
	believed_free(&b);
	assert_null(b);
}

static void
test_others_are_asked_about(void **state)
{
	static const struct sealed_route rows[] = {
		{ "/home/b/Maildir", 1000, 0, 1 },	/* another */
		{ "/home/a/Maildir", 1001, 0, 1 },	/* another's */
		{ "/home/a/Maildir", 1000, 1 << 20, 1 },	/* a quota */
		{ "/home/a/Maildir", 1000, 0, 2 },	/* a list */
	};
	struct believed *b = believed_new();

	(void)state;
	believed_note(b, seal((struct sealed_route){ "/home/a/Maildir", 1000,
	    0, 1 }), NOW, 5000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (believed_has(b, seal(rows[i]), NOW))
			fail_msg("row %zu", i);
		believed_note(b, seal(rows[i]), NOW, 0);
		if (believed_has(b, seal(rows[i]), NOW))
			fail_msg("row %zu, for no time", i);
	}
	believed_note(b, seal(rows[2]), NOW, 5000);
	assert_false(believed_has(b, seal(rows[2]), NOW));
	assert_false(believed_has(b, SLICE("no route"), NOW));
	believed_note(b, SLICE("no route"), NOW, 5000);
	assert_false(believed_has(NULL, seal(rows[0]), NOW));
	believed_forget(NULL);
	believed_free(&b);
}

/* More than it has room for: forgotten at most, never mistaken. */
static void
test_many(void **state)
{
	struct believed *b = believed_new();
	unsigned n_kept = 0;
	char path[64];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(path, sizeof path, "/home/%u/Maildir", i);
		if (believed_has(b, seal((struct sealed_route){ path, 1000, 0,
		    1 }), NOW))
			fail_msg("%u was never noted", i);
		believed_note(b, seal((struct sealed_route){ path, 1000, 0,
		    1 }), NOW, 5000);
	}
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(path, sizeof path, "/home/%u/Maildir", i);
		n_kept += believed_has(b, seal((struct sealed_route){ path,
		    1000, 0, 1 }), NOW);
	}
	assert_in_range(n_kept, 3000, 4096);
	believed_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_mailbox),
		cmocka_unit_test(test_others_are_asked_about),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
