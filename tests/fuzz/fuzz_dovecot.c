/* SPDX-License-Identifier: ISC */
/*
 * fuzz_dovecot.c - any octets as a line of Dovecot's: a name that it gives
 * can be a name, an answer has one, and what is no answer has none. The same
 * octets as what a client begins SCRAM with.
 */
#include "../../auth/dovecot_line.h"
#include "require.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	char name[SASL_NAME_MAX + 1];
	struct dovecot_line line;
	struct slice nonce;

	dovecot_line_parse(&line, text);
	REQUIRE(line.kind <= DOVECOT_LINE_BAD);
	if (line.kind == DOVECOT_LINE_OK)
		REQUIRE(sasl_is_name(slice_of(line.user)));
	else if (line.kind != DOVECOT_LINE_BAD)
		REQUIRE(line.user[0] == '\0');
	REQUIRE(line.data.size == 0 || is_within(line.data, text));
	if (sasl_parse_scram_first(text, name, &nonce))
		REQUIRE(sasl_is_name(slice_of(name)) && nonce.size > 0 &&
		    is_within(nonce, text));
	REQUIRE(size <= DOVECOT_LINE_MAX || line.kind == DOVECOT_LINE_BAD);
	return 0;
}
