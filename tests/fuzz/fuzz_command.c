/* SPDX-License-Identifier: ISC */
/*
 * fuzz_command.c - input: two octets of enum command_param, then a line.
 */
#include "require.h"
#include "smtp_command.h"

static bool
is_empty_or_within(struct slice inner, struct slice outer)
{
	return inner.data == NULL || is_within(inner, outer);
}

static void
check_mail(struct slice argument, unsigned offered)
{
	struct mail_params p;
	struct address a;
	enum command_result result = command_parse_mail(argument, offered,
	    &a, &p);

	REQUIRE((p.given & ~offered) == 0);
	REQUIRE(is_empty_or_within(p.envid, argument));
	REQUIRE(is_empty_or_within(p.auth, argument));
	REQUIRE(is_empty_or_within(p.wrong, argument));
	REQUIRE(!has_control_octet(p.wrong));
	if (result != COMMAND_OK)
		return;
	REQUIRE(p.wrong.data == NULL);
	REQUIRE(!a.is_postmaster);
	REQUIRE(!a.needs_smtputf8 || (p.given & COMMAND_SMTPUTF8));
	REQUIRE((p.given & COMMAND_SIZE) || p.size_bytes == 0);
	REQUIRE(!has_control_octet(p.envid) && !has_control_octet(p.auth));
}

static void
check_rcpt(struct slice argument, unsigned offered)
{
	struct rcpt_params p;
	struct address a;
	enum command_result result = command_parse_rcpt(argument, offered,
	    &a, &p);

	REQUIRE((p.given & ~offered) == 0);
	REQUIRE(is_empty_or_within(p.orcpt, argument));
	REQUIRE(is_empty_or_within(p.wrong, argument));
	if (result != COMMAND_OK)
		return;
	REQUIRE(!a.is_null);
	REQUIRE(a.domain[0] != '\0' || a.is_postmaster ||
	    (offered & COMMAND_BARE_LOCAL));
	REQUIRE(!a.needs_smtputf8 || (offered & COMMAND_SMTPUTF8));
	REQUIRE(!has_control_octet(p.orcpt));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice line;
	struct command c;
	unsigned offered;
	uint64_t bytes;
	bool is_last;

	if (size < 2)
		return 0;
	offered = data[0] | (unsigned)data[1] << 8;
	line = (struct slice){ (const char *)data + 2, size - 2 };
	check_mail(line, offered);
	check_rcpt(line, offered);
	if (command_check_helo(line) == COMMAND_OK)
		REQUIRE(!has_control_octet(line) &&
		    line.size <= COMMAND_HELO_MAX);
	if (command_split(&c, line) != COMMAND_OK)
		return 0;
	REQUIRE(is_within(c.verb, line) && is_within(c.argument, line));
	check_mail(c.argument, offered);
	check_rcpt(c.argument, offered);
	if (command_parse_bdat(c.argument, &bytes, &is_last) == COMMAND_OK)
		REQUIRE(c.argument.size > 0);
	return 0;
}
