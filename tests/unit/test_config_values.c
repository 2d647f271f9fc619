/* SPDX-License-Identifier: ISC */
/*
 * test_config_values.c - values that are wrong or doubtful, type by type,
 * and what only a whole section or file can be judged by.
 *
 * A row's text stands behind BASE, a complete file on line 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "table.h"
#include "config.h"

#define BASE "hostname = \"mx.example.org\" postmaster = \"alice\" " \
	"state_dir = \"/var/lib/postern\" " \
	"listen \"127.0.0.1:25\" { role = mx } " \
	"domain \"example.org\" { users = \"passwd\" }\n"

static const struct {
	const char *text, *want;	/* want: the only message, line 2 */
} values[] = {
	{ "min_uid = 0", "min_uid = 0: out of range, 1 to 4294967294" },
	{ "min_uid = 4294967295",
	    "min_uid = 4294967295: out of range, 1 to 4294967294" },
	{ "min_uid = 99999999999999999999999",
	    "min_uid = 99999999999999999999999: number is too large" },
	{ "min_uid = -5", "min_uid needs a number" },
	{ "min_uid = \"1000\"", "min_uid needs a number, without quotes" },
	{ "min_uid = 0x10", "min_uid = 0x10: not a whole number without a "
	    "unit" },
	{ "memory_messages = 50m", "memory_messages = 50m: octets are counted "
	    "in K, M, G or T; did you mean 50M?" },
	{ "memory_messages = 50MB", "memory_messages = 50MB: octets are "
	    "counted in K, M, G or T; did you mean 50M?" },
	{ "memory_messages = 1.5G", "memory_messages = 1.5G: octets are "
	    "counted in K, M, G or T" },
	{ "memory_messages = 99999999999G", "memory_messages = "
	    "99999999999G: number is too large" },
	{ "memory_messages = 2T", "memory_messages = 2T: out of range, 0 or "
	    "1M to 1024G" },
	{ "memory_messages = 1K", "memory_messages = 1K: out of range, 0 or "
	    "1M to 1024G" },
	{ "limits { data_total = 30 }", "data_total = 30: time needs one of "
	    "the units s, m, h, d; did you mean 30s?" },
	{ "limits { data_total = 5min }", "data_total = 5min: time needs one "
	    "of the units s, m, h, d; did you mean 5m?" },
	{ "limits { data_total = 30S }", "data_total = 30S: time needs one "
	    "of the units s, m, h, d; did you mean 30s?" },
	{ "limits { data_total = 0s }", "data_total = 0s: out of range, 1s "
	    "to 1d" },
	{ "submission { probe = perhaps }", "probe = perhaps: not one of "
	    "false|true" },
	{ "submission { probe_timeout = 61s }", "probe_timeout = 61s: out of "
	    "range, 1s to 1m" },
	{ "log = sylog", "log = sylog: not one of stderr|syslog; did you "
	    "mean syslog?" },
	{ "log = 5", "log needs one of stderr|syslog" },
	{ "log = { \"x\" }", "log needs one of stderr|syslog" },
	{ "origin = { \"x\" }", "origin needs a domain name" },
	{ "origin = example.org",
	    "origin needs quotes: origin = \"example.org\"" },
	{ "origin = \"\"", "origin \"\": not a domain name" },
	{ "origin = \"a_b\"", "origin \"a_b\": not a domain name" },
	{ "origin = \"a..b\"",
	    "origin \"a..b\": not a domain name: a label is empty" },
	{ "origin = \"-a.b\"", "origin \"-a.b\": not a domain name: a label "
	    "begins or ends with '-'" },
	{ "origin = \"Example.org.\"", "origin \"Example.org.\": domain name "
	    "ends with a dot; did you mean \"example.org\"?" },
	{ "origin = \"\xcc\x80.example\"", "origin \"\xcc\x80.example\": not "
	    "an internationalised domain name" },
	{ "user_prefix = \"a/b\"",
	    "user_prefix \"a/b\": not a name of a user or group" },
	{ "listen \"*\" { role = mx }",
	    "listen \"*\": port is missing; did you mean \"*:25\"?" },
	{ "listen \"::1\" { role = mx }", "listen \"::1\": IPv6 address "
	    "without brackets; did you mean \"[::1]:25\"?" },
	{ "listen \"::1:26\" { role = mx }", "listen \"::1:26\": IPv6 address "
	    "without brackets; did you mean \"[::1]:26\"?" },
	{ "listen \"127.0.0.1\" { role = mx }", "listen \"127.0.0.1\": port "
	    "is missing; did you mean \"127.0.0.1:25\"?" },
	{ "listen \"localhost:26\" { role = mx }",
	    "listen \"localhost:26\": not an address and port" },
	{ "listen \"*:0\" { role = mx }",
	    "listen \"*:0\": port is not a number from 1 to 65535" },
	{ "listen \"*:65536\" { role = mx }",
	    "listen \"*:65536\": port is not a number from 1 to 65535" },
	{ "listen \"[::ffff:10.0.0.1]:26\" { role = mx }",
	    "listen \"[::ffff:10.0.0.1]:26\": IPv4 address in the form of "
	    "IPv6; did you mean \"10.0.0.1:26\"?" },
	{ "listen \"*:26\" { }", "section listen has no role" },
	{ "listen \"unix:/x\" { role = mx }",
	    "a unix socket has role = local" },
	{ "listen \"unix:x\" { role = local }",
	    "listen \"unix:x\": not an absolute path" },
	{ "domain \"b\" { }",
	    "domain \"b\" has neither users nor aliases nor next_hop" },
	{ "domain \"b\" { aliases = \"\" }",
	    "domain \"b\" has neither users nor aliases nor next_hop" },
	{ "domain \"b\" { aliases = \"x\" }",
	    "aliases \"x\": not an absolute path" },
	{ "domain \"b\" { users = \"/x\" }", "users \"/x\": neither passwd "
	    "nor table: and a path; did you mean \"table:/x\"?" },
	{ "domain \"b\" { users = \"table:x\" }",
	    "users \"table:x\": not an absolute path" },
	{ "domain \"b\" { users = \"table:/x\" }",
	    "users of a table have no home directory: mailbox needs an "
	    "absolute path, such as \"/var/vmail/%d/%u\"" },
	{ "domain \"b\" { users = \"passwd\" owner = \"x\" }",
	    "owner does not fit a mailbox in the home directory of each "
	    "user" },
	{ "domain \"b\" { users = \"passwd\" mailbox = \"Maildir\" }",
	    "mailbox \"Maildir\": mailbox is neither an absolute path nor ~/ "
	    "and one" },
	{ "domain \"b\" { users = \"passwd\" mailbox = \"~/\" }",
	    "mailbox \"~/\": mailbox does not name a directory" },
	{ "domain \"b\" { users = \"passwd\" mailbox = \"~/../x\" }",
	    "mailbox \"~/../x\": path with \".\" or \"..\" in it" },
	{ "domain \"b\" { users = \"passwd\" mailbox = \"/m/%h\" }",
	    "mailbox \"/m/%h\": mailbox has a % that is not %u, %d, %n or "
	    "%%" },
	{ "domain \"b\" { users = \"passwd\" mailbox = \"/m/%\" }",
	    "mailbox \"/m/%\": mailbox has a % that is not %u, %d, %n or "
	    "%%" },
	{ "domain \"b\" { users = \"passwd\" same_as = \"c\" }",
	    "same_as needs a list: same_as = { \"c\" }" },
	{ "domain \"b\" { users = \"passwd\" same_as = { \"c d\" } }",
	    "same_as \"c d\": not a domain name" },
	{ "domain \"b\" { users = \"passwd\" names = yes }",
	    "names = yes: not one of false|true" },
	{ "domain \"b\" { users = \"passwd\" names = \"true\" }",
	    "names needs true or false, without quotes" },
	{ "domain \"b\" { users = \"passwd\" plus = \"a\" }",
	    "plus \"a\": not characters that can separate a tag (such as + "
	    "and -)" },
	{ "domain \"b\" { users = \"passwd\" catch_all = \"a b\" }",
	    "catch_all \"a b\": not a mail address" },
	{ "domain \"b\" { users = \"passwd\" catch_all = \"a@@c\" }",
	    "catch_all \"a@@c\": not a domain name" },
	{ "domain \"b\" { users = \"passwd\" catch_all = \"a@c.\" }",
	    "catch_all \"a@c.\": domain name ends with a dot; did you mean "
	    "\"a@c\"?" },
	{ "domain \"b\" { users = \"passwd\" catch_all = \"a..b@c\" }",
	    "catch_all \"a..b@c\": not a mail address" },
	{ "domain \"b\" { users = \"passwd\" aliases = \"x\" }",
	    "aliases \"x\": not an absolute path" },
	{ "checks { bare_lf_exempt = { \"10.0.0.7/24\" } bare_lf = normalize }",
	    "bare_lf_exempt \"10.0.0.7/24\": network with bits set behind "
	    "its prefix; did you mean \"10.0.0.0/24\"?" },
	{ "checks { bare_lf_exempt = { \"10.0.0/24\" } bare_lf = normalize }",
	    "bare_lf_exempt \"10.0.0/24\": not an address or network" },
	{ "resolver { servers = \"192.0.2.1\" }",
	    "servers needs a list: servers = { \"192.0.2.1\" }" },
	{ "resolver { servers = { \"localhost\" } }", "servers "
	    "\"localhost\": not an address, or an address, @ and a port" },
	{ "resolver { servers = { \"\" } }", "servers \"\": not an "
	    "address, or an address, @ and a port" },
	{ "resolver { servers = { \"[::1]:53\" } }", "servers "
	    "\"[::1]:53\": not an address, or an address, @ and a port; "
	    "did you mean \"::1@53\"?" },
	{ "resolver { servers = { \"::1@\" } }", "servers \"::1@\": "
	    "port is not a number from 1 to 65535" },
	{ "resolver { servers = { \"::1@65536\" } }", "servers "
	    "\"::1@65536\": port is not a number from 1 to 65535" },
	{ "resolver { timeout = 2m }",
	    "timeout = 2m: out of range, 1s to 1m" },
	{ "resolver { dnssec = on }",
	    "dnssec = on: not one of off|auto" },
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(values); i++) {
		struct config_problems problems;
		struct buf text = { 0 };
		struct config *config;

		assert_int_equal(buf_printf(&text, BASE "%s\n",
		    values[i].text), 0);
		config = config_parse(buf_slice(&text), &problems);
		CHECK(values[i].text, config == NULL && problems.n >= 1);
		CHECK_STRING(values[i].text, problems.items[0].text,
		    values[i].want);
		CHECK(values[i].text, problems.items[0].line == 2);
		CHECK(values[i].text, problems.n_errors == 1);
		config_problems_free(&problems);
		buf_free(&text);
	}
}

/* ---- not wrong, or not in one value ---- */

static const struct {
	const char *text, *want;	/* want: the only message */
	unsigned line;
	bool is_warning;
} doubts[] = {
	{ "limits { recipients = 50 }\n", "limits: recipients = 50; RFC 5321 "
	    "asks for at least 100", 0, true },
	{ "limits { message_size = 10K }\n", "limits: message_size is less "
	    "than the 64K that RFC 5321 asks for", 0, true },
	{ "memory_messages = 100M\n", "limits: message_size is more than the "
	    "quarter of memory_messages that one client can have", 0, true },
	{ "checks { relay_peer = { \"0.0.0.0/0\" } }\n", "relay_peer "
	    "\"0.0.0.0/0\" is everybody: nothing would ever be refused for "
	    "what it is", 2, false },
	{ "checks { bare_lf = normalize }\n", "checks: bare_lf = normalize "
	    "does nothing without bare_lf_exempt", 0, true },
	{ "checks { dnsbl_exempt = { \"10.0.0.1\" } }\n", "checks: "
	    "dnsbl_exempt does nothing without dnsbl", 0, true },
	{ "checks {\n dnsbl_refuse_at = 3\n}\n",
	    "dnsbl_refuse_at does nothing without dnsbl", 3, true },
	{ "checks {\n attachment_names = { \"*.exe\" }\n}\n",
	    "attachment_names does nothing while attachments is off", 3,
	    true },
	{ "checks {\n attachment_types = { \"a/b\" }\n default = off\n}\n",
	    "attachment_types does nothing while attachments is off", 3,
	    true },
	{ "checks {\n greylist_lifetime = 2d\n}\n",
	    "greylist_lifetime does nothing while greylist is off", 3, true },
	{ "domain \"b\" { next_hop = \"smtp:[::1]:26\"\n"
	    " aliases = \"/a\" }\n",
	    "aliases does nothing beside next_hop: the server there has all "
	    "addresses; say fallback instead of next_hop, and it has those "
	    "that are no aliases", 3, true },
	{ "domain \"b\" { aliases = \"/a\"\n owner = \"x\" }\n",
	    "owner does nothing in a domain without users", 3, true },
	{ "domain \"b\" { aliases = \"/a\"\n mailbox = \"/v/%u\" }\n",
	    "mailbox does nothing in a domain without users", 3, true },
	{ "domain \"b\" { aliases = \"/a\"\n names = true }\n",
	    "names does nothing in a domain without users", 3, true },
	{ "domain \"b\" { next_hop = \"smtp:[::1]:26\"\n"
	    " catch_all = \"a@b\" }\n",
	    "catch_all does nothing beside next_hop: the server there has "
	    "all addresses", 3, true },
	{ "checks { bare_lf_exempt = { \"10.0.0.1\" } }\n", "checks: "
	    "bare_lf_exempt does nothing without bare_lf = normalize", 0,
	    true },
	{ "listen \"*:26\" {\n role = mx\n tls = optional\n}\n",
	    "tls = optional needs a section tls with a certificate", 4,
	    false },
	{ "listen \"*:26\" {\n role = mx\n tls = implicit\n}\n",
	    "tls = implicit needs a section tls with a certificate", 4,
	    false },
	{ "tls \"*\" { certificate = \"/x\"\n key = \"/x\" }\n",
	    "tls \"*\": not a domain name", 2, false },
	{ "tls \"*.*.b.c\" { certificate = \"/x\"\n key = \"/x\" }\n",
	    "tls \"*.*.b.c\": not a domain name", 2, false },
	{ "listen \"*:587\" {\n tls = required role = submission\n}\n",
	    "tls = required needs a section tls with a certificate", 3,
	    false },
	{ "listen \"unix:/run/s\" {\n role = local\n tls = optional }\n",
	    "a unix socket has no TLS", 4, false },
	{ "listen \"*:587\" {\n role = submission\n}\n", "nobody can send mail "
	    "by \"*:587\": who logs in needs TLS (a section tls with a "
	    "certificate), and there is no section submitter", 2, true },
	{ "tls \"b.example\" { certificate = \"/x\" key = \"/x\" }\n"
	    "listen \"*:587\" {\n role = submission\n tls = off\n}\n",
	    "nobody can send mail by \"*:587\": who logs in needs TLS (tls = "
	    "required), and there is no section submitter", 5, true },
	{ "dsn_to = \"a@b.example\"\n", "dsn_to \"a@b.example\" is in no "
	    "domain of this server", 2, false },
	{ "submitter \"10.0.0.0/8\" {\n as = \"a@b.example\" }\n",
	    "as \"a@b.example\" is in no domain of this server", 2, false },
	{ "sender \"-x\" { may = { \"*@b\" } }\n", "sender \"-x\": not a "
	    "name of a user or group", 2, false },
	{ "auth {\n dovecot = \"inet:12@127.0.0.1\" }\n",
	    "dovecot needs unix: and a path", 3, false },
	{ "auth {\n users = \"/u\"\n dovecot = \"unix:/d\" }\n",
	    "auth has either users or dovecot", 4, false },
	{ "checks {\n greylist_delay = 1d }\n", "greylist_delay is not "
	    "shorter than greylist_window: no retry counts", 3, false },
	{ "checks {\n\n greylist_window = 5m }\n", "greylist_delay is not "
	    "shorter than greylist_window: no retry counts", 4, false },
	{ "queue {\n retry_first = 5h }\n",
	    "retry_first is longer than retry_longest", 3, false },
	{ "queue {\n retry_first = 1h\n give_up = 1h\n delay_notice = 0s }\n",
	    "retry_first is not shorter than give_up: nothing is tried a "
	    "second time", 3, true },
	{ "queue {\n delay_notice = 5d }\n", "delay_notice is not shorter "
	    "than give_up: no notice is ever sent", 3, true },
	{ "relay {\n source_ipv4 = \"::1\" }\n",
	    "source_ipv4 \"::1\" is an address of IPv6", 3, false },
	{ "relay {\n source_ipv6 = \"127.0.0.1\" }\n",
	    "source_ipv6 \"127.0.0.1\" is an address of IPv4", 3, false },
	{ "relay {\n source_ipv6 = \"x\" }\n",
	    "source_ipv6 \"x\": not an IP address", 3, false },
	{ "relay {\n smart_host = \"lmtp:x:24\" }\n",
	    "smart_host begins with smtp:", 3, false },
	{ "relay { smart_host = \"smtp:x:25\"\n smart_host_user = \"u\" }\n",
	    "smart_host_user and smart_host_password_file need each other",
	    3, false },
	{ "relay { smart_host_user = \"u\"\n"
	    "smart_host_password_file = \"/p\" }\n",
	    "smart_host_user does nothing without smart_host", 2, true },
	{ "dkim \"b\" { selector = \"s\" key = \"/k\" }\n"
	    "dkim \"b\" { selector = \"s\" key = \"/k\" }\n",
	    "selector \"s\" of dkim \"b\" stands twice, first on line 2",
	    3, false },
	{ "dkim \"b\" { selector = \"s\" key = \"/k\" }\n"
	    "dkim \"b\" { selector = \"t\" key = \"/k\" }\n"
	    "dkim \"b\" { selector = \"u\" key = \"/k\" }\n",
	    "dkim \"b\" stands more than 2 times", 4, false },
	{ "dkim \"b\" {\n selector = \"s\" }\n", "section dkim has no key",
	    2, false },
	{ "srs { domain = \"b\" }\n",
	    "srs: domain \"b\" is no domain of this server", 0, false },
	{ "domain \"b\" { next_hop = \"smtp:x:26\" }\n"
	    "srs { domain = \"b\" }\n",
	    "srs: domain \"b\" has a next_hop: bounces would go there", 0,
	    false },
	{ "domain \"b\" { users = \"table:/x\"\n mailbox = \"/m/%d/%%u\" }\n",
	    "mailbox \"/m/%d/%%u\" has no %u: all users share it", 3, true },
	{ "domain \"b\" { users = \"table:/x\"\n mailbox = \"/m/%u\" }\n"
	    "domain \"c\" { users = \"table:/x\"\n mailbox = \"/m/%u\" }\n"
	    "domain \"d\" { users = \"table:/y\"\n mailbox = \"/m/%u\" }\n",
	    "mailbox \"/m/%u\" is also that of the domain on line 2, whose "
	    "users are others: equal names share a mailbox; put %d into it",
	    7, true },
	{ "domain \"b\" { users = \"table:/x\"\n mailbox = \"/m/%u\"\n"
	    "owner = \"o\" }\n"
	    "domain \"c\" { users = \"table:/x\"\n mailbox = \"/m/%u\"\n"
	    "owner = \"p\" }\n",
	    "mailbox \"/m/%u\" is also that of the domain on line 2, whose "
	    "owner is another: only one of them can write it; put %d into it",
	    6, true },
	{ "domain \"b\" { users = \"passwd\"\nnext_hop = \"smtp:x:25\" }\n",
	    "a domain has either users or a next_hop; fallback is for whom "
	    "it has not", 3, false },
	{ "domain \"b\" { users = \"passwd\" fallback = \"smtp:x:25\"\n"
	    "catch_all = \"c\" }\n",
	    "catch_all takes everybody: nobody is left for fallback", 2,
	    false },
	{ "domain \"b\" { users = \"passwd\" fallback = \"smtp:x:25\"\n"
	    "names = true }\n", "names cannot tell whether a name is one "
	    "user's alone where others are at a fallback", 3, false },
	{ "domain \"b\" { next_hop = \"smtp:x:25\"\n"
	    "fallback = \"smtp:y:25\" }\n", "fallback is for a domain with "
	    "users or aliases; next_hop has all of them", 3, false },
	{ "domain \"b\" { users = \"passwd\" fallback = \"lmtp:unix:/x\"\n"
	    "tls = required }\n", "a unix socket has no TLS", 3, false },
	{ "domain \"b\" { users = \"passwd\" fallback = \"smtp:x:25\"\n"
	    "tls = required }\n"
	    "domain \"c\" { next_hop = \"smtp:x:25\"\ntls = off }\n",
	    "next_hop \"smtp:x:25\" has another tls in the domain of "
	    "line 2", 5, false },
	{ "domain \"b\" {\n next_hop = \"lmtp:x:25\" }\n",
	    "next_hop \"lmtp:x:25\": port 25 is not for lmtp: (RFC 2033 5)",
	    3, false },
	{ "domain \"b\" {\n next_hop = \"smtp:unix:/x\" }\n",
	    "next_hop \"smtp:unix:/x\": a unix socket is for lmtp:",
	    3, false },
	{ "domain \"b\" { users = \"passwd\"\ntls = required }\n",
	    "tls is for a next_hop, and this domain has none", 3, false },
	{ "domain \"b\" { next_hop = \"lmtp:unix:/x\"\ntls = required }\n",
	    "a unix socket has no TLS", 3, false },
	{ "domain \"b\" { next_hop = \"smtp:x:25\"\ntls = required }\n"
	    "domain \"c\" { next_hop = \"smtp:x:25\"\ntls = off }\n",
	    "next_hop \"smtp:x:25\" has another tls in the domain of "
	    "line 2", 5, false },
	{ "domain \"b\" {\n next_hop = \"http://x\" }\n",
	    "next_hop \"http://x\": next hop begins with neither smtp: nor "
	    "lmtp:", 3, false },
	{ "listen \"*:26\" {\n role = local }\n",
	    "role = local needs a unix socket", 3, false },
	{ "tls \"b\" { certificate = \"/x\" }\n", "section tls has no key",
	    2, false },
	{ "checks {\n milter \"inet:x@127.0.0.1\" { } }\n",
	    "milter \"inet:x@127.0.0.1\": neither unix: and a path nor "
	    "inet:PORT@ADDRESS", 3, false },
	{ "checks {\n clamd \"unix:/c\" { timeout = 2m }\n}\n",
	    "timeout = 2m: out of range, 1s to 1m", 3, false },
	{ "checks {\n clamd \"unix:/c\" { signatures_age = 12h }\n}\n",
	    "signatures_age = 12h: out of range, 0 or 1d to 400d", 3, false },
	{ "checks {\n milter \"unix:/c\" { discard = accept }\n}\n",
	    "discard = accept: not one of junk|drop|refuse", 3, false },
	{ "checks {\n clamd \"unix:/c\" { discard = drop }\n}\n",
	    "discard does not stand in the section clamd of line 3, but in a "
	    "section milter", 3, false },
	{ "checks {\n milter \"unix:/c\" { on_failure = accept }\n}\n",
	    "on_failure = accept: not one of tempfail|mark", 3, false },
	{ "checks {\n milter \"unix:/m\" { }\n milter \"unix:/m\" { }\n}\n",
	    "milter \"unix:/m\" stands twice, first on line 3", 4, false },
	{ "checks {\n clamd \"unix:/a\" { }\n clamd \"unix:/b\" { }\n}\n",
	    "section clamd stands twice, first on line 3", 4, false },
	{ "checks {\n virus = off\n clamd \"unix:/a\" { }\n}\n",
	    "clamd does nothing while virus is off", 4, true },
	{ "checks {\n default = mark\n clamd \"unix:/a\" { }\n}\n",
	    "what clamd finds is delivered, as default = mark counts for "
	    "virus, too; say virus = refuse, or virus = mark", 4, true },
	{ "checks {\n clamd \"unix:/a\" { on_old_signatures = tempfail\n"
	    "  signatures_age = 0s }\n}\n",
	    "on_old_signatures does nothing while signatures_age is 0", 3,
	    true },
	{ "checks {\n clamd \"unix:/c\" { on_old_signatures = refuse }\n}\n",
	    "on_old_signatures = refuse: not one of alarm|tempfail", 3,
	    false },
};

static void
test_doubts(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(doubts); i++) {
		struct config_problems problems;
		struct buf text = { 0 };
		struct config *config;

		assert_int_equal(buf_printf(&text, BASE "%s",
		    doubts[i].text), 0);
		config = config_parse(buf_slice(&text), &problems);
		CHECK(doubts[i].text,
		    (config != NULL) == doubts[i].is_warning);
		CHECK(doubts[i].text, problems.n >= 1);
		CHECK_STRING(doubts[i].text, problems.items[0].text,
		    doubts[i].want);
		CHECK(doubts[i].text,
		    problems.items[0].line == doubts[i].line);
		CHECK(doubts[i].text, problems.n_errors ==
		    (doubts[i].is_warning ? 0 : 1));
		config_problems_free(&problems);
		config_free(&config);
		buf_free(&text);
	}
}

/* Names that only the whole file can judge. */
static void
test_names(void **state)
{
	static const char text[] = "hostname = \"mx\" state_dir = \"/s\"\n"
	    "origin = \"c.example\"\n"
	    "postmaster = \"a@b.example\" listen \"*:25\" { role = mx }\n"
	    "domain \"example.org\" { users = \"passwd\" }\n";
	struct config_problems problems;

	(void)state;
	assert_null(config_parse(slice_of(text), &problems));
	assert_int_equal(problems.n, 3);
	assert_string_equal(problems.items[0].text, "hostname \"mx\" has no "
	    "domain: other servers may refuse it");
	assert_true(problems.items[0].is_warning);
	assert_string_equal(problems.items[1].text, "origin \"c.example\" "
	    "is no domain of this server");
	assert_true(problems.items[1].is_warning);
	assert_string_equal(problems.items[2].text, "postmaster "
	    "\"a@b.example\" is in no domain of this server");
	assert_int_equal(problems.items[2].line, 3);
	config_problems_free(&problems);
}

/* More listeners and domains than a server can have. */
static void
test_counts(void **state)
{
	struct config_problems problems;
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(buf_puts(&text, BASE), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(buf_printf(&text,
		    "listen \"*:%d\" { role = mx }\n", 1000 + i), 0);
	for (int i = 0; i < CONFIG_MAX_DOMAINS + 5; i++)
		assert_int_equal(buf_printf(&text,
		    "domain \"d%d\" { users = \"passwd\" }\n", i), 0);
	assert_null(config_parse(buf_slice(&text), &problems));
	assert_int_equal(problems.n, 2);
	assert_string_equal(problems.items[0].text,
	    "more than 32 sections listen");
	assert_int_equal(problems.items[0].line, 33);
	assert_string_equal(problems.items[1].text,
	    "more than 65536 names of domains");
	assert_int_equal(problems.items[1].line, 65577);
	config_problems_free(&problems);
	buf_free(&text);
}

static void
test_keys(void **state)
{
	struct config_problems problems;
	struct buf text = { 0 };
	struct config *config;

	(void)state;
	assert_int_equal(buf_puts(&text, BASE), 0);
	for (int i = 0; i < CONFIG_MAX_TLS; i++)
		assert_int_equal(buf_printf(&text, "tls \"t%d.example\" { "
		    "certificate = \"/c\"  key = \"/k\" }\n", i), 0);
	for (int i = 0; i < CONFIG_MAX_DKIM; i++)
		assert_int_equal(buf_printf(&text, "dkim \"d%d.example\" { "
		    "selector = \"s\"  key = \"/k\" }\n", i), 0);
	config = config_parse(buf_slice(&text), &problems);
	assert_non_null(config);
	assert_string_equal(config_find_signed(config,
	    SLICE("d2047.example")), "d2047.example");
	assert_null(config_find_signed(config, SLICE("example")));
	assert_null(config_find_signed(config, SLICE("t0.example")));
	config_free(&config);
	config_problems_free(&problems);
	for (int i = 0; i < 3; i++)
		assert_int_equal(buf_printf(&text, "tls \"u%d.example\" { "
		    "certificate = \"/c\"  key = \"/k\" }\n"
		    "dkim \"e%d.example\" { selector = \"s\"  "
		    "key = \"/k\" }\n", i, i), 0);
	assert_null(config_parse(buf_slice(&text), &problems));
	assert_int_equal(problems.n, 2);
	assert_string_equal(problems.items[0].text,
	    "more than 1024 sections tls");
	assert_string_equal(problems.items[1].text,
	    "more than 2048 sections dkim");
	config_problems_free(&problems);
	buf_free(&text);
}

/* Of each domain its own; the one of all others counts once. */
static void
test_tables(void **state)
{
	struct config_problems problems;
	struct buf text = { 0 };
	struct config *config;

	(void)state;
	assert_int_equal(buf_puts(&text, BASE), 0);
	for (int i = 0; i < CONFIG_MAX_TABLES / 2 + 5; i++)
		assert_int_equal(buf_printf(&text, "domain \"d%d\" { "
		    "users = \"table:/t/%d\"  mailbox = \"/m/%%d/%%u\"  "
		    "owner = \"vmail\"  aliases = \"/a/%d\" }\n", i,
		    i < CONFIG_MAX_TABLES / 4 ? 0 : i, i), 0);
	config = config_parse(buf_slice(&text), &problems);
	assert_non_null(config);
	config_free(&config);
	config_problems_free(&problems);
	for (int i = 0; i < CONFIG_MAX_TABLES / 2; i++)
		assert_int_equal(buf_printf(&text, "domain \"e%d\" { "
		    "users = \"passwd\"  aliases = \"/b/%d\" }\n", i, i),
		    0);
	assert_null(config_parse(buf_slice(&text), &problems));
	assert_int_equal(problems.n, 1);
	assert_string_equal(problems.items[0].text, "more than 16384 files "
	    "of users and aliases; several domains can have one");
	config_problems_free(&problems);
	buf_free(&text);
}

/* Each has a next hop and each a mailbox of its own: no domain may cost as
 * much as all those before it. */
static void
test_many(void **state)
{
	struct config_problems problems;
	struct buf text = { 0 };
	struct config *config;
	clock_t begin;

	(void)state;
	assert_int_equal(buf_puts(&text, BASE), 0);
	for (int i = 0; i < 30000; i++)
		assert_int_equal(buf_printf(&text, i % 2 == 0 ?
		    "domain \"d%d.example\" { next_hop = \"smtp:"
		    "[relay-of-customer-%d.example]:25\" }\n" :
		    "domain \"d%d.example\" { users = \"table:/users\"  "
		    "mailbox = \"/var/vmail/customer-%d/%%u\"  "
		    "owner = \"vmail\" }\n", i, i), 0);
	begin = clock();
	config = config_parse(buf_slice(&text), &problems);
	assert_non_null(config);
	assert_int_equal(problems.n, 0);
	for (int i = 0; i < 30000; i++) {
		char name[32];

		snprintf(name, sizeof name, "d%d.example", i);
		assert_ptr_equal(config_find_domain(config, slice_of(name)),
		    &config->domains[config->n_domains - 30000 + (size_t)i]);
	}
	assert_null(config_find_domain(config, SLICE("d30000.example")));
	if (getenv("UNDER_VALGRIND") == NULL)
		assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
	config_free(&config);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
