/* SPDX-License-Identifier: ISC */
/*
 * test_checks.c - facts in, verdicts out: each check that needs no library,
 * what its configured action makes of it, and what it asks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../policy/judging.h"
#include "facts_fixture.h"

#define CONFIG_HEAD "hostname = \"mx.ours.example\"\n" \
	"postmaster = \"a@ours.example\"\nstate_dir = \"/s\"\n" \
	"listen \"*:25\" { role = mx }\n" \
	"domain \"ours.example\" { users = \"passwd\" }\n"
#define MAX_LINES 16

struct row {
	const char *checks;			/* what stands in checks {} */
	enum judge_stage stage;
	const char *facts[MAX_LINES];
	const char *message;
	/* "CHECK KIND [CODE SUBJECT.DETAIL]", "wants TYPE NAME", or "" */
	const char *wanted;
};

static struct config *
read_config(const char *checks)
{
	struct config_problems problems;
	char text[2000];
	struct config *config;

	snprintf(text, sizeof text, CONFIG_HEAD "checks { default = off\n%s }"
	    "\n", checks);
	config = config_parse(slice_of(text), &problems);
	if (config == NULL)
		fail_msg("config: %s", problems.items[0].text);
	config_problems_free(&problems);
	return config;
}

static const char *
word_of(enum fact_kind kind)
{
	for (size_t i = 0; i < sizeof fact_words / sizeof *fact_words; i++)
		if (fact_words[i].kind == kind)
			return fact_words[i].word;
	return "?";
}

/* The judgement as text, as rows want it; ", " between findings. */
static void
describe(const struct judgement *j, char *to, size_t room)
{
	static const char *const kinds[] = { "accept", "mark", "temporary",
		"refuse" };
	size_t n = 0;

	*to = '\0';
	for (size_t i = 0; i < j->facts.n_wanted; i++) {
		const struct fact *w = &j->facts.wanted[i];

		n += (size_t)snprintf(to + n, room - n, "%swants %s %.*s",
		    n ? ", " : "", word_of(w->kind), (int)w->key.size,
		    w->key.data);
	}
	for (size_t i = 0; i < j->n_findings; i++) {
		const struct finding *f = &j->findings[i];

		n += (size_t)snprintf(to + n, room - n, "%s%s %s",
		    n ? ", " : "", f->check, kinds[f->kind]);
		if (f->verdict.code != 0)
			n += (size_t)snprintf(to + n, room - n, " %u %u.%u",
			    f->verdict.code, f->verdict.subject,
			    f->verdict.detail);
	}
	for (char *c = to; *c != '\0'; c++)
		if (*c == '\n')
			*c = '|';
}

static void
judge_row(const struct row *row, struct judgement *j)
{
	struct config *config = read_config(row->checks);
	struct facts f = { 0 };

	for (size_t i = 0; i < MAX_LINES && row->facts[i] != NULL; i++)
		fact_add_line(&f, row->facts[i]);
	judge(config, row->stage, &f, slice_of(row->message), j);
	facts_free(&f);
	config_free(&config);
}

static void
check_rows_of(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct judgement j;
		char got[1000];

		judge_row(&rows[i], &j);
		describe(&j, got, sizeof got);
		if (strcmp(got, rows[i].wanted) != 0)
			fail_msg("row %zu: \"%s\", not \"%s\"", i, got,
			    rows[i].wanted);
		assert_int_equal(j.is_complete, j.facts.n_wanted == 0);
		judgement_free(&j);
	}
}
#define CHECK_ROWS(rows) check_rows_of((rows), sizeof(rows) / sizeof *(rows))

#define HELO(ip_, helo_) { "helo = refuse", JUDGE_MAIL, \
	{ "host mx.ours.example", "ip " ip_, "helo " helo_ }, NULL,
#define GOOD "helo accept" }
#define BAD "helo refuse 550 7.1" }

static void
helo_is_a_host_name(void **state)
{
	static const struct row rows[] = {
		HELO("192.0.2.1", "mx.example.org") GOOD,
		HELO("192.0.2.1", "a-b.c1.example") GOOD,
		HELO("192.0.2.1", "localhost") BAD,
		HELO("192.0.2.1", "under_score.example") BAD,
		HELO("192.0.2.1", "-a.example") BAD,
		HELO("192.0.2.1", "a-.example") BAD,
		HELO("192.0.2.1", "a..example") BAD,
		HELO("192.0.2.1", "a.example.") BAD,
		HELO("192.0.2.1", "MX.Ours.Example") BAD,
		HELO("192.0.2.1", "ours.example") BAD,
		HELO("127.0.0.1", "mx.ours.example") GOOD,
		HELO("::1", "localhost") GOOD,
		HELO("192.0.2.1", "192.0.2.1") GOOD,
		HELO("192.0.2.1", "192.0.2.2") BAD,
		HELO("192.0.2.1", "[192.0.2.1]") GOOD,
		HELO("192.0.2.1", "[192.0.2.2]") BAD,
		HELO("2001:db8::1", "[IPv6:2001:DB8:0::1]") GOOD,
		HELO("2001:db8::1", "[IPv6:2001:db8::2]") BAD,
		HELO("192.0.2.1", "[]") BAD,
		{ "helo = mark", JUDGE_MAIL, { "ip 192.0.2.1", "helo x" },
		    NULL, "helo mark" },
		{ "helo = off", JUDGE_MAIL, { "ip 192.0.2.1", "helo x" },
		    NULL, "" },
		/* asked ahead, nothing is said */
		{ "helo = refuse", JUDGE_HELO, { "ip 192.0.2.1", "helo x" },
		    NULL, "" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

#define FCRDNS(...) { "fcrdns = refuse", JUDGE_MAIL, { "ip 192.0.2.1", \
	__VA_ARGS__ }, NULL,
#define PTR "PTR 1.2.0.192.in-addr.arpa "

static void
names_lead_back_to_the_address(void **state)
{
	static const struct row rows[] = {
		{ "fcrdns = refuse", JUDGE_HELO, { "ip 192.0.2.1" }, NULL,
		    "wants PTR 1.2.0.192.in-addr.arpa" },
		FCRDNS(PTR "NXDOMAIN") "fcrdns refuse 550 7.25" },
		FCRDNS(PTR "NODATA") "fcrdns refuse 550 7.25" },
		FCRDNS(PTR "FAILED") "fcrdns temporary 451 7.25" },
		FCRDNS(PTR "a.example ; b.example")
		    "wants A a.example, wants A b.example" },
		FCRDNS(PTR "a.example ; b.example", "A a.example NXDOMAIN",
		    "A b.example 192.0.2.9 ; 192.0.2.1") "fcrdns accept" },
		FCRDNS(PTR "a.example", "A a.example 192.0.2.2")
		    "fcrdns refuse 550 7.25" },
		FCRDNS(PTR "a.example ; b.example", "A a.example FAILED",
		    "A b.example 192.0.2.2") "fcrdns temporary 451 7.25" },
		{ "fcrdns = mark", JUDGE_MAIL, { "ip 192.0.2.1",
		    PTR "FAILED" }, NULL, "fcrdns mark" },
		{ "fcrdns = refuse", JUDGE_MAIL, { "ip 2001:db8::1",
		    "PTR 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b."
		    "d.0.1.0.0.2.ip6.arpa six.example",
		    "AAAA six.example 2001:db8::1" }, NULL, "fcrdns accept" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

#define SENDER(...) { "sender_domain = refuse", JUDGE_MAIL, \
	{ "sender a@x.example", __VA_ARGS__ }, NULL,

static void
the_domain_of_the_sender_takes_mail(void **state)
{
	static const struct row rows[] = {
		SENDER(NULL) "wants MX x.example" },
		SENDER("MX x.example 10 mx.example") "sender_domain accept" },
		SENDER("MX x.example 0 .") "sender_domain refuse 550 7.27" },
		SENDER("MX x.example 0 . ; 5 mx.example")
		    "sender_domain accept" },
		SENDER("MX x.example NXDOMAIN")
		    "sender_domain refuse 550 1.8" },
		SENDER("MX x.example FAILED")
		    "sender_domain temporary 451 4.3" },
		SENDER("MX x.example NODATA")
		    "wants A x.example, wants AAAA x.example" },
		SENDER("MX x.example NODATA", "A x.example 192.0.2.1")
		    "sender_domain accept" },
		SENDER("MX x.example NODATA", "A x.example NODATA",
		    "AAAA x.example 2001:db8::1") "sender_domain accept" },
		SENDER("MX x.example NODATA", "A x.example NODATA",
		    "AAAA x.example NODATA") "sender_domain refuse 550 1.8" },
		SENDER("MX x.example NODATA", "A x.example NODATA",
		    "AAAA x.example FAILED")
		    "sender_domain temporary 451 4.3" },
		{ "sender_domain = refuse", JUDGE_MAIL, { "sender " }, NULL,
		    "" },
		{ "sender_domain = refuse", JUDGE_MAIL,
		    { "sender a@[192.0.2.1]" }, NULL, "" },
		{ "sender_domain = refuse", JUDGE_MAIL,
		    { "sender a@no..name" }, NULL,
		    "sender_domain refuse 550 1.8" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

#define LISTS "dnsbl \"b.example\" { score = 2  answers = { " \
	"\"127.0.0.2/31\" } }\ndnsbl \"c.example\" { score = 1 }\n" \
	"dnsbl \"w.example\" { score = 2  allow = true }\n"
#define LISTED(...) { LISTS, JUDGE_RCPT, { "ip 192.0.2.9", __VA_ARGS__ }, \
	NULL,
#define B(answer) "A 9.2.0.192.b.example " answer
#define C(answer) "A 9.2.0.192.c.example " answer
#define W(answer) "A 9.2.0.192.w.example " answer
#define TXT "TXT 9.2.0.192.b.example spam seen"
#define SEEN "seen dnsbl|192.0.2.9 "

static void
lists_are_weighed(void **state)
{
	static const struct row rows[] = {
		{ LISTS, JUDGE_HELO, { "ip 192.0.2.9" }, NULL,
		    "wants A 9.2.0.192.b.example, wants A "
		    "9.2.0.192.c.example, wants A 9.2.0.192.w.example" },
		/* never one alone: two and one make three */
		LISTED(B("127.0.0.2"), C("NXDOMAIN"), W("NXDOMAIN"))
		    "dnsbl accept" },
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("NXDOMAIN"))
		    "wants TXT 9.2.0.192.b.example, wants seen "
		    "dnsbl|192.0.2.9" },
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("NXDOMAIN"), TXT,
		    SEEN "") "dnsbl temporary 450 7.1" },
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("NXDOMAIN"), TXT,
		    SEEN "unknown") "dnsbl temporary 450 7.1" },
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("NXDOMAIN"), TXT,
		    SEEN "10") "dnsbl refuse 550 7.1" },
		LISTED(B("127.0.0.2"), C("127.255.254.2"), W("NXDOMAIN"), TXT,
		    SEEN "17") "dnsbl refuse 550 7.1" },
		/* another session of the same contact */
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("NXDOMAIN"), TXT,
		    SEEN "9") "dnsbl temporary 450 7.1" },
		/* an answer outside of the configured ones is no hit */
		LISTED(B("127.0.0.9"), C("127.0.0.1"), W("NXDOMAIN"))
		    "dnsbl accept" },
		/* an allow list speaks for it */
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("127.0.0.1"))
		    "dnsbl accept" },
		/* silence counts where it could change the answer */
		LISTED(B("FAILED"), C("NXDOMAIN"), W("NXDOMAIN"))
		    "dnsbl accept" },
		LISTED(B("FAILED"), C("127.0.0.1"), W("NXDOMAIN"))
		    "dnsbl temporary 451 4.3" },
		LISTED(B("127.255.255.254"), C("127.0.0.1"), W("NXDOMAIN"))
		    "dnsbl temporary 451 4.3" },
		LISTED(B("203.0.113.1"), C("127.0.0.1"), W("NXDOMAIN"))
		    "dnsbl temporary 451 4.3" },
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("FAILED"))
		    "dnsbl temporary 451 4.3" },
		LISTED("exempt 1") "" },
		{ LISTS "dnsbl_exempt = { \"192.0.2.8/31\" }\n", JUDGE_RCPT,
		    { "ip 192.0.2.9", B("127.0.0.2"), C("127.0.0.1") }, NULL,
		    "dnsbl accept" },
		{ LISTS "dnsbl_refuse_at = 1", JUDGE_RCPT, { "ip 192.0.2.9",
		    B("NXDOMAIN"), C("127.0.0.1"), W("NXDOMAIN"),
		    "TXT 9.2.0.192.c.example x", SEEN "17" }, NULL,
		    "dnsbl refuse 550 7.1" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void
a_listed_client_reads_why(void **state)
{
	static const struct row rows[] = {
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("NXDOMAIN"),
		    "TXT 9.2.0.192.b.example spam\r\n250 ok\001", SEEN "17")
		    "192.0.2.9 is listed by b.example: spam 250 ok" },
		LISTED(B("127.0.0.2"), C("127.0.0.1"), W("NXDOMAIN"),
		    "TXT 9.2.0.192.b.example FAILED", SEEN "17")
		    "192.0.2.9 is listed by b.example" },
		{ "dnsbl \"b.example\" { text = \"see x/%i\" }\n"
		    "dnsbl_refuse_at = 1", JUDGE_RCPT, { "ip 192.0.2.9",
		    B("127.0.0.2"), SEEN "17" }, NULL, "see x/192.0.2.9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct judgement j;

		judge_row(&rows[i], &j);
		assert_int_equal(j.n_findings, 1);
		assert_string_equal(slice_of(j.findings[0].verdict.text).data,
		    rows[i].wanted);
		judgement_free(&j);
	}
}

static void
first_contacts_are_noted(void **state)
{
	static const struct row first = LISTED(B("127.0.0.2"),
	    C("127.0.0.1"), W("NXDOMAIN"), TXT, SEEN "") "" };
	static const struct row again = LISTED(B("127.0.0.2"),
	    C("127.0.0.1"), W("NXDOMAIN"), TXT, SEEN "15") "" };
	struct judgement j;
	struct slice v;

	(void)state;
	judge_row(&first, &j);
	assert_true(facts_find(&j.facts, FACT_SEEN, SLICE("dnsbl\n192.0.2.9"),
	    &v));
	judgement_free(&j);
	judge_row(&again, &j);
	assert_int_equal(j.facts.n, 0);
	judgement_free(&j);
}

#define GREY(...) { "greylist = refuse", JUDGE_RCPT, { "ip 192.0.2.9", \
	"recipient_key c@d", __VA_ARGS__ }, NULL,
#define KEY "192.0.2.0/24|a@x.example|c@d "
#define FROM_X "sender a@x.example", "sender_key a@x.example"

static void
strangers_try_twice(void **state)
{
	static const struct row rows[] = {
		GREY(FROM_X) "wants grey 192.0.2.0/24|a@x.example|c@d" },
		GREY(FROM_X, "grey " KEY "new 300")
		    "greylist temporary 451 7.1" },
		GREY(FROM_X, "grey " KEY "early 17")
		    "greylist temporary 451 7.1" },
		GREY(FROM_X, "grey " KEY "late 300")
		    "greylist temporary 451 7.1" },
		GREY(FROM_X, "grey " KEY "unknown")
		    "greylist temporary 451 7.1" },
		GREY(FROM_X, "grey " KEY "known") "greylist accept" },
		GREY("sender ", "sender_key ") "" },
		GREY(FROM_X, "exempt 1") "" },
		/* SPF vouches for it, and it was accepted before */
		GREY(FROM_X, "result spf pass")
		    "wants seen accepted|x.example" },
		GREY(FROM_X, "result spf pass", "seen accepted|x.example 9")
		    "greylist accept" },
		GREY(FROM_X, "result spf pass", "seen accepted|x.example ")
		    "wants grey 192.0.2.0/24|a@x.example|c@d" },
		GREY(FROM_X, "result spf pass",
		    "seen accepted|x.example unknown")
		    "wants grey 192.0.2.0/24|a@x.example|c@d" },
		GREY(FROM_X, "result spf fail", "grey " KEY "new 300")
		    "greylist temporary 451 7.1" },
		{ "greylist = refuse", JUDGE_RCPT, { "ip 2001:db8:1:2:3::4",
		    "recipient_key c@d", FROM_X }, NULL,
		    "wants grey 2001:db8:1:2::/64|a@x.example|c@d" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void
accepted_domains_are_noted_if_nothing_refuses(void **state)
{
	static const struct row good = { "greylist = refuse", JUDGE_DATA,
		{ FROM_X, "result spf pass" }, "x", "" };
	static const struct row bad = { "greylist = refuse\nfrom = refuse",
		JUDGE_DATA, { FROM_X, "result spf pass" }, "x", "" };
	struct judgement j;

	(void)state;
	judge_row(&good, &j);
	assert_int_equal(j.facts.n, 1);
	judgement_free(&j);
	judge_row(&bad, &j);
	assert_int_equal(j.facts.n, 0);
	judgement_free(&j);
}

#define NOW "time 1700000000"		/* Tue, 14 Nov 2023 22:13:20 +0000 */
#define DATE(text) { "date = refuse", JUDGE_DATA, { NOW }, text,
#define FROM(text) { "from = refuse", JUDGE_DATA, { NOW, FROM_X }, text,

static void
date_and_from_are_there_once(void **state)
{
	static const struct row rows[] = {
		DATE("Date: Tue, 14 Nov 2023 22:13:00 +0000\n\n")
		    "date accept" },
		DATE("Date: 1 Nov 23 22:13 GMT\n\n") "date accept" },
		DATE("Date: Tue, 14 Nov 2033 22:13:00 +0000\n\n")
		    "date refuse 550 6.0" },
		DATE("Date: Tue, 14 Nov 2003 22:13:00 +0000\n\n")
		    "date refuse 550 6.0" },
		DATE("Date: yesterday\n\n") "date refuse 550 6.0" },
		DATE("\nDate: Tue, 14 Nov 2023 22:13:00 +0000\n")
		    "date refuse 550 6.0" },
		DATE("Date: Tue, 14 Nov 2023 22:13:00 +0000\n"
		    "Date: Tue, 14 Nov 2023 22:13:00 +0000\n\n")
		    "date refuse 550 6.0" },
		DATE("") "date refuse 550 6.0" },
		FROM("From: a@b.example\n\n") "from accept" },
		FROM("FROM: A B <a@b.example>\n\n") "from accept" },
		FROM("From: \"a <x> \\\" b\" (c <d>) <a@b.example>\n\n")
		    "from accept" },
		FROM("From: a@b.example (Name)\n\n") "from accept" },
		FROM("From: a@b.example\nFrom: a@b.example\n\n")
		    "from refuse 550 6.0" },
		/* two authors, with a Sender, and a group (RFC 6854) */
		FROM("From: A <a@b.example>, c@d.example\n\n")
		    "from accept" },
		FROM("From: a@b.example,\n c@d.example\n\n") "from accept" },
		FROM("From: all of us: a@b.example;\n\n") "from accept" },
		FROM("From: nobody, a@b.example\n\n") "from accept" },
		/* a name that should stand in quotes */
		FROM("From: Doe Jane, Example Ltd <a@b.example>\n\n")
		    "from accept" },
		FROM("From: \"Doe <a@b.example>\" Jane\n\n")
		    "from refuse 550 6.0" },
		FROM("From: nobody:;\n\n") "from refuse 550 6.0" },
		FROM("From: a b@c.example\n\n") "from refuse 550 6.0" },
		FROM("From: nobody\n\n") "from refuse 550 6.0" },
		FROM("From: <>\n\n") "from refuse 550 6.0" },
		FROM("From: \"a\n\n") "from refuse 550 6.0" },
		FROM("From: x <\n\n") "from refuse 550 6.0" },
		FROM("Subject: x\n\n") "from refuse 550 6.0" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

/* ---- bounces ---- */

#define DSN(fields) "From: MAILER-DAEMON\nContent-Type: multipart/report; " \
	"report-type=delivery-status; boundary=b\n\n--b\nContent-Type: " \
	"message/delivery-status\n\nReporting-MTA: dns; x\n\n" \
	"Final-Recipient: rfc822; b@t\nAction: failed\n--b\nContent-Type: " \
	"text/rfc822-headers\n\n" fields "\n--b--\n"
#define TRACE "k3f9q2m7t-1-20750-abcdefghij"
#define RETURNED "Received: by x id " TRACE "\nMessage-ID: <1@ours>\nTo: c@t\n"
#define TO_A "recipient_key a@ours.example"
#define PAIR "proof failed|a@ours.example|1@ours|b@t| "
#define PAIR_C "proof failed|a@ours.example|1@ours|c@t| "
#define OURS "trace " TRACE "|a@ours.example "
#define TRACED "proof failed|a@ours.example||b@t|" TRACE " "
#define BOUNCE(...) { "", JUDGE_DATA, { "sender ", TO_A, __VA_ARGS__ }, \
	DSN(RETURNED),

static void
bounces_prove_themselves(void **state)
{
	static const struct row rows[] = {
		/* all is asked for at once */
		BOUNCE(NULL) "wants proof failed|a@ours.example|1@ours|b@t|, "
		    "wants proof failed|a@ours.example|1@ours|c@t|, "
		    "wants trace " TRACE "|a@ours.example" },
		BOUNCE(PAIR "good 5", PAIR_C "none", OURS "wrong")
		    "bounce accept" },
		BOUNCE(PAIR "none", PAIR_C "good 5", OURS "wrong")
		    "bounce accept" },
		BOUNCE(PAIR "none", PAIR_C "none", OURS "wrong")
		    "bounce refuse 550 7.1" },
		BOUNCE(PAIR "none", PAIR_C "none", OURS "good")
		    "wants proof failed|a@ours.example||b@t|" TRACE },
		BOUNCE(PAIR "none", PAIR_C "none", OURS "good",
		    TRACED "good 0") "bounce accept" },
		BOUNCE(PAIR "none", PAIR_C "none", OURS "good", TRACED "used")
		    "bounce refuse 550 7.1" },
		/* a proof that is spent is no reason to look for another */
		BOUNCE(PAIR "used", PAIR_C "good 5", OURS "good")
		    "bounce refuse 550 7.1" },
		BOUNCE(PAIR "busy", PAIR_C "none", OURS "wrong")
		    "bounce temporary 451 7.1" },
		BOUNCE(PAIR "unknown", PAIR_C "none", OURS "wrong")
		    "bounce temporary 451 7.1" },
		BOUNCE(PAIR "none", PAIR_C "none", OURS "unknown")
		    "bounce temporary 451 7.1" },
		BOUNCE(PAIR "good 5", PAIR_C "none", OURS "unknown")
		    "bounce accept" },
		BOUNCE("tagged 1") "bounce accept" },
		/* with a reverse-path too; then a tag is none */
		{ "", JUDGE_DATA, { "sender x@y", TO_A, PAIR "none",
		    PAIR_C "none", OURS "wrong" }, DSN(RETURNED),
		    "bounce refuse 550 7.1" },
		{ "", JUDGE_DATA, { "sender x@y", TO_A, "tagged 1" },
		    DSN(RETURNED), "" },
		{ "", JUDGE_DATA, { "sender ", TO_A }, DSN(""),
		    "bounce refuse 550 7.1" },
		{ "", JUDGE_DATA, { "sender ", TO_A }, "Subject: away\n\nx\n",
		    "" },
		{ "untagged_bounces = accept", JUDGE_DATA, { "sender ", TO_A },
		    DSN(""), "bounce mark" },
		/* a proof is one for those that judge senders, and no other */
		{ "from = refuse\ndate = refuse", JUDGE_DATA, { NOW, "sender ",
		    TO_A, "tagged 1" }, DSN(RETURNED),
		    "bounce accept, date mark, from mark" },
		{ "content = refuse", JUDGE_DATA, { NOW, "sender ", TO_A,
		    "tagged 1" }, DSN(RETURNED),
		    "bounce accept, content accept" },
		{ "attachments = refuse", JUDGE_DATA, { NOW, "sender ", TO_A,
		    "tagged 1" }, "Content-Type: application/hta\n\nx\n",
		    "bounce accept, attachments refuse 554 7.1" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

/* ---- a host in front of us ---- */

#define PEER "relay_peer = { \"192.0.2.0/24\" }\n"

static void
relay_peers_are_spared(void **state)
{
	static const struct row rows[] = {
		{ PEER "content = refuse", JUDGE_DATA, { NOW, "ip 192.0.2.9",
		    "sender ", TO_A }, DSN(""), "bounce mark, content accept" },
		{ PEER "content = refuse", JUDGE_DATA, { NOW, "ip 198.51.100.9",
		    "sender ", TO_A }, DSN(""),
		    "bounce refuse 550 7.1, content accept" },
		/* what cannot be told stays temporary */
		{ PEER, JUDGE_DATA, { "ip 192.0.2.9", "sender ", TO_A,
		    PAIR "unknown", PAIR_C "none", OURS "wrong" },
		    DSN(RETURNED), "bounce temporary 451 7.1" },
		/* what it is itself is not asked, whatever is known */
		{ PEER "helo = refuse\nfcrdns = refuse\nspf = refuse",
		    JUDGE_MAIL, { "ip 192.0.2.9", "sender a@b.example" }, NULL,
		    "helo accept, fcrdns accept, spf accept" },
		{ PEER LISTS, JUDGE_RCPT, { "ip 192.0.2.9", B("127.0.0.2"),
		    C("127.0.0.2"), W("NXDOMAIN"), SEEN "17" }, NULL,
		    "dnsbl accept" },
	};
	struct judgement j;

	(void)state;
	CHECK_ROWS(rows);
	judge_row(&rows[0], &j);
	assert_true(j.is_junk);
	assert_string_equal(j.junk_reason, "bounce: 550 5.7.1 this bounce "
	    "returns nothing that we have sent");
	judgement_free(&j);
	judge_row(&rows[1], &j);
	assert_false(j.is_junk);
	judgement_free(&j);
}

/* ---- the whole of it ---- */

static void
what_is_asked_for_comes_together(void **state)
{
	static const struct row rows[] = {
		{ "helo = mark\nfcrdns = mark\nsender_domain = refuse",
		    JUDGE_MAIL, { "ip 192.0.2.1", "helo x",
		    "sender a@x.example" }, NULL,
		    "wants PTR 1.2.0.192.in-addr.arpa, wants MX x.example" },
		{ "helo = mark\nfcrdns = mark\nsender_domain = refuse",
		    JUDGE_MAIL, { "ip 192.0.2.1", "helo x",
		    "sender a@x.example", PTR "NXDOMAIN",
		    "MX x.example NXDOMAIN" }, NULL,
		    "helo mark, fcrdns mark, sender_domain refuse 550 1.8" },
	};

	(void)state;
	CHECK_ROWS(rows);
}

/* The same facts give the same judgement, also after they were recorded. */
static void
recorded_facts_replay(void **state)
{
	static const char *const recorded[] = { "ip 192.0.2.9",
		"helo mx.x.example", FROM_X, "recipient_key c@d",
		B("127.0.0.2"), C("127.0.0.1"), W("NXDOMAIN"), TXT,
		SEEN "5", "grey " KEY "new 300" };
	struct config *config = read_config(LISTS "greylist = refuse");
	struct buf record = { 0 }, verdicts[2] = { { 0 } };
	struct facts f = { 0 }, g = { 0 };
	struct judgement j;

	(void)state;
	for (size_t i = 0; i < sizeof recorded / sizeof *recorded; i++)
		fact_add_line(&f, recorded[i]);
	assert_int_equal(put_facts(&record, &f), 0);
	assert_true(get_facts(buf_slice(&record), &g));
	for (int i = 0; i < 2; i++) {
		judge(config, JUDGE_RCPT, i ? &g : &f, SLICE(""), &j);
		assert_true(j.is_complete);
		assert_string_equal(judgement_strictest(&j)->check, "dnsbl");
		assert_int_equal(j.n_findings, 2);
		assert_int_equal(put_judgement(&verdicts[i], &j), 0);
		judgement_free(&j);
	}
	assert_true(slice_equals(buf_slice(&verdicts[0]),
	    buf_slice(&verdicts[1])));
	buf_free(&verdicts[0]);
	buf_free(&verdicts[1]);
	buf_free(&record);
	facts_free(&f);
	facts_free(&g);
	config_free(&config);
}

/* A set that is full wants nothing more: that is silence, not an accept. */
static void
a_full_set_is_silence(void **state)
{
	struct config *config = read_config("sender_domain = refuse");
	struct facts f = { 0 };
	struct judgement j;
	char name[32], got[200];

	(void)state;
	fact_add_line(&f, "sender a@x.example");
	for (int i = 0; f.n < FACTS_MAX; i++) {
		snprintf(name, sizeof name, "n%d", i);
		assert_int_equal(facts_add(&f, FACT_RESULT, slice_of(name),
		    SLICE("")), 0);
	}
	judge(config, JUDGE_MAIL, &f, SLICE(""), &j);
	describe(&j, got, sizeof got);
	assert_string_equal(got, "sender_domain temporary 451 4.3");
	judgement_free(&j);
	facts_free(&f);
	config_free(&config);
}

/* smtpd asks only where policy has a row that is not off. */
static void
stages_agree_with_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < check_n_rows; i++) {
		struct config_checks checks = { 0 };

		/* smtpd itself finds out what may be a bounce */
		if (check_rows[i].action == CHECK_BOUNCE)
			continue;
		for (size_t k = 0; k < CHECK_COUNT; k++)
			checks.actions[k] = ACTION_OFF;
		assert_false(judge_is_wanted(&checks, check_rows[i].stage));
		checks.actions[check_rows[i].action] = ACTION_MARK;
		assert_true(judge_is_wanted(&checks, check_rows[i].stage));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounces_prove_themselves),
		cmocka_unit_test(relay_peers_are_spared),
		cmocka_unit_test(helo_is_a_host_name),
		cmocka_unit_test(names_lead_back_to_the_address),
		cmocka_unit_test(the_domain_of_the_sender_takes_mail),
		cmocka_unit_test(lists_are_weighed),
		cmocka_unit_test(a_listed_client_reads_why),
		cmocka_unit_test(first_contacts_are_noted),
		cmocka_unit_test(strangers_try_twice),
		cmocka_unit_test(
		    accepted_domains_are_noted_if_nothing_refuses),
		cmocka_unit_test(date_and_from_are_there_once),
		cmocka_unit_test(what_is_asked_for_comes_together),
		cmocka_unit_test(recorded_facts_replay),
		cmocka_unit_test(a_full_set_is_silence),
		cmocka_unit_test(stages_agree_with_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
