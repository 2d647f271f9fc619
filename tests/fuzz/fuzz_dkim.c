/* SPDX-License-Identifier: ISC */
/*
 * fuzz_dkim.c - input: a key record, NUL, a message. Every key that is asked
 * for is that one, or a good one if it begins with "R" or "E".
 */
#include "../../policy/dkim_report.h"
#include "require.h"

/* The keys that the seeds in corpus/dkim are signed with. */
#include "dkim_keys.h"

static struct slice
key_of(struct slice record)
{
	if (record.size > 0 && *record.data == 'R')
		return SLICE(SEED_RSA);
	if (record.size > 0 && *record.data == 'E')
		return SLICE(SEED_ED25519);
	return record;
}

static void
answer(struct facts *facts, struct slice record)
{
	while (facts->n_wanted > 0) {
		struct dns_answer a = { .status = DNS_OK, .n_records = 1 };
		struct buf value = { 0 };

		a.records[0].data = key_of(record);
		if (record.size > 3000) {
			a.status = DNS_FAILED;
			a.n_records = 0;
		}
		REQUIRE(put_dns_answer(&value, &a) == 0);
		REQUIRE(facts_add(facts, facts->wanted[0].kind,
		    facts->wanted[0].key, buf_slice(&value)) == 0);
		buf_free(&value);
	}
}

static void
check_report(const struct dkim_report *report)
{
	struct dkim_report got;
	struct buf wire = { 0 }, again = { 0 };

	REQUIRE(report->n_results <= DKIM_SIGNATURES_MAX);
	for (unsigned i = 0; i < report->n_results; i++) {
		const struct dkim_result *r = &report->results[i];

		REQUIRE((r->status == DKIM_PASS) == (*r->reason == '\0'));
		REQUIRE(r->status != DKIM_PASS || *r->domain != '\0');
		REQUIRE(!has_control_octet(slice_of(r->domain)));
		REQUIRE(!has_control_octet(slice_of(r->selector)));
	}
	/* it survives its text */
	REQUIRE(put_dkim_report(&wire, report) == 0);
	REQUIRE(get_dkim_report(buf_slice(&wire), &got));
	REQUIRE(put_dkim_report(&again, &got) == 0);
	REQUIRE(slice_equals(buf_slice(&again), buf_slice(&wire)));
	buf_free(&wire);
	buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dkim_library *library;
	struct slice whole = { (const char *)data, size };
	size_t end = slice_find(whole, '\0');
	struct slice record = { whole.data, end }, message;
	struct dkim_report report;
	struct facts facts = { 0 };

	if (library == NULL)
		REQUIRE(dkim_library_new(&library) == 0);
	end += end < size;
	message = (struct slice){ whole.data + end, size - end };
	facts_add(&facts, FACT_TIME, SLICE(""), SLICE("1790000000"));
	if (!dkim_judge(library, message, &facts, &report)) {
		REQUIRE(facts.n_wanted <= DKIM_SIGNATURES_MAX);
		answer(&facts, record);
		REQUIRE(dkim_judge(library, message, &facts, &report));
	}
	check_report(&report);
	facts_free(&facts);
	return 0;
}
