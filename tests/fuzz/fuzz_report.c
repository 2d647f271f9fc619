/* SPDX-License-Identifier: ISC */
/*
 * fuzz_report.c - input: an octet for the reverse-path, then a message. What
 * is found in it is clean and within its limits.
 */
#include "report.h"
#include "require.h"

static void
check_text(const char *text, size_t room)
{
	REQUIRE(memchr(text, '\0', room) != NULL);
	REQUIRE(memchr(text, '\n', strlen(text)) == NULL);
}

static void
check_trace(const char *trace)
{
	for (const char *c = trace; *c != '\0'; c++)
		REQUIRE(*c == '-' || (*c >= '0' && *c <= '9') ||
		    (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct report r;
	struct slice text = { (const char *)data, size };
	bool is_null = size > 0 && (*data & 1) != 0;

	if (size > 0)
		text = (struct slice){ text.data + 1, size - 1 };
	report_read(&r, text, is_null);
	REQUIRE(r.kind < REPORT_KIND_COUNT && r.format != NULL);
	REQUIRE(r.n_told <= r.n_recipients);
	REQUIRE(r.n_recipients <= REPORT_RECIPIENTS_MAX);
	REQUIRE(r.n_traces <= REPORT_TRACES_MAX);
	REQUIRE(r.where != REPORT_NOWHERE || r.message_id[0] == '\0');
	check_text(r.message_id, sizeof r.message_id);
	for (unsigned i = 0; i < r.n_recipients; i++) {
		check_text(r.recipients[i], REPORT_ADDRESS_MAX);
		REQUIRE(strchr(r.recipients[i], '@') != NULL);
	}
	for (unsigned i = 0; i < r.n_traces; i++)
		check_trace(r.traces[i]);
	return 0;
}
