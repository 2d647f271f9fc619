/* SPDX-License-Identifier: ISC */
/*
 * fuzz_authres.c - input: a message. Forged fields are cut until none is
 * left, and its first line is a value in a field of ours.
 */
#include "authres.h"
#include "header.h"
#include "require.h"

#define HOST "mx.example.org"

static void
check_cuts(struct slice message)
{
	static struct judgement j, again;
	struct buf rest = { 0 };
	uint64_t at = 0;

	authres_find_forged(message, HOST, &j);
	for (size_t i = 0; i < j.n_cuts; i++) {
		/* adjacent ones are one */
		REQUIRE(j.cuts[i].at > at || (i == 0 && at == 0));
		REQUIRE(j.cuts[i].size > 0);
		buf_append(&rest, message.data + at, j.cuts[i].at - at);
		at = j.cuts[i].at + j.cuts[i].size;
		REQUIRE(at <= message.size);
	}
	buf_append(&rest, message.data + at, message.size - at);
	REQUIRE(authres_find_forged(buf_slice(&rest), HOST, &again) ||
	    again.n_cuts > 0);
	/* what a cut brought to the end of the header is looked at too */
	REQUIRE(again.n_cuts == 0);
	buf_free(&rest);
}

static void
check_written(struct slice value)
{
	struct authres a;
	struct buf text = { 0 };
	struct header_walk walk;
	struct header_field field;

	authres_start(&a, &text, HOST);
	authres_result(&a, "spf", "pass", value);
	authres_property(&a, "smtp.mailfrom", value);
	authres_property(&a, "header.d", value);
	REQUIRE(authres_end(&a) == 0);
	header_walk_start(&walk, buf_slice(&text), true);
	REQUIRE(header_next(&walk, &field) == HEADER_FIELD);
	REQUIRE(field.size == text.size);
	REQUIRE(header_is(&field, "Authentication-Results"));
	REQUIRE(authres_names(field.value, HOST));
	for (size_t i = 0; i < text.size; i++)
		REQUIRE((unsigned char)text.data[i] < 0x7f &&
		    (text.data[i] >= ' ' || text.data[i] == '\n' ||
		    text.data[i] == '\t'));
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice message = { (const char *)data, size };

	check_cuts(message);
	check_written((struct slice){ message.data,
	    slice_find(message, '\n') });
	received_spf_names(message, HOST);
	return 0;
}
