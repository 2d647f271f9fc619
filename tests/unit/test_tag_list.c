/* SPDX-License-Identifier: ISC */
/*
 * test_tag_list.c - lists of tags and values.
 */
#include <stdio.h>
#include "table.h"
#include "tag_list.h"

/* What the walker finds as "name=value|", "!" for a bad one. */
static const struct {
	const char *text, *want;
	bool is_valid;
} lists[] = {
	{ "v=1; a=rsa-sha256", "v=1|a=rsa-sha256|", true },
	{ "v=1;", "v=1|", true },
	{ " v\t=\n 1 ;\r\n\ta = b c \n", "v=1|a=b c|", true },
	{ "p=", "p=|", true },
	{ "b=a=b==", "b=a=b==|", true },
	{ "A_1=x", "A_1=x|", true },
	{ "", "", false },
	{ " ; ", "!", false },
	{ "v=1;;a=b", "v=1|!a=b|", false },
	{ "foo", "!", false },
	{ "v=1; foo; a=b", "v=1|!a=b|", false },
	{ "1a=x", "!", false },
	{ "_a=x", "!", false },
	{ "a b=x", "!", false },
	{ "=x", "!", false },
	{ "a=\x01", "!", false },
	{ "a=\xc3\xbc", "!", false },
	{ "a=x; a=x", "a=x|a=x|", false },
	{ "a=x; A=x", "a=x|A=x|", true },
};

static void
test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(lists); i++) {
		struct slice rest = slice_of(lists[i].text);
		struct buf got = { 0 };
		struct tag tag;
		enum tag_step step;

		while ((step = tag_next(&rest, &tag)) != TAG_END)
			if (step == TAG_BAD)
				buf_puts(&got, "!");
			else
				buf_printf(&got, "%.*s=%.*s|",
				    (int)tag.name.size, tag.name.data,
				    (int)tag.value.size, tag.value.data);
		CHECK_STRING(lists[i].text, got.size ? got.data : "",
		    lists[i].want);
		CHECK(lists[i].text, tag_list_is_valid(
		    slice_of(lists[i].text)) == lists[i].is_valid);
		buf_free(&got);
	}
}

static void
test_many(void **state)
{
	struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < TAG_LIST_MAX; i++)
		buf_printf(&text, "t%d=x;", i);
	assert_true(tag_list_is_valid(buf_slice(&text)));
	buf_puts(&text, "more=x");
	assert_false(tag_list_is_valid(buf_slice(&text)));
	buf_free(&text);
}

static void
test_find(void **state)
{
	struct slice value;

	(void)state;
	assert_true(tag_find(SLICE("v=1; junk; d=a; d=b"), "d", &value));
	assert_true(slice_equals(value, SLICE("a")));
	assert_false(tag_find(SLICE("v=1; d=a"), "D", &value));
	assert_int_equal(value.size, 0);
	assert_false(tag_find(SLICE(""), "d", &value));
}

static void
test_items(void **state)
{
	struct slice rest = SLICE(" a :b\n c::d"), item;
	static const char *const want[] = { "a", "b\n c", "", "d" };

	(void)state;
	for (size_t i = 0; i < N_OF(want); i++) {
		assert_true(tag_item(&rest, ':', &item));
		assert_true(slice_equals(item, slice_of(want[i])));
	}
	assert_false(tag_item(&rest, ':', &item));
	assert_true(tag_has_item(SLICE("sha1 : SHA256"), ':', "sha256"));
	assert_false(tag_has_item(SLICE("sha1:sha2567"), ':', "sha256"));
	assert_false(tag_has_item(SLICE(""), ':', "sha256"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
