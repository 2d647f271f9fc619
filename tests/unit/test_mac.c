/* SPDX-License-Identifier: ISC */
/*
 * test_mac.c - what is sealed opens again; what is too short to have a MAC,
 * too long, or changed does not, and what could not be packed leaves nothing.
 */
#include <errno.h>
#include <string.h>
#include "mac.h"
#include "table.h"

#define MOST 64			/* 32 of them for the MAC */

static const uint8_t key[MAC_KEY_SIZE] = { 1, 2, 3 }, other[MAC_KEY_SIZE];

static int
seal(struct buf *out, size_t size)
{
	static const char text[MOST + 1];
	struct pack packed = { .out = out };
	size_t begin = out->size;

	pack_bytes(&packed, text, size);
	return mac_seal(&packed, begin, MOST, key);
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *name;
		size_t size;
		int want;
	} table[] = {
		{ "one octet", 1, 0 },
		{ "one less than fits", MOST - MAC_SIZE - 1, 0 },
		{ "all that fits", MOST - MAC_SIZE, 0 },
		{ "one more", MOST - MAC_SIZE + 1, -EMSGSIZE },
		{ "fits without the MAC", MOST, -EMSGSIZE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++) {
		struct buf out = { 0 };
		struct slice sealed;

		assert_int_equal(buf_puts(&out, "before"), 0);
		CHECK(table[i].name, seal(&out, table[i].size) ==
		    table[i].want);
		if (table[i].want == 0) {
			sealed = (struct slice){ out.data + 6, out.size - 6 };
			CHECK(table[i].name, sealed.size == table[i].size +
			    MAC_SIZE);
			CHECK(table[i].name, mac_open(&sealed, MOST,
			    key) == 0);
			CHECK(table[i].name, sealed.size == table[i].size);
		} else
			CHECK(table[i].name, out.size == 6);
		buf_free(&out);
	}
}

/* The octets are a right MAC where there is room for one. */
static void
test_what_does_not_open(void **state)
{
	struct buf out = { 0 };
	struct slice sealed;

	(void)state;
	assert_int_equal(seal(&out, MOST - MAC_SIZE), 0);
	for (size_t size = 0; size <= MAC_SIZE; size++) {
		sealed = (struct slice){ out.data, size };
		assert_int_equal(mac_open(&sealed, MOST, key), -EBADMSG);
		assert_int_equal(mac_open(&sealed, MOST, NULL), -EBADMSG);
	}
	sealed = buf_slice(&out);
	assert_int_equal(mac_open(&sealed, MOST - 1, key), -EBADMSG);
	sealed = buf_slice(&out);
	assert_int_equal(mac_open(&sealed, MOST - 1, NULL), -EBADMSG);
	sealed = buf_slice(&out);
	assert_int_equal(mac_open(&sealed, MOST, other), -EBADMSG);
	sealed = buf_slice(&out);
	assert_int_equal(mac_open(&sealed, MOST, NULL), 0);
	for (size_t i = 0; i < out.size; i++) {
		out.data[i] ^= 0x10;
		sealed = buf_slice(&out);
		assert_int_equal(mac_open(&sealed, MOST, key), -EBADMSG);
		out.data[i] ^= 0x10;
	}
	buf_free(&out);
}

/* A length that 16 bits do not hold is not written cut off. */
static void
test_a_text_that_is_too_long(void **state)
{
	static const char text[UINT16_MAX + 1];
	struct buf out = { 0 };
	struct pack packed = { .out = &out };

	(void)state;
	pack_slice(&packed, (struct slice){ text, UINT16_MAX });
	assert_int_equal(packed.error, 0);
	assert_int_equal(out.size, 2 + UINT16_MAX);
	pack_slice(&packed, (struct slice){ text, UINT16_MAX + 1 });
	assert_int_equal(packed.error, -EMSGSIZE);
	assert_int_equal(out.size, 2 + UINT16_MAX);
	pack_u8(&packed, 1);	/* the first error sticks */
	assert_int_equal(out.size, 2 + UINT16_MAX);
	assert_int_equal(mac_seal(&packed, 0, SIZE_MAX, key), -EMSGSIZE);
	assert_int_equal(out.size, 0);
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_what_does_not_open),
		cmocka_unit_test(test_a_text_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
