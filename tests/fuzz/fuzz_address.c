/* SPDX-License-Identifier: ISC */
/*
 * fuzz_address.c - input: one octet of enum address_allow, then a path.
 */
#include "address.h"
#include "require.h"
#include "utf8.h"

/* What was parsed can be written, and parses to the same again. */
static void
check_address(const struct address *a, unsigned allow)
{
	struct slice local = slice_of(a->local), domain = slice_of(a->domain);
	char written[2 * ADDRESS_LONG_LOCAL_MAX + ADDRESS_DOMAIN_MAX + 4];
	char key[ADDRESS_TEXT_MAX + 1];
	struct slice user, tag;
	struct address again;

	REQUIRE(!has_control_octet(local) && !has_control_octet(domain));
	REQUIRE(!has_control_octet(slice_of(a->text)));
	REQUIRE(utf8_is_ascii(domain));
	REQUIRE(a->needs_smtputf8 == !utf8_is_ascii(slice_of(a->text)));
	REQUIRE(a->is_null == (local.size == 0));
	REQUIRE(is_within(address_strip_tags(local), local));
	address_split_plus(local, "+-", &user, &tag);
	REQUIRE(is_within(user, local) && is_within(tag, local));
	REQUIRE(a->is_null || user.size > 0);
	address_write_key(key, a);
	REQUIRE(a->is_null == (key[0] == '\0'));
	if (a->is_null)
		return;
	REQUIRE(address_write(written, sizeof(written), local, domain));
	if (strlen(written) > ADDRESS_TEXT_MAX)
		return;		/* an A-label is longer than its U-label */
	REQUIRE(address_parse(&again, slice_of(written),
	    allow | ADDRESS_ALLOW_BARE_LOCAL) == ADDRESS_OK);
	REQUIRE(strcmp(again.local, a->local) == 0);
	REQUIRE(strcmp(again.domain, a->domain) == 0);
}

static void
check_domain(struct slice text, unsigned allow)
{
	char domain[ADDRESS_DOMAIN_MAX + 1], again[ADDRESS_DOMAIN_MAX + 1];

	if (address_parse_domain(domain, text, allow) != ADDRESS_OK) {
		REQUIRE(domain[0] == '\0');
		return;
	}
	REQUIRE(address_parse_domain(again, slice_of(domain), 0) ==
	    ADDRESS_OK);
	REQUIRE(strcmp(domain, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text, rest;
	struct address a;
	unsigned allow;

	if (size == 0)
		return 0;
	allow = data[0];
	text = rest = (struct slice){ (const char *)data + 1, size - 1 };
	if (address_parse_path(&a, &rest, allow) == ADDRESS_OK) {
		REQUIRE(is_within(rest, text) && rest.size < text.size);
		check_address(&a, allow);
	} else {
		REQUIRE(rest.data == text.data && a.text[0] == '\0');
	}
	if (address_parse(&a, text, allow) == ADDRESS_OK)
		check_address(&a, allow);
	check_domain(text, allow);
	REQUIRE(is_within(address_strip_tags(text), text));
	return 0;
}
