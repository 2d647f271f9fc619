/* SPDX-License-Identifier: ISC */
/*
 * fuzz_dovecot.c - any octets as a line of Dovecot's: a name that it gives
 * can be a name, an answer has one, and what is no answer has none.
 */
#include "../../auth/dovecot_line.h"
#include "require.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct dovecot_line line;

	dovecot_line_parse(&line, text);
	REQUIRE(line.kind <= DOVECOT_LINE_BAD);
	if (line.kind == DOVECOT_LINE_OK)
		REQUIRE(sasl_is_name(slice_of(line.user)));
	else if (line.kind != DOVECOT_LINE_BAD)
		REQUIRE(line.user[0] == '\0');
	REQUIRE(size <= DOVECOT_LINE_MAX || line.kind == DOVECOT_LINE_BAD);
	return 0;
}
