/* SPDX-License-Identifier: ISC */
/*
 * test_lists.c - aliases with members elsewhere: whose list it is, and what
 * is none.
 */
#include <stdlib.h>
#include <string.h>
#include "directory_fixture.h"

static const char config_text[] = FIXTURE_HEAD
    "domain \"example.org\" { users = \"passwd\" aliases = \"@/aliases\" }\n"
    "domain \"example.com\" { users = \"table:@/users\" "
    "mailbox = \"/v/%u\" owner = \"vmail\" aliases = \"@/aliases.com\" }\n"
    "domain \"front.example\" { next_hop = \"smtp:[192.0.2.1]:25\" }\n";

static const char aliases[] =
    "root: alice\n"
    "team: alice, x@far.example, Y@far.example, x@FAR.example\n"
    "owner-team: bob\n"
    "away: x@far.example\n"
    "owner-away: alice, bob\n"
    "plain: alice, x@far.example\n"
    "one: x@far.example\n"
    "same: x@far.example, one, x@FAR.example\n"
    "front1: x@front.example, bob\n"
    "chain: one\n"
    "two: x@far.example, y@far.example\n"
    "two2: x@far.example, away\n"
    "two3: away, x@far.example\n"
    "two4: x@far.example, x@front.example\n"
    "gone1: x@far.example, nobody-at-all\n"
    "mixed1: x@far.example, error:550 5.1.6 moved\n"
    "all: bob, team, :include:@/more\n"
    "owner-all: carol@example.com\n"
    "both: team, away\n"
    "joint: both\n"
    "owner-joint: alice\n"
    "inner: owned\n"
    "owned: x@far.example\n"
    "owner-owned: alice\n"
    "dead: x@far.example\n"
    "owner-dead: gone\n"
    "far: x@far.example\n"
    "owner-far: y@far.example\n"
    "far2: x@far.example\n"
    "owner-far2: far\n"
    "void: x@far.example\n"
    "owner-void: discard:\n"
    "shut: x@far.example\n"
    "owner-shut: error:550 5.1.6 gone\n"
    "fronted: x@front.example\n"
    "owner-fronted: alice\n"
    "mixed: x@far.example, error:550 5.1.6 moved\n"
    "owner-mixed: alice\n"
    "trap: x@far.example, discard:\n"
    "owner-trap: alice\n"
    "here: alice, bob\n"
    "owner-here: nobody-at-all\n";

static struct fixture fixture;

static int
set_up(void **state)
{
	(void)state;
	fixture_open_folder();
	fixture_write("aliases", aliases);
	fixture_write("more", "z@far.example\nbob\n");
	fixture_write("users", "carol\n");
	fixture_write("aliases.com", "news: w@far.example, carol\n"
	    "owner-news: Carol+list\n");
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

/* "mailboxes > members < owner (account)", or the verdict. */
static char *
describe(const struct resolved *r)
{
	static char text[1000];
	struct buf out = { 0 };

	for (size_t i = 0; i < r->n_leaves; i++)
		(void)buf_printf(&out, "%.*s ",
		    (int)r->leaves[i].maildir.size,
		    r->leaves[i].maildir.data);
	if (r->kind == ROUTE_LIST)
		(void)buf_puts(&out, ">");
	for (size_t i = 0; i < r->n_members; i++)
		(void)buf_printf(&out, " %.*s", (int)r->members[i].size,
		    r->members[i].data);
	if (r->kind == ROUTE_LIST)
		(void)buf_printf(&out, " < %s (%s)", r->owner, r->account);
	if (r->kind == ROUTE_HOP)
		(void)buf_printf(&out, "%s at %s%s%s", r->hop_address,
		    r->destination, r->is_forward ? " forward" : "",
		    r->is_smart_host ? " smart" : "");
	if (r->kind == ROUTE_REFUSE)
		(void)buf_printf(&out, "%u %u.%u.%u %s", r->verdict.code,
		    r->verdict.code / 100, r->verdict.subject,
		    r->verdict.detail, r->alarm);
	assert_true(slice_copy(text, sizeof text, buf_slice(&out)));
	buf_free(&out);
	return text;
}

static const struct {
	const char *local, *want;
} rows[] = {
	{ "team", "/home/alice/Maildir > x@far.example Y@far.example < "
	    "owner-team@example.org (bob)" },
	{ "Team", "/home/alice/Maildir > x@far.example Y@far.example < "
	    "owner-team@example.org (bob)" },
	{ "team+tag", "/home/alice/Maildir > x@far.example Y@far.example < "
	    "owner-team@example.org (bob)" },
	{ "away", "> x@far.example < owner-away@example.org (alice)" },
	/* the outermost that has one */
	{ "all", "/home/bob/Maildir /home/alice/Maildir > x@far.example "
	    "Y@far.example z@far.example < owner-all@example.org "
	    "(carol@example.com)" },
	{ "joint", "/home/alice/Maildir > x@far.example Y@far.example < "
	    "owner-joint@example.org (alice)" },
	{ "inner", "> x@far.example < owner-owned@example.org (alice)" },
	/* the owner of one without members elsewhere is nobody's business */
	{ "here", "/home/alice/Maildir /home/bob/Maildir " },
	{ "trap", "> x@far.example < owner-trap@example.org (alice)" },
	{ "fronted", "> x@front.example < owner-fronted@example.org "
	    "(alice)" },
	/* one next hop, with and without mailboxes */
	{ "plain", "/home/alice/Maildir x@far.example at far.example "
	    "forward" },
	{ "one", "x@far.example at far.example forward" },
	{ "same", "x@far.example at far.example forward" },
	{ "front1", "/home/bob/Maildir x@front.example at "
	    "smtp:[192.0.2.1]:25" },
	{ "chain", "x@far.example at far.example forward" },
};

static const struct {
	const char *local, *code, *alarm;
} refused[] = {
	{ "two", "451 4.3.5", "alias \"two\": \"y@far.example\" is elsewhere, "
	    "and so is \"x@far.example\": more than one need an alias "
	    "owner-NAME" },
	{ "two2", "451 4.3.5", "\"x@far.example\" is elsewhere, and no member "
	    "of the list of \"owner-away\"" },
	{ "two3", "451 4.3.5", "\"x@far.example\" is elsewhere, and so is \"a "
	    "member of a list\"" },
	{ "two4", "451 4.3.5", "\"x@front.example\" is elsewhere, and so is "
	    "\"x@far.example\"" },
	{ "gone1", "451 4.2.4", "\"nobody-at-all\" is no user" },
	{ "both", "451 4.3.5", "belong to \"owner-team\" and to "
	    "\"owner-away\"" },
	{ "dead", "451 4.3.5", "owner-dead@example.org, the owner of a list, "
	    "leads to no mailbox here" },
	{ "far", "451 4.3.5", "owner-far@example.org, the owner of a list, "
	    "leads to no mailbox here: " },
	{ "far2", "451 4.3.5", "owner-far2@example.org, the owner" },
	{ "void", "451 4.2.4", "owner-void@example.org, the owner" },
	{ "shut", "451 4.2.4", "owner-shut@example.org, the owner" },
	{ "mixed1", "451 4.2.4", "\"error:\" among other targets" },
	{ "mixed", "451 4.2.4", "\"error:\" among other targets" },
};

static void
test_lists(void **state)
{
	const struct resolved *r;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_STRING(rows[i].local, describe(resolver_find(
		    fixture.resolver, slice_of(rows[i].local),
		    SLICE("example.org"), false)), rows[i].want);
	r = resolver_find(fixture.resolver, SLICE("news"),
	    SLICE("example.com"), false);
	CHECK_STRING("news", describe(r), "/v/carol > w@far.example < "
	    "owner-news@example.com (carol@example.com)");
}

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(refused); i++) {
		const char *got = describe(resolver_find(fixture.resolver,
		    slice_of(refused[i].local), SLICE("example.org"),
		    false));

		if (strncmp(got, refused[i].code, 9) != 0 ||
		    strstr(got, refused[i].alarm) == NULL)
			fail_msg("%s: %s", refused[i].local, got);
	}
}

/* What comes home, and whose address it is, goes by mailboxes alone. */
static void
test_no_list_is_a_mailbox(void **state)
{
	static const char *const names[] = { "team", "away", "all" };

	(void)state;
	for (size_t i = 0; i < N_OF(names); i++) {
		const struct resolved *r = resolver_find_mailbox(
		    fixture.resolver, slice_of(names[i]),
		    SLICE("example.org"));

		assert_int_equal(r->kind, ROUTE_REFUSE);
		assert_int_equal(r->verdict.code, 451);
		assert_int_equal(r->n_leaves + r->n_members, 0);
	}
}

/* As many as one envelope holds. */
static void
test_many(void **state)
{
	struct fixture many;
	struct buf text = { 0 };
	const struct resolved *r;

	(void)state;
	(void)buf_puts(&text, "root: alice\nowner-a: alice\nowner-b: alice\n"
	    "a: m0@far.example");
	for (unsigned i = 1; i < LIST_ROUTE_MAX_MEMBERS; i++)
		(void)buf_printf(&text, ", m%u@far.example", i);
	(void)buf_puts(&text, "\nb: a, one-more@far.example\n");
	fixture_write("many", text.data);
	fixture_start(&many, FIXTURE_HEAD "domain \"example.org\" { users = "
	    "\"passwd\" aliases = \"@/many\" }\n", true);
	r = resolver_find(many.resolver, SLICE("a"), SLICE("example.org"),
	    false);
	assert_int_equal(r->kind, ROUTE_LIST);
	assert_int_equal(r->n_members, LIST_ROUTE_MAX_MEMBERS);
	r = resolver_find(many.resolver, SLICE("b"), SLICE("example.org"),
	    false);
	assert_int_equal(r->kind, ROUTE_REFUSE);
	assert_non_null(strstr(r->alarm, "more than 1000 members"));
	fixture_stop(&many);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_list_is_a_mailbox),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
