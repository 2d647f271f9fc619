/* SPDX-License-Identifier: ISC */
/*
 * flush.c - durable together; see flush.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <unistd.h>
#include "clock.h"
#include "fault.h"
#include "flush.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define SLOW_US 100000		/* a syncfs over this had to write for others */
#define PAUSE_US 10000000
#define PAUSE_AFTER_ERROR_US 60000000

/* This process's only state: until when syncfs is not used. */
static int64_t paused_until_us;

/* Where syncfs costs about one commit and reports errors faithfully. */
bool
flush_is_local_type(long type)
{
	return type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC ||
	    type == TMPFS_MAGIC;
}

void
flush_begin(int fd)
{
	/* only a hint: what matters is said by the flush */
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int
flush_data(int fd)
{
	int error = FAULT("maildir.fdatasync");

	if (!error && sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
	    SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) < 0)
		error = errno;
	return -error;
}

static void
flush_one(struct flush_item *item)
{
	int error = item->is_name ? FAULT("maildir.fsync_dir") :
	    FAULT("maildir.fdatasync");

	if (!error && (item->is_name ? fsync(item->fd) :
	    fdatasync(item->fd)) < 0)
		error = errno;
	item->error = -error;
}

/*
 * It also says what failed on the device since fd was opened (Linux 5.8), be
 * it by a write-out before this call.
 */
static int
sync_device(int fd)
{
	int64_t begin = clock_monotonic_us();
	int error = syncfs(fd) < 0 ? -errno : 0;
	int64_t end = clock_monotonic_us();

	if (error)
		paused_until_us = end + PAUSE_AFTER_ERROR_US;
	else if (end - begin > SLOW_US)
		paused_until_us = end + PAUSE_US;
	return error;
}

static bool
goes_together(const struct flush_item *a, const struct flush_item *b)
{
	return b->is_local && b->device == a->device && b->error > 0;
}

/* The first of them was opened before any of the others was written. */
static void
flush_together(struct flush_item *items, size_t n)
{
	const struct flush_item first = items[0];
	int error;

	for (size_t i = 0; i < n; i++)
		if (goes_together(&first, &items[i]))
			items[i].error = items[i].is_name ?
			    -FAULT("maildir.fsync_dir") :
			    -FAULT("maildir.fdatasync");
	error = sync_device(first.fd);
	for (size_t i = 0; error && i < n; i++)
		if (items[i].is_local && items[i].device == first.device &&
		    items[i].error == 0)
			items[i].error = error;
}

static size_t
count_together(const struct flush_item *items, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += goes_together(&items[0], &items[i]);
	return count;
}

void
flush_all(struct flush_item *items, size_t n)
{
	bool is_paused = clock_monotonic_us() < paused_until_us;

	for (size_t i = 0; i < n; i++)
		items[i].error = 1;	/* not flushed yet */
	for (size_t i = 0; i < n; i++) {
		if (items[i].error <= 0)
			continue;
		if (items[i].is_local && !is_paused &&
		    count_together(&items[i], n - i) >= FLUSH_TOGETHER_MIN)
			flush_together(&items[i], n - i);
		else
			flush_one(&items[i]);
	}
}
