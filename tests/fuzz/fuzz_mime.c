/* SPDX-License-Identifier: ISC */
/*
 * fuzz_mime.c - input: a message. Parts lie inside of it and follow one
 * another, the work is linear, names are clean.
 */
#include "mime.h"
#include "require.h"

#define STEPS_PER_OCTET (MIME_DEPTH_MAX + 4)

static bool
check_name(const char *name, void *arg)
{
	struct slice s = slice_of(name);

	++*(unsigned *)arg;
	REQUIRE(s.size > 0 && s.size <= MIME_NAME_MAX);
	REQUIRE(!has_control_octet(s));
	REQUIRE(s.data[s.size - 1] != '.' && s.data[s.size - 1] != ' ');
	return true;
}

static void
check_decoding(const struct mime_part *part)
{
	struct mime_decode decode;
	char octets[100];
	size_t n, sum = 0;

	mime_decode_start(&decode, part->encoding, part->body);
	while ((n = mime_decode_next(&decode, octets, sizeof octets)) > 0)
		sum += n;
	REQUIRE(sum <= part->body.size && decode.rest.size == 0);
	REQUIRE(part->encoding != MIME_IDENTITY || sum == part->body.size);
}

static void
check_fields(const struct mime_part *part)
{
	char text[64];
	struct mime_field field;
	size_t at = 0, before = 0;

	while (mime_field_next(part->header, &at, &field)) {
		REQUIRE(at > before && at <= part->header.size);
		REQUIRE(is_within(field.name, part->header));
		REQUIRE(is_within(field.value, part->header));
		mime_words_decode(field.value, text, sizeof text);
		REQUIRE(strlen(text) < sizeof text);
		before = at;
	}
	REQUIRE(at == part->header.size);
}

static void
check_part(const struct mime_part *part, struct slice text)
{
	unsigned n_names = 0;

	REQUIRE(is_within(part->header, text));
	REQUIRE(is_within(part->body, text));
	REQUIRE(part->depth <= MIME_DEPTH_MAX);
	REQUIRE(strlen(part->path) < sizeof part->path);
	REQUIRE(strchr(part->type, '/') != NULL);
	REQUIRE(part->kind == MIME_LEAF || part->body.size == 0);
	check_fields(part);
	check_decoding(part);
	mime_names(part, check_name, &n_names);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	const char *last = text.data;
	struct mime_walk walk;
	struct mime_part part;
	unsigned n = 0;

	mime_walk_start(&walk, text);
	while (mime_next(&walk, &part)) {
		if (size > 0) {
			REQUIRE(part.header.data >= last);
			last = part.body.data + part.body.size;
			check_part(&part, text);
		}
		n++;
	}
	REQUIRE(n >= 1 && n <= MIME_PARTS_MAX);
	REQUIRE(walk.n_steps <= (size + 1) * STEPS_PER_OCTET);
	REQUIRE(!mime_next(&walk, &part));
	return 0;
}
