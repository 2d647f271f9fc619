/* SPDX-License-Identifier: ISC */
/*
 * Local parts of any kind: no octets but ours make a valid address, and
 * whoever was rewritten is found again.
 */
#include <strings.h>
#include "require.h"
#include "srs.h"

static const struct srs_keys keys = { { { 42 }, { 43 } }, 2 };

static void
check_parts(struct slice text)
{
	struct srs_tag tag;

	if (!srs_parse(text, &tag))
		return;
	REQUIRE(is_within(tag.domain, text) && is_within(tag.local, text));
	REQUIRE(tag.domain.size > 0 && tag.local.size > 0);
	REQUIRE(is_within(tag.mac, text) && tag.day.size <= text.size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	char made[ADDRESS_TEXT_MAX + 1], plain[ADDRESS_TEXT_MAX + 1];
	const bool is_good = size % 2;
	struct address a, b, c;
	const struct srs_sender sender = { &a, is_good };
	uint32_t day = (uint32_t)size * 3;
	struct srs_tag tag;

	check_parts(text);
	if (address_parse(&a, text, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK)
		return 0;
	(void)srs_check(plain, &a, &keys, day, 21);
	if (!srs_make(made, &sender, SLICE("ours.example"), &keys, day))
		return 0;
	REQUIRE(address_parse(&b, slice_of(made), ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK);
	REQUIRE(srs_check(plain, &b, &keys, day, 21) == (is_good ?
	    SRS_VALID : SRS_UNAUTHENTICATED));
	if (srs_parse(slice_of(a.local), &tag))
		return 0;
	REQUIRE(address_parse(&c, slice_of(plain), ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK);
	REQUIRE(strcmp(a.local, c.local) == 0 &&
	    strcmp(a.domain, c.domain) == 0);
	return 0;
}
