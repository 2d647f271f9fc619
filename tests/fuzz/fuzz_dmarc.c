/* SPDX-License-Identifier: ISC */
/*
 * fuzz_dmarc.c - input: a DMARC record, NUL, the organisation's record, NUL,
 * a From field's value. A mailbox of example.org passes SPF.
 */
#include "../../policy/dmarc.h"
#include "require.h"

static struct slice
take(struct slice *rest)
{
	size_t end = slice_find(*rest, '\0');
	struct slice part = { rest->data, end };

	end += end < rest->size;
	*rest = (struct slice){ rest->data + end, rest->size - end };
	return part;
}

static void
check_record(struct slice text)
{
	struct dmarc_record record;

	if (!dmarc_record_parse(text, &record))
		return;
	REQUIRE(record.percent <= 100);
	REQUIRE(record.policy <= DMARC_REJECT);
	REQUIRE(record.subdomain_policy <= DMARC_REJECT);
	REQUIRE(text.size >= 8 && memmem(text.data, text.size, "DMARC1", 6));
}

/* Answer what is wanted: the first name here, the second above. */
static void
answer(struct facts *facts, struct slice here, struct slice above)
{
	while (facts->n_wanted > 0) {
		struct dns_answer a = { .status = DNS_OK, .n_records = 1 };
		struct buf value = { 0 };
		struct slice text = facts->n == 0 ? here : above;

		a.records[0].data = text;
		if (text.size > 2000 || text.size == 0)
			a.status = text.size ? DNS_FAILED : DNS_NO_NAME,
			a.n_records = 0;
		REQUIRE(put_dns_answer(&value, &a) == 0);
		REQUIRE(facts_add(facts, facts->wanted[0].kind,
		    facts->wanted[0].key, buf_slice(&value)) == 0);
		buf_free(&value);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size };
	struct slice here = take(&rest), above = take(&rest);
	struct dmarc_spf spf = { .is_pass = true, .domain = "example.org" };
	struct dkim_report dkim = { .n_results = 0 };
	struct dmarc_result result, again;
	struct facts facts = { 0 };
	struct buf message = { 0 };

	check_record(here);
	check_record(above);
	buf_puts(&message, "From:");
	buf_append_slice(&message, rest);
	buf_puts(&message, "\n\n");
	if (!dmarc_evaluate(buf_slice(&message), &spf, &dkim, &facts,
	    &result)) {
		REQUIRE(facts.n_wanted > 0 && facts.n_wanted <= 2);
		answer(&facts, here, above);
		REQUIRE(dmarc_evaluate(buf_slice(&message), &spf, &dkim,
		    &facts, &result));
	}
	REQUIRE(facts.n_wanted == 0);
	REQUIRE((result.author == AUTHOR_OK) == (*result.domain != '\0'));
	REQUIRE(!has_control_octet(slice_of(result.domain)));
	REQUIRE(result.applied == DMARC_NONE ||
	    result.status == DMARC_STATUS_FAIL);
	REQUIRE(result.status != DMARC_STATUS_PASS || result.is_by_spf);
	/* the same facts, the same result */
	REQUIRE(dmarc_evaluate(buf_slice(&message), &spf, &dkim, &facts,
	    &again));
	REQUIRE(again.status == result.status);
	REQUIRE(again.applied == result.applied);
	REQUIRE(again.published == result.published);
	REQUIRE(strcmp(again.domain, result.domain) == 0);
	REQUIRE(strcmp(again.record_domain, result.record_domain) == 0);
	facts_free(&facts);
	buf_free(&message);
	return 0;
}
