/* SPDX-License-Identifier: ISC */
/*
 * Headers that our own users write: a completed list is one still and stays
 * as it is the second time; whatever is signed reads as a signer's text; a
 * file of secrets is read as it was written, or not at all.
 */
#include "address_list.h"
#include "complete.h"
#include "dkim_sign.h"
#include "secrets.h"
#include "require.h"

static void
try_list(struct slice value)
{
	static const char *const hosts[] = { "localhost", NULL };
	static const struct complete_names names = { .origin = "e.org",
		.hosts = hosts };
	struct buf once = { 0 }, twice = { 0 };
	int result = complete_list(&once, value, &names);

	REQUIRE(result >= 0);
	if (result == 0)
		REQUIRE(slice_equals(buf_slice(&once), value));
	if (once.size > 0) {
		REQUIRE(complete_list(&twice, buf_slice(&once), &names) ==
		    0);
		REQUIRE(slice_equals(buf_slice(&once), buf_slice(&twice)));
	}
	buf_free(&once);
	buf_free(&twice);
}

static void
try_signing(struct slice header)
{
	const struct dkim_signing signing = { .domain = SLICE("e.org"),
		.selector = SLICE("s1"), .algorithm = "rsa-sha256" };
	struct buf input = { 0 }, field = { 0 };
	struct dkim_input read;

	REQUIRE(dkim_sign_write(&signing, header, &input, &field) == 0);
	REQUIRE(dkim_input_read(buf_slice(&input), &read));
	REQUIRE(slice_equals(read.domain, SLICE("e.org")));
	REQUIRE(slice_equals(read.selector, SLICE("s1")));
	buf_free(&input);
	buf_free(&field);
}

static void
try_body(struct slice body)
{
	uint8_t whole[DKIM_HASH_SIZE], split[DKIM_HASH_SIZE];
	struct dkim_body b;

	REQUIRE(dkim_body_start(&b) == 0);
	dkim_body_add(&b, body);
	REQUIRE(dkim_body_end(&b, whole) == 0);
	REQUIRE(dkim_body_start(&b) == 0);
	for (size_t i = 0; i < body.size; i++)
		dkim_body_add(&b, (struct slice){ body.data + i, 1 });
	REQUIRE(dkim_body_end(&b, split) == 0);
	REQUIRE(memcmp(whole, split, sizeof whole) == 0);
}

static void
try_secrets(struct slice text)
{
	static struct secrets one, two;
	struct buf written = { 0 };
	unsigned line;

	if (!secrets_read(&one, text, &line))
		return;
	REQUIRE(secrets_write(&written, &one) == 0);
	REQUIRE(secrets_read(&two, buf_slice(&written), &line));
	REQUIRE(memcmp(one.trace, two.trace, sizeof one.trace) == 0);
	REQUIRE(one.n_batv == two.n_batv);
	buf_free(&written);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct dkim_input read;

	(void)dkim_input_read(text, &read);
	try_list(text);
	try_signing(text);
	try_body(text);
	try_secrets(text);
	return 0;
}
