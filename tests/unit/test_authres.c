/* SPDX-License-Identifier: ISC */
/*
 * test_authres.c - our Authentication-Results, and those that are not ours.
 */
#include <stdio.h>
#include "authres.h"
#include "header.h"
#include "table.h"

#define HOST "mx.example.org"

static void
test_write(void **state)
{
	struct authres a;
	struct buf text = { 0 };

	(void)state;
	authres_start(&a, &text, HOST);
	authres_result(&a, "spf", "pass", SLICE(""));
	authres_property(&a, "smtp.mailfrom", SLICE("a@example.com"));
	authres_result(&a, "dkim", "pass", SLICE("2048 bits"));
	authres_property(&a, "header.d", SLICE("example.com"));
	authres_property(&a, "header.b", SLICE("ab/cd+=="));
	authres_result(&a, "dmarc", "pass", SLICE("p=reject"));
	authres_property(&a, "header.from", SLICE("example.com"));
	assert_int_equal(authres_end(&a), 0);
	assert_string_equal(text.data,
	    "Authentication-Results: mx.example.org; spf=pass "
	    "smtp.mailfrom=a@example.com;\n"
	    "\tdkim=pass (2048 bits) header.d=example.com "
	    "header.b=\"ab/cd+==\";\n"
	    "\tdmarc=pass (p=reject) header.from=example.com\n");
	buf_free(&text);
	authres_start(&a, &text, HOST);
	assert_int_equal(authres_end(&a), 0);
	assert_string_equal(text.data,
	    "Authentication-Results: mx.example.org; none\n");
	buf_free(&text);
}

/* A value may hold anything; the field stays one field. */
static const struct {
	const char *value, *want;
} values[] = {
	{ "example.com", "example.com" },
	{ "a+b@example.com", "a+b@example.com" },
	{ "@example.com", "@example.com" },
	{ "", "\"\"" },
	{ "a b@example.com", "\"a b@example.com\"" },
	{ "a@b@example.com", "\"a@b@example.com\"" },
	{ "x; dkim=pass header.d=example.net",
	    "\"x; dkim=pass header.d=example.net\"" },
	{ "\"; dkim=pass", "\"\\\"; dkim=pass\"" },
	{ "a\\", "\"a\\\\\"" },
	{ "a\nX-Evil: yes", "\"a?X-Evil: yes\"" },
	{ "a\r\n\r\nbody", "\"a????body\"" },
	{ "(comment", "\"(comment\"" },
	{ "\xc3\xbc@example.com", "\"??@example.com\"" },
};

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(values); i++) {
		struct authres a;
		struct buf text = { 0 };
		char want[200];

		authres_start(&a, &text, "h");
		authres_result(&a, "spf", "fail", SLICE(""));
		authres_property(&a, "p", slice_of(values[i].value));
		assert_int_equal(authres_end(&a), 0);
		snprintf(want, sizeof(want), "Authentication-Results: h; "
		    "spf=fail p=%s\n", values[i].want);
		CHECK_STRING(values[i].value, text.data, want);
		buf_free(&text);
	}
}

static void
test_long_values(void **state)
{
	struct authres a;
	struct buf text = { 0 };
	struct header_walk walk;
	struct header_field field;
	char value[5000];

	(void)state;
	memset(value, '"', sizeof(value));
	authres_start(&a, &text, HOST);
	for (int i = 0; i < 20; i++) {
		authres_result(&a, "dkim", "neutral",
		    (struct slice){ "((((\\\\))))\n\n", 12 });
		authres_property(&a, "header.d",
		    (struct slice){ value, sizeof(value) });
	}
	assert_int_equal(authres_end(&a), 0);
	header_walk_start(&walk, buf_slice(&text), true);
	assert_int_equal(header_next(&walk, &field), HEADER_FIELD);
	assert_int_equal(field.size, text.size);
	assert_true(text.size < 20 * 700);
	for (char *line = text.data, *end; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_true(end - line <= 998);
	}
	buf_free(&text);
}

static void
test_no_room(void **state)
{
	struct authres a;
	struct buf text = { .maximum = 40 };

	(void)state;
	authres_start(&a, &text, HOST);
	authres_result(&a, "spf", "pass", SLICE("some words"));
	assert_true(authres_end(&a) < 0);
	buf_free(&text);
}

/* ---- forged ones ---- */

static const struct {
	const char *value;
	bool is_ours;
} ids[] = {
	{ " mx.example.org; spf=pass", true },
	{ "mx.example.org;spf=pass", true },
	{ " MX.Example.ORG; none", true },
	{ " mx.example.org 1; none", true },
	{ " mx.example.org (a (nested) comment) 1 (x); none", true },
	{ " (comment) mx.example.org; none", true },
	{ " (mx.example.net) mx.example.org; none", true },
	{ "\n mx.example.org\n\t; none", true },
	{ " \"mx.example.org\"; none", true },
	{ " \"mx.ex\\ample.org\"; none", true },
	{ " \"MX.EXAMPLE.ORG.\"; none", true },
	{ " mx.example.org.; none", true },
	{ " mx.example.org", true },
	{ " mx.example.org/a5BC; spf=pass", true },
	{ " mx.example.org=1; spf=pass", true },
	{ " mx.example.org dkim=pass", true },
	/* malformed, and might be read as ours */
	{ " (mx.example.org; spf=pass", true },
	{ " \"mx.example.org; spf=pass", true },
	{ " ; mx.example.org; spf=pass", true },
	{ " x y mx.example.org; spf=pass", true },
	/* the same to readers that go by tokens */
	{ " mx . example . org; spf=pass", true },
	{ " mx.(x)example.org; spf=pass", true },
	{ " m\\x.example.org; spf=pass", true },
	{ " \"mx\".example.org; spf=pass", true },
	{ " mx\".\"example.org; spf=pass", true },
	{ " \"mx\" . \"example.ORG\"; spf=pass", true },
	{ " mx.exam\"p\"le.org; spf=pass", true },
	{ " m m\\x.example.org; spf=pass", true },
	/* others' */
	{ " mx.example.net; spf=pass", false },
	{ " xmx.example.org; spf=pass", false },
	{ " mx.example.org.example.net; spf=pass", false },
	{ " a.mx.example.org; spf=pass", false },
	{ " (mx.example.org) mx.example.net; spf=pass", false },
	{ " mx.example.net; spf=pass smtp.helo=mx.example.org", false },
	{ " mx.example.net 1; dkim=pass (mx.example.org)", false },
	{ " m\\x.example.net; spf=pass", false },
	{ " mx.(x)example.or (g); spf=pass", false },
	{ " spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example",
	    false },
	{ " (", false },
	{ "", false },
};

static void
test_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(ids); i++)
		CHECK(ids[i].value, authres_names(slice_of(ids[i].value),
		    HOST) == ids[i].is_ours);
	assert_true(authres_names(SLICE("mx.example.org; x"),
	    "MX.example.org."));
}

static const struct {
	const char *value;
	bool is_ours;
} received_spf[] = {
	{ " pass (mx.example.org: ok) client-ip=192.0.2.1; "
	    "receiver=mx.example.org; identity=mailfrom", true },
	{ " pass receiver = \"MX.example.org\";", true },
	{ " pass receiver=(x)mx.example.org", true },
	{ " pass helo=x;\n\tReceiver=mx.example.org.", true },
	{ " pass (mx.example.org", true },
	{ " pass (mx.example.org: domain of a) client-ip=192.0.2.1", false },
	{ " pass receiver=mx.example.net; helo=mx.example.org", false },
	{ " pass receiver; mx.example.org", false },
	{ " pass helo=\"receiver=mx.example.org\"", false },
	{ " pass", false },
	{ "", false },
};

static void
test_received_spf(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(received_spf); i++)
		CHECK(received_spf[i].value, received_spf_names(
		    slice_of(received_spf[i].value), HOST) ==
		    received_spf[i].is_ours);
}

/* Apply the cuts. */
static void
cut(struct buf *to, struct slice message, const struct judgement *j)
{
	size_t at = 0;

	for (size_t i = 0; i < j->n_cuts; i++) {
		assert_true(j->cuts[i].at >= at);
		buf_append(to, message.data + at, j->cuts[i].at - at);
		at = j->cuts[i].at + j->cuts[i].size;
		assert_true(at <= message.size);
	}
	buf_append(to, message.data + at, message.size - at);
}

static const struct {
	const char *name, *message, *want;
	size_t n_cuts;
} messages[] = {
	{ "none", "From: a\n\nb\n", "From: a\n\nb\n", 0 },
	{ "one", "A: b\nAuthentication-Results: mx.example.org; x\nC: d\n\n",
	    "A: b\nC: d\n\n", 1 },
	{ "folded", "Authentication-Results:\n mx.example.org;\n x\nC: d\n\n",
	    "C: d\n\n", 1 },
	{ "adjacent", "Authentication-Results: mx.example.org; x\n"
	    "AUTHENTICATION-RESULTS : mx.example.org; y\nC: d\n\n",
	    "C: d\n\n", 1 },
	{ "apart", "Authentication-Results: mx.example.org; x\nC: d\n"
	    "Authentication-Results: mx.example.org; x\n\nb\n",
	    "C: d\n\nb\n", 2 },
	{ "others stay", "Authentication-Results: mx.example.net; x\n"
	    "ARC-Authentication-Results: i=1; mx.example.org; x\n"
	    "X-Authentication-Results: mx.example.org; x\n"
	    "Received-SPF: pass (mx.example.org: x)\n\n",
	    "Authentication-Results: mx.example.net; x\n"
	    "ARC-Authentication-Results: i=1; mx.example.org; x\n"
	    "X-Authentication-Results: mx.example.org; x\n"
	    "Received-SPF: pass (mx.example.org: x)\n\n", 0 },
	{ "Received-SPF", "Received-SPF: pass receiver=mx.example.org\nC: d\n"
	    "\n", "C: d\n\n", 1 },
	{ "body", "C: d\n\nAuthentication-Results: mx.example.org; x\n",
	    "C: d\n\nAuthentication-Results: mx.example.org; x\n", 0 },
	{ "behind a line that is no field",
	    "C: d\nrubbish\nAuthentication-Results: mx.example.org; x\nE: f\n"
	    "\n", "C: d\nrubbish\nE: f\n\n", 1 },
	{ "no blank line", "C: d\nAuthentication-Results: mx.example.org; x",
	    "C: d\n", 1 },
	{ "nothing", "", "", 0 },
};

static void
test_cuts(void **state)
{
	static struct judgement j;

	(void)state;
	for (size_t i = 0; i < N_OF(messages); i++) {
		struct slice message = slice_of(messages[i].message);
		struct buf got = { 0 };

		CHECK(messages[i].name, authres_find_forged(message, HOST,
		    &j));
		CHECK(messages[i].name, j.n_cuts == messages[i].n_cuts);
		cut(&got, message, &j);
		CHECK_STRING(messages[i].name, got.size ? got.data : "",
		    messages[i].want);
		buf_free(&got);
	}
}

/* However many there are, none gets through. */
static void
test_many(void **state)
{
	static struct judgement j, again;
	struct buf message = { 0 }, got = { 0 };

	(void)state;
	for (int i = 0; i < 3000; i++)
		buf_printf(&message, "Authentication-Results: "
		    "mx.example.org; x\nX-%d: y\n", i);
	buf_puts(&message, "\nbody\n");
	assert_false(authres_find_forged(buf_slice(&message), HOST, &j));
	assert_int_equal(j.n_cuts, JUDGEMENT_CUTS_MAX);
	cut(&got, buf_slice(&message), &j);
	assert_true(authres_find_forged(buf_slice(&got), HOST, &again));
	assert_int_equal(again.n_cuts, 0);
	assert_string_equal(got.data + got.size - 16, "X-2999: y\n\nbody\n");
	buf_free(&message);
	buf_free(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_received_spf),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
