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
	enum clamd_result result = clamd_read(input, name);

	REQUIRE(strlen(name) <= CLAMD_NAME_MAX);
	REQUIRE(!has_control_octet(slice_of(name)));
	if (result == CLAMD_CLEAN)
		REQUIRE(size >= 4 && memcmp(data + size - 4, " OK", 4) == 0);
	if (result == CLAMD_FOUND)
		REQUIRE(size >= 7 && name[0] != '\0' &&
		    memcmp(data + size - 7, " FOUND", 7) == 0);
	return 0;
}
