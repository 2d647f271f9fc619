/* SPDX-License-Identifier: ISC */
/*
 * test_names.c - partial names from real names.
 */
#include <stdio.h>
#include "../../directory/names.h"
#include "table.h"

static const struct {
	const char *real_name, *want;
} rows[] = {
	{ "Alice Smith", "alice.smith alice_smith smith alice" },
	{ "  Alice  B.  Smith ", "alice.smith alice_smith smith alice" },
	{ "Alice", "alice" },
	{ "Ann Ann", "ann.ann ann_ann ann" },
	{ "J\xc3\xbcrgen M\xc3\xbcller", "jurgen.muller jurgen_muller muller "
	    "jurgen" },
	{ "\xc5\x81ukasz \xc5\xbb" "elazny", "lukasz.zelazny lukasz_zelazny "
	    "zelazny lukasz" },
	{ "Stra\xc3\x9f" "e \xc3\x86gir", "strasse.aegir strasse_aegir aegir "
	    "strasse" },
	{ "\xc5\xbf x", "s.x s_x x s" },	/* U+017F, last of the table */
	{ "\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd X", "\xd0\x98\xd0\xb2\xd0\xb0\xd0"
	    "\xbd.x \xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd_x x \xd0\x98\xd0\xb2"
	    "\xd0\xb0\xd0\xbd" },
	{ "", "" },
	{ "   ", "" },
	{ "a@b c", "" },
	{ "Web Server <x>", "" },
};

static void
test_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct names_keys keys;
		char got[1024] = "";

		names_make_keys(&keys, slice_of(rows[i].real_name));
		for (size_t k = 0; k < keys.n; k++) {
			strcat(got, k ? " " : "");
			strcat(got, keys.keys[k]);
		}
		CHECK_STRING(rows[i].real_name, got, rows[i].want);
	}
}

static void
test_fold(void **state)
{
	char got[8];

	(void)state;
	assert_true(names_fold(got, sizeof got, SLICE("\xc3\x84" "bC")));
	assert_string_equal(got, "abc");
	assert_true(names_fold(got, sizeof got, SLICE("\xff\x80x")));
	assert_string_equal(got, "\xff\x80x");
	assert_false(names_fold(got, sizeof got, SLICE("12345678")));
	assert_string_equal(got, "");
	assert_true(names_fold(got, sizeof got, SLICE("1234567")));
}

static void
test_gecos(void **state)
{
	char got[16];

	(void)state;
	assert_true(names_from_gecos(got, sizeof got, "Al Bo,Room 1,", "x"));
	assert_string_equal(got, "Al Bo");
	assert_true(names_from_gecos(got, sizeof got, "& Bo", "al"));
	assert_string_equal(got, "Al Bo");
	assert_false(names_from_gecos(got, sizeof got, ",,", "al"));
	assert_false(names_from_gecos(got, sizeof got,
	    "a name that is too long", "al"));
	assert_string_equal(got, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_gecos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
