/* SPDX-License-Identifier: ISC */
/*
 * flush.h - make many files and directories durable together.
 *
 * Used by a delivery worker for one batch (the files that it has written to
 * tmp/ and each new/ that it has renamed into) and by queue for what came in
 * one round of its loop. A few are flushed one by one (fdatasync, fsync). Many
 * on one local file system are flushed with one
 * syncfs, which on ext4 and xfs costs one journal commit instead of one for
 * each; where others have so much unwritten data that this takes long, it
 * goes back to one by one for a while.
 *
 * A file that is to be renamed needs one flush only where is_local: once
 * flush_data has written it out, it is renamed and then flushed by itself,
 * and its new name with it. A journal commits both, or none (ext4, xfs);
 * ext4 without a journal writes the directory of a new name with the file.
 * Elsewhere the file is flushed before its rename and the directory after.
 *
 * A flush that failed is never tried again: the kernel may have dropped what
 * it could not write, and a second call would say that all is well. When
 * syncfs fails nobody can tell whose data it was, so all of them failed.
 */
#ifndef POSTERN_FLUSH_H
#define POSTERN_FLUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FLUSH_TOGETHER_MIN 4	/* fewer are faster one by one */

struct flush_item {
	int fd;
	bool is_name;		/* a directory, or a file after its rename */
	bool is_local;		/* may be flushed by syncfs */
	dev_t device;
	int error;		/* out: 0 or a negative errno */
};

/* Of statfs: where syncfs costs about one commit and reports errors
 * faithfully, and where fsync of a file takes its names along. */
bool flush_is_local_type(long type);
/* Start writing a file out, so that several are under way at once; for those
 * that syncfs is going to write out it costs more than it gives. */
void flush_begin(int fd);
/* Wait until what was written to fd is written out. This says whether the
 * device could take it and does not make it durable: a flush must follow. 0
 * or a negative errno. */
int flush_data(int fd);
/* Sets each item's error, in whatever order is cheapest. */
void flush_all(struct flush_item *items, size_t n);

#endif
