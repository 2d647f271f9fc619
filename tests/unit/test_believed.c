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

#define NOW 5000000000ll
#define SECOND 1000000ll

struct wanted {
	const char *maildir;
	uid_t uid;
	uint64_t quota_bytes;
	size_t n_leaves;
};

/* In memory that the next call reuses. */
static const struct route *
route_to(struct wanted w)
{
	static struct route_leaf leaves[2];
	static struct route route = { .kind = ROUTE_MAILBOX,
		.leaves = leaves };

	leaves[0] = leaves[1] = (struct route_leaf){ .uid = w.uid,
		.gid = 100, .quota_bytes = w.quota_bytes,
		.maildir = slice_of(w.maildir) };
	route.n_leaves = w.n_leaves;
	return &route;
}

static void
test_one_mailbox(void **state)
{
	struct believed *b = believed_new();
	const struct wanted alice = { "/home/a/Maildir", 1000, 0, 1 };

	(void)state;
	assert_false(believed_has(b, route_to(alice), NOW));
	believed_note(b, route_to(alice), NOW, 2000);
	assert_true(believed_has(b, route_to(alice), NOW));
	assert_true(believed_has(b, route_to(alice), NOW + 2 * SECOND - 1));
	assert_false(believed_has(b, route_to(alice), NOW + 2 * SECOND));
	believed_forget(b);
	assert_false(believed_has(b, route_to(alice), NOW));
	believed_free(&b);
	assert_null(b);
}

static void
test_others_are_asked_about(void **state)
{
	static const struct wanted rows[] = {
		{ "/home/b/Maildir", 1000, 0, 1 },	/* another */
		{ "/home/a/Maildir", 1001, 0, 1 },	/* another's */
		{ "/home/a/Maildir", 1000, 1 << 20, 1 },	/* a quota */
		{ "/home/a/Maildir", 1000, 0, 2 },	/* a list */
	};
	static const struct route none;		/* as of a next hop's */
	struct believed *b = believed_new();

	(void)state;
	believed_note(b, route_to((struct wanted){ "/home/a/Maildir", 1000,
	    0, 1 }), NOW, 5000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (believed_has(b, route_to(rows[i]), NOW))
			fail_msg("row %zu", i);
		believed_note(b, route_to(rows[i]), NOW, 0);
		if (believed_has(b, route_to(rows[i]), NOW))
			fail_msg("row %zu, for no time", i);
	}
	believed_note(b, route_to(rows[2]), NOW, 5000);
	assert_false(believed_has(b, route_to(rows[2]), NOW));
	assert_false(believed_has(b, &none, NOW));
	believed_note(b, &none, NOW, 5000);
	assert_false(believed_has(NULL, route_to(rows[0]), NOW));
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
		if (believed_has(b, route_to((struct wanted){ path, 1000, 0,
		    1 }), NOW))
			fail_msg("%u was never noted", i);
		believed_note(b, route_to((struct wanted){ path, 1000, 0,
		    1 }), NOW, 5000);
	}
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(path, sizeof path, "/home/%u/Maildir", i);
		n_kept += believed_has(b, route_to((struct wanted){ path,
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
