/* SPDX-License-Identifier: ISC */
/*
 * config_suggest.c - names looked up in the tables, and what was meant.
 *
 * The distance is Damerau's: insertions, deletions, replacements and
 * swapped neighbours each count one. A suggestion is made when no more than
 * a third of the name is wrong.
 */
#include <string.h>
#include "config_keys.h"

#define MAX_NAME 32

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
distance(struct slice a, struct slice b)
{
	size_t d[MAX_NAME + 1][MAX_NAME + 1];

	for (size_t i = 0; i <= a.size; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= b.size; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= a.size; i++) {
		for (size_t j = 1; j <= b.size; j++) {
			bool differs = a.data[i - 1] != b.data[j - 1];

			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
			    d[i - 1][j - 1] + differs);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
			    a.data[i - 2] == b.data[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a.size][b.size];
}

struct best {
	struct slice wanted;
	struct slice found;
	size_t distance;	/* one more than is still alike */
};

static struct best
best_start(struct slice wanted)
{
	return (struct best){ wanted, { NULL, 0 },
		wanted.size > MAX_NAME ? 0 : (wanted.size + 2) / 3 + 1 };
}

static void
best_consider(struct best *best, struct slice candidate)
{
	size_t d;

	if (best->distance == 0 || candidate.size == 0 ||
	    candidate.size > MAX_NAME)
		return;
	d = distance(best->wanted, candidate);
	if (d < best->distance && d < candidate.size) {
		best->distance = d;
		best->found = candidate;
	}
}

const struct config_section *
config_section_find(struct slice name)
{
	for (size_t i = 1; i < config_n_sections; i++)
		if (slice_equals(slice_of(config_sections[i].name), name))
			return &config_sections[i];
	return NULL;
}

const struct config_key *
config_key_find(const char *section, struct slice name)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if ((section == NULL || strcmp(key->section, section) == 0) &&
		    slice_equals(slice_of(key->name), name))
			return key;
	}
	return NULL;
}

const char *
config_key_suggest(const char *section, struct slice name)
{
	struct best best = best_start(name);

	for (size_t i = 0; i < config_n_keys; i++)
		if (strcmp(config_keys[i].section, section) == 0)
			best_consider(&best, slice_of(config_keys[i].name));
	for (size_t i = 1; i < config_n_sections; i++)
		if (strcmp(config_sections[i].parent, section) == 0)
			best_consider(&best,
			    slice_of(config_sections[i].name));
	return best.found.data;
}

/* Cut the first word off "a|b|c"; false after the last. */
static bool
next_word(const char **words, struct slice *word)
{
	size_t n = strcspn(*words, "|");

	*word = (struct slice){ *words, n };
	*words += n + ((*words)[n] == '|');
	return n > 0;
}

bool
config_word_find(const char *words, struct slice name, unsigned *index)
{
	struct slice word;

	for (*index = 0; next_word(&words, &word); ++*index)
		if (slice_equals(word, name))
			return true;
	return false;
}

const char *
config_word_suggest(const char *words, struct slice name, char *room,
    size_t size)
{
	struct best best = best_start(name);
	struct slice word;

	while (next_word(&words, &word))
		best_consider(&best, word);
	if (best.found.data == NULL || !slice_copy(room, size, best.found))
		return NULL;
	return room;
}
