/* SPDX-License-Identifier: ISC */
/*
 * test_check_spf.c - what SPF's results cost the client, and what later
 * stages are told.
 */
#include "../../policy/judging.h"
#include "../../policy/spf_result.h"
#include "spf_zone.h"
#include "table.h"

#define T FACT_DNS_TXT

static const struct zone_record zone[] = {
	{ T, "pass.example", "v=spf1 ip4:192.0.2.1 -all", 0 },
	{ T, "fail.example", "v=spf1 -all exp=why.example", 0 },
	{ T, "why.example", "ask %{o}\"s postmaster", 0 },
	{ T, "soft.example", "v=spf1 ~all", 0 },
	{ T, "broken.example", "v=spf1 -al", 0 },
	{ T, "dead.example", NULL, 0 },
	{ 0, NULL, NULL, 0 }
};

static const struct row {
	const char *helo, *sender;
	enum finding_kind want;
	unsigned code, detail;
	const char *text;	/* how the reply begins, or the note */
	const char *result;
} rows[] = {
	{ "h.example", "a@pass.example", FINDING_ACCEPT, 0, 0,
	    "pass (mailfrom pass.example), none (helo h.example)", "pass" },
	{ "pass.example", "", FINDING_ACCEPT, 0, 0,
	    "pass (helo pass.example)", "pass" },
	{ "h.example", "a@none.example", FINDING_ACCEPT, 0, 0,
	    "none (mailfrom none.example), none (helo h.example)", "none" },
	{ "h.example", "a@soft.example", FINDING_ACCEPT, 0, 0,
	    "softfail (mailfrom soft.example), none (helo h.example)",
	    "softfail" },
	{ "broken.example", "a@pass.example", FINDING_ACCEPT, 0, 0,
	    "pass (mailfrom pass.example), permerror (helo broken.example): "
	    "unknown mechanism at broken.example: -al", "pass" },
	{ "h.example", "a@fail.example", FINDING_REFUSE, 550, 23,
	    "fail.example does not permit 192.0.2.1 to send its mail (SPF); "
	    "it explains: ask fail.example\"s postmaster", "fail" },
	{ "fail.example", "a@pass.example", FINDING_REFUSE, 550, 23,
	    "fail.example does not permit 192.0.2.1 to use its name (SPF); "
	    "it explains: ask fail.example\"s postmaster", "pass" },
	{ "fail.example", "", FINDING_REFUSE, 550, 23,
	    "fail.example does not permit 192.0.2.1 to use its name (SPF); "
	    "it explains: ask fail.example\"s postmaster", "fail" },
	{ "dead.example", "", FINDING_TEMPORARY, 451, 24,
	    "cannot check SPF now: no answer for TXT of dead.example",
	    "temperror" },
	{ "h.example", "a@broken.example", FINDING_REFUSE, 550, 24,
	    "the SPF policy of broken.example cannot be evaluated: unknown "
	    "mechanism at broken.example: -al", "permerror" },
	{ "h.example", "a@dead.example", FINDING_TEMPORARY, 451, 24,
	    "cannot check SPF now: no answer for TXT of dead.example",
	    "temperror" },
	{ "dead.example", "a@pass.example", FINDING_TEMPORARY, 451, 24,
	    "cannot check SPF now: no answer for TXT of dead.example",
	    "pass" },
	{ "dead.example", "a@fail.example", FINDING_REFUSE, 550, 23,
	    "fail.example does not permit 192.0.2.1 to send its mail (SPF); "
	    "it explains: ask fail.example\"s postmaster", "fail" },
};

static struct config config;

static void
set_action(enum config_action action)
{
	for (size_t i = 0; i < sizeof config.checks.actions /
	    sizeof *config.checks.actions; i++)
		config.checks.actions[i] = ACTION_OFF;
	config.checks.actions[CHECK_SPF] = action;
}

static void
tell(struct facts *facts, enum fact_kind kind, const char *value)
{
	assert_int_equal(facts_add(facts, kind, SLICE(""), slice_of(value)),
	    0);
}

static void
judge_row(const struct row *r, struct facts *facts, struct judgement *j)
{
	tell(facts, FACT_TIME, "1700000000");
	tell(facts, FACT_HOST, "mx.example");
	tell(facts, FACT_CLIENT_IP, "192.0.2.1");
	tell(facts, FACT_HELO, r->helo);
	tell(facts, FACT_SENDER, r->sender);
	for (;;) {
		struct facts wanted;

		judge(&config, JUDGE_MAIL, facts, SLICE(""), j);
		if (j->is_complete)
			return;
		/* the judgement took them: they go back to be answered */
		wanted = j->facts;
		assert_true(wanted.n_wanted > 0);
		for (size_t i = 0; i < wanted.n_wanted; i++) {
			struct slice none;

			facts_get(facts, wanted.wanted[i].kind,
			    wanted.wanted[i].key, &none);
		}
		zone_answer(zone, facts);
		judgement_free(j);
	}
}

static struct slice
result_of(const struct judgement *j, const char *name)
{
	struct slice value;

	CHECK(name, facts_find(&j->facts, FACT_RESULT, slice_of(name),
	    &value));
	return value;
}

/* Without a reverse-path its word is a mark until the end of data. */
static void
judge_data(const struct row *r, struct facts *facts, struct judgement *j)
{
	CHECK(r->text, j->findings[0].kind == FINDING_MARK);
	CHECK(r->text, j->findings[0].verdict.code == 0);
	for (size_t i = 0; i < j->facts.n; i++)
		assert_int_equal(facts_add(facts, FACT_RESULT,
		    j->facts.items[i].key, j->facts.items[i].value), 0);
	judgement_free(j);
	judge(&config, JUDGE_DATA, facts, SLICE("Subject: x\n\nx\n"), j);
	assert_true(j->is_complete);
}

static void
refusing(void **state)
{
	(void)state;
	set_action(ACTION_REFUSE);
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct row *r = &rows[i];
		struct facts facts = { 0 };
		struct judgement j;
		const struct finding *f;

		judge_row(r, &facts, &j);
		assert_int_equal(j.n_findings, 1);
		CHECK(r->text, slice_starts_nocase(result_of(&j, "spf"),
		    slice_of(r->result)));
		if (r->sender[0] == '\0' && r->code != 0)
			judge_data(r, &facts, &j);
		assert_int_equal(j.n_findings, 1);
		f = &j.findings[0];
		CHECK_STRING(r->text, f->check, "spf");
		CHECK(r->text, f->kind == r->want);
		CHECK(r->text, f->verdict.code == r->code);
		CHECK(r->text, f->verdict.detail == r->detail);
		CHECK(r->text, f->verdict.subject == (r->code ? 7 : 0));
		CHECK_STRING(r->text, r->code ? f->verdict.text : f->detail,
		    r->text);
		judgement_free(&j);
		facts_free(&facts);
	}
}

static void
marking(void **state)
{
	(void)state;
	set_action(ACTION_MARK);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct facts facts = { 0 };
		struct judgement j;

		judge_row(&rows[i], &facts, &j);
		assert_int_equal(j.n_findings, 1);
		CHECK(rows[i].text, j.findings[0].kind ==
		    (rows[i].code ? FINDING_MARK : FINDING_ACCEPT));
		CHECK(rows[i].text, j.findings[0].verdict.code == 0);
		judgement_free(&j);
		facts_free(&facts);
	}
}

/* Off: no finding, but DMARC and greylist are told, if they run. */
static void
feeding(void **state)
{
	struct facts facts = { 0 };
	struct judgement j;
	struct slice value;

	(void)state;
	set_action(ACTION_OFF);
	judge_row(&rows[5], &facts, &j);
	assert_int_equal(facts.n, 5);	/* nothing was asked */
	judgement_free(&j);
	facts_free(&facts);
	config.checks.actions[CHECK_DMARC] = ACTION_MARK;
	judge_row(&rows[5], &facts, &j);
	assert_int_equal(j.n_findings, 0);
	assert_true(slice_equals(result_of(&j, "spf"),
	    SLICE("fail fail.example mailfrom")));
	assert_false(facts_find(&j.facts, FACT_RESULT, SLICE("sender"),
	    &value));
	judgement_free(&j);
	facts_free(&facts);
}

/* At the end of the data the results are facts again. */
static void
handing_on(void **state)
{
	struct facts facts = { 0 };
	struct judgement mail, data;
	struct check c = { .config = &config, .stage = JUDGE_DATA,
		.facts = &facts };
	struct spf_told told;

	(void)state;
	set_action(ACTION_MARK);
	assert_false(spf_told(&c, &told));
	judge_row(&rows[0], &facts, &mail);
	assert_true(slice_equals(result_of(&mail, "sender"),
	    SLICE("spf pass.example")));
	assert_int_equal(facts_add_all(&facts, &mail.facts), 0);
	assert_true(spf_told(&c, &told));
	assert_string_equal(told.result, "pass");
	assert_string_equal(told.domain, "pass.example");
	assert_false(told.is_helo);
	judge(&config, JUDGE_DATA, &facts, SLICE("From: a@b.example\n\n"),
	    &data);
	assert_true(data.is_complete);
	assert_non_null(data.fields.data);
	assert_non_null(strstr(data.fields.data, "Received-SPF: pass\n\t("));
	assert_non_null(strstr(data.fields.data, "spf=pass smtp.mailfrom="));
	judgement_free(&data);
	judgement_free(&mail);
	facts_free(&facts);
}

/* Of a null reverse-path; a name that is none is left out. */
static void
handing_on_helo(void **state)
{
	struct row row = { .helo = "[192.0.2.1]", .sender = "" };
	struct facts facts = { 0 };
	struct judgement j;
	struct check c = { .config = &config, .facts = &facts };
	struct spf_told told;
	struct slice value;

	(void)state;
	judge_row(&row, &facts, &j);
	assert_int_equal(facts_add_all(&facts, &j.facts), 0);
	assert_true(spf_told(&c, &told));
	assert_string_equal(told.result, "none");
	assert_string_equal(told.domain, "");
	assert_true(told.is_helo);
	assert_false(facts_find(&j.facts, FACT_RESULT, SLICE("sender"),
	    &value));
	judgement_free(&j);
	facts_free(&facts);
}

/* No address (a socket file): nobody to check. */
static void
no_client(void **state)
{
	struct facts facts = { 0 };
	struct judgement j;

	(void)state;
	set_action(ACTION_REFUSE);
	tell(&facts, FACT_HELO, "fail.example");
	judge(&config, JUDGE_MAIL, &facts, SLICE(""), &j);
	assert_true(j.is_complete);
	assert_int_equal(j.n_findings, 0);
	judgement_free(&j);
	facts_free(&facts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusing),
		cmocka_unit_test(marking),
		cmocka_unit_test(feeding),
		cmocka_unit_test(handing_on),
		cmocka_unit_test(handing_on_helo),
		cmocka_unit_test(no_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
