/* SPDX-License-Identifier: ISC */
/*
 * fuzz_address_list.c - input: the value of a To field.
 */
#include "address_list.h"
#include "require.h"
#include "utf8.h"

#define ALLOWED (ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_BARE_LOCAL | \
	ADDRESS_ALLOW_LONG_LOCAL)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice value = { (const char *)data, size };
	struct address_list list, one;
	struct address a, again;
	enum address_list_step step;
	size_t left = size + 1;

	address_list_start(&list, value);
	while ((step = address_list_next(&list, &a)) == ADDRESS_LIST_MAILBOX) {
		REQUIRE(is_within(list.rest, value));
		REQUIRE(is_within(list.mailbox, value));
		REQUIRE(list.rest.size < left);
		left = list.rest.size;
		REQUIRE(a.local[0] != '\0' && !a.is_null);
		REQUIRE(!has_control_octet(slice_of(a.text)));
		/* it is an address of SMTP ... */
		REQUIRE(address_parse(&again, slice_of(a.text), ALLOWED) ==
		    ADDRESS_OK);
		REQUIRE(strcmp(again.local, a.local) == 0);
		/* ... and, by itself, a list of one */
		address_list_start(&one, slice_of(a.text));
		REQUIRE(address_list_next(&one, &again) ==
		    ADDRESS_LIST_MAILBOX);
		REQUIRE(strcmp(again.text, a.text) == 0);
		REQUIRE(address_list_next(&one, &again) == ADDRESS_LIST_END);
	}
	REQUIRE(is_within(list.mailbox, value));
	REQUIRE((step == ADDRESS_LIST_BAD) == list.is_bad);
	REQUIRE(list.is_bad || list.rest.size == 0);
	return 0;
}
