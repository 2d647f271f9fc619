/* SPDX-License-Identifier: ISC */
/*
 * test_fronted.c - domains without users here: with aliases alone, and with
 * aliases in front of a host that has the mailboxes (fallback).
 */
#include <stdlib.h>
#include <string.h>
#include "../../directory/account_rights.h"
#include "directory_fixture.h"

#define LMTP "lmtp:unix:/x"

static const char config_text[] =
    "hostname = \"mx.example.org\"\norigin = \"front.example\"\n"
    "postmaster = \"alice@front.example\"\n"
    "state_dir = \"@/\"\n"
    "listen \"*:25\" { role = mx }\n"
    "domain \"front.example\" { same_as = { \"same.example\" } "
    "aliases = \"@/aliases\" "
    "fallback = \"" LMTP "\" }\n"
    "domain \"smtp.example\" { aliases = \"@/aliases\" "
    "fallback = \"smtp:[192.0.2.1]:25\" }\n"
    "domain \"exact.example\" { case = exact aliases = \"@/exact\" "
    "fallback = \"" LMTP "\" }\n"
    "domain \"bare.example\" { aliases = \"@/bare\" }\n";

static const char aliases[] =
    "info: alice\n"
    "Sales: alice@front.example\n"
    "same: alice, info, sales\n"
    "two: alice, bob\n"
    "team: alice, \\bob, x@far.example\n"
    "owner-team: info\n"
    "carol: carol, dora\n"
    "owner-carol: \\carol\n"
    "tagged: alice+x\n"
    "other: alice@same.example\n"
    "away: x@far.example\n"
    "gone: error:550 5.1.6 gone\n";

static struct fixture fixture;

static int
set_up(void **state)
{
	(void)state;
	fixture_open_folder();
	fixture_write("aliases", aliases);
	fixture_write("exact", "upper: Alice\nlower: alice\n");
	fixture_write("bare", "sales: alice@front.example\nx: sales\n"
	    "y: alice\n");
	fixture_start(&fixture, config_text, true);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	fixture_close_folder();
	return 0;
}

/* "address at host", "members < owner (account)", or the code. */
static const char *
describe(const struct resolved *r)
{
	static char text[512];
	struct buf out = { 0 };

	if (r->kind == ROUTE_HOP)
		(void)buf_printf(&out, "%s at %s%s", r->hop_address,
		    r->destination, r->is_forward ? " forward" : "");
	for (size_t i = 0; i < r->n_members; i++)
		(void)buf_printf(&out, "%.*s ", (int)r->members[i].size,
		    r->members[i].data);
	if (r->kind == ROUTE_LIST)
		(void)buf_printf(&out, "< %s (%s)", r->owner, r->account);
	if (r->kind == ROUTE_REFUSE)
		(void)buf_printf(&out, "%u", r->verdict.code);
	assert_int_equal(r->n_leaves, 0);
	assert_true(slice_copy(text, sizeof text, buf_slice(&out)));
	buf_free(&out);
	return text;
}

/* What is no alias is that host's, as it was given. */
static void
test_recipients(void **state)
{
	static const struct { const char *local, *domain, *want; } rows[] = {
		{ "alice", "front.example", "alice@front.example at " LMTP },
		{ "Zoe+tag", "front.example",
		    "Zoe+tag@front.example at " LMTP },
		{ "info", "front.example", "alice@front.example at " LMTP },
		{ "SALES", "front.example", "alice@front.example at " LMTP },
		{ "info+tag", "front.example",
		    "alice@front.example at " LMTP },
		{ "same", "front.example", "alice@front.example at " LMTP },
		{ "two", "front.example", "451" },
		{ "team", "front.example", "alice@front.example "
		    "bob@front.example x@far.example < "
		    "owner-team@front.example (alice@front.example)" },
		{ "carol", "front.example", "carol@front.example "
		    "dora@front.example < owner-carol@front.example "
		    "(carol@front.example)" },
		{ "away", "front.example", "x@far.example at far.example "
		    "forward" },
		{ "gone", "front.example", "550" },
		{ "postmaster", "front.example",
		    "alice@front.example at " LMTP },
		/* one of SMTP has no mailbox for what comes home */
		{ "info", "smtp.example",
		    "alice@smtp.example at smtp:[192.0.2.1]:25" },
		{ "team", "smtp.example", "451" },
		{ "sales", "bare.example", "alice@front.example at " LMTP },
		{ "x", "bare.example", "alice@front.example at " LMTP },
		{ "y", "bare.example", "451" },
		{ "alice", "bare.example", "550" },
		{ "abuse", "bare.example", "alice@front.example at " LMTP },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_STRING(rows[i].local, describe(resolver_find(
		    fixture.resolver, slice_of(rows[i].local),
		    slice_of(rows[i].domain), false)), rows[i].want);
}

/* Reports: the account's own, else postmaster's, by LMTP alone. */
static void
test_homes(void **state)
{
	static const struct { const char *user, *want; } rows[] = {
		{ "dora@front.example", "dora@front.example at " LMTP },
		/* whatever the aliases say */
		{ "carol@front.example", "carol@front.example at " LMTP },
		{ "dora@smtp.example", "alice@front.example at " LMTP },
		{ "x@bare.example", "alice@front.example at " LMTP },
		{ "www-data", "alice@front.example at " LMTP },
		{ "", "alice@front.example at " LMTP },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_STRING(rows[i].user, describe(account_find_mailbox(
		    fixture.resolver, slice_of(rows[i].user))),
		    rows[i].want);
}

static void
test_may(void **state)
{
	static const struct {
		const char *user, *address;
		enum may_answer want;
	} rows[] = {
		{ "alice@front.example", "alice@front.example", MAY_SEND },
		{ "alice@front.example", "Alice+x@front.example", MAY_SEND },
		{ "alice@front.example", "info@front.example", MAY_SEND },
		{ "alice@front.example", "sales@bare.example", MAY_SEND },
		{ "alice@front.example", "postmaster@front.example",
		    MAY_SEND },
		/* the same name, as the domain compares names */
		{ "alice@front.example", "tagged@same.example", MAY_SEND },
		{ "alice@front.example", "other@front.example", MAY_SEND },
		{ "bob@front.example", "tagged@front.example", MAY_NOT },
		{ "alice@exact.example", "lower@exact.example", MAY_SEND },
		{ "alice@exact.example", "upper@exact.example", MAY_NOT },
		{ "Alice@exact.example", "upper@exact.example", MAY_SEND },
		{ "Alice@exact.example", "lower@exact.example", MAY_NOT },
		{ "alice@front.example", "lower@exact.example", MAY_NOT },
		{ "alice@front.example", "team@front.example", MAY_NOT },
		{ "alice@front.example", "away@front.example", MAY_NOT },
		{ "alice@front.example", "gone@front.example", MAY_NOT },
		{ "alice@front.example", "bob@front.example", MAY_NOT },
		{ "alice@front.example", "two@front.example", MAY_UNKNOWN },
		{ "bob@front.example", "info@front.example", MAY_NOT },
		{ "alice@smtp.example", "info@smtp.example", MAY_NOT },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		if (account_may_send(fixture.resolver, slice_of(rows[i].user),
		    slice_of(rows[i].address)) != rows[i].want)
			fail_msg("%s as %s", rows[i].user, rows[i].address);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_homes),
		cmocka_unit_test(test_may),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
