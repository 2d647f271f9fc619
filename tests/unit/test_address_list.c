/* SPDX-License-Identifier: ISC */
/*
 * test_address_list.c - who is meant by a To field.
 */
#include <stdio.h>
#include "address_list.h"
#include "table.h"

/* want: the mailboxes with "|" between; ending in "!" where it turns bad. */
static const struct {
	const char *value, *want;
} lists[] = {
	{ "", "" },
	{ " \n ", "" },
	{ "alice@example.org", "alice@example.org" },
	{ " alice@example.org\n", "alice@example.org" },
	{ "root", "root" },
	{ "root (Cron Daemon)", "root" },
	{ "Cron Daemon <root>", "root" },
	{ "a@x.example, b@y.example,c@z.example",
	    "a@x.example|b@y.example|c@z.example" },
	{ "a@x.example,\n\tb@y.example", "a@x.example|b@y.example" },
	{ ",, a@x.example ,,", "a@x.example" },
	{ "a@x.example; b@y.example", "a@x.example|b@y.example" },
	{ "Alice Smith <alice@example.org>", "alice@example.org" },
	{ "\"Smith, Alice\" <alice@example.org>", "alice@example.org" },
	{ "\"a <b@c.example>\" <alice@example.org>", "alice@example.org" },
	{ "a@b.example <alice@example.org>", "alice@example.org" },
	{ "=?utf-8?q?J=C3=B6rg?= <j@example.org>", "j@example.org" },
	{ "=?utf-8?b?Ik11c3Rlcg==?= =?utf-8?q?=2C_J=2E=22?=\n "
	    "<j@example.org>, b", "j@example.org|b" },
	{ "J\xc3\xb6rg <j@example.org>", "j@example.org" },
	{ "j\xc3\xb6rg@example.org", "j\xc3\xb6rg@example.org" },
	{ "\xff\xfe <j@example.org>", "j@example.org" },
	{ "alice@example.org (Alice, (the (first)))", "alice@example.org" },
	{ "(x) alice (y) @ (z) example.org (zz \\) )", "alice@example.org" },
	{ "alice . smith @ example . org", "alice.smith@example.org" },
	{ "\"alice smith\"@example.org", "\"alice smith\"@example.org" },
	{ "\"a,b;c<d\"@example.org, e", "\"a,b;c<d\"@example.org|e" },
	{ "a@[192.0.2.1]", "a@[192.0.2.1]" },
	{ "<@r.example,@s.example:a@x.example>", "a@x.example" },
	{ "Friends: a@x.example, B <b@y.example>; , c",
	    "a@x.example|b@y.example|c" },
	{ "undisclosed-recipients:;", "" },
	{ "undisclosed-recipients:", "" },
	{ "Empty group: ;, d@x.example", "d@x.example" },
	{ "A group: One: a; b", "a|b" },
	{ "user+tag@example.org", "user+tag@example.org" },
	{ "\"|/bin/sh\"@example.org", "\"|/bin/sh\"@example.org" },
	/* nobody knows who is meant */
	{ "alice bob", "!" },
	{ "alice smith@example.org", "!" },
	{ "Alice Smith", "!" },
	{ "a, b c, d", "a!" },
	{ "<>", "!" },
	{ "a@x.example <>", "!" },
	{ "a@", "!" },
	{ "@x.example", "!" },
	{ "a@b@c", "!" },
	{ "a..b@x.example", "!" },
	{ "a@x..example", "!" },
	{ "a@-x.example", "!" },
	{ "a@x y", "!" },
	{ "<a@x.example", "!" },
	{ "a@x.example>", "!" },
	{ "<a@x.example> b@x.example", "!" },
	{ "<a@x.example> <b@x.example>", "!" },
	{ "\"alice <alice@example.org>", "!" },
	{ "alice@example.org (unfinished", "!" },
	{ "a@[192.0.2.1", "!" },
	{ "a@[x]", "!" },
	{ ": a@x.example", "!" },
	{ "a@x.example: b", "!" },
	{ "a\\b@x.example", "!" },
	{ "a\x01@x.example", "!" },
	{ "a@x.example\nb@y.example", "!" },
	{ "\"a\nb\"@x.example", "!" },
	{ "<@r.example a@x.example>", "!" },
	{ "\"\"@x.example", "!" },
	{ "\xff@x.example", "!" },
};

static void
read_list(const char *value, char *got, size_t room)
{
	struct address_list list;
	struct address a;
	enum address_list_step step;
	size_t n = 0;

	*got = '\0';
	address_list_start(&list, slice_of(value));
	while ((step = address_list_next(&list, &a)) == ADDRESS_LIST_MAILBOX)
		n += (size_t)snprintf(got + n, room - n, "%s%s",
		    n == 0 ? "" : "|", a.text);
	assert_true(address_list_next(&list, &a) == step);
	if (step == ADDRESS_LIST_BAD)
		snprintf(got + n, room - n, "!");
}

static void
test_lists(void **state)
{
	char got[512];

	(void)state;
	for (size_t i = 0; i < N_OF(lists); i++) {
		read_list(lists[i].value, got, sizeof got);
		CHECK_STRING(lists[i].value, got, lists[i].want);
	}
}

/* What was bad can be shown to the user. */
static void
test_bad_part(void **state)
{
	struct address_list list;
	struct address a;

	(void)state;
	address_list_start(&list, SLICE("a@x.example, b c <d, e"));
	assert_int_equal(address_list_next(&list, &a), ADDRESS_LIST_MAILBOX);
	assert_memory_equal(list.mailbox.data, "a@x.example", 11);
	assert_int_equal(address_list_next(&list, &a), ADDRESS_LIST_BAD);
	assert_int_equal(list.mailbox.size, 9);
	assert_memory_equal(list.mailbox.data, "b c <d, e", 9);
}

static void
test_long(void **state)
{
	struct buf text = { 0 };
	struct address_list list;
	struct address a;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		buf_printf(&text, "Name %u (c) <user%u@example.org>,\n ", i,
		    i);
	address_list_start(&list, buf_slice(&text));
	while (address_list_next(&list, &a) == ADDRESS_LIST_MAILBOX)
		n++;
	assert_int_equal(n, 20000);
	assert_false(list.is_bad);
	text.size = 0;
	for (unsigned i = 0; i < 2000; i++)
		buf_puts(&text, "a");
	address_list_start(&list, buf_slice(&text));
	assert_int_equal(address_list_next(&list, &a), ADDRESS_LIST_BAD);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_bad_part),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
