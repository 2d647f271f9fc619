/* SPDX-License-Identifier: ISC */
/*
 * slots.c - the file of live delivery records; see slots.h.
 *
 * A kill between any two stores of slots_take leaves a slot whose state is
 * still FREE. A torn write-back at a power cut leaves one whose check word
 * is wrong: slots_open frees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "slots.h"

#define SLOT_SIZE 4608
#define GROW_SLOTS 64		/* blocks are reserved for so many at once */

struct slot {
	uint64_t check;
	_Atomic uint8_t state;
	uint8_t reserved;
	uint16_t maildir_size, file_size;
	uint16_t unused;		/* checked with the rest */
	uint32_t uid, gid;
	int64_t at_s;
	uint8_t key[SLOT_KEY_SIZE];
	uint8_t boot[SLOT_BOOT_SIZE];
	char text[SLOT_TEXT_MAX];
};

_Static_assert(sizeof(struct slot) <= SLOT_SIZE, "a slot fits its place");

struct slots {
	int fd;
	uint8_t *map;			/* SLOTS_MAX places */
	uint32_t n_slots;		/* places with blocks */
	uint32_t n_free;
	uint32_t free[SLOTS_MAX];	/* a stack: warm places come first */
};

static struct slot *
slot_at(const struct slots *slots, uint32_t number)
{
	return (struct slot *)(void *)(slots->map +
	    (size_t)number * SLOT_SIZE);
}

/* FNV-1a over words; it finds torn writes, not malice. */
static uint64_t
slot_check(const struct slot *slot)
{
	size_t from = offsetof(struct slot, maildir_size);
	size_t size = offsetof(struct slot, text) + slot->maildir_size +
	    slot->file_size - from;
	const uint8_t *at = (const uint8_t *)slot + from;
	uint64_t hash = 0xcbf29ce484222325u, word;

	for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
		memcpy(&word, at, sizeof word);
		hash = (hash ^ word) * 0x100000001b3u;
		hash ^= hash >> 29;
	}
	for (; size > 0; size--)
		hash = (hash ^ *at++) * 0x100000001b3u;
	return hash;
}

static bool
slot_is_whole(const struct slot *slot)
{
	uint8_t state = slot->state;

	if (state != SLOT_BEGUN && state != SLOT_INTENT && state != SLOT_DONE)
		return false;
	return (size_t)slot->maildir_size + slot->file_size <=
	    SLOT_TEXT_MAX && slot->check == slot_check(slot);
}

/* Lowest numbers on top of the stack, so that few pages stay in use. */
static void
find_free(struct slots *slots, uint32_t from)
{
	for (uint32_t i = slots->n_slots; i-- > from;) {
		struct slot *slot = slot_at(slots, i);

		if (slot->state != SLOT_FREE && slot_is_whole(slot))
			continue;
		slot->state = SLOT_FREE;
		slots->free[slots->n_free++] = i;
	}
}

/* As it is, or as zeros where nothing is: records may stand there. */
static int
write_again(int fd, off_t at)
{
	char place[SLOT_SIZE] = { 0 };
	ssize_t n;

	if (pread(fd, place, SLOT_SIZE, at) < 0)
		return -errno;
	n = pwrite(fd, place, SLOT_SIZE, at);
	if (n != SLOT_SIZE)
		return n < 0 ? -errno : -ENOSPC;
	return 0;
}

/* Some file systems cannot reserve (ext3, ZFS, NFS before 4.2). */
static int
reserve_blocks(int fd, off_t from, off_t size)
{
	int error = fallocate(fd, 0, from, size) < 0 ? -errno : 0;

	if (error != -EOPNOTSUPP && error != -ENOSYS)
		return error;
	error = 0;
	for (off_t at = from; !error && at < from + size; at += SLOT_SIZE)
		error = write_again(fd, at);
	return error;
}

static int
grow(struct slots *slots)
{
	uint32_t before = slots->n_slots;
	int error;

	if (before + GROW_SLOTS > SLOTS_MAX)
		return -ENOSPC;
	error = reserve_blocks(slots->fd, (off_t)before * SLOT_SIZE,
	    (off_t)GROW_SLOTS * SLOT_SIZE);
	if (error)
		return error;
	slots->n_slots += GROW_SLOTS;
	find_free(slots, before);
	return 0;
}

/* The size is a multiple of what grow adds, or a crash was in the middle. */
static int
count_slots(struct slots *slots)
{
	const off_t step = (off_t)GROW_SLOTS * SLOT_SIZE;
	struct stat st;
	off_t n;

	if (fstat(slots->fd, &st) < 0)
		return -errno;
	n = st.st_size / step;
	if (n * GROW_SLOTS > SLOTS_MAX)
		n = 0;	/* not a file of ours */
	if (st.st_size != n * step && ftruncate(slots->fd, n * step) < 0)
		return -errno;
	slots->n_slots = (uint32_t)n * GROW_SLOTS;
	/* a copied or restored file may have holes */
	return n ? reserve_blocks(slots->fd, 0, n * step) : 0;
}

int
slots_open(struct slots **slotsp, const char *path)
{
	struct slots *slots = calloc(1, sizeof *slots);
	int error;

	*slotsp = NULL;
	if (slots == NULL)
		return -ENOMEM;
	slots->map = MAP_FAILED;
	slots->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	error = slots->fd < 0 ? -errno : count_slots(slots);
	if (!error) {
		slots->map = mmap(NULL, (size_t)SLOTS_MAX * SLOT_SIZE,
		    PROT_READ | PROT_WRITE, MAP_SHARED, slots->fd, 0);
		error = slots->map == MAP_FAILED ? -errno : 0;
	}
	if (error) {
		slots_close(&slots);
		return error;
	}
	find_free(slots, 0);
	*slotsp = slots;
	return 0;
}

void
slots_close(struct slots **slotsp)
{
	struct slots *slots = *slotsp;

	*slotsp = NULL;
	if (slots == NULL)
		return;
	if (slots->map != MAP_FAILED)
		munmap(slots->map, (size_t)SLOTS_MAX * SLOT_SIZE);
	if (slots->fd >= 0)
		close(slots->fd);
	free(slots);
}

uint32_t
slots_take(struct slots *slots, const struct slot_content *content,
    int *error)
{
	struct slot *slot;
	uint32_t number;

	*error = 0;
	if (content->maildir.size + content->file.size > SLOT_TEXT_MAX)
		*error = -ENAMETOOLONG;
	else if (slots->n_free == 0)
		*error = grow(slots);
	if (*error)
		return SLOT_NONE;
	number = slots->free[--slots->n_free];
	slot = slot_at(slots, number);
	slot->maildir_size = (uint16_t)content->maildir.size;
	slot->file_size = (uint16_t)content->file.size;
	slot->uid = content->uid;
	slot->gid = content->gid;
	slot->at_s = content->at_s;
	memcpy(slot->key, content->key, sizeof slot->key);
	memcpy(slot->boot, content->boot, sizeof slot->boot);
	memcpy(slot->text, content->maildir.data, slot->maildir_size);
	memcpy(slot->text + slot->maildir_size, content->file.data,
	    slot->file_size);
	slot->check = slot_check(slot);
	slots_set_state(slots, number, SLOT_BEGUN);
	return number;
}

void
slots_set_state(struct slots *slots, uint32_t slot, enum slot_state state)
{
	/* not before all of the content: a kill may come in between */
	atomic_store_explicit(&slot_at(slots, slot)->state, (uint8_t)state,
	    memory_order_release);
}

void
slots_release(struct slots *slots, uint32_t slot)
{
	slots_set_state(slots, slot, SLOT_FREE);
	slots->free[slots->n_free++] = slot;
}

void
slots_read(const struct slots *slots, uint32_t number,
    struct slot_content *content)
{
	const struct slot *slot = slot_at(slots, number);

	memcpy(content->key, slot->key, sizeof content->key);
	memcpy(content->boot, slot->boot, sizeof content->boot);
	content->at_s = slot->at_s;
	content->uid = slot->uid;
	content->gid = slot->gid;
	content->maildir = (struct slice){ slot->text, slot->maildir_size };
	content->file = (struct slice){ slot->text + slot->maildir_size,
		slot->file_size };
}

enum slot_state
slots_state(const struct slots *slots, uint32_t slot)
{
	return (enum slot_state)slot_at(slots, slot)->state;
}

uint32_t
slots_count(const struct slots *slots)
{
	return slots->n_slots;
}

uint32_t
slots_in_use(const struct slots *slots)
{
	return slots->n_slots - slots->n_free;
}
