/* SPDX-License-Identifier: ISC */
/*
 * failures.c - see failures.h.
 *
 * Entries stand in one ring in the order of their age and in chains by key.
 * Putting one anew moves it to the young end: its old place is left void.
 */
#include <stdlib.h>
#include <string.h>
#include "failures.h"

#define N_BUCKETS FAILURES_MAX
#define LIFE_US ((int64_t)FAILURES_LIFE_S * 1000000)

struct entry {
	uint8_t key[HMAC_SIZE];
	int64_t at_us;
	uint32_t next;		/* in its bucket, plus 1 */
	bool is_used, is_armed;
	struct verdict verdict;
};

struct failures {
	struct hmac *hmac;
	uint32_t first, n;	/* of the ring */
	uint32_t n_armed;
	uint32_t buckets[N_BUCKETS];	/* entry plus 1; 0: empty */
	struct entry ring[FAILURES_MAX];
};

struct failures *
failures_new(struct hmac *hmac)
{
	struct failures *f = calloc(1, sizeof *f);

	if (f != NULL)
		f->hmac = hmac;
	return f;
}

void
failures_free(struct failures **f)
{
	free(*f);
	*f = NULL;
}

static uint32_t *
bucket_of(struct failures *f, const uint8_t *key)
{
	uint32_t hash;

	memcpy(&hash, key, sizeof hash);
	return &f->buckets[hash % N_BUCKETS];
}

static void
remove_entry(struct failures *f, struct entry *e)
{
	uint32_t number = (uint32_t)(e - f->ring) + 1;
	uint32_t *at = bucket_of(f, e->key);

	while (*at != number)
		at = &f->ring[*at - 1].next;
	*at = e->next;
	f->n_armed -= e->is_armed;
	e->is_used = e->is_armed = false;
}

static struct entry *
find(struct failures *f, const uint8_t *key)
{
	uint32_t at = *bucket_of(f, key);

	while (at != 0 && memcmp(f->ring[at - 1].key, key, HMAC_SIZE) != 0)
		at = f->ring[at - 1].next;
	return at == 0 ? NULL : &f->ring[at - 1];
}

static void
drop_first(struct failures *f)
{
	if (f->ring[f->first].is_used)
		remove_entry(f, &f->ring[f->first]);
	f->first = (f->first + 1) % FAILURES_MAX;
	f->n--;
}

void
failures_expire(struct failures *f, int64_t now_us)
{
	while (f->n > 0 && (!f->ring[f->first].is_used ||
	    f->ring[f->first].at_us + LIFE_US <= now_us))
		drop_first(f);
}

static bool
make_key(struct failures *f, const struct failure *failure, uint8_t *key)
{
	const struct slice fields[] = { failure->client_network,
		failure->reverse_path, failure->recipient };

	return hmac_fields(f->hmac, fields, 3, key) == 0;
}

void
failures_put(struct failures *f, const struct failure *failure,
    int64_t now_us)
{
	uint8_t key[HMAC_SIZE];
	struct entry *e;
	uint32_t *bucket;

	if (!make_key(f, failure, key))
		return;
	failures_expire(f, now_us);
	e = find(f, key);
	if (e != NULL)
		remove_entry(f, e);
	if (f->n == FAILURES_MAX)
		drop_first(f);
	e = &f->ring[(f->first + f->n++) % FAILURES_MAX];
	bucket = bucket_of(f, key);
	*e = (struct entry){ .at_us = now_us, .next = *bucket,
		.is_used = true, .is_armed = true,
		.verdict = failure->verdict };
	memcpy(e->key, key, sizeof key);
	*bucket = (uint32_t)(e - f->ring) + 1;
	f->n_armed++;
}

void
failures_ask(struct failures *f, const struct failure *question,
    int64_t now_us, struct verdict *verdict)
{
	uint8_t key[HMAC_SIZE];
	struct entry *e;

	memset(verdict, 0, sizeof *verdict);
	failures_expire(f, now_us);
	if (f->n_armed == 0 || !make_key(f, question, key))
		return;
	e = find(f, key);
	if (e == NULL || !e->is_armed)
		return;
	*verdict = e->verdict;
	e->is_armed = false;
	f->n_armed--;
}

uint32_t
failures_count_armed(const struct failures *f)
{
	return f->n_armed;
}
