/* SPDX-License-Identifier: ISC */
/*
 * test_pasted.c - what is pasted behind `posternctl why`.
 */
#include "../../commands/pasted.h"
#include "table.h"

/* 000000055 is an id, with one wrong character it is none. */
static const struct {
	const char *text, *want;
} rows[] = {
	{ "000000055", "000000055" },
	{ "OOOOOOO55", "OOOOOOO55" },
	{ "0000000551", "0000000551" },
	{ "(0000000551)", "0000000551" },
	{ "  (0000000551).\n", "0000000551" },
	{ "550 5.1.1 <x@example.org>: no such mailbox here (0000000551)",
	    "0000000551" },
	{ "550-5.7.1 one (0000000551)\r\n550 5.7.1 two (0000000552)\r\n",
	    "0000000552" },
	{ "<000000055@example.org>: no such mailbox here (0000000552)",
	    "0000000552" },
	{ "(000000055) said mx.example.org", "000000055" },
	{ "event=refused session=000000055 id=0000000551 code=550",
	    "0000000551" },
	{ "id=0000000551", "0000000551" },
	{ "by mx.example.org (Postern) with ESMTP id 000000055;",
	    "000000055" },
	/* mistyped: the server says so, of the right word */
	{ "550 5.1.1 <x@example.org>: no such mailbox (0000000561)",
	    "0000000561" },
	{ "no such mailbox here", NULL },
	{ "(Ubuntu)", NULL },
	{ "0000000561", NULL },
	{ "00000005512345", NULL },
	{ "(", NULL },
	{ "", NULL },
};

static void
the_id_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct slice id = SLICE("untouched");
		bool is_found = pasted_id(&id, slice_of(rows[i].text));

		if (is_found != (rows[i].want != NULL) ||
		    !slice_equals(id, slice_of(is_found ? rows[i].want :
		    "untouched")))
			fail_msg("%s: %.*s", rows[i].text, (int)id.size,
			    id.data);
	}
}

/* One of 512 words without a digit could be one: it is not taken. */
static void
a_word_is_no_id(void **state)
{
	static const char digits[] = "abcdefghjkmnpqrstvwxyz";
	char word[] = "aaaaaaa  ";
	unsigned n_ids = 0;

	(void)state;
	for (size_t i = 0; digits[i] != '\0'; i++)
		for (size_t k = 0; digits[k] != '\0'; k++) {
			struct short_id decoded;
			struct slice id;

			word[7] = digits[i];
			word[8] = digits[k];
			n_ids += short_id_decode(&decoded,
			    slice_of(word)) == 0;
			assert_false(pasted_id(&id, slice_of(word)));
		}
	assert_true(n_ids > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_id_is_found),
		cmocka_unit_test(a_word_is_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
