/* SPDX-License-Identifier: ISC */
/*
 * fuzz_short_id.c - input: an id as somebody typed it.
 */
#include "require.h"
#include "short_id.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	char plain[SHORT_ID_SIZE], numbered[SHORT_ID_NUMBERED_SIZE];
	struct short_id id, again;

	if (short_id_decode(&id, text) != 0)
		return 0;
	REQUIRE(short_id_encode(plain, id.segment, id.offset) == 0);
	memcpy(numbered, plain, sizeof(plain));
	REQUIRE(id.number == 0 ||
	    short_id_with_number(numbered, plain, id.number) == 0);
	REQUIRE(strlen(numbered) == size);
	REQUIRE(short_id_decode(&again, slice_of(numbered)) == 0);
	REQUIRE(again.segment == id.segment && again.offset == id.offset &&
	    again.number == id.number);
	return 0;
}
