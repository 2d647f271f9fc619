/* SPDX-License-Identifier: ISC */
/*
 * test_author.c - whose name a message is written in.
 */
#include "author.h"
#include "table.h"

static const struct {
	const char *value;
	enum author_result want;
	const char *domain;
} fields[] = {
	{ "alice@example.org", AUTHOR_OK, "example.org" },
	{ " <Alice@Example.ORG> ", AUTHOR_OK, "example.org" },
	{ "Alice <alice@example.org>", AUTHOR_OK, "example.org" },
	{ "\"Doe, Alice\" <alice@example.org>", AUTHOR_OK, "example.org" },
	{ "Doe, Alice <alice@example.org>", AUTHOR_OK, "example.org" },
	{ "=?utf-8?q?J=C3=B6rg?= <j@example.org>", AUTHOR_OK,
	    "example.org" },
	{ "J\xc3\xb6rg <j@example.org>", AUTHOR_OK, "example.org" },
	{ "\xff\xfe <j@example.org>", AUTHOR_OK, "example.org" },
	{ "alice@example.org (Alice)", AUTHOR_OK, "example.org" },
	{ "(a (nested \\) one)) alice (x) @ (y) example.org (z)",
	    AUTHOR_OK, "example.org" },
	{ "Alice\n <alice@example.org>", AUTHOR_OK, "example.org" },
	{ "alice@b\xc3\xbc" "cher.example", AUTHOR_OK,
	    "xn--bcher-kva.example" },
	{ "\"a b\"@example.org", AUTHOR_OK, "example.org" },
	{ "\"a@example.com\"@example.org", AUTHOR_OK, "example.org" },
	{ "\"a@example.com\" <a@example.org>", AUTHOR_OK, "example.org" },
	{ "a@example.com <a@example.org>", AUTHOR_OK, "example.org" },
	{ "a@example.com via list <a@example.org>", AUTHOR_OK,
	    "example.org" },
	{ "\"<a@example.com>\" <a@example.org>", AUTHOR_OK, "example.org" },
	{ "(<a@example.com>) <a@example.org>", AUTHOR_OK, "example.org" },
	{ "<@relay.example,@b.example:a@example.org>", AUTHOR_OK,
	    "example.org" },
	{ "a@example.org, b@example.org", AUTHOR_OK, "example.org" },
	{ "A <a@example.org>, B <b@EXAMPLE.org>,", AUTHOR_OK,
	    "example.org" },
	{ ",, a@example.org ,,", AUTHOR_OK, "example.org" },
	{ "Group: a@example.org, b@example.org;", AUTHOR_OK,
	    "example.org" },
	/* more than one */
	{ "a@example.org, b@example.com", AUTHOR_SEVERAL_DOMAINS, "" },
	{ "A <a@example.org>, B <b@example.com>", AUTHOR_SEVERAL_DOMAINS,
	    "" },
	{ "a@example.org, b@sub.example.org", AUTHOR_SEVERAL_DOMAINS, "" },
	{ "G: a@example.org; , b@example.com", AUTHOR_SEVERAL_DOMAINS, "" },
	/* none */
	{ "", AUTHOR_NO_DOMAIN, "" },
	{ "<>", AUTHOR_NO_DOMAIN, "" },
	{ "MAILER-DAEMON", AUTHOR_NO_DOMAIN, "" },
	{ "Mail Delivery System <MAILER-DAEMON>", AUTHOR_NO_DOMAIN, "" },
	{ "undisclosed:;", AUTHOR_NO_DOMAIN, "" },
	{ "a@[192.0.2.1]", AUTHOR_NO_DOMAIN, "" },
	{ "(a@example.org)", AUTHOR_NO_DOMAIN, "" },
	/* nobody knows */
	{ "<a@example.org> <b@example.com>", AUTHOR_BAD_SYNTAX, "" },
	{ "<a@example.org> b@example.com", AUTHOR_BAD_SYNTAX, "" },
	{ "a@example.org b@example.com", AUTHOR_BAD_SYNTAX, "" },
	{ "a@example.com@example.org", AUTHOR_BAD_SYNTAX, "" },
	{ "<a@example.com@example.org>", AUTHOR_BAD_SYNTAX, "" },
	{ "<a@example.org", AUTHOR_BAD_SYNTAX, "" },
	{ "a@example.org>", AUTHOR_BAD_SYNTAX, "" },
	{ "<<a@example.org>>", AUTHOR_BAD_SYNTAX, "" },
	{ "\"a@example.org", AUTHOR_BAD_SYNTAX, "" },
	{ "(a@example.org", AUTHOR_BAD_SYNTAX, "" },
	{ "\"A\\\" <a@example.org>", AUTHOR_BAD_SYNTAX, "" },
	{ "a@", AUTHOR_BAD_SYNTAX, "" },
	{ "@example.org", AUTHOR_BAD_SYNTAX, "" },
	{ "<@example.org>", AUTHOR_BAD_SYNTAX, "" },
	{ "a@exa mple.org", AUTHOR_BAD_SYNTAX, "" },
	{ "a@example..org", AUTHOR_BAD_SYNTAX, "" },
	{ "a@example_.org>", AUTHOR_BAD_SYNTAX, "" },
	{ "a@[192.0.2.1", AUTHOR_BAD_SYNTAX, "" },
	{ "a\\@example.org", AUTHOR_BAD_SYNTAX, "" },
	{ "a@example.org)", AUTHOR_BAD_SYNTAX, "" },
};

static void
test_fields(void **state)
{
	char domain[ADDRESS_DOMAIN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(fields); i++) {
		enum author_result got = author_of_field(
		    slice_of(fields[i].value), domain);

		CHECK_STRING(fields[i].value, author_problem(got),
		    author_problem(fields[i].want));
		CHECK_STRING(fields[i].value, domain, fields[i].domain);
	}
}

static const struct {
	const char *name, *message;
	enum author_result want;
} messages[] = {
	{ "one", "To: x\nFrom: a@example.org\n\nFrom: b@example.com\n",
	    AUTHOR_OK },
	{ "other case and spaces", "fROM \t: a@example.org\n\n", AUTHOR_OK },
	{ "no end", "From: a@example.org", AUTHOR_OK },
	{ "folded", "From:\n a@example.org\n\n", AUTHOR_OK },
	{ "two", "From: a@example.org\nfrom: a@example.org\n\n",
	    AUTHOR_SEVERAL_FIELDS },
	{ "no field", "To: x\n\n", AUTHOR_NO_FIELD },
	{ "only in the body", "To: x\n\nFrom: a@example.org\n",
	    AUTHOR_NO_FIELD },
	{ "nothing", "", AUTHOR_NO_FIELD },
	{ "X-From", "X-From: a@example.org\n\n", AUTHOR_NO_FIELD },
	{ "behind a line that is no field",
	    "From: a@example.org\nrubbish\nFrom: b@example.com\n\n",
	    AUTHOR_SEVERAL_FIELDS },
	{ "only behind one", "rubbish\nFrom: a@example.org\n\n", AUTHOR_OK },
	{ "mbox line", "From a@b Mon\nFrom: a@example.org\n\n", AUTHOR_OK },
};

static void
test_messages(void **state)
{
	char domain[ADDRESS_DOMAIN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(messages); i++) {
		CHECK_STRING(messages[i].name, author_problem(author_find(
		    slice_of(messages[i].message), domain)),
		    author_problem(messages[i].want));
		CHECK_STRING(messages[i].name, domain,
		    messages[i].want == AUTHOR_OK ? "example.org" : "");
	}
}

/* Linear, whatever it is filled with. */
static void
test_huge(void **state)
{
	static const char *const fillings[] = { "a:", "a,", "<", "(", "((",
	    "\"", "a ", "\\", "a@b.example,", "@", ":", "[" };
	char domain[ADDRESS_DOMAIN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(fillings); i++) {
		struct buf text = { 0 };

		while (text.size < 1000000)
			buf_puts(&text, fillings[i]);
		author_of_field(buf_slice(&text), domain);
		CHECK(fillings[i], (*domain != '\0') ==
		    (strcmp(fillings[i], "a@b.example,") == 0));
		buf_free(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
