/* SPDX-License-Identifier: ISC */
/*
 * test_spf.c - SPF over facts made by hand: results, limits, and records
 * that are meant to hurt. The suites of the RFCs run in tests/e2e.
 */
#include "spf_zone.h"
#include "table.h"

#define ZONE_ROUNDS_MAX 60
#define T FACT_DNS_TXT
#define A4 FACT_DNS_A
#define A6 FACT_DNS_AAAA
#define MX FACT_DNS_MX
#define PTR FACT_DNS_PTR

static const struct zone_record zone[] = {
	{ T, "pass.example", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
	    0 },
	{ T, "more.example", "other text", 0 },
	{ T, "more.example", "v=spf1 -all", 0 },
	{ T, "two.example", "v=spf1 -all", 0 },
	{ T, "two.example", "v=spf1 +all", 0 },
	{ T, "empty.example", "v=spf1", 0 },
	{ T, "dead.example", NULL, 0 },
	{ T, "nul.example", "v=spf1 +all\0-all", 16 },
	{ T, "loopback.example", "v=spf1 -all", 0 },
	/* prefixes within an octet */
	{ T, "odd.example", "v=spf1 ip4:192.0.2.128/25 "
	    "ip6:2001:db8:0:8000::/49 -all", 0 },
	/* prefixes of 0 */
	{ T, "zero4.example", "v=spf1 ?ip4:1.1.1.1/0 -all", 0 },
	{ T, "zeroa.example", "v=spf1 ?a:one.example/0//0 -all", 0 },
	{ T, "zerox.example", "v=spf1 ?mx:hosts.example/0//0 -all", 0 },
	{ A4, "one.example", "198.51.100.1", 0 },
	{ MX, "hosts.example", "10 none.example", 0 },
	{ MX, "hosts.example", "20 one.example", 0 },
	{ T, "amx.example", "v=spf1 ~a:one.example/24 ?mx:hosts.example/16 "
	    "-all", 0 },
	{ T, "bad33.example", "v=spf1 +all a/33", 0 },
	/* ptr */
	{ T, "ptr.example", "v=spf1 ptr -all", 0 },
	{ PTR, "1.2.0.192.in-addr.arpa", "liar.ptr.example", 0 },
	{ PTR, "1.2.0.192.in-addr.arpa", "true.ptr.example", 0 },
	{ PTR, "2.2.0.192.in-addr.arpa", "liar.ptr.example", 0 },
	{ PTR, "3.2.0.192.in-addr.arpa", NULL, 0 },
	{ PTR, "5.2.0.192.in-addr.arpa", "notptr.example", 0 },
	{ A4, "notptr.example", "192.0.2.5", 0 },
	{ A4, "liar.ptr.example", "192.0.2.99", 0 },
	{ A4, "true.ptr.example", "192.0.2.1", 0 },
	{ T, "p.example", "v=spf1 exists:%{p}.ok.example -all", 0 },
	{ A4, "true.ptr.example.ok.example", "127.0.0.1", 0 },
	{ A4, "unknown.ok.example", "127.0.0.1", 0 },
	/* include, redirect */
	{ T, "inc.example", "v=spf1 ?include:pass.example "
	    "redirect=more.example", 0 },
	{ T, "incnone.example", "v=spf1 include:none.example +all", 0 },
	{ T, "incdead.example", "v=spf1 include:dead.example +all", 0 },
	{ T, "self.example", "v=spf1 redirect=self.example", 0 },
	{ T, "ring1.example", "v=spf1 redirect=ring2.example", 0 },
	{ T, "ring2.example", "v=spf1 include:ring1.example +all", 0 },
	{ T, "redall.example", "v=spf1 redirect=none.example ?all", 0 },
	/* macros */
	{ T, "crash.example", "v=spf1 a:%{d99999999999}.%{d", 0 },
	{ T, "digits.example", "v=spf1 exists:%{d99999999999}.ok -all", 0 },
	{ A4, "digits.example.ok", "127.0.0.1", 0 },
	{ T, "local.example", "v=spf1 exists:%{l}.ok.example -all", 0 },
	{ A4, "a b.ok.example", "127.0.0.1", 0 },
	{ A4, "\xc3\xbc.ok.example", "127.0.0.1", 0 },
	{ A4, "a\x01.ok.example", "127.0.0.1", 0 },
	/* explanations */
	{ T, "exp.example", "v=spf1 -all exp=why.%{d}", 0 },
	{ T, "why.exp.example", "%{l} from %{c} at %{t}, says %{r}", 0 },
	{ T, "expinc.example", "v=spf1 include:exp.example -all", 0 },
	{ T, "expred.example", "v=spf1 exp=none.example "
	    "redirect=exp.example", 0 },
	{ T, "expself.example", "v=spf1 -all exp=expself.example", 0 },
	{ T, "expdead.example", "v=spf1 -all exp=dead.example", 0 },
	{ T, "exptwo.example", "v=spf1 -all exp=two.example", 0 },
	{ T, "exptab.example", "v=spf1 -all exp=tab.example", 0 },
	{ T, "tab.example", "a\tb", 0 },
	{ T, "expbad.example", "v=spf1 -all exp=bad.example", 0 },
	{ T, "bad.example", "a %{d", 0 },
	/* void look-ups */
	{ T, "void2.example", "v=spf1 a:v1.none a:v2.none ?all", 0 },
	{ T, "voidptr.example", "v=spf1 ptr a:v1.none mx:v2.none ?all", 0 },
	{ T, "void3.example", "v=spf1 a:v1.none mx:v2.none exists:v3.none "
	    "+all", 0 },
	{ T, "voidmx.example", "v=spf1 mx:nohosts.example ?all", 0 },
	{ MX, "nohosts.example", "1 v1.none", 0 },
	{ MX, "nohosts.example", "2 v2.none", 0 },
	{ MX, "nohosts.example", "3 v3.none", 0 },
	{ T, "nullmx.example", "v=spf1 mx:null.example ?all", 0 },
	{ MX, "null.example", "0 ", 0 },
	{ T, "oddmx.example", "v=spf1 mx:odd.example +all", 0 },
	{ MX, "odd.example", "1 h\x01.\xff.example", 0 },
	{ A4, "h\x01.\xff.example", NULL, 0 },
	{ T, "xn--bcher-kva.example", "v=spf1 ?all", 0 },
	{ 0, NULL, NULL, 0 }
};

static const struct row {
	const char *ip, *helo, *sender;
	enum spf_result want;
	const char *explanation;
} rows[] = {
	{ "192.0.2.1", "h.example", "a@pass.example", SPF_PASS, "" },
	{ "::ffff:192.0.2.1", "h.example", "a@pass.example", SPF_PASS, "" },
	{ "192.0.3.1", "h.example", "a@pass.example", SPF_FAIL, "" },
	{ "::ffff:192.0.3.1", "h.example", "a@pass.example", SPF_FAIL, "" },
	{ "2001:db8::1", "h.example", "a@pass.example", SPF_PASS, "" },
	{ "2001:db9::1", "h.example", "a@pass.example", SPF_FAIL, "" },
	{ "192.0.2.1", "pass.example", "", SPF_PASS, "" },
	{ "192.0.3.1", "pass.example", "", SPF_FAIL, "" },
	{ "192.0.2.1", "pass.example", "a@none.example", SPF_NONE, "" },
	{ "192.0.3.1", "h.example", "@pass.example", SPF_FAIL, "" },
	{ "192.0.3.1", "h.example", "x@y@pass.example", SPF_FAIL, "" },
	{ "192.0.3.1", "h.example", "a@PASS.Example.", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@more.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@two.example", SPF_PERMERROR, "" },
	{ "192.0.2.1", "h.example", "a@empty.example", SPF_NEUTRAL, "" },
	{ "192.0.2.1", "h.example", "a@dead.example", SPF_TEMPERROR, "" },
	{ "192.0.2.1", "h.example", "a@nul.example", SPF_PERMERROR, "" },
	{ "192.0.2.1", "h.example", "postmaster", SPF_NONE, "" },
	{ "192.0.2.1", "h.example", "a@[192.0.2.1]", SPF_NONE, "" },
	{ "192.0.2.1", "[192.0.2.1]", "", SPF_NONE, "" },
	{ "192.0.2.1", "192.0.2.1", "", SPF_NONE, "" },
	{ "192.0.2.1", "a b.example", "", SPF_NONE, "" },
	{ "192.0.2.1", "", "", SPF_NONE, "" },
	{ "192.0.2.1", "h.example", "a@b\xc3\xbc" "cher.example", SPF_NEUTRAL,
	    "" },
	{ "", "h.example", "a@loopback.example", SPF_NONE, "" },
	/* the library lets loopback pass */
	{ "127.0.0.1", "h.example", "a@loopback.example", SPF_FAIL, "" },
	{ "::1", "h.example", "a@loopback.example", SPF_FAIL, "" },
	{ "192.0.2.128", "h.example", "a@odd.example", SPF_PASS, "" },
	{ "192.0.2.127", "h.example", "a@odd.example", SPF_FAIL, "" },
	{ "2001:db8:0:8000::1", "h.example", "a@odd.example", SPF_PASS, "" },
	{ "2001:db8:0:7fff::1", "h.example", "a@odd.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@zero4.example", SPF_NEUTRAL, "" },
	{ "2001:db8::1", "h.example", "a@zero4.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@zeroa.example", SPF_NEUTRAL, "" },
	{ "2001:db8::1", "h.example", "a@zeroa.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@zerox.example", SPF_NEUTRAL, "" },
	{ "2001:db8::1", "h.example", "a@zerox.example", SPF_FAIL, "" },
	{ "198.51.100.77", "h.example", "a@amx.example", SPF_SOFTFAIL, "" },
	{ "198.51.101.77", "h.example", "a@amx.example", SPF_NEUTRAL, "" },
	{ "198.52.101.77", "h.example", "a@amx.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@bad33.example", SPF_PERMERROR, "" },
	{ "192.0.2.1", "h.example", "a@ptr.example", SPF_PASS, "" },
	{ "192.0.2.2", "h.example", "a@ptr.example", SPF_FAIL, "" },
	{ "192.0.2.3", "h.example", "a@ptr.example", SPF_FAIL, "" },
	{ "192.0.2.4", "h.example", "a@ptr.example", SPF_FAIL, "" },
	{ "192.0.2.5", "h.example", "a@ptr.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@p.example", SPF_PASS, "" },
	{ "192.0.2.2", "h.example", "a@p.example", SPF_PASS, "" },
	{ "192.0.2.1", "h.example", "a@inc.example", SPF_NEUTRAL, "" },
	{ "192.0.3.1", "h.example", "a@inc.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@incnone.example", SPF_PERMERROR, "" },
	{ "192.0.2.1", "h.example", "a@incdead.example", SPF_TEMPERROR, "" },
	{ "192.0.2.1", "h.example", "a@self.example", SPF_PERMERROR, "" },
	{ "192.0.2.1", "h.example", "a@ring1.example", SPF_PERMERROR, "" },
	{ "192.0.2.1", "h.example", "a@redall.example", SPF_NEUTRAL, "" },
	{ "192.0.2.1", "h.example", "a@crash.example", SPF_PERMERROR, "" },
	{ "192.0.2.1", "h.example", "a@digits.example", SPF_PASS, "" },
	{ "192.0.2.1", "h.example", "a b@local.example", SPF_PASS, "" },
	/* RFC 8616 4: never a match */
	{ "192.0.2.1", "h.example", "\xc3\xbc@local.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a\x01@local.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "me@exp.example", SPF_FAIL,
	    "me from 192.0.2.1 at 1700000000, says mx.example" },
	{ "192.0.2.1", "h.example", "\xc3\xbc\r\n@exp.example", SPF_FAIL,
	    "???? from 192.0.2.1 at 1700000000, says mx.example" },
	{ "192.0.2.1", "h.example", "me@expinc.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "me@expred.example", SPF_FAIL,
	    "me from 192.0.2.1 at 1700000000, says mx.example" },
	{ "192.0.2.1", "h.example", "me@expself.example", SPF_FAIL,
	    "v=spf1 -all exp=expself.example" },
	{ "192.0.2.1", "h.example", "me@expdead.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "me@exptwo.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "me@exptab.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "me@expbad.example", SPF_FAIL, "" },
	{ "192.0.2.1", "h.example", "a@void2.example", SPF_NEUTRAL, "" },
	{ "192.0.2.1", "h.example", "a@void3.example", SPF_PERMERROR, "" },
	/* it has names; it has none */
	{ "192.0.2.1", "h.example", "a@voidptr.example", SPF_NEUTRAL, "" },
	{ "192.0.2.9", "h.example", "a@voidptr.example", SPF_PERMERROR, "" },
	/* one void look-up a term at most, and none here */
	{ "192.0.2.1", "h.example", "a@voidmx.example", SPF_NEUTRAL, "" },
	{ "192.0.2.1", "h.example", "a@nullmx.example", SPF_NEUTRAL, "" },
	{ "192.0.2.1", "h.example", "a@oddmx.example", SPF_TEMPERROR, "" },
};

static struct spf_query
query_of(const char *ip, const char *helo, const char *sender)
{
	return (struct spf_query){ .client_ip = ip, .helo = slice_of(helo),
		.sender = slice_of(sender), .host = SLICE("mx.example"),
		.time_s = 1700000000 };
}

/* Checks until nothing is wanted; how often it had to be called. */
static unsigned
zone_check(const struct zone_record *table, struct facts *facts,
    const struct spf_query *q, struct spf_answer *answer)
{
	unsigned rounds = 1;

	while (!spf_check(facts, q, answer)) {
		if (facts->n_wanted == 0 || rounds++ == ZONE_ROUNDS_MAX)
			abort();
		zone_answer(table, facts);
	}
	return rounds;
}

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static void
results(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct row *r = &rows[i];
		struct spf_query q = query_of(r->ip, r->helo, r->sender);
		const char *name = *r->sender ? r->sender : r->helo;
		struct facts facts = { 0 };
		struct spf_answer a;

		zone_check(zone, &facts, &q, &a);
		CHECK_STRING(name, spf_result_name(a.result),
		    spf_result_name(r->want));
		CHECK_STRING(name, a.explanation, r->explanation);
		CHECK(name, (*a.problem != '\0') ==
		    (a.result == SPF_TEMPERROR || a.result == SPF_PERMERROR));
		CHECK(name, is_printable(a.problem));
		CHECK(name, a.identity == (*r->sender ? SPF_MAILFROM :
		    SPF_HELO));
		facts_free(&facts);
	}
}

/* The same facts give the same answer, and nothing more is asked. */
static void
replayed(void **state)
{
	struct spf_query q = query_of("192.0.2.1", "h.example",
	    "me@expred.example");
	struct facts facts = { 0 };
	struct spf_answer a, b;

	(void)state;
	zone_check(zone, &facts, &q, &a);
	assert_true(spf_check(&facts, &q, &b));
	assert_memory_equal(&a, &b, sizeof a);
	facts_free(&facts);
}

/* ---- limits; zones that are made up as they are asked for ---- */

typedef const char *made_fn(const char *name, enum fact_kind kind);

static void
answer_made(made_fn *made, struct facts *facts)
{
	while (facts->n_wanted > 0) {
		struct zone_record one[2] = { { 0 } };
		enum fact_kind kind = facts->wanted[0].kind;
		struct buf room = { 0 }, wire = { 0 };
		struct dns_answer answer;
		char name[DNS_NAME_MAX + 1];

		assert_true(slice_copy(name, sizeof name,
		    facts->wanted[0].key));
		one[0].name = name;
		one[0].value = made(name, kind);
		one[0].kind = one[0].value != NULL ? kind : 0;
		zone_find(one, kind, slice_of(name), &answer, &room);
		assert_int_equal(put_dns_answer(&wire, &answer), 0);
		assert_int_equal(facts_add(facts, kind, slice_of(name),
		    buf_slice(&wire)), 0);
		buf_free(&room);
		buf_free(&wire);
	}
}

static struct spf_answer
run_made(made_fn *made, struct facts *facts, const struct spf_query *q)
{
	struct spf_answer a;
	unsigned rounds = 0;

	while (!spf_check(facts, q, &a)) {
		assert_true(facts->n_wanted > 0);
		assert_true(++rounds < ZONE_ROUNDS_MAX);
		answer_made(made, facts);
	}
	return a;
}

static const char *
tree_10_wide(const char *name, enum fact_kind kind)
{
	static char text[1024];
	size_t n = 0;

	if (kind != FACT_DNS_TXT)
		return NULL;
	n += (size_t)sprintf(text, "v=spf1");
	for (int i = 0; i < 10; i++)
		n += (size_t)sprintf(text + n, " include:%d%.60s", i, name);
	strcpy(text + n, " +all");
	return text;
}

static void
include_tree(void **state)
{
	struct spf_query q = query_of("192.0.2.1", "h.example", "a@x.ex");
	struct facts facts = { 0 };
	struct spf_answer a = run_made(tree_10_wide, &facts, &q);

	(void)state;
	assert_int_equal(a.result, SPF_PERMERROR);
	assert_string_equal(a.problem, "more than 10 look-ups");
	assert_int_equal(a.n_lookups, 11);
	assert_true(facts.n < 100);
	facts_free(&facts);
}

static const char *
chain_of_redirects(const char *name, enum fact_kind kind)
{
	static char text[1024];

	if (kind != FACT_DNS_TXT)
		return NULL;
	sprintf(text, "v=spf1 redirect=a%.100s", name);
	return text;
}

static void
redirect_chain(void **state)
{
	struct spf_query q = query_of("192.0.2.1", "h.example", "a@x.ex");
	struct facts facts = { 0 };
	struct spf_answer a = run_made(chain_of_redirects, &facts, &q);

	(void)state;
	assert_int_equal(a.result, SPF_PERMERROR);
	assert_int_equal(a.n_lookups, 11);
	facts_free(&facts);
}

static const char *
one_that_is_long(const char *name, enum fact_kind kind)
{
	static char text[SPF_EXPLANATION_MAX * 20];
	size_t n;

	if (kind != FACT_DNS_TXT)
		return NULL;
	if (strcmp(name, "bomb.ex") == 0)
		return "v=spf1 -all exp=bomb2.ex";
	if (strcmp(name, "bomb2.ex") == 0) {
		for (n = 0; n < 3000; n += 4)
			memcpy(text + n, n % 8 ? "%{s}" : "abcd", 4);
		text[n] = '\0';
		return text;
	}
	if (strcmp(name, "long.ex") == 0)
		return "v=spf1 -all exp=long2.ex";
	memset(text, 'x', 2000);
	text[2000] = '\0';
	return strcmp(name, "long2.ex") == 0 ? text : NULL;
}

static void
long_explanations(void **state)
{
	struct spf_query q = query_of("192.0.2.1", "h.example", "a@long.ex");
	struct facts facts = { 0 };
	struct spf_answer a = run_made(one_that_is_long, &facts, &q);

	(void)state;
	assert_int_equal(a.result, SPF_FAIL);
	assert_int_equal(strlen(a.explanation), SPF_EXPLANATION_MAX);
	/* more than may be expanded: none */
	q = query_of("192.0.2.1", "h.example", "abcdefgh@bomb.ex");
	a = run_made(one_that_is_long, &facts, &q);
	assert_int_equal(a.result, SPF_FAIL);
	assert_string_equal(a.explanation, "");
	facts_free(&facts);
}

/* Over 511 octets of its memory the library drops terms, silently. */
static const char *
many_addresses(const char *name, enum fact_kind kind)
{
	static char text[8192];
	size_t n = (size_t)sprintf(text, "v=spf1");

	(void)name;
	if (kind != FACT_DNS_TXT)
		return NULL;
	for (int i = 0; i < 400; i++)
		n += (size_t)sprintf(text + n, " ip4:10.0.%d.%d", i / 256,
		    i % 256);
	strcpy(text + n, " -all");
	return text;
}

static void
long_records(void **state)
{
	static const struct { const char *ip; enum spf_result want; } ips[] = {
		{ "10.0.0.0", SPF_PASS }, { "10.0.1.143", SPF_PASS },
		{ "10.0.1.144", SPF_FAIL }, { "::1", SPF_FAIL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(ips); i++) {
		struct spf_query q = query_of(ips[i].ip, "h.example",
		    "a@x.ex");
		struct facts facts = { 0 };
		struct spf_answer a = run_made(many_addresses, &facts, &q);

		CHECK(ips[i].ip, a.result == ips[i].want);
		facts_free(&facts);
	}
}

static const char *
many_that_match(const char *name, enum fact_kind kind)
{
	static char text[8192];
	size_t n = (size_t)sprintf(text, "v=spf1");

	(void)name;
	if (kind != FACT_DNS_TXT)
		return NULL;
	while (n < 8000)
		n += (size_t)sprintf(text + n, " ?ip4:192.0.2.0/24 -all");
	return text;
}

static const char *
many_that_ask(const char *name, enum fact_kind kind)
{
	static char text[8192];
	size_t n = (size_t)sprintf(text, "v=spf1");

	(void)name;
	if (kind != FACT_DNS_TXT)
		return "127.0.0.1";
	while (n < 8000)
		n += (size_t)sprintf(text + n, " ~a:%%{s}.a.b/31//127");
	return text;
}

static const char *
macro_bomb(const char *name, enum fact_kind kind)
{
	static char text[1024];
	size_t n = (size_t)sprintf(text, "v=spf1 exists:");

	(void)name;
	if (kind != FACT_DNS_TXT)
		return NULL;
	for (int i = 0; i < 100; i++)
		n += (size_t)sprintf(text + n, "%%{H}");
	return text;
}

static void
hostile_records(void **state)
{
	char helo[501];
	struct spf_query q = query_of("192.0.2.1", "h.example", "a@x.ex");
	struct facts facts = { 0 }, more = { 0 }, bomb = { 0 };
	struct spf_answer a = run_made(many_that_match, &facts, &q);

	(void)state;
	assert_int_equal(a.result, SPF_NEUTRAL);
	a = run_made(many_that_ask, &more, &q);
	assert_int_equal(a.result, SPF_PERMERROR);
	assert_string_equal(a.problem, "more than 10 look-ups");
	memset(helo, '&', 500);
	helo[500] = '\0';
	q.helo = slice_of(helo);
	a = run_made(macro_bomb, &bomb, &q);
	assert_int_equal(a.result, SPF_PERMERROR);
	assert_memory_equal(a.problem, "expands to too much", 19);
	facts_free(&facts);
	facts_free(&more);
	facts_free(&bomb);
}

static void
add_answer(struct facts *facts, enum fact_kind kind, const char *name,
    struct slice record, bool is_cut)
{
	struct dns_answer answer = { .status = DNS_OK, .is_cut = is_cut,
		.n_records = 1, .records = { { record } } };
	struct buf wire = { 0 };

	assert_int_equal(put_dns_answer(&wire, &answer), 0);
	assert_int_equal(facts_add(facts, kind, slice_of(name),
	    buf_slice(&wire)), 0);
	buf_free(&wire);
}

/* What did not fit into an answer may be what counts. */
static void
answers_that_were_cut(void **state)
{
	struct spf_query q = query_of("192.0.2.1", "h.example", "a@one.ex");
	struct facts facts = { 0 };
	struct spf_answer a;

	(void)state;
	add_answer(&facts, FACT_DNS_TXT, "one.ex", SLICE("v=spf1 a -all"),
	    true);
	add_answer(&facts, FACT_DNS_A, "one.ex", SLICE("\x7f\0\0\1"), true);
	add_answer(&facts, FACT_DNS_TXT, "two.ex", SLICE("text"), true);
	assert_true(spf_check(&facts, &q, &a));
	assert_string_equal(a.problem, "too many addresses of one.ex");
	assert_int_equal(a.result, SPF_PERMERROR);
	q.sender = SLICE("a@two.ex");
	assert_true(spf_check(&facts, &q, &a));
	assert_string_equal(a.problem, "too many TXT records at two.ex");
	assert_int_equal(a.result, SPF_PERMERROR);
	facts_free(&facts);
}

/* A set that is full is silence, not an answer. */
static void
too_many_facts(void **state)
{
	struct spf_query q = query_of("192.0.2.1", "h.example",
	    "a@pass.example");
	struct facts facts = { 0 };
	struct spf_answer a;
	char key[20];

	(void)state;
	for (int i = 0; i < FACTS_MAX; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_int_equal(facts_add(&facts, FACT_RESULT,
		    slice_of(key), SLICE("")), 0);
	}
	assert_true(spf_check(&facts, &q, &a));
	assert_int_equal(a.result, SPF_TEMPERROR);
	facts_free(&facts);
}

static size_t
n_hosts_of(enum fact_kind kind, size_t n, enum spf_result *result)
{
	struct zone_record made[70] = {
		{ FACT_DNS_TXT, "m.ex", "v=spf1 mx ptr:h.ex -all", 0 } };
	char names[60][20], values[60][30];
	struct spf_query q = query_of("192.0.2.1", "h.example", "a@m.ex");
	struct facts facts = { 0 };
	struct spf_answer a;
	size_t n_asked = 0;

	for (size_t i = 0; i < n; i++) {
		sprintf(names[i], "x%zu.h.ex", i);
		sprintf(values[i], "%s%s", kind == FACT_DNS_MX ? "1 " : "",
		    names[i]);
		made[1 + i] = (struct zone_record){ kind,
			kind == FACT_DNS_MX ? "m.ex" : "1.2.0.192.in-addr.arpa",
			values[i], 0 };
	}
	/* only the last one is the client */
	made[1 + n] = (struct zone_record){ FACT_DNS_A, names[n - 1],
		"192.0.2.1", 0 };
	zone_check(made, &facts, &q, &a);
	for (size_t i = 0; i < facts.n; i++)
		n_asked += facts.items[i].kind == FACT_DNS_A;
	*result = a.result;
	facts_free(&facts);
	return n_asked;
}

static void
ten_hosts(void **state)
{
	enum spf_result result;

	(void)state;
	assert_int_equal(n_hosts_of(FACT_DNS_MX, 10, &result), 10);
	assert_int_equal(result, SPF_PASS);
	assert_int_equal(n_hosts_of(FACT_DNS_MX, 11, &result), 0);
	assert_int_equal(result, SPF_PERMERROR);
	assert_int_equal(n_hosts_of(FACT_DNS_PTR, 10, &result), 10);
	assert_int_equal(result, SPF_PASS);
	/* the first ten are looked at, without an error */
	assert_int_equal(n_hosts_of(FACT_DNS_PTR, 60, &result), 10);
	assert_int_equal(result, SPF_FAIL);
}

/* What can be asked together is wanted together. */
static void
asked_in_parallel(void **state)
{
	struct spf_query q = query_of("192.0.2.1", "h.example",
	    "a@amx.example");
	struct facts facts = { 0 };
	struct spf_answer a;

	(void)state;
	assert_false(spf_check(&facts, &q, &a));
	assert_int_equal(facts.n_wanted, 1);
	zone_answer(zone, &facts);
	assert_false(spf_check(&facts, &q, &a));
	assert_int_equal(facts.n_wanted, 2);	/* A and MX */
	zone_answer(zone, &facts);
	assert_false(spf_check(&facts, &q, &a));
	assert_int_equal(facts.n_wanted, 1);	/* the other host */
	zone_answer(zone, &facts);
	assert_true(spf_check(&facts, &q, &a));
	facts_free(&facts);
}

/* ---- fields ---- */

static void
fields(void **state)
{
	struct spf_query q = query_of("2001:db8::1", "h.example",
	    "\"a b\\\"\"@pass.example");
	struct buf out = { 0 };
	struct facts facts = { 0 };
	struct spf_answer a;

	(void)state;
	zone_check(zone, &facts, &q, &a);
	assert_int_equal(spf_put_received(&out, &q, &a), 0);
	assert_string_equal(out.data, "Received-SPF: pass\n\t(pass.example "
	    "designates the client as permitted sender) identity=mailfrom;\n"
	    "\treceiver=mx.example; client-ip=\"2001:db8::1\"; "
	    "helo=h.example;\n\tenvelope-from=\"\\\"a b\\\\\\\"\\\"@pass.example\";\n");
	out.size = 0;
	q = query_of("192.0.2.1", "a b\r\nX: (y)", "");
	zone_check(zone, &facts, &q, &a);
	assert_int_equal(spf_put_received(&out, &q, &a), 0);
	assert_string_equal(out.data, "Received-SPF: none\n\t(a b??X: "
	    "\\(y\\) has no policy) identity=helo; receiver=mx.example;\n\t"
	    "client-ip=192.0.2.1; helo=\"a b??X: (y)\"; "
	    "envelope-from=\"\";\n");
	buf_free(&out);
	facts_free(&facts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(replayed),
		cmocka_unit_test(include_tree),
		cmocka_unit_test(redirect_chain),
		cmocka_unit_test(long_explanations),
		cmocka_unit_test(long_records),
		cmocka_unit_test(hostile_records),
		cmocka_unit_test(answers_that_were_cut),
		cmocka_unit_test(too_many_facts),
		cmocka_unit_test(ten_hosts),
		cmocka_unit_test(asked_in_parallel),
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
