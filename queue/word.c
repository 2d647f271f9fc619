/* SPDX-License-Identifier: ISC */
/*
 * word.c - shared strings; see word.h.
 */
#include <stdlib.h>
#include <string.h>
#include "word.h"

#define BUCKETS_MIN 1024u

static struct {
	struct word **buckets;
	uint32_t n_buckets, n;
} words;

static void
move_all(struct word **to, uint32_t n_to)
{
	for (uint32_t i = 0; i < words.n_buckets; i++) {
		struct word *w = words.buckets[i], *next;

		for (; w != NULL; w = next) {
			next = w->next;
			w->next = to[w->hash & (n_to - 1)];
			to[w->hash & (n_to - 1)] = w;
		}
	}
	free(words.buckets);
	words.buckets = to;
	words.n_buckets = n_to;
}

/* Chains stay short; without memory they get longer. */
static bool
make_room(void)
{
	uint32_t n = words.n_buckets ? words.n_buckets * 2 : BUCKETS_MIN;
	struct word **grown;

	if (words.n_buckets > 0 && words.n < words.n_buckets)
		return true;
	grown = calloc(n, sizeof *grown);
	if (grown != NULL)
		move_all(grown, n);
	return words.n_buckets > 0;
}

struct word *
word_get(struct slice text)
{
	uint32_t hash = slice_hash(text);
	struct word *w, **bucket;

	if (!make_room() || text.size > UINT32_MAX / 2)
		return NULL;
	bucket = &words.buckets[hash & (words.n_buckets - 1)];
	for (w = *bucket; w != NULL; w = w->next)
		if (w->hash == hash && w->size == text.size &&
		    memcmp(w->text, text.data, text.size) == 0)
			return word_share(w);
	w = malloc(sizeof *w + text.size + 1);
	if (w == NULL)
		return NULL;
	*w = (struct word){ .next = *bucket, .hash = hash, .n_uses = 1,
		.size = (uint32_t)text.size };
	if (text.size > 0)
		memcpy(w->text, text.data, text.size);
	w->text[text.size] = '\0';
	*bucket = w;
	words.n++;
	return w;
}

struct word *
word_share(struct word *w)
{
	if (w != NULL)
		w->n_uses++;
	return w;
}

void
word_drop(struct word **word)
{
	struct word *w = *word, **at;

	*word = NULL;
	if (w == NULL || --w->n_uses > 0)
		return;
	at = &words.buckets[w->hash & (words.n_buckets - 1)];
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	words.n--;
	free(w);
}

struct slice
word_slice(const struct word *w)
{
	return w == NULL ? SLICE("") : (struct slice){ w->text, w->size };
}

uint32_t
words_count(void)
{
	return words.n;
}
