/* SPDX-License-Identifier: ISC */
/*
 * Local parts of any kind: no octets but ours make a valid tag, and an
 * address that was tagged is recognised.
 */
#include "batv.h"
#include "require.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct batv_key key = { 4, { 42 } };
	struct slice text = { (const char *)data, size };
	char tagged[ADDRESS_TEXT_MAX + 1];
	struct address a, b;
	struct batv_tag tag;
	uint32_t day = (uint32_t)size * 3;

	if (batv_parse(text, &tag))
		REQUIRE(tag.local.size + BATV_TAG_SIZE == size &&
		    tag.generation < 10 && tag.day < 1000 &&
		    tag.mac < 1u << 24);
	if (address_parse(&a, text, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK)
		return 0;
	(void)batv_check(&key, 1, &a, day, NULL);
	if (!batv_make(tagged, sizeof tagged, &a, &key, day))
		return 0;
	REQUIRE(address_parse(&b, slice_of(tagged), ADDRESS_ALLOW_UTF8) ==
	    ADDRESS_OK);
	REQUIRE(batv_check(&key, 1, &b, day, NULL) == BATV_VALID);
	return 0;
}
