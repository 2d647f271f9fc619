/* SPDX-License-Identifier: ISC */
/*
 * fuzz_dsn.c - whatever the other side said and the message's header holds:
 * a report is one message of three parts, no line of it is somebody else's.
 */
#include <string.h>
#include "dsn.h"
#include "require.h"

/* The next piece, up to a NUL. */
static struct slice
piece(struct slice *rest)
{
	size_t n = slice_find(*rest, '\0');
	struct slice first = { rest->data, n };

	n += n < rest->size;
	rest->data += n;
	rest->size -= n;
	return first;
}

/* How often a line begins with this. */
static unsigned
count_lines(struct slice text, struct slice begin)
{
	unsigned n = 0;

	while (text.size > 0) {
		struct slice line = slice_next_line(&text);

		n += line.size >= begin.size && memcmp(line.data, begin.data,
		    begin.size) == 0;
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = { (const char *)data, size };
	struct dsn_recipient to = { .code = 550, .subject = 1, .detail = 1 };
	struct dsn dsn = { .host = SLICE("mx.example.org"),
		.to = SLICE("a@example.org"), .id = SLICE("65T3N3KRFB.f1"),
		.arrival_s = 1, .when_s = 2, .recipients = &to,
		.n_recipients = 1 };
	struct buf out = { 0 };
	struct slice boundary = SLICE("--=_65T3N3KRFB.f1_");
	uint8_t how;

	if (size == 0)
		return 0;
	how = data[0];
	rest.data++;
	rest.size--;
	to.action = (enum dsn_action)(how % 4);
	to.is_expired = how & 4;
	dsn.is_utf8 = how & 8;
	dsn.is_whole = how & 16;
	to.address = piece(&rest);
	to.orcpt = piece(&rest);
	to.text = piece(&rest);
	to.host = piece(&rest);
	dsn.envid = piece(&rest);
	dsn.message = rest;
	REQUIRE(dsn_write(&out, &dsn) == 0);
	REQUIRE(memchr(out.data, '\r', out.size) == NULL ||
	    memchr(dsn.message.data, '\r', dsn.message.size) != NULL);
	/* the header may look like anything, but what is above is ours */
	if (memmem(dsn.message.data, dsn.message.size, "=_", 2) == NULL)
		REQUIRE(count_lines(buf_slice(&out), boundary) == 4);
	if (dsn.message.size == 0) {
		REQUIRE(count_lines(buf_slice(&out), SLICE("Action: ")) == 1);
		REQUIRE(count_lines(buf_slice(&out),
		    SLICE("Final-Recipient: ")) == 1);
		REQUIRE(count_lines(buf_slice(&out), SLICE("To: ")) == 1);
	}
	buf_free(&out);
	return 0;
}
