/* SPDX-License-Identifier: ISC */
/*
 * test_dmarc.c - records, alignment, and what follows from both.
 */
#include "../../policy/dmarc.h"
#include "dkim_fixture.h"

/* ---- records ---- */

static const struct {
	const char *text;
	bool is_record;
	enum dmarc_policy p, sp;
	bool adkim, aspf;
	unsigned pct;
} records[] = {
	{ "v=DMARC1; p=none", true, 0, 0, false, false, 100 },
	{ "v=DMARC1;p=reject;", true, 2, 2, false, false, 100 },
	{ "v=DMARC1; p=quarantine; sp=reject; adkim=s; aspf=s; pct=25",
	    true, 1, 2, true, true, 25 },
	{ " v = DMARC1 ; p = Reject ; adkim = r ", true, 2, 2, false, false,
	    100 },
	{ "v=DMARC1; p=reject; sp=none", true, 2, 0, false, false, 100 },
	{ "v=DMARC1; p=reject; fo=1; ri=3600; rua=mailto:a@b!10m; x=y",
	    true, 2, 2, false, false, 100 },
	/* a bad tag counts as absent */
	{ "v=DMARC1; p=reject; adkim=x; pct=150", true, 2, 2, false, false,
	    100 },
	{ "v=DMARC1; p=reject; pct=9999999999", true, 2, 2, false, false,
	    100 },
	{ "v=DMARC1; p=reject; pct=-1; junk; =x; \xff=1", true, 2, 2, false,
	    false, 100 },
	{ "v=DMARC1; p=reject; pct=0", true, 2, 2, false, false, 0 },
	{ "v=DMARC1; p=reject; p=none", true, 2, 2, false, false, 100 },
	{ "v=DMARC1; rua=mailto:a@example.org; p=reject", true, 2, 2, false,
	    false, 100 },
	/* no policy, but somebody who wants reports */
	{ "v=DMARC1; p=foo; rua=mailto:a@example.org", true, 0, 0, false,
	    false, 100 },
	{ "v=DMARC1; rua=mailto:a@example.org", true, 0, 0, false, false,
	    100 },
	{ "v=DMARC1; p=reject; sp=foo; rua=mailto:a@b.example", true, 0, 0,
	    false, false, 100 },
	/* none at all */
	{ "v=DMARC1; p=foo", false, 0, 0, false, false, 0 },
	{ "v=DMARC1; p=reject; sp=foo", false, 0, 0, false, false, 0 },
	{ "v=DMARC1", false, 0, 0, false, false, 0 },
	{ "v=DMARC1; rua=nothing", false, 0, 0, false, false, 0 },
	{ "", false, 0, 0, false, false, 0 },
	{ "v=DMARC2; p=reject", false, 0, 0, false, false, 0 },
	{ "v=dmarc1; p=reject", false, 0, 0, false, false, 0 },
	{ "v=DMARC10; p=reject", false, 0, 0, false, false, 0 },
	{ "p=reject; v=DMARC1", false, 0, 0, false, false, 0 },
	{ "v=spf1 -all", false, 0, 0, false, false, 0 },
	{ "; v=DMARC1; p=reject", false, 0, 0, false, false, 0 },
};

static void
test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(records); i++) {
		const char *name = records[i].text;
		struct dmarc_record r;

		CHECK(name, dmarc_record_parse(slice_of(name), &r) ==
		    records[i].is_record);
		if (!records[i].is_record)
			continue;
		CHECK(name, r.policy == records[i].p);
		CHECK(name, r.subdomain_policy == records[i].sp);
		CHECK(name, r.is_strict_dkim == records[i].adkim);
		CHECK(name, r.is_strict_spf == records[i].aspf);
		CHECK(name, r.percent == records[i].pct);
	}
}

/* ---- organisations and alignment ---- */

static const struct {
	const char *name, *organisation;
} organisations[] = {
	{ "example.com", "example.com" },
	{ "a.b.example.com", "example.com" },
	{ "example.co.uk", "example.co.uk" },
	{ "news.example.co.uk", "example.co.uk" },
	{ "co.uk", NULL },
	{ "com", NULL },
	{ "city.kawasaki.jp", "city.kawasaki.jp" },
	{ "a.city.kawasaki.jp", "city.kawasaki.jp" },
	{ "example.kawasaki.jp", NULL },
	{ "a.example.kawasaki.jp", "a.example.kawasaki.jp" },
	{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ "a.b.unknown", "b.unknown" },
};

static void
test_organisations(void **state)
{
	(void)state;
	assert_int_equal(dmarc_warm_up(), 0);
	for (size_t i = 0; i < N_OF(organisations); i++) {
		const char *got = dmarc_organisation(organisations[i].name);

		CHECK_STRING(organisations[i].name, got ? got : "-",
		    organisations[i].organisation ?
		    organisations[i].organisation : "-");
	}
}

/*
 * One case: domains and results in, result out. "none" as a domain is no
 * such result. RFC 7489 appendix B.1 are those marked so.
 */
static const struct {
	const char *name;
	const char *from;
	const char *record;		/* at the From domain, NULL: none */
	const char *above;		/* at its organisation */
	const char *spf;		/* domain that passed, "?": temporary */
	const char *dkim;		/* the same */
	enum dmarc_status want;
	enum dmarc_policy applied;
} cases[] = {
	/* B.1.1 */
	{ "B.1.1 example 1: SPF in alignment", "example.com",
	    "v=DMARC1; p=reject", NULL, "example.com", NULL,
	    DMARC_STATUS_PASS, 0 },
	{ "B.1.1 example 2: parent", "example.com", "v=DMARC1; p=reject",
	    NULL, "child.example.com", NULL, DMARC_STATUS_PASS, 0 },
	{ "B.1.1 example 2, strict", "example.com",
	    "v=DMARC1; p=reject; aspf=s", NULL, "child.example.com", NULL,
	    DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "B.1.1 example 3: not aligned", "example.com",
	    "v=DMARC1; p=reject", NULL, "example.net", NULL,
	    DMARC_STATUS_FAIL, DMARC_REJECT },
	/* B.1.2 */
	{ "B.1.2 example 1: DKIM in alignment", "example.com",
	    "v=DMARC1; p=reject", NULL, NULL, "example.com",
	    DMARC_STATUS_PASS, 0 },
	{ "B.1.2 example 2: parent", "child.example.com", NULL,
	    "v=DMARC1; p=reject", NULL, "example.com",
	    DMARC_STATUS_PASS, 0 },
	{ "B.1.2 example 2, strict", "child.example.com", NULL,
	    "v=DMARC1; p=reject; adkim=s", NULL, "example.com",
	    DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "B.1.2 example 3: not aligned", "example.com",
	    "v=DMARC1; p=reject", NULL, NULL, "sample.net",
	    DMARC_STATUS_FAIL, DMARC_REJECT },
	/* 3.1.1, 3.1.2 */
	{ "3.1.1: news.example.com for example.com", "example.com",
	    "v=DMARC1; p=reject", NULL, NULL, "news.example.com",
	    DMARC_STATUS_PASS, 0 },
	{ "3.1.1: a public suffix as d=", "example.com",
	    "v=DMARC1; p=reject", NULL, NULL, "com",
	    DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "3.1.2: cbg.bounces.example.com for payments.example.com",
	    "payments.example.com", "v=DMARC1; p=reject", NULL,
	    "cbg.bounces.example.com", NULL, DMARC_STATUS_PASS, 0 },
	{ "3.1.2, strict", "payments.example.com",
	    "v=DMARC1; p=reject; aspf=s", NULL, "cbg.bounces.example.com",
	    NULL, DMARC_STATUS_FAIL, DMARC_REJECT },
	/* either is enough */
	{ "both", "example.com", "v=DMARC1; p=reject", NULL, "example.com",
	    "example.com", DMARC_STATUS_PASS, 0 },
	{ "SPF of another, DKIM good", "example.com", "v=DMARC1; p=reject",
	    NULL, "example.net", "example.com", DMARC_STATUS_PASS, 0 },
	{ "DKIM of another, SPF good", "example.com", "v=DMARC1; p=reject",
	    NULL, "example.com", "example.net", DMARC_STATUS_PASS, 0 },
	{ "strict DKIM fails, relaxed SPF passes", "example.com",
	    "v=DMARC1; p=reject; adkim=s", NULL, "a.example.com",
	    "a.example.com", DMARC_STATUS_PASS, 0 },
	{ "strict both, same", "example.com",
	    "v=DMARC1; p=reject; adkim=s; aspf=s", NULL, "example.com",
	    "example.com", DMARC_STATUS_PASS, 0 },
	{ "strict both, below", "example.com",
	    "v=DMARC1; p=reject; adkim=s; aspf=s", NULL, "a.example.com",
	    "b.example.com", DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "nothing", "example.com", "v=DMARC1; p=reject", NULL, NULL, NULL,
	    DMARC_STATUS_FAIL, DMARC_REJECT },
	/* names that only look alike */
	{ "suffix without a dot", "example.com", "v=DMARC1; p=reject", NULL,
	    NULL, "badexample.com", DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "the same below a public suffix", "example.co.uk",
	    "v=DMARC1; p=reject", NULL, NULL, "other.co.uk",
	    DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "customers of one host", "alice.github.io", "v=DMARC1; p=reject",
	    NULL, NULL, "bob.github.io", DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "a name in front", "example.com", "v=DMARC1; p=reject", NULL,
	    NULL, "example.com.example.net", DMARC_STATUS_FAIL,
	    DMARC_REJECT },
	/* policies */
	{ "none", "example.com", "v=DMARC1; p=none", NULL, NULL, NULL,
	    DMARC_STATUS_FAIL, DMARC_NONE },
	{ "quarantine", "example.com", "v=DMARC1; p=quarantine", NULL, NULL,
	    NULL, DMARC_STATUS_FAIL, DMARC_QUARANTINE },
	{ "reject by nobody", "example.com", "v=DMARC1; p=reject; pct=0",
	    NULL, NULL, NULL, DMARC_STATUS_FAIL, DMARC_QUARANTINE },
	{ "quarantine by nobody", "example.com",
	    "v=DMARC1; p=quarantine; pct=0", NULL, NULL, NULL,
	    DMARC_STATUS_FAIL, DMARC_NONE },
	{ "none by nobody", "example.com", "v=DMARC1; p=none; pct=0", NULL,
	    NULL, NULL, DMARC_STATUS_FAIL, DMARC_NONE },
	/* subdomains */
	{ "the organisation's p=", "a.example.com", NULL,
	    "v=DMARC1; p=reject", NULL, NULL, DMARC_STATUS_FAIL,
	    DMARC_REJECT },
	{ "the organisation's sp=", "a.example.com", NULL,
	    "v=DMARC1; p=reject; sp=quarantine", NULL, NULL,
	    DMARC_STATUS_FAIL, DMARC_QUARANTINE },
	{ "sp=none", "a.example.com", NULL, "v=DMARC1; p=reject; sp=none",
	    NULL, NULL, DMARC_STATUS_FAIL, DMARC_NONE },
	{ "sp=reject with p=none", "a.example.com", NULL,
	    "v=DMARC1; p=none; sp=reject", NULL, NULL, DMARC_STATUS_FAIL,
	    DMARC_REJECT },
	{ "sp= does not count at home", "example.com",
	    "v=DMARC1; p=none; sp=reject", NULL, NULL, NULL,
	    DMARC_STATUS_FAIL, DMARC_NONE },
	{ "own record before the organisation's", "a.example.com",
	    "v=DMARC1; p=none", "v=DMARC1; p=reject", NULL, NULL,
	    DMARC_STATUS_FAIL, DMARC_NONE },
	{ "own sp= does not count for itself", "a.example.com",
	    "v=DMARC1; p=quarantine; sp=none", NULL, NULL, NULL,
	    DMARC_STATUS_FAIL, DMARC_QUARANTINE },
	{ "deep below", "a.b.c.d.example.co.uk", NULL, "v=DMARC1; p=reject",
	    NULL, "example.co.uk", DMARC_STATUS_PASS, 0 },
	{ "a public suffix has no organisation", "co.uk", NULL, NULL, NULL,
	    NULL, DMARC_STATUS_NONE, 0 },
	/* no record */
	{ "no record", "example.com", NULL, NULL, NULL, NULL,
	    DMARC_STATUS_NONE, 0 },
	{ "no record, though aligned", "example.com", NULL, NULL,
	    "example.com", "example.com", DMARC_STATUS_NONE, 0 },
	{ "malformed record", "example.com", "v=DMARC1; p=maybe", NULL,
	    NULL, NULL, DMARC_STATUS_NONE, 0 },
	{ "malformed record, good one above", "a.example.com",
	    "v=DMARC1; p=maybe", "v=DMARC1; p=reject", NULL, NULL,
	    DMARC_STATUS_NONE, 0 },
	{ "another TXT, a record above", "a.example.com", "v=spf1 -all",
	    "v=DMARC1; p=reject", NULL, NULL, DMARC_STATUS_FAIL,
	    DMARC_REJECT },
	{ "another TXT", "example.com", "v=spf1 -all", NULL, NULL, NULL,
	    DMARC_STATUS_NONE, 0 },
	/* silence; tested for its weight below */
	{ "no answer", "example.com", "?", NULL, NULL, NULL,
	    DMARC_STATUS_TEMPERROR, 0 },
	{ "no answer here, though one above", "a.example.com", "?",
	    "v=DMARC1; p=none", NULL, NULL, DMARC_STATUS_TEMPERROR, 0 },
	{ "no answer above", "a.example.com", NULL, "?", NULL, NULL,
	    DMARC_STATUS_TEMPERROR, 0 },
	{ "no answer above, but one here", "a.example.com",
	    "v=DMARC1; p=reject", "?", NULL, NULL, DMARC_STATUS_FAIL,
	    DMARC_REJECT },
	{ "SPF silent", "example.com", "v=DMARC1; p=reject", NULL,
	    "?example.com", NULL, DMARC_STATUS_TEMPERROR, 0 },
	{ "SPF silent, not aligned", "example.com", "v=DMARC1; p=reject",
	    NULL, "?example.net", NULL, DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "SPF silent, DKIM passes", "example.com", "v=DMARC1; p=reject",
	    NULL, "?example.com", "example.com", DMARC_STATUS_PASS, 0 },
	{ "DKIM silent", "example.com", "v=DMARC1; p=reject", NULL, NULL,
	    "?a.example.com", DMARC_STATUS_TEMPERROR, 0 },
	{ "DKIM silent, strict", "example.com",
	    "v=DMARC1; p=reject; adkim=s", NULL, NULL, "?a.example.com",
	    DMARC_STATUS_FAIL, DMARC_REJECT },
	{ "DKIM silent, SPF passes", "example.com", "v=DMARC1; p=reject",
	    NULL, "a.example.com", "?example.com", DMARC_STATUS_PASS, 0 },
};

static void
tell_record(struct facts *facts, const char *domain, const char *record)
{
	char name[300];

	snprintf(name, sizeof(name), "_dmarc.%s", domain);
	if (record == NULL)
		tell_txt(facts, name, DNS_NO_NAME, NULL);
	else if (*record == '?')
		tell_txt(facts, name, DNS_FAILED, NULL);
	else
		tell_one_txt(facts, name, record);
}

static void
run_case(size_t i, struct dmarc_result *result)
{
	struct dmarc_spf spf = { 0 };
	struct dkim_report dkim = { 0 };
	struct facts facts = { 0 };
	const char *organisation = dmarc_organisation(cases[i].from);
	char message[400];

	snprintf(message, sizeof(message), "From: <a@%s>\n\n", cases[i].from);
	tell_record(&facts, cases[i].from, cases[i].record);
	if (organisation != NULL && strcmp(organisation, cases[i].from) != 0)
		tell_record(&facts, organisation, cases[i].above);
	if (cases[i].spf != NULL) {
		spf.is_temporary = *cases[i].spf == '?';
		spf.is_pass = !spf.is_temporary;
		snprintf(spf.domain, sizeof(spf.domain), "%s",
		    cases[i].spf + spf.is_temporary);
	}
	if (cases[i].dkim != NULL) {
		bool is_silent = *cases[i].dkim == '?';

		dkim.n_results = 1;
		dkim.results[0].status = is_silent ? DKIM_TEMPERROR :
		    DKIM_PASS;
		snprintf(dkim.results[0].domain,
		    sizeof(dkim.results[0].domain), "%s",
		    cases[i].dkim + is_silent);
	}
	CHECK(cases[i].name, dmarc_evaluate(slice_of(message), &spf, &dkim,
	    &facts, result));
	facts_free(&facts);
}

static void
test_cases(void **state)
{
	struct dmarc_result result;

	(void)state;
	assert_true(N_OF(cases) >= 40);
	for (size_t i = 0; i < N_OF(cases); i++) {
		run_case(i, &result);
		CHECK_STRING(cases[i].name, dmarc_status_name(result.status),
		    dmarc_status_name(cases[i].want));
		CHECK(cases[i].name, result.applied == cases[i].applied);
		CHECK_STRING(cases[i].name, result.domain, cases[i].from);
	}
}

/* Only a DKIM result that vouches for the whole body counts. */
static void
test_only_passes(void **state)
{
	struct dmarc_spf spf = { 0 };
	struct dkim_report dkim = { .n_results = 1 };
	struct dmarc_result result;

	(void)state;
	snprintf(dkim.results[0].domain, sizeof(dkim.results[0].domain),
	    "example.com");
	for (int s = DKIM_NEUTRAL; s <= DKIM_PERMERROR; s++) {
		struct facts facts = { 0 };

		dkim.results[0].status = (enum dkim_status)s;
		tell_record(&facts, "example.com", "v=DMARC1; p=reject");
		assert_true(dmarc_evaluate(SLICE("From: a@example.com\n\n"),
		    &spf, &dkim, &facts, &result));
		assert_int_equal(result.status, s == DKIM_PASS ?
		    DMARC_STATUS_PASS : s == DKIM_TEMPERROR ?
		    DMARC_STATUS_TEMPERROR : DMARC_STATUS_FAIL);
		facts_free(&facts);
	}
	/* the second of two */
	dkim.n_results = 2;
	dkim.results[1] = dkim.results[0];
	dkim.results[0].status = DKIM_FAIL;
	dkim.results[1].status = DKIM_PASS;
	{
		struct facts facts = { 0 };

		tell_record(&facts, "example.com", "v=DMARC1; p=reject");
		assert_true(dmarc_evaluate(SLICE("From: a@example.com\n\n"),
		    &spf, &dkim, &facts, &result));
		assert_int_equal(result.status, DMARC_STATUS_PASS);
		assert_true(result.is_by_dkim && !result.is_by_spf);
		facts_free(&facts);
	}
	/* one whose domain nobody could read, for lack of memory */
	dkim.results[1].status = DKIM_TEMPERROR;
	dkim.results[1].domain[0] = '\0';
	{
		struct facts facts = { 0 };

		tell_record(&facts, "example.com", "v=DMARC1; p=reject");
		assert_true(dmarc_evaluate(SLICE("From: a@example.com\n\n"),
		    &spf, &dkim, &facts, &result));
		assert_int_equal(result.status, DMARC_STATUS_TEMPERROR);
		facts_free(&facts);
	}
}

/* Silence weighs only where its answer could have changed the verdict. */
static void
test_silence(void **state)
{
	static const struct {
		const char *name, *record, *spf;
		bool is_grave;
	} rows[] = {
		{ "no record told", "?", NULL, true },
		{ "no record told, passes by any", "?", "example.com",
		    false },
		{ "no record told, passes if relaxed", "?", "a.example.com",
		    true },
		{ "SPF silent, reject", "v=DMARC1; p=reject",
		    "?example.com", true },
		{ "SPF silent, quarantine", "v=DMARC1; p=quarantine",
		    "?example.com", true },
		{ "SPF silent, none", "v=DMARC1; p=none", "?example.com",
		    false },
		{ "SPF silent, quarantine by nobody",
		    "v=DMARC1; p=quarantine; pct=0", "?example.com", false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct dmarc_spf spf = { 0 };
		struct dkim_report dkim = { 0 };
		struct facts facts = { 0 };
		struct dmarc_result result;

		if (rows[i].spf != NULL) {
			spf.is_temporary = *rows[i].spf == '?';
			spf.is_pass = !spf.is_temporary;
			snprintf(spf.domain, sizeof(spf.domain), "%s",
			    rows[i].spf + spf.is_temporary);
		}
		tell_record(&facts, "example.com", rows[i].record);
		CHECK(rows[i].name, dmarc_evaluate(
		    SLICE("From: a@example.com\n\n"), &spf, &dkim, &facts,
		    &result));
		CHECK(rows[i].name, result.status == DMARC_STATUS_TEMPERROR);
		CHECK(rows[i].name, result.is_silence_grave ==
		    rows[i].is_grave);
		facts_free(&facts);
	}
}

/* Answers with several records, or with too much. */
static void
test_answers(void **state)
{
	static const char *const two[] = { "v=DMARC1; p=reject",
	    "v=DMARC1; p=none", NULL };
	static const char *const mixed[] = { "hello", "v=DMARC1; p=reject",
	    "v=spf1 -all", NULL };
	struct dns_answer answer = { .status = DNS_OK };
	struct dmarc_record record;

	(void)state;
	for (int i = 0; two[i] != NULL; i++)
		answer.records[answer.n_records++].data = slice_of(two[i]);
	assert_int_equal(dmarc_record_find(&answer, &record),
	    DMARC_UNUSABLE);
	answer.n_records = 0;
	for (int i = 0; mixed[i] != NULL; i++)
		answer.records[answer.n_records++].data = slice_of(mixed[i]);
	assert_int_equal(dmarc_record_find(&answer, &record), DMARC_FOUND);
	assert_int_equal(record.policy, DMARC_REJECT);
	answer.is_cut = true;
	assert_int_equal(dmarc_record_find(&answer, &record), DMARC_FOUND);
	answer.n_records = 1;
	assert_int_equal(dmarc_record_find(&answer, &record),
	    DMARC_SILENCE);
	answer.status = DNS_FAILED;
	assert_int_equal(dmarc_record_find(&answer, &record),
	    DMARC_SILENCE);
}

/* Both records are asked for at once, also while DKIM still wants keys. */
static void
test_wanted(void **state)
{
	struct dmarc_spf spf = { 0 };
	struct dkim_report dkim = { 0 };
	struct dmarc_result result;
	struct facts facts = { 0 };
	const struct slice message = SLICE("From: a@b.example.org\n\n");

	(void)state;
	assert_false(dmarc_evaluate(message, &spf, NULL, &facts, &result));
	assert_int_equal(facts.n_wanted, 2);
	assert_true(slice_equals(facts.wanted[0].key,
	    SLICE("_dmarc.b.example.org")));
	assert_true(slice_equals(facts.wanted[1].key,
	    SLICE("_dmarc.example.org")));
	tell_record(&facts, "b.example.org", NULL);
	assert_false(dmarc_evaluate(message, &spf, &dkim, &facts, &result));
	tell_record(&facts, "example.org", "v=DMARC1; p=reject");
	assert_false(dmarc_evaluate(message, &spf, NULL, &facts, &result));
	assert_true(dmarc_evaluate(message, &spf, &dkim, &facts, &result));
	assert_int_equal(result.applied, DMARC_REJECT);
	assert_string_equal(result.record_domain, "example.org");
	facts_free(&facts);
}

/* pct: the same message has the same draw; many have it in proportion. */
static void
test_draw(void **state)
{
	static const unsigned percents[] = { 0, 1, 25, 50, 99, 100 };
	char text[40];

	(void)state;
	for (size_t p = 0; p < N_OF(percents); p++) {
		unsigned n = 0;

		for (int i = 0; i < 4000; i++) {
			bool first;

			snprintf(text, sizeof(text), "message %d\n", i);
			first = dmarc_is_drawn(slice_of(text), percents[p]);
			assert_true(first == dmarc_is_drawn(slice_of(text),
			    percents[p]));
			n += first;
		}
		assert_in_range(n + 150, 40 * percents[p],
		    40 * percents[p] + 300);
		assert_true(percents[p] > 0 || n == 0);
		assert_true(percents[p] < 100 || n == 4000);
	}
}

static void
test_no_author(void **state)
{
	struct dmarc_spf spf = { .is_pass = true, .domain = "example.com" };
	struct dkim_report dkim = { 0 };
	struct dmarc_result result;
	struct facts facts = { 0 };

	(void)state;
	assert_true(dmarc_evaluate(SLICE("From: a@example.com\n"
	    "From: b@example.net\n\n"), &spf, &dkim, &facts, &result));
	assert_int_equal(result.status, DMARC_STATUS_PERMERROR);
	assert_int_equal(result.author, AUTHOR_SEVERAL_FIELDS);
	assert_int_equal(facts.n_wanted, 0);
	facts_free(&facts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_organisations),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_only_passes),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_draw),
		cmocka_unit_test(test_no_author),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
