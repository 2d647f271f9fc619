/* SPDX-License-Identifier: ISC */
/*
 * test_relay_probe.c - which replies of next hops are kept, for how long and
 * for whom, and how often a destination is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "../../relay/probe_cache.h"
#include "../../relay/probe_limits.h"

#define S ((int64_t)1000000)
#define START (1000 * S)

static const struct relay_probe bob = { { { "example.net", 11 }, false,
	{ "a@example.org", 13 }, false, false }, { "bob@example.net", 15 } };

static struct hop_reply
said(unsigned code)
{
	struct hop_reply a = { .is_said = true, .stage = RELAY_AT_RCPT,
		.remote_host = SLICE("mx[192.0.2.1]") };

	verdict_set(&a.verdict, (int)code, 1, 5, "words of %u", code);
	return a;
}

/* ---- what is kept ---- */

static void
test_kept_for_a_while(void **state)
{
	static const struct {
		unsigned code;
		int64_t seconds;
	} rows[] = { { 250, PROBE_KEPT_ACCEPTED_S },
		{ 550, PROBE_KEPT_REFUSED_S }, { 450, PROBE_KEPT_LATER_S } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct probe_cache *p = probe_cache_new();
		struct hop_reply a = said(rows[i].code), got;
		int64_t end = START + rows[i].seconds * S;

		assert_false(probe_cache_find(p, &bob, START, &got));
		probe_cache_keep(p, &bob, &a, START);
		assert_true(probe_cache_find(p, &bob, START, &got));
		assert_int_equal(got.age_s, 1);
		assert_true(got.is_said);
		assert_int_equal(got.verdict.code, rows[i].code);
		assert_string_equal(got.verdict.text, a.verdict.text);
		assert_int_equal(got.verdict.detail, 5);
		assert_memory_equal(got.remote_host.data, "mx[192.0.2.1]",
		    got.remote_host.size);
		assert_true(probe_cache_find(p, &bob, end - S, &got));
		assert_int_equal(got.age_s, rows[i].seconds - 1);
		assert_false(probe_cache_find(p, &bob, end, &got));
		probe_cache_free(&p);
	}
}

static void
test_kept_for_the_same_question(void **state)
{
	struct probe_cache *p = probe_cache_new();
	struct hop_reply a = said(550), got;
	struct relay_probe other[6];

	(void)state;
	probe_cache_keep(p, &bob, &a, START);
	for (size_t i = 0; i < 6; i++)
		other[i] = bob;
	other[0].address = SLICE("Bob@example.net");
	other[1].envelope.reverse_path = SLICE("");
	other[2].envelope.domain = SLICE("example.com");
	other[3].envelope.is_smart_host = true;
	other[4].envelope.is_utf8 = true;
	other[5].envelope.requires_tls = true;
	for (size_t i = 0; i < 6; i++)
		assert_false(probe_cache_find(p, &other[i], START, &got));
	/* the last word counts, in one place */
	a = said(250);
	probe_cache_keep(p, &bob, &a, START + S);
	assert_int_equal(probe_cache_count(p), 1);
	assert_true(probe_cache_find(p, &bob, START + S, &got));
	assert_int_equal(got.verdict.code, 250);
	probe_cache_free(&p);
}

static struct relay_probe
numbered(char text[32], unsigned number)
{
	struct relay_probe q = bob;

	snprintf(text, 32, "u%u@example.net", number);
	q.address = slice_of(text);
	return q;
}

static void
test_memory_is_bounded(void **state)
{
	struct probe_cache *p = probe_cache_new();
	struct hop_reply refused = said(550), taken = said(250), got;
	struct relay_probe q;
	char text[32];

	(void)state;
	/* number 5 alone ends soon */
	for (unsigned i = 0; i < PROBE_CACHE_MAX; i++) {
		q = numbered(text, i);
		probe_cache_keep(p, &q, i == 5 ? &refused : &taken,
		    START + i);
	}
	assert_int_equal(probe_cache_count(p), PROBE_CACHE_MAX);
	/* the oldest goes ... */
	q = numbered(text, PROBE_CACHE_MAX);
	probe_cache_keep(p, &q, &taken, START + 2 * S);
	assert_int_equal(probe_cache_count(p), PROBE_CACHE_MAX);
	q = numbered(text, 0);
	assert_false(probe_cache_find(p, &q, START + 2 * S, &got));
	q = numbered(text, 1);
	assert_true(probe_cache_find(p, &q, START + 2 * S, &got));
	/* ... but what is over before it */
	q = numbered(text, PROBE_CACHE_MAX + 1);
	probe_cache_keep(p, &q, &taken, START + 1000 * S);
	assert_true(probe_cache_find(p, &q, START + 1000 * S, &got));
	q = numbered(text, 1);
	assert_true(probe_cache_find(p, &q, START + 1000 * S, &got));
	probe_cache_free(&p);
	assert_null(p);
}

/* ---- limits ---- */

static void
begin_and_end(struct probe_limits *l, enum probe_end how, int64_t now_us)
{
	assert_null(probe_limits_begin(l, "a", now_us));
	probe_limits_end(l, "a", how, now_us);
}

static void
test_at_once(void **state)
{
	struct probe_limits *l = probe_limits_new();

	(void)state;
	for (int i = 0; i < PROBES_AT_ONCE; i++)
		assert_null(probe_limits_begin(l, "a", START));
	assert_non_null(probe_limits_begin(l, "a", START));
	assert_null(probe_limits_begin(l, "b", START));
	probe_limits_end(l, "a", PROBE_ANSWERED, START);
	assert_null(probe_limits_begin(l, "a", START));
	assert_non_null(probe_limits_begin(l, "a", START));
	probe_limits_free(&l);
}

static void
test_how_often(void **state)
{
	struct probe_limits *l = probe_limits_new();
	int64_t now_us = START;

	(void)state;
	for (int i = 0; i < PROBES_BURST; i++)
		begin_and_end(l, PROBE_ANSWERED, now_us);
	assert_non_null(probe_limits_begin(l, "a", now_us));
	assert_null(probe_limits_begin(l, "b", now_us));
	for (int i = 0; i < 5; i++) {
		now_us += PROBES_EVERY_S * S;
		begin_and_end(l, PROBE_ANSWERED, now_us);
		assert_non_null(probe_limits_begin(l, "a", now_us));
	}
	/* rest for long enough gives the whole burst back, and no more */
	now_us += 10 * PROBES_BURST * PROBES_EVERY_S * S;
	for (int i = 0; i < PROBES_BURST; i++)
		begin_and_end(l, PROBE_ANSWERED, now_us);
	assert_non_null(probe_limits_begin(l, "a", now_us));
	probe_limits_free(&l);
}

static void
test_refusals(void **state)
{
	struct probe_limits *l = probe_limits_new();
	int64_t now_us = START;

	(void)state;
	for (int i = 0; i < PROBES_REFUSED_BURST; i++) {
		now_us += PROBES_EVERY_S * S;
		begin_and_end(l, PROBE_REFUSED, now_us);
	}
	now_us += PROBES_EVERY_S * S;
	assert_non_null(probe_limits_begin(l, "a", now_us));
	assert_null(probe_limits_begin(l, "b", now_us));
	now_us = START + (PROBES_REFUSED_EVERY_S + 1) * S;
	begin_and_end(l, PROBE_REFUSED, now_us);
	assert_non_null(probe_limits_begin(l, "a", now_us + S));
	probe_limits_free(&l);
}

static void
test_rest(void **state)
{
	struct probe_limits *l = probe_limits_new();
	int64_t end = START + PROBES_REST_S * S;

	(void)state;
	begin_and_end(l, PROBE_BROKEN_OFF, START);
	begin_and_end(l, PROBE_SILENT, START);
	assert_non_null(probe_limits_begin(l, "a", START));
	assert_non_null(probe_limits_begin(l, "a", end - 1));
	assert_null(probe_limits_begin(l, "b", START));
	begin_and_end(l, PROBE_ANSWERED, end);
	probe_limits_free(&l);
}

/* Those that are asked keep their place; the one that is longest idle
 * gives its place away. */
static void
test_many_destinations(void **state)
{
	struct probe_limits *l = probe_limits_new();
	char name[32], longest[400];

	(void)state;
	begin_and_end(l, PROBE_SILENT, START);
	for (unsigned i = 1; i < PROBE_DESTINATIONS_MAX; i++) {
		snprintf(name, sizeof name, "d%u", i);
		assert_null(probe_limits_begin(l, name, START + 1));
	}
	/* the silent one makes room, then there is none */
	assert_null(probe_limits_begin(l, "more", START + 2));
	assert_non_null(probe_limits_begin(l, "a", START + 3));
	probe_limits_end(l, "d7", PROBE_ANSWERED, START + 4);
	assert_null(probe_limits_begin(l, "a", START + 5));
	probe_limits_end(l, "d7", PROBE_ANSWERED, START + 6);	/* forgotten */
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	assert_non_null(probe_limits_begin(l, longest, START));
	probe_limits_free(&l);
	assert_null(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_for_a_while),
		cmocka_unit_test(test_kept_for_the_same_question),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_how_often),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_many_destinations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
