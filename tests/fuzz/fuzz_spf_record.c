/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spf_record.c - any octets as an SPF record, and its macros expanded
 * with the rest of the input.
 */
#include <errno.h>
#include "require.h"
#include "../../policy/spf_macro.h"
#include "../../policy/spf_record.h"

#define OUT_MAX 5000

static void
check_expansion(struct slice text, enum spf_macro_place place,
    struct slice value)
{
	struct buf out = { .maximum = OUT_MAX };
	struct spf_values values;

	if (!spf_macro_is_valid(text, place))
		return;
	for (size_t i = 0; i < SPF_MACRO_LETTERS; i++)
		values.of[i] = value;
	/* valid syntax fails for want of room only */
	REQUIRE(spf_macro_expand(&out, text, &values) != -EINVAL);
	REQUIRE(out.size <= OUT_MAX);
	buf_free(&out);
}

static void
check_term(const struct spf_term *term, struct slice text)
{
	REQUIRE(term->text.size > 0 && is_within(term->text, text));
	REQUIRE(slice_find(term->text, ' ') == term->text.size);
	REQUIRE(term->spec.size == 0 || is_within(term->spec, text));
	REQUIRE(term->prefix4 <= 32 && term->prefix6 <= 128);
	switch (term->mechanism) {
	case SPF_MODIFIER:
		REQUIRE(spf_macro_is_valid(term->spec, SPF_IN_RECORD));
		break;
	case SPF_INCLUDE:
	case SPF_EXISTS:
		REQUIRE(spf_macro_is_domain_spec(term->spec));
		break;
	case SPF_A:
	case SPF_MX:
	case SPF_PTR:
		REQUIRE(term->spec.size == 0 ||
		    spf_macro_is_domain_spec(term->spec));
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice whole = { (const char *)data, size }, text = whole, rest;
	struct slice value = { NULL, 0 }, where;
	struct spf_record record;
	struct spf_term term;
	size_t covered = 0;

	text.size = slice_find(whole, '\n');
	if (text.size < size)
		value = (struct slice){ whole.data + text.size + 1,
			size - text.size - 1 };
	check_expansion(text, SPF_IN_EXPLANATION, value);
	if (spf_record_check(&record, text, &where) != NULL) {
		REQUIRE(where.size == 0 || is_within(where, text));
		return 0;
	}
	REQUIRE(!has_control_octet(text));
	rest = record.terms;
	while (spf_record_next(&rest, &term)) {
		check_term(&term, text);
		check_expansion(term.spec, SPF_IN_RECORD, value);
		covered += term.text.size;
	}
	/* what was accepted is walked to its end */
	for (size_t i = 6; i < text.size; i++)
		covered += text.data[i] == ' ';
	REQUIRE(covered + 6 == text.size);
	return 0;
}
