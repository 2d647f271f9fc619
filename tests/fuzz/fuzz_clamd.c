/* SPDX-License-Identifier: ISC */
/*
 * What clamd says: no octets but an exact answer are one, and a name that it
 * gives can be shown to a client.
 */
#include "clamd.h"
#include "require.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = { (const char *)data, size };
	char name[CLAMD_NAME_MAX + 1];
	int64_t made_s;
	enum clamd_result result = clamd_read(input, name);

	REQUIRE(strlen(name) <= CLAMD_NAME_MAX);
	REQUIRE(!has_control_octet(slice_of(name)));
	if (result == CLAMD_CLEAN)
		REQUIRE(size >= 4 && memcmp(data + size - 4, " OK", 4) == 0);
	if (result == CLAMD_FOUND)
		REQUIRE(size >= 7 && name[0] != '\0' &&
		    memcmp(data + size - 7, " FOUND", 7) == 0);
	result = clamd_read_version(input, &made_s);
	REQUIRE(result == CLAMD_VERSION || result == CLAMD_MORE ||
	    result == CLAMD_RUBBISH);
	if (result == CLAMD_VERSION)
		REQUIRE(memcmp(data, "ClamAV ", 7) == 0 && made_s >= 0 &&
		    made_s < INT64_C(253402300800));
	return 0;
}
