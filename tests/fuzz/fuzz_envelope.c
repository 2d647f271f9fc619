/* SPDX-License-Identifier: ISC */
/*
 * fuzz_envelope.c - any octets as an envelope: refused, or exactly what its
 * writer writes. The checksum is made right first, so that all of it is seen.
 */
#include <string.h>
#include "../../queue/envelope.h"
#include "../../queue/envelope_words.h"
#include "require.h"

static void
try(struct slice text)
{
	struct envelope *e;
	struct buf again = { 0 };

	if (envelope_parse(&e, text) != 0)
		return;
	REQUIRE(e->n_recipients > 0);
	REQUIRE(e->n_holds <= ENVELOPE_HOLDS_MAX);
	for (size_t i = 0; i < e->n_recipients; i++)
		REQUIRE(!slice_has_control(e->recipients[i].address));
	REQUIRE(envelope_write(&again, e) == 0);
	REQUIRE(slice_equals(buf_slice(&again), text));
	buf_free(&again);
	envelope_free(&e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct buf fixed = { 0 };
	char sum[ENVELOPE_SUM_SIZE];
	const char *end = memmem(data, size, "\nend ", 5);

	try(text);
	if (end == NULL)
		return 0;
	text.size = (size_t)(end - text.data) + 1;
	REQUIRE(envelope_checksum(sum, text) == 0);
	REQUIRE(buf_append_slice(&fixed, text) == 0);
	REQUIRE(buf_printf(&fixed, "end %s\n", sum) == 0);
	try(buf_slice(&fixed));
	buf_free(&fixed);
	return 0;
}
