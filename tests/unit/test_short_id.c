/* SPDX-License-Identifier: ISC */
/*
 * test_short_id.c - ids come back, and typing errors are noticed.
 */
#include <errno.h>
#include "short_id.h"
#include "table.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static const struct {
	uint16_t segment;
	uint32_t offset;
} places[] = {
	{ 0, 0 }, { 0, 16 }, { 1, 0 }, { 1, 16 }, { 7, 4096 },
	{ 12345, 0xabcde0 }, { 65535, SHORT_ID_OFFSET_MAX }, { 65535, 0 },
	{ 0, SHORT_ID_OFFSET_MAX }, { 32768, 524288 },
};

static void
test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(places); i++) {
		char text[SHORT_ID_SIZE];
		struct short_id id;

		assert_int_equal(short_id_encode(text, places[i].segment,
		    places[i].offset), 0);
		assert_int_equal(strlen(text), SHORT_ID_SIZE - 1);
		assert_int_equal(strspn(text, digits), SHORT_ID_SIZE - 1);
		assert_int_equal(short_id_decode(&id, slice_of(text)), 0);
		assert_int_equal(id.segment, places[i].segment);
		assert_int_equal(id.offset, places[i].offset);
		assert_int_equal(id.number, 0);
	}
}

static void
test_encode_range(void **state)
{
	char text[SHORT_ID_SIZE];

	(void)state;
	assert_int_equal(short_id_encode(text, 0, 1), -ERANGE);
	assert_int_equal(short_id_encode(text, 0, 15), -ERANGE);
	assert_int_equal(short_id_encode(text, 0,
	    SHORT_ID_OFFSET_MAX + SHORT_ID_UNIT), -ERANGE);
}

/* The layout is written down in logs: it must not change by accident. */
static void
test_layout(void **state)
{
	char text[SHORT_ID_SIZE];

	(void)state;
	assert_int_equal(short_id_encode(text, 0, 0), 0);
	assert_string_equal(text, "000000055");
	assert_int_equal(short_id_encode(text, 0x8000, 0), 0);
	assert_int_equal(text[0], 'g');
	assert_int_equal(short_id_encode(text, 0, 16), 0);
	assert_memory_equal(text, "000000", 6);
}

/* Every wrong character at every place. */
static void
test_one_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(places); i++) {
		char text[SHORT_ID_SIZE], wrong[SHORT_ID_SIZE];
		struct short_id id;

		short_id_encode(text, places[i].segment, places[i].offset);
		for (size_t at = 0; at < SHORT_ID_SIZE - 1; at++) {
			for (const char *c = digits; *c != '\0'; c++) {
				memcpy(wrong, text, sizeof(wrong));
				wrong[at] = *c;
				CHECK(wrong, short_id_decode(&id,
				    slice_of(wrong)) ==
				    (*c == text[at] ? 0 : -EINVAL));
			}
		}
	}
}

/* Every exchange of two characters that differ. */
static void
test_two_swapped(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(places); i++) {
		char text[SHORT_ID_SIZE], wrong[SHORT_ID_SIZE];
		struct short_id id;

		short_id_encode(text, places[i].segment, places[i].offset);
		for (size_t a = 0; a < SHORT_ID_SIZE - 1; a++) {
			for (size_t b = a + 1; b < SHORT_ID_SIZE - 1; b++) {
				memcpy(wrong, text, sizeof(wrong));
				wrong[a] = text[b];
				wrong[b] = text[a];
				CHECK(wrong, short_id_decode(&id,
				    slice_of(wrong)) ==
				    (text[a] == text[b] ? 0 : -EINVAL));
			}
		}
	}
}

static void
test_numbers(void **state)
{
	static const struct {
		unsigned number;
		const char *suffix;
	} rows[] = {
		{ 1, "1" }, { 31, "z" }, { 32, "10" }, { 1023, "zz" },
		{ 1024, "100" }, { 1056, "110" },
		{ SHORT_ID_NUMBER_MAX, "zzz" },
	};
	char text[SHORT_ID_SIZE], numbered[SHORT_ID_NUMBERED_SIZE];
	struct short_id id;

	(void)state;
	short_id_encode(text, 513, 4096);
	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_int_equal(short_id_with_number(numbered, text,
		    rows[i].number), 0);
		assert_memory_equal(numbered, text, SHORT_ID_SIZE - 1);
		assert_string_equal(numbered + SHORT_ID_SIZE - 1,
		    rows[i].suffix);
		assert_int_equal(short_id_decode(&id, slice_of(numbered)), 0);
		assert_int_equal(id.number, rows[i].number);
		assert_int_equal(id.segment, 513);
		assert_int_equal(id.offset, 4096);
	}
	assert_int_equal(short_id_with_number(numbered, text, 0), -ERANGE);
	assert_int_equal(short_id_with_number(numbered, text,
	    SHORT_ID_NUMBER_MAX + 1), -ERANGE);
}

static const struct {
	const char *text;
	size_t size;		/* 0: strlen */
	int want;
} typed[] = {
	{ "000000055", 0, 0 },
	{ "OOOooo055", 0, 0 },
	{ "0000000551", 0, 0 },
	{ "000000055I", 0, 0 },
	{ "000000055l", 0, 0 },
	{ "000000055zzz", 0, 0 },
	{ "0000000550", 0, -EINVAL },
	{ "000000055o1", 0, -EINVAL },
	{ "000000055zzzz", 0, -EINVAL },
	{ "00000005", 0, -EINVAL },
	{ "000000000", 0, -EINVAL },
	{ "zzzzzzzzz", 0, -EINVAL },
	{ "", 0, -EINVAL },
	{ "00000005u", 0, -EINVAL },
	{ "00000005-", 0, -EINVAL },
	{ "00000\0" "055", 9, -EINVAL },
	{ "000000055\0", 10, -EINVAL },
	{ "000000055 ", 0, -EINVAL },
	{ "\xc3\xb6" "0000055", 0, -EINVAL },
};

static void
test_typed(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(typed); i++) {
		struct slice text = { typed[i].text, typed[i].size ?
		    typed[i].size : strlen(typed[i].text) };
		struct short_id id;

		CHECK(typed[i].text,
		    short_id_decode(&id, text) == typed[i].want);
	}
}

static void
test_upper_case(void **state)
{
	char text[SHORT_ID_SIZE];
	struct short_id id;

	(void)state;
	for (size_t i = 0; i < N_OF(places); i++) {
		short_id_encode(text, places[i].segment, places[i].offset);
		for (char *c = text; *c != '\0'; c++) {
			if (*c >= 'a' && *c <= 'z')
				*c = (char)(*c - 'a' + 'A');
			else if (*c == '1')
				*c = i % 2 ? 'L' : 'i';
			else if (*c == '0')
				*c = i % 2 ? 'o' : 'O';
		}
		CHECK(text, short_id_decode(&id, slice_of(text)) == 0);
		CHECK(text, id.segment == places[i].segment &&
		    id.offset == places[i].offset);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_encode_range),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_one_wrong),
		cmocka_unit_test(test_two_swapped),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_typed),
		cmocka_unit_test(test_upper_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
