/* SPDX-License-Identifier: ISC */
/*
 * test_lookup.c - from a recipient to its mailboxes, or to its refusal.
 */
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
    "	aliases = \"@/aliases.com\"\n"
    "	mailbox = \"/v/%d/%u/%%/Maildir\"\n"
    "	owner = \"vmail\"\n"
    "	quota = 2G\n"
    "	names = true\n"
    "	plus = \"+-\"\n"
    "}\n"
    "domain \"case.example\" {\n"
    "	users = \"table:@/users.case\"\n"
    "	mailbox = \"/v/%n\"\n"
    "	owner = \"vmail\"\n"
    "	case = exact\n"
    "	aliases = \"@/aliases.case\"\n"
    "	catch_all = \"carol@example.com\"\n"
    "}\n"
    "domain \"dead.example\" {\n"
    "	users = \"table:@/users\"\n"
    "	mailbox = \"/v/%n\"\n"
    "	owner = \"vmail\"\n"
    "	catch_all = \"nobody-here@example.com\"\n"
    "}\n"
    "domain \"front.example\" { next_hop = \"smtp:[10.0.0.2]:25\" }\n"
    "domain \"chain.example\" {\n"
    "	users = \"table:@/users\"\n"
    "	mailbox = \"/v/%n\"\n"
    "	owner = \"vmail\"\n"
    "	catch_all = \"nobody-here@case.example\"\n"
    "}\n"
    "domain \"noname.example\" { users = \"table:@/users\" mailbox = "
    "\"/v/%n\" owner = \"vmail\" }\n";

static const char aliases_org[] =
    "root: alice\n"
    "team: alice, bob, Alice\n"
    "all: team, :include:@/members, carol@example.com\n"
    "bob: bob, alice\n"
    "alice: nobody-who-is-there\n"
    "mailbox: \\bob\n"
    "nomailbox: \\root\n"
    "fred: error:550 5.1.6 moved to example.com\n"
    "ex: fred\n"
    "mixed: alice, fred\n"
    "trap: discard:\n"
    "traps: trap, discard:\n"
    "keep: alice, trap\n"
    "loop1: loop2\n"
    "loop2: loop3\n"
    "loop3: loop1\n"
    "selfless: selfless\n"
    "dead: alice, gone\n"
    "out: someone@elsewhere.example\n"
    "front: x@front.example\n"
    "prog: \"|/bin/cat\"\n"
    "file: /tmp/x\n"
    "unread: :include:@/missing\n"
    "empty: :include:@/empty\n"
    "emptyplus: :include:@/empty, alice\n"
    "incself: :include:@/incself\n"
    "incalias: :include:@/incalias\n"
    "viasame: bob@EXAMPLE.net\n"
    "partial: smith\n"
    "tocase: any@case.example\n"
    "todead: any@dead.example\n"
    "topost: postmaster\n"
    "daemon: error:550 5.2.1 no mail for the system\n"
    "tagged: alice+x\n"
    "j\xc3\xbcrgen: alice\n"
    "progs: \"|/bin/cat -n \\\"a b\\\"\", alice, prog2\n"
    "prog2: |/bin/cat, |/bin/cat\n"
    "same: prog, prog2\n"
    "proghop: prog, b@elsewhere.example\n"
    "prog+x: prog\n"
    "boxcom: \\off@example.com\n"
    "boxsame: \\bob@EXAMPLE.net\n"
    "boxorg: \\bob@example.com\n"
    "boxout: \\someone@elsewhere.example\n"
    "boxfront: \\x@front.example\n"
    "info: info@example.com\n"
    "mixdis: discard:, error:gone\n";

static struct fixture fixture;

static const struct resolved *
find(const char *local, const char *domain, bool explains)
{
	return resolver_find(fixture.resolver, slice_of(local),
	    slice_of(domain), explains);
}

static int
set_up(void **state)
{
	(void)state;
	fixture_open_folder();
	fixture_write("aliases", aliases_org);
	fixture_write("members", "# members\nbob\n  alice, carol@example.com"
	    "\n");
	fixture_write("empty", "# none\n");
	fixture_write("incself", ":include:@/incself, alice\n");
	fixture_write("incalias", "incalias2\n");
	fixture_write("aliases.com", "Info: carol, dave+x\nabuse: dave\n"
	    "off: error:gone\noff2: off\ngus: discard:\n");
	fixture_write("users", "carol name=\"Carol Jones\" quota=1M\n"
	    "dave name=\"Dave Jones\" quota=0\nErin name=\"Erin Hart\"\n"
	    "off name=\"Otto Off\"\ngus\n");
	fixture_write("users.case", "Paul\npaul\n");
	fixture_write("aliases.case", "Abuse: Paul\nTest: paul\n"
	    "typo: pual\n");
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

static const struct {
	const char *address, *want;
} rows[] = {
	/* exact users */
	{ "alice@example.org", "/home/alice/Maildir" },
	{ "ALICE@example.org", "/home/alice/Maildir" },
	{ "alice@EXAMPLE.org", "/home/alice/Maildir" },
	{ "alice@example.net", "/home/alice/Maildir" },
	{ "carol@example.com", "/v/example.com/carol/%/Maildir" },
	{ "CAROL@example.com", "/v/example.com/carol/%/Maildir" },
	{ "erin@example.com", "/v/example.com/Erin/%/Maildir" },
	/* who has none */
	{ "nobody-there@example.org", "550 5.1.1 unknown" },
	{ "carol@example.org", "550 5.1.1 unknown" },
	{ "alice@example.com", "550 5.1.1 unknown" },
	{ "nobody@example.org", "550 5.1.1 unknown" },
	{ "vmail@example.org", "/var/vmail/Maildir" },
	{ "..@example.com", "550 5.1.1 unknown" },
	{ "a/b@example.org", "550 5.1.1 unknown" },
	{ "tilde@example.org", "451 4.3.5" },
	/* not ours */
	{ "alice@elsewhere.example", "550 5.7.1" },
	{ "alice@[127.0.0.1]", "550 5.7.1" },
	{ "alice@sub.example.org", "550 5.7.1" },
	{ "x@front.example", "x@front.example at smtp:[10.0.0.2]:25" },
	{ "postmaster@front.example", "postmaster@front.example at "
	    "smtp:[10.0.0.2]:25" },
	/* aliases */
	{ "root@example.org", "/home/alice/Maildir" },
	{ "Team@example.org", "/home/alice/Maildir /home/bob/Maildir" },
	{ "all@example.org", "/home/alice/Maildir /home/bob/Maildir "
	    "/v/example.com/carol/%/Maildir" },
	{ "info@example.com", "/v/example.com/carol/%/Maildir "
	    "/v/example.com/dave/%/Maildir" },
	{ "j\xc3\xbcrgen@example.org", "/home/alice/Maildir" },
	{ "info@example.org", "/v/example.com/carol/%/Maildir "
	    "/v/example.com/dave/%/Maildir" },	/* another's of its name */
	{ "viasame@example.org", "/home/bob/Maildir /home/alice/Maildir" },
	{ "tagged@example.org", "/home/alice/Maildir" },
	/* an alias beside a mailbox of its name */
	{ "bob@example.org", "/home/bob/Maildir /home/alice/Maildir" },
	{ "mailbox@example.org", "/home/bob/Maildir" },
	{ "nomailbox@example.org", "451 4.2.4" },
	{ "boxcom@example.org", "/v/example.com/off/%/Maildir" },
	{ "boxsame@example.org", "/home/bob/Maildir" },
	{ "boxorg@example.org", "451 4.2.4" },
	{ "boxout@example.org", "someone@elsewhere.example at "
	    "elsewhere.example forward" },
	{ "boxfront@example.org", "x@front.example at smtp:[10.0.0.2]:25" },
	{ "selfless@example.org", "451 4.2.4" },
	{ "off@example.com", "550 5.1.1" },
	{ "gus@example.com", "discard" },
	{ "otto@example.com", "550 5.1.1" },
	/* entries that answer */
	{ "fred@example.org", "550 5.1.6" },
	{ "ex@example.org", "550 5.1.6" },
	{ "off2@example.com", "550 5.1.1" },
	{ "mixed@example.org", "451 4.2.4" },
	{ "mixdis@example.org", "451 4.2.4" },
	{ "trap@example.org", "discard" },
	{ "traps@example.org", "discard" },
	{ "keep@example.org", "/home/alice/Maildir" },
	{ "daemon@example.org", "550 5.2.1" },
	/* what is broken */
	{ "loop1@example.org", "451 4.4.6" },
	{ "loop2@example.org", "451 4.4.6" },
	{ "dead@example.org", "451 4.2.4" },
	{ "out@example.org", "someone@elsewhere.example at elsewhere.example "
	    "forward" },
	{ "front@example.org", "x@front.example at smtp:[10.0.0.2]:25" },
	{ "prog@example.org", "|/bin/cat" },
	{ "progs@example.org", "451 4.3.5" },	/* two of them */
	{ "prog2@example.org", "|/bin/cat" },
	{ "same@example.org", "|/bin/cat" },
	{ "proghop@example.org", "451 4.3.5" },
	{ "file@example.org", "451 4.3.5" },
	{ "unread@example.org", "451 4.3.5" },
	{ "empty@example.org", "451 4.2.4" },
	{ "emptyplus@example.org", "/home/alice/Maildir" },
	{ "incself@example.org", "451 4.4.6" },
	{ "incalias@example.org", "451 4.2.4" },
	{ "partial@example.org", "451 4.2.4" },
	/* plus-addresses */
	{ "alice+tag@example.org", "/home/alice/Maildir" },
	{ "alice+@example.org", "/home/alice/Maildir" },
	{ "alice-tag@example.org", "550 5.1.1 unknown" },
	{ "carol-tag@example.com", "/v/example.com/carol/%/Maildir" },
	{ "carol-a+b@example.com", "/v/example.com/carol/%/Maildir" },
	{ "+alice@example.org", "550 5.1.1 unknown" },
	{ "team+x@example.org", "/home/alice/Maildir /home/bob/Maildir" },
	{ "fred+x@example.org", "550 5.1.6" },
	{ "who+x@example.org", "550 5.1.1 unknown" },
	/* partial names */
	{ "alice.smith@example.org", "/home/alice/Maildir" },
	{ "Alice_Smith@example.org", "/home/alice/Maildir" },
	{ "smith@example.org", "553 5.1.4" },
	{ "dae@example.org", "550 5.1.1 unknown" },
	{ "jones@example.com", "553 5.1.4" },
	{ "carol.jones@example.com", "/v/example.com/carol/%/Maildir" },
	{ "hart@example.com", "/v/example.com/Erin/%/Maildir" },
	/* case rules, catch-all */
	{ "Paul@case.example", "/v/Paul" },
	{ "paul@case.example", "/v/paul" },
	{ "PAUL@case.example", "/v/example.com/carol/%/Maildir" },
	{ "Test@case.example", "/v/paul" },
	{ "test@case.example", "/v/example.com/carol/%/Maildir" },
	{ "any@case.example", "/v/example.com/carol/%/Maildir" },
	{ "tocase@example.org", "/v/example.com/carol/%/Maildir" },
	{ "any@dead.example", "451 4.2.4" },
	{ "todead@example.org", "451 4.2.4" },
	/* a slip in an alias is no address that somebody made up */
	{ "typo@case.example", "451 4.2.4" },
	/* a catch-all leads to nobody else's */
	{ "any@chain.example", "451 4.2.4" },
	/* postmaster and abuse */
	{ "Postmaster", "/home/alice/Maildir" },
	{ "alice", "553 5.1.3" },
	{ "postmaster@example.org", "/home/alice/Maildir" },
	{ "POSTMASTER@case.example", "/home/alice/Maildir" },
	{ "abuse@case.example", "/v/Paul" },
	{ "ABUSE@case.example", "/v/Paul" },
	{ "abuse@example.com", "/v/example.com/dave/%/Maildir" },
	{ "topost@example.org", "/home/alice/Maildir" },
	{ "abuse@example.net", "/home/alice/Maildir" },
	{ "postmaster@elsewhere.example", "550 5.7.1" },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK_STRING(rows[i].address,
		    fixture_resolve(&fixture, rows[i].address),
		    rows[i].want);
}

static const struct {
	const char *address, *want;	/* "" is no alarm */
} alarms[] = {
	{ "dead@example.org", "@/aliases:18: alias \"dead\": \"gone\" is no "
	    "user or alias of example.org" },
	{ "loop1@example.org", "@/aliases:16: alias \"loop3\": a loop: loop1 "
	    "-> loop2 -> loop3 -> loop1" },
	{ "incself@example.org", "@/incself:1: alias \"incself\": a loop: "
	    "@/incself -> @/incself" },
	{ "unread@example.org", "@/aliases:23: alias \"unread\": :include:"
	    "@/missing cannot be read: No such file or directory" },
	{ "empty@example.org", "@/empty: alias \"empty\": an empty list, "
	    "and nobody else" },
	{ "mixed@example.org", "@/aliases:8: alias \"fred\": \"error:\" "
	    "among other targets" },
	{ "any@dead.example", "catch_all of domain \"dead.example\": "
	    "\"nobody-here\" is no user or alias of example.com" },
	{ "alice@example.org", "" },
	{ "fred@example.org", "" },
	{ "nobody-there@example.org", "" },
};

static void
test_alarms(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(alarms); i++) {
		char *want = fixture_text(alarms[i].want);
		char local[64];
		const char *at = strchr(alarms[i].address, '@');

		snprintf(local, sizeof local, "%.*s",
		    (int)(at - alarms[i].address), alarms[i].address);
		CHECK_STRING(alarms[i].address,
		    find(local, at + 1, false)->alarm, want);
		free(want);
	}
}

static void
test_leaf(void **state)
{
	const struct resolved *r;

	(void)state;
	r = find("Carol+x", "example.com", false);
	assert_int_equal(r->n_leaves, 1);
	assert_int_equal(r->leaves[0].uid, 3000);
	assert_int_equal(r->leaves[0].gid, 3001);
	assert_int_equal(r->leaves[0].quota_bytes, 1 << 20);
	assert_true(slice_equals(r->leaves[0].user, SLICE("carol")));
	assert_true(slice_equals(r->leaves[0].delivered_to,
	    SLICE("carol@example.com")));
	assert_int_equal(r->leaves[0].home.size, 0);
	/* quota=0 is none, whatever the domain says */
	r = find("dave", "example.com", false);
	assert_int_equal(r->leaves[0].quota_bytes, 0);
	r = find("erin", "example.com", false);
	assert_int_equal(r->leaves[0].quota_bytes, 2ull << 30);
	r = find("alice", "example.net", false);
	assert_int_equal(r->leaves[0].uid, 2001);
	assert_true(slice_equals(r->leaves[0].home, SLICE("/home/alice")));
	assert_true(slice_equals(r->leaves[0].delivered_to,
	    SLICE("alice@example.org")));
	assert_int_equal(r->explanation.size, 0);
}

static void
test_exempt(void **state)
{
	(void)state;
	assert_true(find("ABUSE", "example.org", false)->is_exempt);
	assert_true(find("Postmaster", "", false)->is_exempt);
	assert_false(find("alice", "example.org", false)->is_exempt);
	assert_false(find("abuse", "elsewhere.example", false)->is_exempt);
}

static void
test_explanation(void **state)
{
	const char *got;
	char *want = fixture_text(
	    "domain \"example.net\" is the same as \"example.org\"\n"
	    "\"team+x\" without its tag is \"team\"\n"
	    "team@example.org: alias \"team\" at @/aliases:2 -> alice, bob, "
	    "Alice\n");

	(void)state;
	got = find("team+x", "example.net", true)->explanation.data;
	assert_int_equal(strncmp(got, want, strlen(want)), 0);
	assert_non_null(strstr(got, "alice@example.org: user \"alice\" of the "
	    "system, uid 2001 -> /home/alice/Maildir\n"));
	free(want);
	want = fixture_text("carol@example.com: user \"carol\" at @/users:1 "
	    "-> /v/example.com/carol/%/Maildir\n");
	got = find("carol", "example.com", true)->explanation.data;
	assert_string_equal(got, want);
	free(want);
	want = fixture_text(":include:@/members -> bob, alice, "
	    "carol@example.com\n");
	got = find("all", "example.org", true)->explanation.data;
	assert_non_null(strstr(got, want));
	free(want);
	assert_string_equal(find("zz", "example.com", true)->explanation.data,
	    "zz@example.com: no user, alias or partial name of this name\n");
	assert_non_null(strstr(find("zz", "noname.example", true)->
	    explanation.data, "zz@noname.example: no user or alias of this "
	    "name\n"));
}

/* NSS that does not answer is 451, for what depends on it alone. */
static void
test_nss_failure(void **state)
{
	static const int errors[] = { EIO, ENOENT, EPERM, ETIMEDOUT };

	(void)state;
	for (size_t i = 0; i < N_OF(errors); i++) {
		char address[64];

		nss_error = errors[i];
		snprintf(address, sizeof address, "new%zu@example.org", i);
		CHECK_STRING(address, fixture_resolve(&fixture, address),
		    "451 4.4.3");
		CHECK_STRING("table", fixture_resolve(&fixture,
		    "carol@example.com"), "/v/example.com/carol/%/Maildir");
	}
	nss_error = 0;
	/* a failure is not remembered */
	assert_string_equal(fixture_resolve(&fixture, "new0@example.org"),
	    "550 5.1.1 unknown");
}

/* One user, however NSS lets him be called. */
static void
test_nss_ignores_case(void **state)
{
	const struct resolved *got;
	struct fixture f;

	(void)state;
	nss_ignores_case = true;
	fixture_start(&f, FIXTURE_HEAD "domain \"example.org\" { users = "
	    "\"passwd\" mailbox = \"/v/%u\" }\n", true);
	got = resolver_find(f.resolver, SLICE("ALICE"), SLICE("example.org"),
	    false);
	assert_int_equal(got->n_leaves, 1);
	assert_true(slice_equals(got->leaves[0].maildir, SLICE("/v/alice")));
	assert_true(slice_equals(got->leaves[0].delivered_to,
	    SLICE("alice@example.org")));
	nss_other_name = (char[]){ "bob@ad.example" };
	assert_string_equal(fixture_resolve(&f, "bob@example.org"),
	    "/v/bob");
	fixture_stop(&f);
	nss_other_name = NULL;
	nss_ignores_case = false;
}

static void
test_nss_cache(void **state)
{
	unsigned before;

	(void)state;
	fixture_resolve(&fixture, "alice@example.org");
	before = nss_n_asked;
	fixture_resolve(&fixture, "alice@example.org");
	assert_int_equal(nss_n_asked, before);
	clock_set_for_tests(clock_monotonic_us() + PASSWD_CACHE_MS * 1000 + 1,
	    1);
	fixture_resolve(&fixture, "alice@example.org");
	assert_int_equal(nss_n_asked, before + 1);
	clock_set_for_tests(0, 0);
}

/* Without root there is one uid, and mail for its user alone. */
static void
test_unprivileged(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, config_text, false);
	f.catalog->own_uid = 2002;
	f.catalog->own_gid = 77;
	assert_string_equal(fixture_resolve(&f, "vmail@example.org"),
	    "550 5.1.1 unknown");
	assert_string_equal(fixture_resolve(&f, "mailbox@example.org"),
	    "/home/bob/Maildir");
	assert_string_equal(fixture_resolve(&f, "carol@example.com"),
	    "/v/example.com/carol/%/Maildir");
	assert_int_equal(resolver_find(f.resolver, SLICE("carol"),
	    SLICE("example.com"), false)->leaves[0].uid, 2002);
	fixture_stop(&f);
}

static void
test_owner(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, FIXTURE_HEAD
	    "domain \"a.example\" { users = \"table:@/users\" "
	    "mailbox = \"/v/%u\" owner = \"daemon\" }\n"
	    "domain \"b.example\" { users = \"table:@/users\" "
	    "mailbox = \"/v/%u\" owner = \"missing\" }\n"
	    "domain \"c.example\" { users = \"table:@/users\" "
	    "mailbox = \"/v/%u\" }\n"
	    "domain \"example.org\" { users = \"passwd\" }\n", true);
	assert_string_equal(fixture_resolve(&f, "carol@a.example"),
	    "451 4.3.5");
	assert_string_equal(fixture_resolve(&f, "carol@b.example"),
	    "451 4.3.5");
	assert_string_equal(fixture_resolve(&f, "carol@c.example"),
	    "451 4.3.5");
	fixture_stop(&f);
}

/* broken_alias = permanent: what is broken by an alias, and only that. */
static void
test_broken_alias(void **state)
{
	static const struct {
		const char *address, *want;
	} permanent[] = {
		{ "loop1@example.org", "550 5.4.6" },
		{ "dead@example.org", "550 5.2.4" },
		{ "mixed@example.org", "550 5.2.4" },
		{ "empty@example.org", "550 5.2.4" },
		{ "out@example.org", "550 5.3.5" },
		{ "one@example.org", "x@elsewhere.example at "
		    "elsewhere.example forward" },
		{ "unread@example.org", "550 5.3.5" },
		/* those that have to exist, and what is no alias */
		{ "abuse@example.org", "451 4.4.6" },
		{ "carol@a.example", "451 4.3.5" },
		{ "alice@example.org", "/home/alice/Maildir" },
	};
	struct fixture f;

	(void)state;
	fixture_write("broken", "loop1: loop2\nloop2: loop1\nabuse: loop1\n"
	    "fred: error:550 5.1.6 moved\nmixed: alice, fred\n"
	    "dead: gone\nempty: :include:@/empty\nout: one, y@elsewhere.example\n"
	    "one: x@elsewhere.example\n"
	    "unread: :include:@/missing\n");
	fixture_start(&f, FIXTURE_HEAD
	    "domain \"example.org\" { users = \"passwd\" "
	    "aliases = \"@/broken\" broken_alias = permanent }\n"
	    "domain \"a.example\" { users = \"table:@/users\" "
	    "mailbox = \"/v/%u\" owner = \"missing\" "
	    "broken_alias = permanent }\n", true);
	for (size_t i = 0; i < sizeof permanent / sizeof *permanent; i++)
		assert_string_equal(fixture_resolve(&f, permanent[i].address),
		    permanent[i].want);
	fixture_stop(&f);
}

/* ---- graphs that would cost much ---- */

static void
test_diamonds(void **state)
{
	struct buf text = { 0 };
	struct fixture f;

	(void)state;
	/* 2^50 ways to one mailbox */
	for (int i = 0; i < 50; i++)
		(void)buf_printf(&text, "a%d: a%d, b%d\nb%d: a%d, b%d\n", i,
		    i + 1, i + 1, i, i + 1, i + 1);
	(void)buf_puts(&text, "a50: alice\nb50: alice\n");
	fixture_write("deep", text.data);
	fixture_start(&f, FIXTURE_HEAD "domain \"example.org\" { users = "
	    "\"passwd\" aliases = \"@/deep\" }\n", true);
	assert_string_equal(fixture_resolve(&f, "a0@example.org"),
	    "/home/alice/Maildir");
	fixture_stop(&f);
	buf_free(&text);
}

static void
test_depth_and_width(void **state)
{
	struct buf text = { 0 };
	struct fixture f;

	(void)state;
	for (int i = 0; i < RESOLVE_MAX_DEPTH + 1; i++)
		(void)buf_printf(&text, "d%d: d%d\n", i, i + 1);
	(void)buf_printf(&text, "d%d: u0\nwide:", RESOLVE_MAX_DEPTH + 1);
	for (int i = 0; i < ROUTE_MAX_LEAVES; i++)
		(void)buf_printf(&text, "%s u%d\n", i ? " ," : "", i);
	(void)buf_puts(&text, "wider: wide, extra\n");
	fixture_write("wide", text.data);
	buf_free(&text);
	for (int i = 0; i < ROUTE_MAX_LEAVES; i++)
		(void)buf_printf(&text, "u%d\n", i);
	(void)buf_puts(&text, "extra\n");
	fixture_write("many", text.data);
	buf_free(&text);
	fixture_start(&f, FIXTURE_HEAD "domain \"example.org\" { users = "
	    "\"table:@/many\" aliases = \"@/wide\" mailbox = \"/v/%u\" "
	    "owner = \"vmail\" }\n", true);
	assert_string_equal(fixture_resolve(&f, "d0@example.org"),
	    "451 4.4.6");
	assert_string_equal(fixture_resolve(&f, "d2@example.org"), "/v/u0");
	assert_int_equal(resolver_find(f.resolver, SLICE("wide"),
	    SLICE("example.org"), false)->n_leaves, ROUTE_MAX_LEAVES);
	assert_string_equal(fixture_resolve(&f, "wider@example.org"),
	    "451 4.3.5");
	fixture_stop(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_alarms),
		cmocka_unit_test(test_leaf),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_explanation),
		cmocka_unit_test(test_nss_failure),
		cmocka_unit_test(test_nss_ignores_case),
		cmocka_unit_test(test_nss_cache),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_broken_alias),
		cmocka_unit_test(test_diamonds),
		cmocka_unit_test(test_depth_and_width),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
