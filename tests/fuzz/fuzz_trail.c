/* SPDX-License-Identifier: ISC */
/*
 * fuzz_trail.c - input: the number of a refusal (1 octet), then lines of a
 * trail that an smtpd wrote, and what the postmaster reads of them.
 */
#include "log.h"
#include "require.h"
#include "trail.h"
#include "../../control/why_text.h"

/* A field that was read and is written again reads the same. */
static void
check_round_trip(struct slice raw)
{
	char value[TRAIL_FIELD_MAX + 1], back[TRAIL_FIELD_MAX + 1];
	size_t n = trail_unescape(value, sizeof(value), raw);
	const struct log_value values[] = {
		LOG_SL("k", ((struct slice){ value, n })), LOG_END };
	struct buf line = { 0 };
	struct trail_field field;
	struct slice rest;

	REQUIRE(n <= raw.size && n < sizeof(value));
	trail_put_values(&line, values);
	rest = buf_slice(&line);
	REQUIRE(!has_control_octet(rest));
	REQUIRE(trail_get_field(&rest, &field) && rest.size == 0);
	REQUIRE(trail_unescape(back, sizeof(back), field.raw) == n);
	REQUIRE(memcmp(back, value, n) == 0);
	buf_free(&line);
}

static void
check_line(struct slice line)
{
	struct slice rest = line;
	struct trail_field field;

	while (trail_get_field(&rest, &field)) {
		REQUIRE(is_within(field.key, line));
		REQUIRE(is_within(field.raw, line));
		REQUIRE(is_within(rest, line));
		REQUIRE(field.key.size > 0);
		check_round_trip(field.raw);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice lines = { (const char *)data + 1, size - 1 };
	struct buf out = { .maximum = 1u << 20 };

	if (size == 0)
		return 0;
	why_text(&out, lines, data[0]);
	for (size_t i = 0; i < out.size; i++)
		REQUIRE(out.data[i] == '\n' || ((unsigned char)out.data[i] >=
		    ' ' && out.data[i] != 0x7f));
	buf_free(&out);
	while (lines.size > 0) {
		struct slice line = { lines.data, slice_find(lines, '\n') };

		check_line(line);
		line.size += line.size < lines.size;
		lines.data += line.size;
		lines.size -= line.size;
	}
	return 0;
}
