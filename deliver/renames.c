/* SPDX-License-Identifier: ISC */
/*
 * renames.c - see renames.h. Each ring has one writer; it is read only when
 * that writer is dead or has answered.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include "renames.h"
#include "sealed.h"

struct ring {			/* whole pages: no two rings share one */
	_Atomic uint64_t at;	/* the next place */
	_Atomic uint64_t names[RENAMES_NAMES];
	/* written by the supervisor */
	_Atomic uint64_t is_kept, cancel_at;
	_Atomic uint64_t cancelled[RENAMES_CANCELS];
};

_Static_assert(sizeof(struct ring) == 32768, "a ring is whole pages");
#define BOARD_BYTES (sizeof(struct ring) * RENAMES_RINGS)

/* This process's only state. */
static struct ring *rings;	/* all of them, in the supervisor */
static struct ring *own;	/* in a worker */

int
renames_open(int fd)
{
	rings = sealed_open_board(fd, BOARD_BYTES);
	return rings == NULL ? -errno : 0;
}

/* FNV-1a; 0 is an empty place. */
static uint64_t
hash_of(struct slice file)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < file.size; i++)
		hash = (hash ^ (uint8_t)file.data[i]) * 0x100000001b3u;
	return hash | 1;
}

static bool
ring_has(struct ring *ring, uint64_t hash)
{
	if (atomic_load(&ring->at) == 0)
		return false;	/* never used: touch no more of it */
	for (size_t i = 0; i < RENAMES_NAMES; i++)
		if (atomic_load(&ring->names[i]) == hash)
			return true;
	return false;
}

bool
renames_has(struct slice file)
{
	uint64_t hash = hash_of(file);

	for (size_t i = 0; rings != NULL && i < RENAMES_RINGS; i++)
		if (ring_has(&rings[i], hash))
			return true;
	return false;
}

void
renames_cancel(struct slice file)
{
	for (size_t i = 0; rings != NULL && i < RENAMES_RINGS; i++) {
		struct ring *ring = &rings[i];
		uint64_t at;

		if (atomic_load(&ring->is_kept) == 0)
			continue;
		at = atomic_fetch_add(&ring->cancel_at, 1);
		atomic_store(&ring->cancelled[at % RENAMES_CANCELS],
		    hash_of(file));
	}
}

bool
renames_is_cancelled(struct slice file)
{
	uint64_t hash = hash_of(file);

	for (size_t i = 0; own != NULL && i < RENAMES_CANCELS; i++)
		if (atomic_load(&own->cancelled[i]) == hash)
			return true;
	return false;
}

void
renames_keep(unsigned ring)
{
	if (rings == NULL)
		return;
	ring %= RENAMES_RINGS;
	own = &rings[ring];
	atomic_store(&own->is_kept, 1);
	if (ring > 0)
		munmap(rings, ring * sizeof *rings);
	if (ring + 1 < RENAMES_RINGS)
		munmap(own + 1, (RENAMES_RINGS - ring - 1) * sizeof *rings);
	rings = NULL;
}

void
renames_note(struct slice file)
{
	uint64_t at;

	if (own == NULL)
		return;
	at = atomic_load(&own->at) + 1;
	atomic_store(&own->names[at % RENAMES_NAMES], hash_of(file));
	atomic_store(&own->at, at);
}

void
renames_forget(struct slice file)
{
	uint64_t hash = hash_of(file);

	for (size_t i = 0; own != NULL && i < RENAMES_NAMES; i++)
		if (atomic_load(&own->names[i]) == hash)
			atomic_store(&own->names[i], 0);
}
