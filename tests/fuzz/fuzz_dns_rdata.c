/* SPDX-License-Identifier: ISC */
/*
 * fuzz_dns_rdata.c - input: an octet that chooses the type, and a DNS
 * message. What comes out keeps the promises of dns.h and passes its wire
 * form.
 */
#include "../../resolver/rdata.h"
#include "require.h"

static const enum dns_type types[] = { DNS_A, DNS_PTR, DNS_MX, DNS_TXT,
	DNS_AAAA, DNS_TLSA };

static void
check_name(struct slice name)
{
	char again[DNS_NAME_MAX + 1];

	REQUIRE(dns_name(again, name));
	REQUIRE(strlen(again) == name.size &&
	    memcmp(again, name.data, name.size) == 0);
}

static void
check_record(enum dns_type type, struct slice data)
{
	uint16_t preference;
	struct slice host;

	if (type == DNS_A || type == DNS_AAAA)
		REQUIRE(data.size == (type == DNS_A ? 4 : 16));
	if (type == DNS_TLSA)
		REQUIRE(data.size >= 4);
	if (type == DNS_PTR)
		check_name(data);
	if (type == DNS_MX) {
		REQUIRE(dns_mx(data, &preference, &host));
		check_name(host);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct rdata read;
	static struct dns_answer again;
	const struct dns_answer *a = &read.answer;
	struct buf wire = { 0 };
	struct slice packet;
	enum dns_type type;

	if (size == 0)
		return 0;
	type = types[input[0] % (sizeof types / sizeof *types)];
	packet = (struct slice){ (const char *)input + 1, size - 1 };
	rdata_read(&read, type, packet);
	(void)rdata_has_type(packet, 46);
	REQUIRE((a->status == DNS_OK) == (a->n_records > 0));
	for (size_t i = 0; i < a->n_records; i++)
		check_record(type, a->records[i].data);
	REQUIRE(put_dns_answer(&wire, a) == 0);
	REQUIRE(get_dns_answer(buf_slice(&wire), &again));
	REQUIRE(again.status == a->status && again.n_records == a->n_records);
	buf_free(&wire);
	return 0;
}
