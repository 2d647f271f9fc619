/* SPDX-License-Identifier: ISC */
/*
 * Our DKIM signatures: what is hashed (RFC 6376 3.4), what is signed, and
 * what vault takes for the text of a signer. That the whole verifies is in
 * tests/e2e/test_submission.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include "dkim_sign.h"
#include "table.h"

/* ---- body ---- */

static const struct body_row {
	const char *body, *canonical;
} bodies[] = {
	{ "", "" },
	{ "\n\n\n", "" },
	{ " \t\n\n", "" },
	{ "a", "a\r\n" },
	{ "a\n", "a\r\n" },
	{ "a\n\n\n", "a\r\n" },
	{ "a\n\n\nb\n", "a\r\n\r\n\r\nb\r\n" },
	{ "a \t \n", "a\r\n" },
	{ "a \t b\n", "a b\r\n" },
	{ " \t a\n", " a\r\n" },
	{ " C \nD \t E\n\n\n", " C\r\nD E\r\n" },	/* RFC 6376 3.4.5 */
	{ "a\n \nb\n", "a\r\n\r\nb\r\n" },
	{ "\n\na\n", "\r\n\r\na\r\n" },
};

static void
hash(const char *body, size_t piece, uint8_t *to)
{
	struct dkim_body b;
	size_t size = strlen(body), n;

	assert_int_equal(dkim_body_start(&b), 0);
	for (size_t at = 0; at < size; at += n) {
		n = size - at < piece ? size - at : piece;
		dkim_body_add(&b, (struct slice){ body + at, n });
	}
	assert_int_equal(dkim_body_end(&b, to), 0);
}

static void
test_bodies(void **state)
{
	uint8_t is[DKIM_HASH_SIZE], want[EVP_MAX_MD_SIZE];
	size_t size;

	(void)state;
	for (size_t i = 0; i < N_OF(bodies); i++) {
		assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL,
		    bodies[i].canonical, strlen(bodies[i].canonical), want,
		    &size), 1);
		for (size_t piece = 1; piece < 5; piece++) {
			hash(bodies[i].body, piece, is);
			CHECK(bodies[i].body,
			    memcmp(is, want, sizeof is) == 0);
		}
	}
}

/* ---- header ---- */

static const struct dkim_signing signing = {
	.domain = { "example.org", 11 }, .selector = { "s1", 2 },
	.algorithm = "rsa-sha256", .when_s = 1234567890,
};

static void
sign(const char *header, struct buf *input, struct buf *field)
{
	assert_int_equal(dkim_sign_write(&signing, slice_of(header), input,
	    field), 0);
}

static void
test_fields(void **state)
{
	struct buf input = { 0 }, field = { 0 };
	struct dkim_input read;

	(void)state;
	sign("X-Not: signed\nSubJect:   a \n\t b  \nFROM :\tA <a@b>\n"
	    "To: one\nTo: two\nReceived: x\n\nbody: no field\n", &input,
	    &field);
	/* the last To first */
	assert_true(strncmp(input.data, "from:A <a@b>\r\nsubject:a b\r\n"
	    "to:two\r\nto:one\r\ndkim-signature:v=1; a=rsa-sha256; "
	    "c=relaxed/relaxed; d=example.org; s=s1; t=1234567890; "
	    "h=from:from:subject:subject:date:to:to:to:cc:", 150) == 0);
	assert_string_equal(input.data + input.size - 3, " b=");
	assert_null(strstr(input.data, "body:"));
	assert_true(dkim_input_read(buf_slice(&input), &read));
	assert_true(slice_equals(read.domain, SLICE("example.org")));
	assert_true(slice_equals(read.selector, SLICE("s1")));
	assert_true(slice_equals(read.algorithm, SLICE("rsa-sha256")));
	assert_int_equal(dkim_sign_finish(&field, SLICE("\0\1\2")), 0);
	assert_string_equal(field.data + field.size - 9, "\n\tb=AAEC\n");
	buf_free(&input);
	buf_free(&field);
}

static void
test_long_signature(void **state)
{
	static char octets[512];
	struct buf field = { 0 };
	struct slice rest, line;

	(void)state;
	assert_int_equal(dkim_sign_finish(&field,
	    (struct slice){ octets, sizeof octets }), 0);
	rest = buf_slice(&field);
	while (rest.size > 0) {
		line = slice_next_line(&rest);
		assert_in_range(line.size, 1, 78);
	}
	assert_int_equal(dkim_sign_finish(&field, SLICE("")), -EINVAL);
	buf_free(&field);
}

/* ---- what vault signs ---- */

#define GOOD "dkim-signature:v=1; a=rsa-sha256; d=e.org; s=s1; h=from:to; " \
	"bh=x; b="

static const struct input_row {
	const char *name, *input;
	bool want;
} inputs[] = {
	{ "good", "from:a\r\n" GOOD, true },
	{ "nothing", "", false },
	{ "no field", "from:a\r\n", false },
	{ "not the last", GOOD "\r\nfrom:a", false },
	{ "an end behind it", GOOD "\r\n", false },
	{ "has a signature", GOOD "xx", false },
	{ "of a part", "dkim-signature:v=1; a=rsa-sha256; d=e.org; s=s1; "
	    "l=0; h=from; bh=x; b=", false },
	{ "without From", "dkim-signature:v=1; a=rsa-sha256; d=e.org; s=s1; "
	    "h=to; bh=x; b=", false },
	{ "twice", "dkim-signature:v=1; a=rsa-sha256; d=e.org; d=f.org; "
	    "s=s1; h=from; bh=x; b=", false },
	{ "other version", "dkim-signature:v=2; a=rsa-sha256; d=e.org; "
	    "s=s1; h=from; bh=x; b=", false },
	{ "no domain", "dkim-signature:v=1; a=rsa-sha256; s=s1; h=from; "
	    "bh=x; b=", false },
	{ "another field", "x-dkim-signature:v=1; a=rsa-sha256; d=e.org; "
	    "s=s1; h=from; bh=x; b=", false },
	{ "ARC", "arc-message-signature:v=1; a=rsa-sha256; d=e.org; s=s1; "
	    "h=from; bh=x; b=", false },
};

static void
test_inputs(void **state)
{
	struct dkim_input read;

	(void)state;
	for (size_t i = 0; i < N_OF(inputs); i++)
		CHECK(inputs[i].name, dkim_input_read(
		    slice_of(inputs[i].input), &read) == inputs[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_long_signature),
		cmocka_unit_test(test_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
