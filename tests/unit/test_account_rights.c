/* SPDX-License-Identifier: ISC */
/*
 * test_account_rights.c - where an account's own mail goes, and which addresses
 * are its own.
 */
#include "../../directory/account_rights.h"
#include "directory_fixture.h"

static const char config_text[] = FIXTURE_HEAD
    "domain \"example.org\" {\n"
    "	users = \"passwd\"\n"
    "	aliases = \"@/aliases\"\n"
    "	same_as = { \"example.net\" }\n"
    "	names = true\n"
    "}\n"
    "domain \"example.com\" {\n"
    "	users = \"table:@/users\"\n"
    "	mailbox = \"/v/%d/%u\"\n"
    "	owner = \"vmail\"\n"
    "	catch_all = \"carol@example.com\"\n"
    "}\n"
    "domain \"front.example\" { next_hop = \"lmtp:unix:/x\" }\n"
    "domain \"smtp.example\" { next_hop = \"smtp:x:25\" }\n"
    "sender \"daemon\" { may = { \"news@example.com\", "
    "\"*@far.example\" } }\n"
    "sender \"carol@example.com\" { may = { \"*@example.org\" } }\n";

static const char aliases_text[] =
    "root: alice\n"
    "bob: bob, alice\n"
    "info: bob2\n"
    "bob2: \\bob\n"
    "team: alice, bob\n"
    "loop: loop\n"
    "trap: discard:\n"
    "tickets: |/bin/true\n"
    "away: alice@elsewhere.example\n"
    "front: x@front.example\n"
    "list: alice, x@elsewhere.example\n"
    "owner-list: alice\n"
    "daemon: alice\n";

static struct fixture fixture;

static int
set_up(void **state)
{
	(void)state;
	fixture_open_folder();
	fixture_write("aliases", aliases_text);
	fixture_write("users", "carol\nalice\n");
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

/* ---- its mailbox ---- */

static const char *
home_of(struct fixture *f, const char *user)
{
	static char path[256];
	const struct resolved *found = account_find_mailbox(f->resolver,
	    slice_of(user));

	if (found->kind != ROUTE_MAILBOX) {
		snprintf(path, sizeof path, "%u", found->verdict.code);
		return path;
	}
	assert_int_equal(found->n_leaves, 1);
	assert_true(slice_copy(path, sizeof path,
	    found->leaves[0].maildir));
	return path;
}

static void
test_mailbox(void **state)
{
	static const struct { const char *user, *want; } rows[] = {
		{ "alice", "/home/alice/Maildir" },
		/* its alias adds somebody, who is not meant */
		{ "bob", "/home/bob/Maildir" },
		{ "alice@example.com", "/v/example.com/alice" },
		{ "carol@EXAMPLE.com", "/v/example.com/carol" },
		/* no mailbox, gone, of no domain: postmaster's */
		{ "daemon", "/home/alice/Maildir" },
		{ "root", "/home/alice/Maildir" },
		{ "team", "/home/alice/Maildir" },
		{ "gone@example.com", "/home/alice/Maildir" },
		{ "x@elsewhere.example", "/home/alice/Maildir" },
		{ "bob@example.org", "/home/alice/Maildir" },
		{ "", "/home/alice/Maildir" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_STRING(rows[i].user, home_of(&fixture, rows[i].user),
		    rows[i].want);
}

/* Of a domain whose mailboxes are behind LMTP: there, and nowhere else. */
static void
test_mailbox_by_lmtp(void **state)
{
	const struct resolved *found = account_find_mailbox(fixture.resolver,
	    SLICE("dora@front.example"));

	(void)state;
	assert_int_equal(found->kind, ROUTE_HOP);
	assert_string_equal(found->destination, "lmtp:unix:/x");
	assert_string_equal(found->hop_address, "dora@front.example");
	assert_false(found->is_forward || found->is_smart_host);
	CHECK_STRING("SMTP", home_of(&fixture, "dora@smtp.example"),
	    "/home/alice/Maildir");
}

static void
test_mailbox_unknown(void **state)
{
	(void)state;
	nss_error = EIO;
	CHECK_STRING("no answer", home_of(&fixture, "tilde"), "451");
	nss_error = 0;
	/* has a mailbox by right, and no place for it */
	CHECK_STRING("no home", home_of(&fixture, "tilde"), "451");
}

static void
test_dsn_to(void **state)
{
	static const char text[] = FIXTURE_HEAD
	    "dsn_to = \"team\"\n"
	    "domain \"example.org\" { users = \"passwd\" "
	    "aliases = \"@/aliases\" }\n";
	struct fixture f;
	const struct resolved *found;

	(void)state;
	fixture_start(&f, text, true);
	found = account_find_mailbox(f.resolver, SLICE("daemon"));
	assert_int_equal(found->kind, ROUTE_MAILBOX);
	assert_int_equal(found->n_leaves, 2);
	CHECK_STRING("own", home_of(&f, "bob"), "/home/bob/Maildir");
	CHECK_STRING("postmaster", home_of(&f, ""), "/home/alice/Maildir");
	fixture_stop(&f);
}

/* What comes home is not run, and not sent on. */
static void
test_dsn_to_elsewhere(void **state)
{
	static const char *const names[] = { "tickets", "away", "front",
		"list" };	/* front: SMTP could send it on */

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		char text[512];
		struct fixture f;

		snprintf(text, sizeof text, "%sdsn_to = \"%s\"\n"
		    "domain \"front.example\" { next_hop = "
		    "\"smtp:x:25\" }\n"
		    "domain \"example.org\" { users = \"passwd\" "
		    "aliases = \"@/aliases\" }\n", FIXTURE_HEAD, names[i]);
		fixture_start(&f, text, true);
		CHECK_STRING(names[i], home_of(&f, "daemon"), "451");
		fixture_stop(&f);
	}
}

/* ---- its addresses ---- */

static void
test_may(void **state)
{
	static const struct {
		const char *user, *address;
		enum may_answer want;
	} rows[] = {
		{ "alice", "alice@example.org", MAY_SEND },
		{ "alice", "Alice@Example.ORG", MAY_SEND },
		{ "alice", "alice@example.net", MAY_SEND },
		{ "alice", "alice+x@example.org", MAY_SEND },
		{ "alice", "root@example.org", MAY_SEND },
		{ "alice", "postmaster@example.org", MAY_SEND },
		{ "alice", "alice.smith@example.org", MAY_SEND },
		{ "alice", "smith@example.org", MAY_NOT },
		{ "alice", "bob@example.org", MAY_NOT },
		{ "alice", "team@example.org", MAY_NOT },
		{ "alice", "trap@example.org", MAY_NOT },
		{ "alice", "nobody-here@example.org", MAY_NOT },
		{ "alice", "alice@elsewhere.example", MAY_NOT },
		{ "alice", "alice@[192.0.2.1]", MAY_NOT },
		{ "alice", "alice", MAY_NOT },
		{ "alice", "", MAY_NOT },
		{ "alice", "alice@example.com", MAY_NOT },
		{ "alice", "loop@example.org", MAY_UNKNOWN },
		/* not broken, and not hers: that is no matter of time */
		{ "alice", "tickets@example.org", MAY_NOT },
		{ "alice", "away@example.org", MAY_NOT },
		{ "alice", "front@example.org", MAY_NOT },
		{ "alice", "list@example.org", MAY_NOT },
		/* though its alias adds somebody */
		{ "bob", "bob@example.org", MAY_SEND },
		{ "bob", "bob+x@example.net", MAY_SEND },
		{ "bob", "info@example.org", MAY_SEND },
		{ "alice@example.com", "alice@example.com", MAY_SEND },
		{ "alice@example.com", "ALICE+1@example.com", MAY_SEND },
		{ "alice@example.com", "alice@example.org", MAY_NOT },
		{ "alice@example.com", "x@example.com", MAY_NOT },
		{ "carol@example.com", "x@example.com", MAY_SEND },
		{ "carol@example.com", "alice@example.com", MAY_NOT },
		{ "carol@example.com", "x@example.org", MAY_SEND },
		{ "carol@example.com", "x@example.net", MAY_SEND },
		{ "gone@example.com", "x@example.com", MAY_NOT },
		{ "gone@elsewhere.example", "x@example.com", MAY_NOT },
		/* with a mailbox at its domain's next hop */
		{ "dora@front.example", "Dora+1@front.example", MAY_SEND },
		{ "dora@front.example", "eve@front.example", MAY_NOT },
		{ "dora@front.example", "dora@example.com", MAY_NOT },
		{ "alice", "alice@front.example", MAY_NOT },
		/* without a mailbox */
		{ "root", "root@example.org", MAY_SEND },
		{ "root", "alice@example.org", MAY_NOT },
		{ "daemon", "daemon@example.org", MAY_SEND },
		{ "daemon", "root@example.org", MAY_NOT },
		{ "daemon", "news@example.com", MAY_SEND },
		{ "daemon", "News@example.com", MAY_SEND },
		{ "daemon", "news2@example.com", MAY_NOT },
		{ "daemon", "any@FAR.example", MAY_SEND },
		{ "Daemon", "any@far.example", MAY_NOT },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char name[160];

		snprintf(name, sizeof name, "%s as %s", rows[i].user,
		    rows[i].address);
		CHECK(name, account_may_send(fixture.resolver,
		    slice_of(rows[i].user), slice_of(rows[i].address)) ==
		    rows[i].want);
	}
}

static void
test_may_unknown(void **state)
{
	(void)state;
	nss_error = EIO;
	usleep(2100000);		/* what is remembered is over */
	assert_int_equal(account_may_send(fixture.resolver, SLICE("alice"),
	    SLICE("info@example.org")), MAY_UNKNOWN);
	nss_error = 0;
}

/* A login name is nobody's at a domain whose users are a table. */
static void
test_login_at_a_table(void **state)
{
	static const char text[] = FIXTURE_HEAD
	    "domain \"example.org\" { users = \"table:@/users\" "
	    "mailbox = \"/v/%u\" owner = \"vmail\" }\n";
	struct fixture f;

	(void)state;
	fixture_start(&f, text, true);
	assert_int_equal(account_may_send(f.resolver, SLICE("daemon"),
	    SLICE("daemon@example.org")), MAY_SEND);
	assert_int_equal(account_may_send(f.resolver, SLICE("alice"),
	    SLICE("alice@example.org")), MAY_NOT);
	assert_int_equal(account_may_send(f.resolver, SLICE("daemon"),
	    SLICE("daemon@other.example")), MAY_NOT);
	CHECK_STRING("no domain of its own", home_of(&f, "bob"), "/v/alice");
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_mailbox_by_lmtp),
		cmocka_unit_test(test_mailbox_unknown),
		cmocka_unit_test(test_dsn_to),
		cmocka_unit_test(test_dsn_to_elsewhere),
		cmocka_unit_test(test_may),
		cmocka_unit_test(test_may_unknown),
		cmocka_unit_test(test_login_at_a_table),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
