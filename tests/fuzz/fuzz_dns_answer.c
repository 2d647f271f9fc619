/* SPDX-License-Identifier: ISC */
/*
 * fuzz_dns_answer.c - any octets as an answer of resolver: what decodes
 * keeps the bounds and encodes to the same octets.
 */
#include "dns.h"
#include "require.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_answer a;
	struct slice text = { (const char *)data, size };
	struct buf again = { 0 };
	size_t octets = 0;

	if (!get_dns_answer(text, &a)) {
		REQUIRE(a.status == DNS_FAILED && a.n_records == 0);
		REQUIRE(!a.is_secure && a.canonical.size == 0);
		return 0;
	}
	REQUIRE(a.status <= DNS_FAILED && a.n_records <= DNS_RECORDS_MAX);
	REQUIRE((a.status == DNS_OK) == (a.n_records > 0));
	for (size_t i = 0; i < a.n_records; i++) {
		REQUIRE(is_within(a.records[i].data, text));
		octets += a.records[i].data.size;
	}
	REQUIRE(octets <= DNS_ANSWER_BYTES_MAX);
	if (a.canonical.size > 0)
		REQUIRE(is_within(a.canonical, text) &&
		    a.canonical.size <= DNS_NAME_MAX);
	REQUIRE(put_dns_answer(&again, &a) == 0);
	REQUIRE(slice_equals(buf_slice(&again), text));
	buf_free(&again);
	return 0;
}
