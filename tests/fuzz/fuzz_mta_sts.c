/* SPDX-License-Identifier: ISC */
/*
 * fuzz_mta_sts.c - input: a TXT record and a policy. What is taken for one
 * has values within bounds, and hosts that are names.
 */
#include <string.h>
#include "mta_sts.h"
#include "require.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mta_sts_policy p, again;
	struct buf copy = { 0 };
	struct slice text = { (const char *)data, size };
	char id[MTA_STS_ID_MAX + 1];

	if (mta_sts_record(text, id))
		REQUIRE(*id != '\0' && strlen(id) <= MTA_STS_ID_MAX &&
		    !has_control_octet(slice_of(id)));
	if (!mta_sts_parse(&p, text))
		return 0;
	REQUIRE(p.mode <= MTA_STS_ENFORCE && p.max_age_s <= MTA_STS_AGE_MAX);
	REQUIRE(p.n_hosts <= MTA_STS_HOSTS_MAX);
	REQUIRE(p.n_hosts > 0 || p.mode == MTA_STS_NONE);
	for (unsigned i = 0; i < p.n_hosts; i++) {
		const char *host = p.hosts[i];

		REQUIRE(*host != '\0' && strlen(host) <= MTA_STS_NAME_MAX);
		REQUIRE(strchr(host + 1, '*') == NULL);
		REQUIRE(*host == '*' || mta_sts_has_host(&p, host));
		REQUIRE(!has_control_octet(slice_of(host)));
	}
	REQUIRE(mta_sts_write(&copy, &p) == 0);
	REQUIRE(mta_sts_parse(&again, buf_slice(&copy)));
	REQUIRE(memcmp(&p, &again, sizeof p) == 0);
	buf_free(&copy);
	return 0;
}
