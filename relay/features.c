/* SPDX-License-Identifier: ISC */
/*
 * features.c - see features.h.
 */
#include "features.h"

static struct slice
word_next(struct slice *rest)
{
	struct slice word;

	*rest = slice_trim(*rest);
	word = (struct slice){ rest->data, slice_find(*rest, ' ') };
	*rest = (struct slice){ rest->data + word.size,
		rest->size - word.size };
	return word;
}

static void
add_mechanisms(struct features *f, struct slice rest)
{
	struct slice word;

	while ((word = word_next(&rest)).size > 0)
		if (slice_equals_nocase(word, SLICE("PLAIN")))
			f->has |= FEATURE_AUTH_PLAIN;
		else if (slice_equals_nocase(word, SLICE("LOGIN")))
			f->has |= FEATURE_AUTH_LOGIN;
}

static void
add_size(struct features *f, struct slice rest)
{
	unsigned long long size;

	f->has |= FEATURE_SIZE;
	if (slice_number(word_next(&rest), UINT64_MAX, &size))
		f->size_max = size;
}

void
features_add(struct features *f, struct slice line)
{
	static const struct {
		const char *keyword;
		enum feature feature;
	} plain[] = {
		{ "PIPELINING", FEATURE_PIPELINING },
		{ "CHUNKING", FEATURE_CHUNKING },
		{ "8BITMIME", FEATURE_8BITMIME },
		{ "SMTPUTF8", FEATURE_SMTPUTF8 },
		{ "DSN", FEATURE_DSN },
		{ "STARTTLS", FEATURE_STARTTLS },
		{ "REQUIRETLS", FEATURE_REQUIRETLS },
	};
	struct slice rest = line, word = word_next(&rest);

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (slice_equals_nocase(word, slice_of(plain[i].keyword)))
			f->has |= plain[i].feature;
	if (slice_equals_nocase(word, SLICE("SIZE")))
		add_size(f, rest);
	if (slice_equals_nocase(word, SLICE("AUTH")))
		add_mechanisms(f, rest);
	/* how it was written before RFC 2554, and still is */
	if (slice_starts_nocase(word, SLICE("AUTH=")))
		add_mechanisms(f, (struct slice){ line.data + 5,
		    line.size - 5 });
}
