/* SPDX-License-Identifier: ISC */
/*
 * test_config.c - what a good configuration says: the sample of the design,
 * the defaults, every kind of value; look-ups; the manual page.
 */
#include <stdio.h>
#include "table.h"
#include "config.h"

#define BASE "hostname = \"mx.example.org\" postmaster = \"alice\" " \
	"state_dir = \"/var/lib/postern\" " \
	"listen \"127.0.0.1:25\" { role = mx } " \
	"domain \"example.org\" { users = \"passwd\" }\n"

/* The sample of the design, word for word. */
static const char sample[] =
"hostname   = \"mx.example.org\"\n"
"origin     = \"example.org\"              # completes bare local names\n"
"postmaster = \"alice@example.org\"\n"
"state_dir  = \"/var/lib/postern\"         # store, spool, compiled tables\n"
"log        = \"stderr\"                   # or \"syslog\"; log_format = "
"\"logfmt\" | \"json\"\n"
"\n"
"listen \"*:25\"           { role = mx }   # * is IPv4 and IPv6, each its "
"own socket\n"
"listen \"*:587\"          { role = submission  tls = required }\n"
"listen \"*:465\"          { role = submission  tls = implicit }\n"
"listen \"unix:/run/postern/submit\" { role = local }\n"
"\n"
"domain \"example.org\" {\n"
"    users      = \"passwd\"               # or "
"\"table:/etc/postern/users\"\n"
"    aliases    = \"/etc/aliases\"\n"
"    same_as    = { \"example.net\" }      # domain aliases\n"
"    mailbox    = \"~/Maildir\"\n"
"    names      = true                   # unique partial names\n"
"    catch_all  = \"\"\n"
"}\n"
"domain \"example.com\" {\n"
"    users      = \"table:/etc/postern/users.example.com\"\n"
"    mailbox    = \"/var/vmail/%d/%u/Maildir\"\n"
"    owner      = \"vmail\"\n"
"    quota      = 2G\n"
"}\n"
"domain \"inner.example.org\" { next_hop = "
"\"lmtp:unix:/run/dovecot/lmtp\" }   # or \"smtp:[10.0.0.2]:25\"\n"
"\n"
"tls \"mx.example.org\" { certificate = \"/etc/postern/mx.pem\"  key = "
"\"/etc/postern/mx.key\" }\n"
"\n"
"sender \"www-data\"        { may = { \"*@example.org\" } }          # who "
"may use which addresses, beyond their own\n"
"submitter \"192.0.2.0/24\" { as = \"scanner@example.org\" }         # "
"devices that cannot AUTH\n"
"\n"
"limits {                                # 0 = none\n"
"    sessions = 10000   sessions_per_client = 50   messages_per_client = 0"
"   recipients = 100\n"
"    message_size = 50M   unknown_recipients = 20\n"
"}\n"
"checks {\n"
"    default = mark                      # refuse | mark | off: for every "
"check that is not named here (built-in: see 9)\n"
"    spf = mark\n"
"    dmarc = refuse\n"
"    greylist = off\n"
"    dnsbl \"zen.example.net\" { score = 2  answers = { \"127.0.0.2/31\" } "
"}\n"
"    dnsbl_refuse_at = 3\n"
"    clamd  \"unix:/run/clamav/clamd.ctl\" { }\n"
"    milter \"unix:/run/rspamd/milter.sock\" { on_failure = tempfail  "
"timeout = 30s }   # or \"inet:8891@127.0.0.1\"\n"
"    untagged_bounces = prove\n"
"}\n"
"batv { exempt = { \"lists.example.edu\" } }\n";

static struct config *
parse_good(const char *text, size_t n_warnings)
{
	struct config_problems problems;
	struct config *config = config_parse(slice_of(text), &problems);

	for (size_t i = 0; i < problems.n; i++)
		if (!problems.items[i].is_warning)
			print_error("%s\n", problems.items[i].text);
	assert_non_null(config);
	assert_int_equal(problems.n, n_warnings);
	config_problems_free(&problems);
	return config;
}

static void
test_probe(void **state)
{
	char text[sizeof sample + 80];
	struct config *c = parse_good(sample, 2);

	(void)state;
	assert_false(c->submission.probes);
	assert_int_equal(c->submission.probe_timeout_s, 5);
	config_free(&c);
	snprintf(text, sizeof text, "%ssubmission { probe = true  "
	    "probe_timeout = 1m }\n", sample);
	c = parse_good(text, 2);
	assert_true(c->submission.probes);
	assert_int_equal(c->submission.probe_timeout_s, 60);
	config_free(&c);
}

static void
test_sample_top(void **state)
{
	struct config *c = parse_good(sample, 2);

	(void)state;
	assert_string_equal(c->hostname, "mx.example.org");
	assert_string_equal(c->origin, "example.org");
	assert_string_equal(c->postmaster, "alice@example.org");
	assert_string_equal(c->state_dir, "/var/lib/postern");
	assert_false(c->logs_to_syslog);
	assert_int_equal(c->n_listens, 4);
	assert_string_equal(c->listens[0].address, "*");
	assert_int_equal(c->listens[0].port, 25);
	assert_int_equal(c->listens[0].role, LISTEN_MX);
	assert_int_equal(c->listens[1].role, LISTEN_SUBMISSION);
	assert_int_equal(c->listens[1].tls, TLS_REQUIRED);
	assert_int_equal(c->listens[2].tls, TLS_IMPLICIT);
	assert_true(c->listens[3].is_unix);
	assert_string_equal(c->listens[3].path, "/run/postern/submit");
	assert_int_equal(c->listens[0].tls, TLS_OPTIONAL);
	assert_int_equal(c->n_tls, 1);
	assert_string_equal(c->tls[0].name, "mx.example.org");
	assert_string_equal(c->tls[0].certificate, "/etc/postern/mx.pem");
	assert_string_equal(c->tls[0].key, "/etc/postern/mx.key");
	assert_int_equal(c->tls[0].line, 28);
	assert_int_equal(c->listens[3].tls, TLS_OFF);
	assert_int_equal(c->n_senders, 1);
	assert_string_equal(c->senders[0].user, "www-data");
	assert_int_equal(c->senders[0].may.n, 1);
	assert_string_equal(c->senders[0].may.items[0], "*@example.org");
	assert_int_equal(c->senders[0].line, 30);
	assert_int_equal(c->n_submitters, 1);
	assert_string_equal(c->submitters[0].network, "192.0.2.0/24");
	assert_string_equal(c->submitters[0].as, "scanner@example.org");
	assert_int_equal(c->batv_exempt.n, 1);
	assert_string_equal(c->batv_exempt.items[0], "lists.example.edu");
	assert_int_equal(c->n_clamds, 1);
	assert_string_equal(c->clamds[0].path, "/run/clamav/clamd.ctl");
	assert_int_equal(c->clamds[0].timeout_s, 30);
	assert_int_equal(c->clamds[0].signatures_age_s, 7 * 86400);
	assert_false(c->clamds[0].defers_old);
	assert_int_equal(c->n_milters, 1);
	assert_true(c->milters[0].is_unix);
	assert_string_equal(c->milters[0].path, "/run/rspamd/milter.sock");
	assert_false(c->milters[0].marks_failure);
	assert_int_equal(c->milters[0].timeout_s, 30);
	assert_int_equal(c->milters[0].discard, DISPOSAL_JUNK);
	assert_ptr_equal(config_find_endpoint(c, CONFIG_ENDPOINT_CLAMD),
	    &c->clamds[0]);
	assert_ptr_equal(config_find_endpoint(c, CONFIG_ENDPOINT_MILTERS),
	    &c->milters[0]);
	assert_null(config_find_endpoint(c, CONFIG_ENDPOINT_MILTERS + 1));
	config_free(&c);
	assert_null(c);
}

static void
test_sample_domains(void **state)
{
	struct config *c = parse_good(sample, 2);
	const struct config_domain *d = c->domains;

	(void)state;
	assert_int_equal(c->n_domains, 3);
	assert_int_equal(d[0].line, 12);
	assert_true(d[0].users_are_passwd && d[0].users_table == NULL);
	assert_string_equal(d[0].aliases, "/etc/aliases");
	assert_string_equal(d[0].same_as.items[0], "example.net");
	assert_true(d[0].has_names && !d[0].is_case_sensitive);
	assert_null(d[0].catch_all);
	assert_string_equal(d[0].plus, "+");
	assert_false(d[1].users_are_passwd);
	assert_string_equal(d[1].users_table,
	    "/etc/postern/users.example.com");
	assert_string_equal(d[1].mailbox, "/var/vmail/%d/%u/Maildir");
	assert_string_equal(d[1].owner, "vmail");
	assert_true(d[1].quota_bytes == (uint64_t)2 << 30);
	assert_false(d[2].users_are_passwd);
	assert_string_equal(d[2].next_hop, "lmtp:unix:/run/dovecot/lmtp");
	assert_int_equal(d[2].next_hop_tls, HOP_TLS_AS_RELAY);
	assert_ptr_equal(config_find_hop(c, d[2].next_hop), &d[2]);
	assert_null(config_find_hop(c, "smtp:x:25"));
	assert_string_equal(config_hop_path(d[2].next_hop),
	    "/run/dovecot/lmtp");
	assert_null(config_hop_path("lmtp:x:24"));
	assert_null(config_hop_path(NULL));
	assert_ptr_equal(config_find_domain(c, SLICE("example.net")), &d[0]);
	assert_ptr_equal(config_find_domain(c, SLICE("example.com")), &d[1]);
	assert_null(config_find_domain(c, SLICE("example.edu")));
	assert_null(config_find_domain(c, SLICE("")));
	config_free(&c);
}

/* DESIGN 9; recipient and loop always refuse. */
static void
test_default_checks(void **state)
{
	static const enum config_action wanted[CHECK_COUNT] = {
		[CHECK_HELO] = ACTION_MARK, [CHECK_FCRDNS] = ACTION_MARK,
		[CHECK_SENDER_DOMAIN] = ACTION_REFUSE,
		[CHECK_SPF] = ACTION_MARK, [CHECK_DNSBL] = ACTION_OFF,
		[CHECK_GREYLIST] = ACTION_OFF, [CHECK_DATE] = ACTION_MARK,
		[CHECK_FROM] = ACTION_MARK, [CHECK_DKIM] = ACTION_MARK,
		[CHECK_DMARC] = ACTION_REFUSE, [CHECK_VIRUS] = ACTION_REFUSE,
		[CHECK_CONTENT] = ACTION_REFUSE,
		[CHECK_ATTACHMENTS] = ACTION_OFF,
	};
	struct config *c = parse_good(BASE, 0);

	(void)state;
	for (size_t i = 0; i < CHECK_COUNT; i++)
		assert_int_equal(c->checks.actions[i], wanted[i]);
	config_free(&c);
}

static void
test_defaults(void **state)
{
	struct config *c = parse_good(BASE, 0);

	(void)state;
	assert_string_equal(c->origin, "example.org");
	assert_string_equal(c->postmaster, "alice@example.org");
	assert_string_equal(c->admin_group, "postern-admin");
	assert_string_equal(c->user_prefix, "postern-");
	assert_int_equal(c->log_level, 6);
	assert_int_equal(c->min_uid, 1000);
	assert_true(c->memory_messages_bytes == 0);
	assert_int_equal(c->smtpd_processes, 0);
	assert_int_equal(c->resolver.servers.n, 0);
	assert_true(c->resolver.has_dnssec);
	assert_null(c->resolver.trust_anchor);
	assert_int_equal(c->resolver.timeout_s, 5);
	assert_int_equal(c->bare_lf, BARE_LF_REFUSE);
	assert_int_equal(c->listens[0].tls, TLS_OFF);
	assert_string_equal(c->domains[0].mailbox, "~/Maildir");
	assert_int_equal(c->limits.sessions, 10000);
	assert_int_equal(c->limits.recipients, 100);
	assert_true(c->limits.message_bytes == 50 << 20);
	assert_true(c->limits.header_bytes == 64 << 10);
	assert_int_equal(c->limits.received_fields, 50);
	assert_int_equal(c->limits.command_timeout_s, 300);
	assert_int_equal(c->limits.data_timeout_s, 180);
	assert_int_equal(c->limits.data_total_s, 1800);
	assert_int_equal(c->limits.errors_per_session, 20);
	assert_int_equal(c->limits.sessions_per_client, 50);
	assert_int_equal(c->limits.unknown_recipients, 20);
	assert_int_equal(c->limits.mime_depth, 32);
	assert_true(c->limits.data_rate_bytes == 1024);
	config_free(&c);
}

static void
test_settings(void **state)
{
	struct config *c = parse_good(
	    "\xef\xbb\xbf"	/* a byte order mark */
	    "hostname=\"MX.B\xc3\xbc" "cher.example\"state_dir=\"/s\""
	    "postmaster=\"root\"origin=\"Example.ORG\"\r\n"
	    "log=syslog log_format=\"json\" log_level=debug min_uid=010\n"
	    "memory_messages=1024M user_prefix=\"t_\"\n"
	    "listen\"[::1]:2525\"{role=mx}listen\"10.0.0.1:25\"\n{\nrole=mx\n}"
	    "domain\"example.org\"{users=\"passwd\"case=exact plus=\"+-\""
	    "broken_alias=permanent "
	    "catch_all=\"bob\" quota=0 aliases=\"\" names=false\n"
	    "mailbox=\"/m/%u/100%%/\"}"
	    "limits{recipients=0 command_timeout=90s data_timeout=1m\n"
	    "data_total=2h message_size=65536}\n"
	    "resolver{servers={\"192.0.2.1\",\"::1@5353\"}dnssec=off\n"
	    "timeout=2s trust_anchor=\"/k\"}"
	    "processes{smtpd=3 directory=2 deliver_workers=4}"
	    "checks{bare_lf=normalize bare_lf_exempt={\"10.0.0.0/8\",\n"
	    "# comment\n\"2001:db8::/32\",}}", 0);

	(void)state;
	assert_string_equal(c->hostname, "mx.xn--bcher-kva.example");
	assert_string_equal(c->postmaster, "root@example.org");
	assert_true(c->logs_to_syslog && c->logs_json);
	assert_int_equal(c->log_level, 7);
	assert_int_equal(c->min_uid, 10);
	assert_true(c->memory_messages_bytes == 1 << 30);
	assert_string_equal(c->listens[0].address, "::1");
	assert_int_equal(c->listens[0].port, 2525);
	assert_string_equal(c->listens[1].address, "10.0.0.1");
	assert_true(c->domains[0].is_case_sensitive);
	assert_true(c->domains[0].is_broken_permanent);
	assert_string_equal(c->domains[0].plus, "+-");
	assert_string_equal(c->domains[0].catch_all, "bob@example.org");
	assert_string_equal(c->domains[0].mailbox, "/m/%u/100%%");
	assert_null(c->domains[0].aliases);
	assert_int_equal(c->limits.recipients, CONFIG_MAX_RECIPIENTS);
	assert_int_equal(c->limits.command_timeout_s, 90);
	assert_int_equal(c->limits.data_total_s, 7200);
	assert_true(c->limits.message_bytes == 65536);
	assert_int_equal(c->smtpd_processes, 3);
	assert_int_equal(c->directory_processes, 2);
	assert_int_equal(c->deliver_workers, 4);
	assert_int_equal(c->resolver.servers.n, 2);
	assert_string_equal(c->resolver.servers.items[1], "::1@5353");
	assert_false(c->resolver.has_dnssec);
	assert_int_equal(c->resolver.timeout_s, 2);
	assert_string_equal(c->resolver.trust_anchor, "/k");
	assert_int_equal(c->bare_lf, BARE_LF_NORMALIZE);
	assert_int_equal(c->bare_lf_exempt.n, 2);
	config_free(&c);
}

static void
test_discard(void **state)
{
	struct config *c = parse_good(BASE
	    "checks { milter \"unix:/a\" { discard = drop }\n"
	    " milter \"unix:/b\" { discard = refuse }\n"
	    " milter \"unix:/c\" { discard = junk } }\n", 0);

	(void)state;
	assert_int_equal(c->n_milters, 3);
	assert_int_equal(c->milters[0].discard, DISPOSAL_DROP);
	assert_int_equal(c->milters[1].discard, DISPOSAL_REFUSE);
	assert_int_equal(c->milters[2].discard, DISPOSAL_JUNK);
	config_free(&c);
}

static void
test_networks(void **state)
{
	char *items[] = { "10.0.0.0/8", "192.0.2.1", "2001:db8::/33" };
	struct config_strings networks = { items, N_OF(items) };

	(void)state;
	assert_true(config_networks_contain(&networks, "10.255.0.1"));
	assert_true(config_networks_contain(&networks, "192.0.2.1"));
	assert_true(config_networks_contain(&networks, "2001:db8:7fff::1"));
	assert_false(config_networks_contain(&networks, "11.0.0.1"));
	assert_false(config_networks_contain(&networks, "192.0.2.2"));
	assert_false(config_networks_contain(&networks, "2001:db8:8000::1"));
	assert_false(config_networks_contain(&networks, "a00::"));
	assert_false(config_networks_contain(&networks, "not one"));
}

/* doc/postern.conf.5 is what the table says now. Run from the top. */
static void
test_manual(void **state)
{
	FILE *page = fopen("doc/postern.conf.5", "r"), *out;
	char *now, *kept;
	size_t size, n;

	(void)state;
	assert_non_null(page);
	out = open_memstream(&now, &size);
	config_write_manual(out);
	fclose(out);
	kept = calloc(1, size + 2);
	n = fread(kept, 1, size + 1, page);
	fclose(page);
	if (n != size || memcmp(kept, now, size) != 0)
		fail_msg("old: make -B doc/postern.conf.5");
	free(kept);
	free(now);
}

static const char checks_head[] =
    "hostname = \"mx.example.org\"\npostmaster = \"a@example.org\"\n"
    "state_dir = \"/s\"\nlisten \"*:25\" { role = mx }\n"
    "domain \"example.org\" { users = \"passwd\" }\n";

static struct config *
parse_checks(const char *checks, size_t n_warnings)
{
	char text[2000];

	snprintf(text, sizeof(text), "%schecks { %s }\n", checks_head,
	    checks);
	return parse_good(text, n_warnings);
}

static void
test_checks_built_in(void **state)
{
	struct config *c = parse_good(checks_head, 0);
	const enum config_action *actions = c->checks.actions;

	(void)state;
	assert_int_equal(actions[CHECK_SENDER_DOMAIN], ACTION_REFUSE);
	assert_int_equal(actions[CHECK_DMARC], ACTION_REFUSE);
	assert_int_equal(actions[CHECK_VIRUS], ACTION_REFUSE);
	assert_int_equal(actions[CHECK_SPF], ACTION_MARK);
	assert_int_equal(actions[CHECK_DKIM], ACTION_MARK);
	assert_int_equal(actions[CHECK_HELO], ACTION_MARK);
	assert_int_equal(actions[CHECK_FCRDNS], ACTION_MARK);
	assert_int_equal(actions[CHECK_GREYLIST], ACTION_OFF);
	assert_int_equal(actions[CHECK_DNSBL], ACTION_OFF);
	assert_int_equal(actions[CHECK_CONTENT], ACTION_REFUSE);
	assert_int_equal(actions[CHECK_ATTACHMENTS], ACTION_OFF);
	assert_int_equal(c->limits.header_fields, 1000);
	assert_int_equal(c->limits.mime_depth, 32);
	assert_int_equal(c->limits.mime_parts, 1000);
	assert_int_equal(c->checks.greylist_delay_s, 300);
	config_free(&c);
}

static void
test_checks_default(void **state)
{
	struct config *c = parse_checks("default = off\nspf = refuse", 0);

	(void)state;
	assert_int_equal(c->checks.actions[CHECK_SPF], ACTION_REFUSE);
	assert_int_equal(c->checks.actions[CHECK_DMARC], ACTION_OFF);
	assert_int_equal(c->checks.actions[CHECK_SENDER_DOMAIN], ACTION_OFF);
	config_free(&c);
}

static void
test_checks_dnsbl(void **state)
{
	struct config *c = parse_checks("dnsbl \"A.example\" { score = 3 "
	    "answers = { \"127.0.0.2\" } text = \"go away, %i\" }\n"
	    "dnsbl \"b.example\" { allow = true  score = 9 }\n"
	    "dnsbl \"c.example\" { }", 0);
	const struct config_checks *k = &c->checks;

	(void)state;
	assert_int_equal(k->actions[CHECK_DNSBL], ACTION_REFUSE);
	assert_int_equal(k->n_dnsbls, 3);
	assert_string_equal(k->dnsbls[0].zone, "a.example");
	assert_int_equal(k->dnsbls[0].score, 3);
	assert_string_equal(k->dnsbls[0].text, "go away, %i");
	assert_string_equal(k->dnsbls[0].answers.items[0], "127.0.0.2");
	assert_true(k->dnsbls[1].is_allow);
	assert_int_equal(k->dnsbls[2].score, 1);
	assert_int_equal(k->dnsbl_refuse_at, 4);	/* never one alone */
	config_free(&c);
	c = parse_checks("dnsbl \"a.example\" { }\ndnsbl_refuse_at = 1\n"
	    "dnsbl_exempt = { \"192.0.2.0/24\", \"2001:db8::/32\" }", 0);
	assert_int_equal(c->checks.dnsbl_refuse_at, 1);
	assert_int_equal(c->checks.dnsbl_exempt.n, 2);
	config_free(&c);
	c = parse_checks("dnsbl \"a.example\" { }", 1);	/* never */
	config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks_built_in),
		cmocka_unit_test(test_checks_default),
		cmocka_unit_test(test_checks_dnsbl),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_sample_top),
		cmocka_unit_test(test_sample_domains),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_default_checks),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
