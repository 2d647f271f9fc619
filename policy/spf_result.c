/* SPDX-License-Identifier: ISC */
/*
 * spf_result.c - see spf_result.h.
 */
#include "dns.h"
#include "spf_result.h"

static struct slice
take_word(struct slice *rest)
{
	size_t end = slice_find(*rest, ' ');
	struct slice word = { rest->data, end };

	end += end < rest->size;
	*rest = (struct slice){ rest->data + end, rest->size - end };
	return word;
}

bool
spf_told(const struct check *c, struct spf_told *told)
{
	struct slice rest, word;
	char name[DNS_NAME_MAX + 1];

	*told = (struct spf_told){ .result = "" };
	if (!check_result(c, "spf", &rest))
		return false;
	word = take_word(&rest);
	if (!slice_copy(told->result, sizeof told->result, word))
		return false;
	word = take_word(&rest);
	if (dns_name(name, word))
		slice_copy(told->domain, sizeof told->domain,
		    slice_of(name));
	told->is_helo = slice_equals(take_word(&rest), SLICE("helo"));
	return true;
}
