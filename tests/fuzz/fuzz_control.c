/* SPDX-License-Identifier: ISC */
/*
 * fuzz_control.c - input: a request line, LF, and the supervisor's status
 * lines: what control reads from its two sides.
 */
#include "require.h"
#include "../../control/control.h"
#include "../../control/status_text.h"

static void
check_request(struct slice line)
{
	struct slice words[CONTROL_WORDS_MAX];
	size_t n;

	if (!request_split(line, words, CONTROL_WORDS_MAX, &n))
		return;
	REQUIRE(n > 0 && n <= CONTROL_WORDS_MAX);
	for (size_t i = 0; i < n; i++) {
		REQUIRE(words[i].size > 0 && is_within(words[i], line));
		REQUIRE(!has_control_octet(words[i]));
		/* a quoted local part may have spaces, and nothing else */
		REQUIRE(slice_find(words[i], ' ') == words[i].size ||
		    slice_find(words[i], '"') < slice_find(words[i], ' '));
	}
}

/* Outside of strings the braces and brackets of JSON match. */
static void
check_json(struct slice text)
{
	int depth = 0;
	bool is_string = false;

	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		if (is_string && c == '\\')
			i++;
		else if (c == '"')
			is_string = !is_string;
		else if (!is_string)
			depth += (c == '{') + (c == '[') - (c == '}') -
			    (c == ']');
		REQUIRE(depth >= 0);
		REQUIRE((unsigned char)c >= ' ' || i == text.size - 1);
	}
	REQUIRE(depth == 0 && !is_string);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = { (const char *)data, size };
	size_t first = slice_find(all, '\n');
	struct buf out = { .maximum = 4u << 20 };

	check_request((struct slice){ all.data, first });
	if (first == size)
		return 0;
	all = (struct slice){ all.data + first + 1, size - first - 1 };
	status_text(&out, all, all, NULL);
	status_text_more(&out, "queue", "queue_", all);
	buf_free(&out);
	status_json(&out, all, all, NULL);
	status_json_more(&out, "queue", (struct slice){ all.data,
	    slice_find(all, '\n') });
	status_json_end(&out);
	check_json(buf_slice(&out));
	buf_free(&out);
	return 0;
}
