/* SPDX-License-Identifier: ISC */
/*
 * ended.c - delivery records on disk; see ended.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "big_endian.h"
#include "ended.h"

#define COUNTER_BITS 20
#define COUNTER_STUCK UINT8_MAX	/* counts no more: always "perhaps" */

struct ended {
	struct kv_table *table;
	uint64_t n;
	uint8_t counters[1u << COUNTER_BITS];
};

/* Keys are MACs: their first bits are as good as any hash. */
static uint8_t *
counter_of(struct ended *ended, const uint8_t *key)
{
	uint32_t at = (uint32_t)big_endian_get(key, 3);

	return &ended->counters[at >> (24 - COUNTER_BITS)];
}

static void
count_in(struct ended *ended, const uint8_t *key)
{
	uint8_t *counter = counter_of(ended, key);

	ended->n++;
	if (*counter != COUNTER_STUCK)
		++*counter;
}

static void
count_out(struct ended *ended, const uint8_t *key)
{
	uint8_t *counter = counter_of(ended, key);

	if (ended->n > 0)
		ended->n--;
	if (*counter != COUNTER_STUCK && *counter > 0)
		--*counter;
}

static struct slice
slice_of_key(const uint8_t *key)
{
	return (struct slice){ (const char *)key, ENDED_KEY_SIZE };
}

static bool
on_kept(struct slice key, struct slice value, void *arg)
{
	(void)value;
	if (key.size == ENDED_KEY_SIZE)
		count_in(arg, (const uint8_t *)key.data);
	return true;
}

static bool
on_expired(struct slice key, struct slice value, void *arg)
{
	(void)value;
	if (key.size == ENDED_KEY_SIZE)
		count_out(arg, (const uint8_t *)key.data);
	return true;
}

int
ended_open(struct ended **endedp, struct kv *kv)
{
	struct ended *ended = calloc(1, sizeof *ended);
	int error;

	*endedp = NULL;
	if (ended == NULL)
		return -ENOMEM;
	error = kv_table_open(kv, "delivered", &ended->table);
	if (!error)
		error = ended_recount(ended);
	if (error) {
		free(ended);
		return error;
	}
	*endedp = ended;
	return 0;
}

void
ended_close(struct ended **ended)
{
	free(*ended);	/* the table is kv's */
	*ended = NULL;
}

int
ended_recount(struct ended *ended)
{
	int error;

	ended->n = 0;
	memset(ended->counters, 0, sizeof ended->counters);
	error = kv_iterate(ended->table, on_kept, ended);
	if (error)	/* rather look up each than miss one */
		memset(ended->counters, COUNTER_STUCK,
		    sizeof ended->counters);
	return error;
}

int
ended_find(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE])
{
	uint8_t value[8];
	size_t size;
	int error;

	if (*counter_of(ended, key) == 0)
		return 0;
	error = kv_get(ended->table, slice_of_key(key), value, sizeof value,
	    &size);
	return error == -ENOENT ? 0 : error ? error : 1;
}

int
ended_put(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE],
    int64_t expires_s)
{
	int known = ended_find(ended, key);
	int error = kv_put(ended->table, slice_of_key(key), SLICE(""),
	    expires_s);

	if (!error && known != 1)
		count_in(ended, key);
	return error;
}

int
ended_delete(struct ended *ended, const uint8_t key[ENDED_KEY_SIZE])
{
	int error;

	if (*counter_of(ended, key) == 0)
		return 0;
	error = kv_delete(ended->table, slice_of_key(key));
	if (!error)
		count_out(ended, key);
	return error == -ENOENT ? 0 : error;
}

int
ended_expire(struct ended *ended, int64_t now_s, unsigned n_most)
{
	return kv_expire(ended->table, now_s, n_most, on_expired, ended);
}

uint64_t
ended_count(const struct ended *ended)
{
	return ended->n;
}
