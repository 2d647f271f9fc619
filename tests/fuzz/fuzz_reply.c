/* SPDX-License-Identifier: ISC */
/*
 * fuzz_reply.c - input: code (2 octets), enum reply_style, subject, detail,
 * then a text. The text is also what a client says in our trace fields.
 */
#include <errno.h>
#include "header.h"
#include "received.h"
#include "reply.h"
#include "require.h"
#include "utf8.h"

static void
check_line(struct slice line, unsigned code, unsigned style, bool is_last)
{
	char prefix[5];

	REQUIRE(line.size >= 3 && line.size + 2 <= REPLY_LINE_MAX);
	snprintf(prefix, sizeof(prefix), "%03u%c", code % 1000,
	    is_last ? ' ' : '-');
	REQUIRE(memcmp(line.data, prefix, line.size < 4 ? 3 : 4) == 0);
	REQUIRE(line.size > 3 || is_last);
	REQUIRE(!has_control_octet(line));
	REQUIRE(utf8_is_valid(line));
	REQUIRE((style & REPLY_UTF8) || utf8_is_ascii(line));
	REQUIRE(line.size == 4 || line.data[line.size - 1] != ' ');
}

static void
check_reply(const struct reply *reply, unsigned style)
{
	struct buf out = { 0 };
	int error = reply_format(&out, reply, style);
	struct slice rest = buf_slice(&out);

	REQUIRE((error == 0) == (reply->code >= 200 && reply->code <= 599));
	REQUIRE(error == 0 || rest.size == 0);
	while (rest.size > 0) {
		size_t n = slice_find(rest, '\r');

		REQUIRE(n + 2 <= rest.size && rest.data[n + 1] == '\n');
		check_line((struct slice){ rest.data, n }, reply->code, style,
		    n + 2 == rest.size);
		rest.data += n + 2;
		rest.size -= n + 2;
	}
	buf_free(&out);
}

/* Three trace fields and nothing else, whatever the client said. */
static void
check_trace(struct slice text, unsigned with)
{
	struct received r = { .helo = text, .rdns = text, .ip = text,
		.host = text, .with = with, .id = text, .recipient = text,
		.when_s = (int64_t)text.size };
	struct header_facts facts;
	struct buf out = { 0 };

	REQUIRE(received_write_return_path(&out, text) == 0);
	REQUIRE(received_write_delivered_to(&out, text) == 0);
	REQUIRE(received_write(&out, &r) == 0);
	header_facts_find(&facts, buf_slice(&out), true);
	REQUIRE(facts.n_fields == 3 && facts.n_received == 1);
	REQUIRE(facts.n_delivered_to == 1 && facts.size_bytes == out.size);
	REQUIRE(memchr(out.data, '\r', out.size) == NULL);
	REQUIRE(memchr(out.data, '\0', out.size) == NULL);
	REQUIRE(utf8_is_valid(buf_slice(&out)));
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply reply;

	if (size < 5)
		return 0;
	reply = (struct reply){
		.code = (uint16_t)(data[0] | data[1] << 8),
		.subject = data[3],
		.detail = data[4],
		.text = { (const char *)data + 5, size - 5 },
	};
	check_reply(&reply, data[2]);
	reply.code = (uint16_t)(200 + reply.code % 400);
	check_reply(&reply, data[2]);
	check_trace(reply.text, data[3]);
	return 0;
}
