/* SPDX-License-Identifier: ISC */
/*
 * spool_files.h - what spool.c and spool_load.c share.
 */
#ifndef QUEUE_SPOOL_FILES_H
#define QUEUE_SPOOL_FILES_H

#include <sys/types.h>
#include "spares.h"
#include "spool.h"

#define SPOOL_BATCH 256			/* changes of one flush */
#define SPOOL_NAME_SIZE (ENVELOPE_ID_SIZE + 8)

enum spool_step { SPOOL_STEP_PREPARE, SPOOL_STEP_COMMIT, SPOOL_STEP_TAKE,
	SPOOL_STEP_REPLACE };

struct spool_change {
	enum spool_step step;
	uint64_t id;
	enum spool_folder folder;
	int envelope_fd, body_fd;	/* to be flushed, or -1 */
	int error;
	spool_done_fn *done;
	void *arg;
};

struct spool {
	int folders[SPOOL_N_FOLDERS];
	bool is_dirty[SPOOL_N_FOLDERS];	/* needs a flush */
	bool has_removed;
	bool is_local;			/* may be flushed by syncfs */
	dev_t device;
	struct spool_change rooms[2][SPOOL_BATCH];
	struct spool_change *changes;	/* one of the rooms */
	size_t n_changes;
	struct spares spares;
	struct buf text;		/* kept for its memory */
};

extern const char *const spool_folder_names[SPOOL_N_FOLDERS];

#endif
