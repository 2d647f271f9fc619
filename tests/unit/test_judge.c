/* SPDX-License-Identifier: ISC */
/*
 * test_judge.c - judgements: their round trip, their order of strictness,
 * and what a policy worker that was taken over cannot say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "judge.h"

static struct finding *
find_add(struct judgement *j, const char *check, enum finding_kind kind,
    int code)
{
	struct finding *f = &j->findings[j->n_findings++];

	snprintf(f->check, sizeof f->check, "%s", check);
	f->kind = kind;
	if (code != 0)
		verdict_set(&f->verdict, code, 7, 1, "%s says no", check);
	snprintf(f->detail, sizeof f->detail, "because of %s", check);
	return f;
}

static void
fill(struct judgement *j)
{
	*j = (struct judgement){ .is_complete = true, .is_junk = true,
		.is_spared = true,
		.junk_reason = "dmarc quarantine", .n_cuts = 2,
		.cuts = { { 0, 10 }, { 10, 5 } } };
	find_add(j, "helo", FINDING_MARK, 0);
	find_add(j, "spf", FINDING_REFUSE, 550);
	facts_add(&j->facts, FACT_RESULT, SLICE("spf"), SLICE("fail"));
	buf_puts(&j->fields, "Received-SPF: fail\n (folded)\n");
}

static bool
survives(const struct judgement *j)
{
	struct buf wire = { 0 };
	struct judgement copy;
	bool ok = put_judgement(&wire, j) == 0 &&
	    get_judgement(buf_slice(&wire), &copy);

	if (ok)
		judgement_free(&copy);
	buf_free(&wire);
	return ok;
}

static void
judgements_survive_the_wire(void **state)
{
	struct judgement j, k;
	struct buf wire = { 0 };
	struct slice v;

	(void)state;
	fill(&j);
	assert_int_equal(put_judgement(&wire, &j), 0);
	assert_true(get_judgement(buf_slice(&wire), &k));
	assert_true(k.is_complete && k.is_junk && k.is_spared);
	assert_string_equal(k.junk_reason, "dmarc quarantine");
	assert_int_equal(k.n_findings, 2);
	assert_string_equal(k.findings[1].check, "spf");
	assert_int_equal(k.findings[1].verdict.code, 550);
	assert_string_equal(k.findings[1].verdict.text, "spf says no");
	assert_string_equal(k.findings[0].detail, "because of helo");
	assert_true(slice_equals(buf_slice(&k.fields), buf_slice(&j.fields)));
	assert_true(facts_find(&k.facts, FACT_RESULT, SLICE("spf"), &v));
	assert_int_equal(k.n_cuts, 2);
	assert_int_equal(k.cuts[1].size, 5);
	judgement_free(&k);
	for (size_t n = 0; n < wire.size; n++)
		assert_false(get_judgement((struct slice){ wire.data, n },
		    &k));
	buf_append(&wire, "", 1);
	assert_false(get_judgement(buf_slice(&wire), &k));
	buf_free(&wire);
	judgement_free(&j);
}

static void
an_incomplete_one_wants_something_and_says_nothing(void **state)
{
	struct judgement j = { 0 };
	struct slice v;

	(void)state;
	assert_false(survives(&j));
	facts_get(&j.facts, FACT_DNS_A, SLICE("example.org"), &v);
	assert_true(survives(&j));
	find_add(&j, "helo", FINDING_MARK, 0);
	assert_false(survives(&j));
	judgement_free(&j);
}

static void
codes_are_of_their_kind(void **state)
{
	static const struct { enum finding_kind kind; int code; bool ok; }
	    rows[] = {
		{ FINDING_ACCEPT, 0, true }, { FINDING_ACCEPT, 550, false },
		{ FINDING_MARK, 0, true }, { FINDING_MARK, 451, false },
		{ FINDING_TEMPORARY, 451, true },
		{ FINDING_TEMPORARY, 550, false },
		{ FINDING_TEMPORARY, 0, false },
		{ FINDING_REFUSE, 550, true }, { FINDING_REFUSE, 450, false },
		{ FINDING_REFUSE, 250, false }, { 4, 550, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct judgement j = { .is_complete = true };

		find_add(&j, "x", rows[i].kind, rows[i].code);
		assert_int_equal(survives(&j), rows[i].ok);
	}
}

static void
fields_are_header_lines(void **state)
{
	static const struct { const char *text; bool ok; } rows[] = {
		{ "A: b\n", true }, { "A: b\n\tc\nD: e\n", true },
		{ "A: b", false }, { "A: b\n\nbody\n", false },
		{ " A: b\n", false }, { "A: b\r\n", false },
		{ "no field\n", false }, { ": x\n", false },
		{ "A: b\nplain\n", false }, { "\n", false }, { "", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct judgement j = { .is_complete = true };

		buf_puts(&j.fields, rows[i].text);
		assert_int_equal(survives(&j), rows[i].ok);
		judgement_free(&j);
	}
}

static void
cuts_lie_in_order(void **state)
{
	static const struct { struct judgement_cut a, b; bool ok; } rows[] = {
		{ { 0, 1 }, { 1, 1 }, true }, { { 0, 2 }, { 1, 1 }, false },
		{ { 5, 1 }, { 1, 1 }, false }, { { 0, 0 }, { 1, 1 }, false },
		{ { 0, 1 }, { 2, UINT64_MAX }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct judgement j = { .is_complete = true, .n_cuts = 2,
			.cuts = { rows[i].a, rows[i].b } };

		assert_int_equal(survives(&j), rows[i].ok);
	}
}

static void
facts_of_others_are_not_policys_to_state(void **state)
{
	struct judgement j = { .is_complete = true };

	(void)state;
	facts_add(&j.facts, FACT_SEEN, SLICE("x"), SLICE(""));
	assert_true(survives(&j));
	facts_add(&j.facts, FACT_CLIENT_IP, SLICE(""), SLICE("192.0.2.1"));
	assert_false(survives(&j));
	judgement_free(&j);
}

static void
the_first_of_the_strictest_wins(void **state)
{
	struct judgement j = { .is_complete = true };

	(void)state;
	assert_null(judgement_strictest(&j));
	find_add(&j, "a", FINDING_ACCEPT, 0);
	find_add(&j, "b", FINDING_MARK, 0);
	assert_null(judgement_strictest(&j));
	find_add(&j, "c", FINDING_TEMPORARY, 451);
	assert_string_equal(judgement_strictest(&j)->check, "c");
	find_add(&j, "d", FINDING_REFUSE, 550);
	find_add(&j, "e", FINDING_REFUSE, 554);
	find_add(&j, "f", FINDING_TEMPORARY, 451);
	assert_string_equal(judgement_strictest(&j)->check, "d");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judgements_survive_the_wire),
		cmocka_unit_test(
		    an_incomplete_one_wants_something_and_says_nothing),
		cmocka_unit_test(codes_are_of_their_kind),
		cmocka_unit_test(fields_are_header_lines),
		cmocka_unit_test(cuts_lie_in_order),
		cmocka_unit_test(facts_of_others_are_not_policys_to_state),
		cmocka_unit_test(the_first_of_the_strictest_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
