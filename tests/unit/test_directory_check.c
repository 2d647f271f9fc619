/* SPDX-License-Identifier: ISC */
/*
 * test_directory_check.c - what `postern -n` says about recipients.
 */
#include "directory_check.h"
#include "directory_fixture.h"

#define ORG "domain \"example.org\" { users = \"passwd\" " \
	"aliases = \"@/aliases\" }\n"

struct row {
	const char *name;
	const char *config;		/* behind FIXTURE_HEAD */
	const char *aliases, *users;
	const char *want[10];		/* problems; "W" in front: a warning */
};

static const struct row rows[] = {
	{ "nothing wrong", ORG, "root: alice\nteam: alice, bob\n", "",
	    { NULL } },
	{ "no root", ORG, "team: alice\n", "",
	    { "@/aliases: root@example.org leads to no mailbox: write an" } },
	{ "root discarded", ORG, "root: discard:\n", "",
	    { "@/aliases: root@example.org leads to no mailbox: it is "
	      "discarded", "Wnote: 1 entries" } },
	{ "root refused", ORG, "root: error:550 5.1.6 x\n", "",
	    { "@/aliases: root@example.org leads to no mailbox: it is "
	      "refused; write an alias" } },
	{ "root is itself", ORG, "root: root\n", "",
	    { "@/aliases:1: alias \"root\": \"root\" is no user" } },
	{ "postmaster broken", ORG, "root: alice\npostmaster: gone\n", "",
	    { "@/aliases:2: alias \"postmaster\": \"gone\" is no user" } },
	{ "abuse discarded", ORG, "root: alice\nabuse: discard:\n", "",
	    { "@/aliases: abuse@example.org leads to no mailbox: it is "
	      "discarded", "Wnote: 1 entries" } },
	{ "loop", ORG, "root: alice\na: b\nb: a\n", "",
	    { "@/aliases:3: alias \"b\": a loop: a -> b -> a",
	      "@/aliases:2: alias \"a\": a loop: b -> a -> b" } },
	{ "dead leaf once", ORG, "root: alice\na: b\nc: a\nb: x\n", "",
	    { "@/aliases:4: alias \"b\": \"x\" is no user or alias" } },
	{ "two dead leaves of one alias", ORG, "root: alice\na: x,\n y\n", "",
	    { "@/aliases:2: alias \"a\": \"x\"",
	      "@/aliases:3: alias \"a\": \"y\"" } },
	{ "elsewhere", ORG, "root: alice\na: b@elsewhere.example\n"
	    "c: alice, b@elsewhere.example\n", "",
	    { "Wnote: 2 aliases that forward: the next hop answers before we "
	      "do; what it bounces later comes back here, and goes on only to "
	      "a sender who had proven himself (first: @/aliases:2 \"a\")" } },
	{ "elsewhere, by a smart host", "relay { smart_host = "
	    "\"smtp:[10.0.0.2]:25\" }\n" ORG,
	    "root: alice\na: b@elsewhere.example\nc: d@elsewhere.example\n",
	    "",
	    { "Wbackscatter: aliases that forward go through smart_host "
	      "smtp:[10.0.0.2]:25", "Wnote: 2 aliases that forward" } },
	{ "a catch-all that forwards", "domain \"example.org\" { users = "
	    "\"passwd\" aliases = \"@/aliases\" catch_all = \"a\" }\n",
	    "root: alice\na: b@elsewhere.example\n", "",
	    { "Wbackscatter: catch_all of domain \"example.org\" leads away "
	      "from this host: every address that somebody invents there is "
	      "accepted, and its spam is sent on",
	      "Wnote: 1 aliases that forward" } },
	{ "into a domain that we front", ORG "domain \"f.example\" { next_hop "
	    "= \"smtp:[10.0.0.2]:25\" }\n",
	    "root: alice\na: b@f.example\n", "", { NULL } },
	{ "two elsewhere", ORG, "root: alice\na: b@elsewhere.example, "
	    "c@elsewhere.example\n", "",
	    { "@/aliases:2: alias \"a\": \"c@elsewhere.example\" is "
	      "elsewhere, and so is \"b@elsewhere.example\"" } },
	{ "a list", ORG, "root: alice\na: alice, b@elsewhere.example\n"
	    "owner-a: alice\n", "",
	    { "Wnote: 1 aliases with members elsewhere: what cannot be "
	      "delivered to those comes home, to the mailbox of owner-NAME "
	      "here (first: @/aliases:2 \"a\")" } },
	{ "a list whose owner is elsewhere", ORG, "root: alice\n"
	    "a: alice, b@elsewhere.example\nowner-a: c@elsewhere.example\n",
	    "", { "owner-a@example.org, the owner of a list, leads to no "
	      "mailbox here: @/aliases:3: alias \"owner-a\": "
	      "\"c@elsewhere.example\" is elsewhere, and has no mailbox "
	      "here",
	      "Wnote: 1 aliases that forward" } },
	{ "postmaster is a list", ORG, "root: alice\n"
	    "postmaster: alice, b@elsewhere.example\n"
	    "owner-postmaster: alice\n", "",
	    { "@/aliases: postmaster@example.org leads to no mailbox: it is a "
	      "list with members elsewhere; mend its alias",
	      "postmaster leads to no mailbox: it is a list",
	      "Wnote: 1 aliases with members" } },
	{ "a program that mails", ORG, "root: alice\n"
	    "a: |/bin/x\nb: \"|/bin/sh -c '/usr/bin/vacation alice'\"\n", "",
	    { "@/aliases:2: alias \"a\": \"|/bin/x\": /bin/x: No such file",
	      "Wbackscatter: @/aliases:3: \"|/bin/sh -c '/usr/bin/vacation "
	      "alice'\": vacation can write to whoever",
	      "Wnote: 1 programs: each answers by its exit status before we "
	      "do; see that it writes to no sender (first: @/aliases:2 "
	      "\"/bin/x\")" } },
	{ "a program that mails, in an include", ORG,
	    "root: alice\na: :include:@/users\n", "|/bin/sh -c mailx\n",
	    { "Wbackscatter: @/users:1: \"|/bin/sh -c mailx\": mailx "
	      "can" } },
	{ "where no .Junk is, behind a relay_peer", "checks { relay_peer = { "
	    "\"192.0.2.1\" } }\n" ORG, "root: alice\na: bob\n"
	    "b: a, \"|/bin/sh -c true\"\nc: d\nd: x@elsewhere.example\n", "",
	    { "Wbackscatter: 3 aliases lead to a list, a program or another "
	      "host, where there is no .Junk (first: @/aliases:3 \"b\"): "
	      "what is refused of a relay_peer's mail to them is bounced",
	      "Wnote: 2 aliases that forward", "Wnote: 1 programs" } },
	{ "a list manager", ORG, "root: alice\n"
	    "a: \"|/bin/sh -c '/usr/lib/mailman/mail/mailman post a'\"\n", "",
	    { "Wbackscatter: @/aliases:2: \"|/bin/sh -c '/usr/lib/mailman/"
	      "mail/mailman post a'\": mailman can write to whoever" } },
	{ "discard", ORG, "root: alice\na: discard:\nb: discard:\n", "",
	    { "Wnote: 2 entries that throw mail away on purpose (discard:): "
	      "nobody is told, neither sender nor recipient (first: "
	      "@/aliases:2 \"a\")" } },
	{ "a catch-all that throws away", "domain \"example.org\" { users = "
	    "\"passwd\" aliases = \"@/aliases\" catch_all = \"no\" }\n",
	    "root: alice\nno: discard:\n", "",
	    { "Wbackscatter: catch_all of domain \"example.org\" throws "
	      "mail away", "Wnote: 1 entries" } },
	{ "a catch-all that leads away", "domain \"example.org\" { users = "
	    "\"passwd\" aliases = \"@/aliases\" catch_all = \"team\" }\n",
	    "root: alice\nteam: bob, c@elsewhere.example\n"
	    "owner-team: alice\n", "",
	    { "Wbackscatter: catch_all of domain \"example.org\" leads away "
	      "from this host", "Wnote: 1 aliases with members" } },
	{ "a quota of the last mailbox", "domain \"example.org\" { users = "
	    "\"passwd\" aliases = \"@/aliases\" quota = 1M }\n",
	    "root: alice\n", "",
	    { "Wbackscatter: postmaster \"alice@example.org\" has a quota" } },
	{ "dsn_to is a list", "dsn_to = \"team@example.org\"\n" ORG,
	    "root: alice\nteam: bob, c@elsewhere.example\n"
	    "owner-team: alice\n", "",
	    { "team@example.org leads to no mailbox: it is a list with members "
	      "elsewhere; dsn_to must be a mailbox "
	      "here", "Wnote: 1 aliases with members" } },
	{ "dsn_to has none", "dsn_to = \"bob@example.org\"\n" ORG,
	    "root: alice\n", "", { NULL } },
	{ "reports for a mailbox on another host", "dsn_to = "
	    "\"bob@f.example\"\n" ORG "domain \"f.example\" { next_hop = "
	    "\"smtp:[10.0.0.2]:25\" }\n", "root: alice\n", "",
	    { "Wbackscatter: dsn_to \"bob@f.example\" has no mailbox here, "
	      "but at smtp:[10.0.0.2]:25" } },
	{ "an account without a mailbox", ORG "sender \"nobody\" { may = { "
	    "\"*@example.org\" } }\nsender \"bob\" { may = { "
	    "\"*@example.org\" } }\n", "root: alice\n", "",
	    { "Wnote: sender \"nobody\" has no mailbox" } },
	{ "senders whom nobody is", "dsn_to = \"bob@example.org\"\n" ORG
	    "domain \"t.example\" { users = \"table:@/users\" "
	    "mailbox = \"/v/%u\" owner = \"vmail\" }\n"
	    "sender \"nosuchuser\" { may = { \"*@example.org\" } }\n"
	    "sender \"bob@example.org\" { may = { \"*@example.org\" } }\n"
	    "sender \"x@g.example\" { may = { \"*@example.org\" } }\n"
	    "sender \"bob\" { may = { \"*@example.org\" } }\n"
	    "sender \"c@t.example\" { may = { \"*@example.org\" } }\n",
	    "root: alice\n", "c\n",
	    { "Wsender \"nosuchuser\" is nobody's name: the system has no",
	      "Wsender \"bob@example.org\" is nobody's name: users of the",
	      "Wsender \"x@g.example\" is nobody's name: there is no" } },
	{ "submitters whom nobody is", ORG
	    "submitter \"10.0.0.1\" { as = \"root@example.org\" }\n"
	    "submitter \"10.0.0.2\" { as = \"none\" }\n"
	    "submitter \"10.0.0.3\" { as = \"bob\" }\n", "root: alice\n", "",
	    { "Wsubmitter \"10.0.0.1\": as \"root@example.org\" is no user: "
	      "name one",
	      "Wsubmitter \"10.0.0.2\": as \"none@example.org\" is no" } },
	{ "program", ORG, "root: alice\na: \"|/bin/x y\"\n", "",
	    { "@/aliases:2: alias \"a\": \"|/bin/x y\": /bin/x: No such "
	      "file", "Wnote: 1 programs" } },
	{ "program that is there", ORG, "root: alice\n"
	    "a: \"|/bin/sh -c true\", |/bin/sh -c true\n"
	    "b: \"|cat > /dev/null\"\n", "", { "Wnote: 3 programs" } },
	{ "two programs", ORG, "root: alice\na: |/bin/cat, |/bin/sh\n", "",
	    { "@/aliases:2: alias \"a\": \"|/bin/cat\" and \"|/bin/sh\": "
	      "one of two programs", "Wnote: 2 programs" } },
	{ "program for postmaster", ORG, "root: alice\n"
	    "postmaster: |/bin/cat\n", "",
	    { "@/aliases: postmaster@example.org leads to no mailbox: it "
	      "goes to a program alone; mend its alias",
	      "postmaster leads to no mailbox: it goes to a program alone; "
	      "mend its alias", "Wnote: 1 programs" } },
	{ "relative program", ORG, "root: alice\na: |cat\n", "",
	    { "@/aliases:2: alias \"a\": \"|cat\": a program needs an "
	      "absolute path", "Wnote: 1 programs" } },
	{ "file", ORG, "root: alice\na: /dev/null\n", "",
	    { "@/aliases:2: alias \"a\": \"/dev/null\": delivery into files "
	      "is not supported; write discard:" } },
	{ "include", ORG, "root: alice\na: :include:@/none\n", "",
	    { "@/aliases:2: alias \"a\": :include:@/none cannot be read: No "
	      "such file" } },
	{ "unread aliases", "domain \"example.org\" { users = \"passwd\" "
	    "aliases = \"@/missing\" }\n", "", "",
	    { "@/missing: No such file" } },
	{ "all parse errors", ORG, "a\nb: c d\n", "",
	    { "@/aliases:1: expected", "@/aliases:2: \"c d\"",
	      "@/aliases: root@example.org leads to no mailbox" } },
	{ "parse errors hide nothing", ORG, "root: alice\nx: bob\na: b\n"
	    "b: a\nx: gone\ni: :include:@/none\np: \"|/bin/x\"\n"
	    "f: b@elsewhere.example, c@elsewhere.example\nteam alice\n", "",
	    { "@/aliases:9: expected",
	      "@/aliases:5: alias \"x\" stands on line 2 already",
	      "@/aliases:4: alias \"b\": a loop",
	      "@/aliases:3: alias \"a\": a loop",
	      "@/aliases:8: alias \"f\": \"c@elsewhere.example\"",
	      "@/aliases:6: alias \"i\": :include:@/none cannot be read",
	      "@/aliases:7: alias \"p\": \"|/bin/x\"",
	      "@/aliases:5: alias \"x\": \"gone\" is no user",
	      "Wnote: 1 programs" } },
	{ "parse errors of an include hide nothing", ORG,
	    "root: alice\nx: :include:@/users\n", "gone\nbob, c d\n"
	    ":include:@/none\n",
	    { "@/users:2: \"c d\"",
	      "@/aliases:2: alias \"x\": :include:@/users cannot be read: "
	      "line 2: \"c d\": not an address",
	      "@/users:1: alias \"x\": \"gone\" is no user",
	      "@/users:3: alias \"x\": :include:@/none cannot be read" } },
	{ "an include that is no text", ORG,
	    "root: alice\nx: :include:@/zero\ny: gone\n", "",
	    { "@/zero:1: a NUL",
	      "@/aliases:2: alias \"x\": :include:@/zero cannot be read: it "
	      "is no list of names",
	      "@/aliases:3: alias \"y\": \"gone\" is no user" } },
	{ "an alias that was not understood", ORG,
	    "root: alice\nx: b c\ny: gone\n", "",
	    { "@/aliases:2: \"b c\"",
	      "@/aliases:3: alias \"y\": \"gone\" is no user" } },
	{ "errors of users and of aliases", "domain \"example.org\" { users ="
	    " \"table:@/users\" mailbox = \"/v/%u\" owner = \"vmail\" "
	    "aliases = \"@/aliases\" }\n", "root: alice\nx: gone\n",
	    "alice\nbob quota=x\nbob\n",
	    { "@/users:2: quota of \"bob\"",
	      "@/users:3: user \"bob\" stands on line 2 already",
	      "@/aliases:2: alias \"x\": \"gone\" is no user" } },
	{ "a text whose end was not read is not walked", "domain "
	    "\"example.org\" { users = \"table:@/zero\" mailbox = \"/v/%u\" "
	    "owner = \"vmail\" aliases = \"@/aliases\" }\n",
	    "root: alice\nx: gone\n", "", { "@/zero:1: a NUL" } },
	{ "shadowed", ORG, "root: alice\nalice: bob\n", "",
	    { "W@/aliases:2: alias \"alice\" is never used" } },
	{ "catch-all", "domain \"example.org\" { users = \"passwd\" "
	    "aliases = \"@/aliases\" catch_all = \"gone\" }\n",
	    "root: alice\n", "",
	    { "catch_all of domain \"example.org\": \"gone\" is no user" } },
	{ "users", "domain \"example.org\" { users = \"table:@/users\" "
	    "mailbox = \"/v/%u\" owner = \"vmail\" "
	    "aliases = \"@/aliases\" }\n", "root: alice\n",
	    "alice\nbob quota=x\n",
	    { "@/users:2: quota of \"bob\"" } },
	{ "owner", "domain \"example.org\" { users = \"table:@/users\" "
	    "mailbox = \"/v/%u\" owner = \"daemon\" "
	    "aliases = \"@/aliases\" }\n", "root: alice\n", "alice\nbob\n",
	    { "owner \"daemon\" of domain \"example.org\" has a uid below "
	      "min_uid" } },
	{ "configured postmaster", "domain \"example.org\" { users = "
	    "\"table:@/users\" mailbox = \"/v/%u\" owner = \"vmail\" "
	    "aliases = \"@/aliases\" }\n",
	    "root: bob\npostmaster: bob\nabuse: bob\n", "bob\n",
	    { "alice@example.org leads to no mailbox: postmaster in the "
	      "configuration" } },
	{ "next_hop alone", ORG "domain \"f.example\" { next_hop = "
	    "\"smtp:[10.0.0.2]:25\" }\n", "root: alice\n", "", { NULL } },
};

/* A file that was not written completely. */
static void
write_zero(void)
{
	char *path = fixture_text("@/zero");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputc('\0', f), 0);
	assert_int_equal(fclose(f), 0);
	free(path);
}

static void
check_row(const struct row *row)
{
	struct config_problems problems = { 0 };
	struct config *config;
	char text[1024];
	size_t n = 0;

	fixture_open_folder();
	fixture_write("aliases", row->aliases);
	fixture_write("users", row->users);
	write_zero();
	snprintf(text, sizeof text, "%s%s", FIXTURE_HEAD, row->config);
	config = fixture_config(text);
	directory_check(config, true, &problems);
	for (; n < N_OF(row->want) && row->want[n] != NULL; n++) {
		bool is_warning = row->want[n][0] == 'W';
		char *want = fixture_text(row->want[n] + is_warning);

		if (n >= problems.n)
			fail_msg("row \"%s\": no \"%s\"", row->name, want);
		if (strncmp(problems.items[n].text, want, strlen(want)) != 0)
			fail_msg("row \"%s\": got \"%s\", want \"%s\"",
			    row->name, problems.items[n].text, want);
		CHECK(row->name, problems.items[n].is_warning == is_warning);
		free(want);
	}
	if (problems.n > n)
		fail_msg("row \"%s\": also \"%s\"", row->name,
		    problems.items[n].text);
	config_problems_free(&problems);
	config_free(&config);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		check_row(&rows[i]);
	fixture_close_folder();
}

static void
test_line_is_the_domains(void **state)
{
	struct config_problems problems = { 0 };
	struct config *config;

	(void)state;
	fixture_open_folder();
	fixture_write("aliases", "root: alice\na: b\n");
	config = fixture_config(FIXTURE_HEAD "\n\n" ORG);
	directory_check(config, true, &problems);
	assert_int_equal(problems.n, 1);
	assert_int_equal(problems.items[0].line, 8);
	config_problems_free(&problems);
	config_free(&config);
	fixture_close_folder();
}

static void
test_line_is_the_postmasters(void **state)
{
	struct config_problems problems = { 0 };
	struct config *config;
	char text[1024];
	char *at;

	(void)state;
	fixture_open_folder();
	fixture_write("aliases", "root: alice\n");
	snprintf(text, sizeof text, "%s\n%s", FIXTURE_HEAD, ORG);
	at = strstr(text, "alice@");
	assert_non_null(at);
	memcpy(at, "maria@", 6);
	config = fixture_config(text);
	directory_check(config, true, &problems);
	assert_true(problems.n > 0);
	for (size_t i = 0; i < problems.n; i++)
		assert_int_equal(problems.items[i].line,
		    config->postmaster_line);
	assert_int_not_equal(config->postmaster_line, 0);
	config_problems_free(&problems);
	config_free(&config);
	fixture_close_folder();
}

static void
test_forward(void **state)
{
	struct config_problems problems = { 0 };
	struct config *config;
	char *home = system_users[1].pw_dir;

	(void)state;
	fixture_open_folder();
	fixture_write("aliases", "root: alice\n");
	fixture_write(".forward", "elsewhere@example.net\n");
	system_users[1].pw_dir = folder;
	config = fixture_config(FIXTURE_HEAD ORG);
	directory_check_forwards(config, true, &problems);
	system_users[1].pw_dir = home;
	assert_int_equal(problems.n, 1);
	assert_true(problems.items[0].is_warning);
	assert_non_null(strstr(problems.items[0].text,
	    "user \"alice\" has a .forward"));
	config_problems_free(&problems);
	config_free(&config);
	fixture_close_folder();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_line_is_the_domains),
		cmocka_unit_test(test_line_is_the_postmasters),
		cmocka_unit_test(test_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
