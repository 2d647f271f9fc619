/* SPDX-License-Identifier: ISC */
/*
 * slots.h - a file of fixed slots that outlives the process, not the boot.
 *
 * The file is mapped shared and never synced: what was stored into it is in
 * the page cache, so a kill -9 of any process loses nothing, and a power
 * cut may lose all of it or any part. Each slot has a check word over all
 * but its state; the state is one octet and is written last.
 *
 *	slots_take -> BEGUN -> INTENT -> DONE -> slots_release
 *
 * Blocks are reserved before a slot is first used, so a full disk is
 * -ENOSPC from slots_take and never a SIGBUS. A slot holds the longest path
 * and file name that the kernel takes (PATH_MAX, NAME_MAX), most of it
 * unused and never touched. Only records.c uses this.
 */
#ifndef STORE_SLOTS_H
#define STORE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"

#define SLOTS_MAX 65536
#define SLOT_NONE UINT32_MAX
#define SLOT_KEY_SIZE 32
#define SLOT_BOOT_SIZE 16
#define SLOT_TEXT_MAX 4352	/* maildir and file name together */

/* Far apart in bits: one is not mistaken for another. */
enum slot_state {
	SLOT_FREE = 0x00,
	SLOT_BEGUN = 0x33,	/* noted; no COMMIT was sent */
	SLOT_INTENT = 0x5a,	/* a COMMIT may have been sent */
	SLOT_DONE = 0xcc,	/* it is in new/, durably */
};

struct slot_content {
	uint8_t key[SLOT_KEY_SIZE];
	uint8_t boot[SLOT_BOOT_SIZE];	/* of the kernel that it was made in */
	int64_t at_s;			/* wall clock */
	uint32_t uid, gid;
	struct slice maildir;
	struct slice file;
};

struct slots;

/* Open or create. -errno; an unusable file is emptied, not an error. */
int slots_open(struct slots **slots, const char *path);
void slots_close(struct slots **slots);
/*
 * Write into a free slot, state BEGUN. Its number, or SLOT_NONE with
 * *error -ENOSPC (disk, or all in use), -ENAMETOOLONG.
 */
uint32_t slots_take(struct slots *slots, const struct slot_content *content,
    int *error);
void slots_set_state(struct slots *slots, uint32_t slot,
    enum slot_state state);
void slots_release(struct slots *slots, uint32_t slot);
/* Strings point into the slot. */
void slots_read(const struct slots *slots, uint32_t slot,
    struct slot_content *content);
enum slot_state slots_state(const struct slots *slots, uint32_t slot);
/* How many slots there are, free ones too: numbers are below this. */
uint32_t slots_count(const struct slots *slots);
uint32_t slots_in_use(const struct slots *slots);

#endif
