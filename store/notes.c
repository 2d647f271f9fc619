/* SPDX-License-Identifier: ISC */
/*
 * notes.c - see notes.h.
 *
 * What waits stands in an array and in chains by key, each key once. n is
 * kept exact by deleting before adding: a key that was not in the table is
 * a new one, whatever was expired or swept meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "big_endian.h"
#include "notes.h"

#define N_BUCKETS NOTES_WAITING_MAX
#define VALUE_SIZE 25
#define SWEEP_AT_ONCE 512
#define SWEEPS_AT_BOUND 16	/* of these slices, while it is too full */
#define SWEEP_EVERY_S 3600
#define SHIFT_STEP_S (6 * 3600)	/* of what goes early at the bound */

struct waiting {
	uint8_t key[NOTES_KEY_SIZE];
	uint32_t next;		/* in its bucket, plus 1 */
	struct note note;
};

struct notes {
	struct kv_table *table;
	uint64_t n, most;	/* in the table */
	bool is_miscounted;	/* a commit failed */
	bool is_sweeping;
	int64_t swept_s;	/* when the last whole sweep began */
	int64_t shift_s;	/* notes go this much before their time */
	uint32_t n_waiting;
	uint32_t buckets[N_BUCKETS];	/* waiting plus 1; 0: empty */
	struct waiting waiting[NOTES_WAITING_MAX];
};

static struct slice
slice_of_key(const uint8_t *key)
{
	return (struct slice){ (const char *)key, NOTES_KEY_SIZE };
}

/* ---- values on disk ---- */

static void
put_note(uint8_t value[VALUE_SIZE], const struct note *note)
{
	big_endian_put(value, (uint64_t)note->first_s, 8);
	big_endian_put(value + 8, (uint64_t)note->last_s, 8);
	big_endian_put(value + 16, (uint64_t)note->expires_s, 8);
	value[24] = note->is_proven;
}

static void
get_note(const uint8_t value[VALUE_SIZE], struct note *note)
{
	*note = (struct note){
		.first_s = (int64_t)big_endian_get(value, 8),
		.last_s = (int64_t)big_endian_get(value + 8, 8),
		.expires_s = (int64_t)big_endian_get(value + 16, 8),
		.is_proven = value[24] != 0 };
}

/* ---- open, close ---- */

static bool
on_kept(struct slice key, struct slice value, void *arg)
{
	struct notes *notes = arg;

	(void)key;
	(void)value;
	notes->n++;
	return true;
}

static int
count(struct notes *notes)
{
	int error;

	notes->n = 0;
	error = kv_iterate(notes->table, on_kept, notes);
	notes->is_miscounted = error != 0;
	return error;
}

int
notes_open(struct notes **notesp, struct kv *kv, const char *name,
    uint64_t most)
{
	struct notes *notes = calloc(1, sizeof *notes);
	int error;

	*notesp = NULL;
	if (notes == NULL)
		return -ENOMEM;
	notes->most = most;
	error = kv_table_open(kv, name, &notes->table);
	if (!error) {
		kv_table_is_soft(notes->table);
		error = count(notes);
	}
	if (error) {
		free(notes);
		return error;
	}
	*notesp = notes;
	return 0;
}

void
notes_close(struct notes **notes)
{
	free(*notes);	/* the table is kv's */
	*notes = NULL;
}

/* ---- what waits ---- */

/* Keys are MACs: their first bits are as good as any hash. */
static uint32_t *
bucket_of(struct notes *notes, const uint8_t *key)
{
	uint32_t hash;

	memcpy(&hash, key, sizeof hash);
	return &notes->buckets[hash % N_BUCKETS];
}

static struct waiting *
find_waiting(struct notes *notes, const uint8_t *key)
{
	uint32_t at = *bucket_of(notes, key);

	while (at != 0 && memcmp(notes->waiting[at - 1].key, key,
	    NOTES_KEY_SIZE) != 0)
		at = notes->waiting[at - 1].next;
	return at == 0 ? NULL : &notes->waiting[at - 1];
}

static void
forget_waiting(struct notes *notes)
{
	for (uint32_t i = 0; i < notes->n_waiting; i++)
		*bucket_of(notes, notes->waiting[i].key) = 0;
	notes->n_waiting = 0;
}

int
notes_get(struct notes *notes, const uint8_t key[NOTES_KEY_SIZE],
    int64_t now_s, struct note *note)
{
	const struct waiting *waiting = find_waiting(notes, key);
	uint8_t value[VALUE_SIZE];
	size_t size = 0;
	int error = 0;

	if (waiting != NULL) {
		*note = waiting->note;
	} else {
		error = kv_get(notes->table, slice_of_key(key), value,
		    sizeof value, &size);
		if (!error && size == sizeof value)
			get_note(value, note);
		else if (!error || error == -EMSGSIZE)
			error = -ENOENT;	/* not ours */
	}
	if (!error && note->expires_s <= now_s)
		error = -ENOENT;
	return error;
}

int
notes_put(struct notes *notes, const uint8_t key[NOTES_KEY_SIZE],
    const struct note *note)
{
	struct waiting *waiting = find_waiting(notes, key);
	uint32_t *bucket;

	if (waiting != NULL) {
		waiting->note = *note;
		return 0;
	}
	/* the sweep frees room; this much over the bound it may be late */
	if (notes->n_waiting == NOTES_WAITING_MAX ||
	    notes->n + notes->n_waiting >= notes->most + notes->most / 8)
		return -ENOSPC;
	bucket = bucket_of(notes, key);
	waiting = &notes->waiting[notes->n_waiting++];
	*waiting = (struct waiting){ .next = *bucket, .note = *note };
	memcpy(waiting->key, key, NOTES_KEY_SIZE);
	*bucket = notes->n_waiting;
	return 0;
}

bool
notes_have_waiting(const struct notes *notes)
{
	return notes->n_waiting > 0;
}

/* ---- to the disk ---- */

static int
store_one(struct notes *notes, const struct waiting *waiting)
{
	struct slice key = slice_of_key(waiting->key);
	uint8_t value[VALUE_SIZE];
	int known = kv_delete(notes->table, key), error;

	if (known != 0 && known != -ENOENT)
		return known;
	put_note(value, &waiting->note);
	error = kv_put(notes->table, key, (struct slice){
	    (const char *)value, sizeof value }, waiting->note.expires_s);
	if (error && known == 0)
		notes->n--;
	if (!error && known == -ENOENT)
		notes->n++;
	return error;
}

int
notes_store(struct notes *notes)
{
	int error = 0;

	for (uint32_t i = 0; !error && i < notes->n_waiting; i++)
		error = store_one(notes, &notes->waiting[i]);
	return error;
}

void
notes_stored(struct notes *notes, int error)
{
	if (error) {
		notes->is_miscounted = true;
		return;
	}
	forget_waiting(notes);
	if (notes->is_miscounted)
		(void)count(notes);
}

/* ---- expiry ---- */

static bool
on_expired(struct slice key, struct slice value, void *arg)
{
	struct notes *notes = arg;

	(void)key;
	(void)value;
	if (notes->n > 0)
		notes->n--;
	return true;
}

static void
begin_sweep(struct notes *notes, int64_t now_s)
{
	bool is_full = notes->n > notes->most;

	if (is_full)
		notes->shift_s += SHIFT_STEP_S;
	else
		notes->shift_s = 0;
	notes->is_sweeping = is_full || now_s < notes->swept_s ||
	    now_s - notes->swept_s >= SWEEP_EVERY_S;
	if (notes->is_sweeping)
		notes->swept_s = now_s;
}

int
notes_sweep(struct notes *notes, int64_t now_s)
{
	unsigned n_slices;
	int more = 1;

	if (!notes->is_sweeping)
		begin_sweep(notes, now_s);
	n_slices = notes->n > notes->most ? SWEEPS_AT_BOUND : 1;
	while (notes->is_sweeping && n_slices-- > 0) {
		more = kv_expire(notes->table, now_s + notes->shift_s,
		    SWEEP_AT_ONCE, on_expired, notes);
		notes->is_sweeping = more == 1;
	}
	return more < 0 ? more : 0;
}

uint64_t
notes_count(const struct notes *notes)
{
	return notes->n;
}
