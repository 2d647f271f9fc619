/* SPDX-License-Identifier: ISC */
/*
 * fuzz_content.c - input: a message for the checks of its content. What they
 * say can stand in a reply, and is the same each time.
 */
#include "../../policy/check.h"
#include "require.h"

static const struct config config = {
	.limits = { .header_bytes = 4096, .header_fields = 50,
	    .mime_depth = 8, .mime_parts = 50 },
};

static enum check_said
run(check_fn *fn, struct slice message, struct verdict *verdict)
{
	struct facts facts = { 0 };
	struct judgement judgement = { 0 };
	struct check c = { .config = &config, .stage = JUDGE_DATA,
		.facts = &facts, .message = message,
		.judgement = &judgement };
	enum check_said said = fn(&c);

	REQUIRE(said == SAID_GOOD || said == SAID_BAD);
	REQUIRE(strlen(c.detail) <= JUDGEMENT_DETAIL_MAX);
	REQUIRE(c.detail[0] != '\0');
	*verdict = c.verdict;
	return said;
}

static void
check_twice(check_fn *fn, struct slice message)
{
	struct verdict one, two;
	enum check_said said = run(fn, message, &one);

	REQUIRE(run(fn, message, &two) == said);
	if (said == SAID_GOOD)
		return;
	REQUIRE(strcmp(one.text, two.text) == 0 && one.code == two.code);
	REQUIRE(one.code == 552 || one.code == 554);
	REQUIRE(one.text[0] != '\0');
	for (const char *at = one.text; *at != '\0'; at++)
		REQUIRE(*at >= ' ' && *at <= '~');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = { (const char *)data, size };

	check_twice(check_content, message);
	check_twice(check_attachments, message);
	return 0;
}
