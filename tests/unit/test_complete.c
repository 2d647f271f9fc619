/* SPDX-License-Identifier: ISC */
/*
 * Bare names in lists of mailboxes: completed where they are meant, and
 * nothing else is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "complete.h"
#include "table.h"

static const struct row {
	const char *value;
	const char *want;	/* NULL: the same */
} rows[] = {
	{ " alice", " alice@e.org" },
	{ " alice, bob@b.net,carol", " alice@e.org, bob@b.net,carol@e.org" },
	{ " root (Cron Daemon)", " root@e.org (Cron Daemon)" },
	{ " Alice Smith <alice>", " Alice Smith <alice@e.org>" },
	{ " \"a, b\" <alice>,\n\tbob", " \"a, b\" <alice@e.org>,\n\tbob@e.org" },
	{ " \"odd name\"", " \"odd name\"@e.org" },
	{ " friends: alice, b@b.net;", " friends: alice@e.org, b@b.net;" },
	{ " a.b", " a.b@e.org" },
	{ " (x) alice (y)", " (x) alice@e.org (y)" },
	{ " =?utf-8?q?M=C3=BC?= <mu>", " =?utf-8?q?M=C3=BC?= <mu@e.org>" },
	/* this host's own names say nothing */
	{ " root@localhost", " root@e.org" },
	{ " A <a@VM>, b@vm.net, c @ (x) vm (y)",
	    " A <a@e.org>, b@vm.net, c@e.org (y)" },
	{ " <@b.net:a@vm>", " <@b.net:a@e.org>" },
	{ " a@[vm]", NULL },
	{ " <@vm:a@c.net>", NULL },
	{ " a@vm . net", NULL },
	{ " undisclosed-recipients:;", NULL },
	{ " alice@example.org", NULL },
	{ " Alice <alice@[192.0.2.1]>", NULL },
	{ " <@a.net,@b.net:alice@c.net>", NULL },
	{ "", NULL },
	/* not to be guessed */
	{ " alice smith", NULL },
	{ " alice, <bob", NULL },
	{ " alice, \"bob", NULL },
	{ " alice, (bob", NULL },
	{ " alice@", NULL },
};

static const char *const hosts[] = { "localhost", "vm", NULL };
static const struct complete_names names = { "e.org", hosts };

static void
test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct buf to = { 0 };
		int result = complete_list(&to, slice_of(rows[i].value),
		    &names);

		CHECK(rows[i].value, result == (rows[i].want != NULL));
		CHECK_STRING(rows[i].value, to.data != NULL ? to.data : "",
		    rows[i].want != NULL ? rows[i].want : rows[i].value);
		buf_free(&to);
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_true(complete_is_unwanted(SLICE("BCC")));
	assert_true(complete_is_unwanted(SLICE("Resent-Bcc")));
	assert_false(complete_is_unwanted(SLICE("Cc")));
	assert_true(complete_is_list(SLICE("Reply-To")));
	assert_false(complete_is_list(SLICE("Subject")));
}

static void
test_message_id(void **state)
{
	struct buf to = { 0 };

	(void)state;
	assert_int_equal(complete_message_id(&to, 1234567, "k3f9", 7,
	    "mx.e.org"), 0);
	assert_string_equal(to.data, " <1234.k3f9.7@mx.e.org>");
	buf_free(&to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_message_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
