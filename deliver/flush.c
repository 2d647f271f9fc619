/* SPDX-License-Identifier: ISC */
/*
 * flush.c - durable together; see flush.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>
#include "clock.h"
#include "fault.h"
#include "flush.h"

#define SLOW_US 100000		/* a syncfs over this had to write for others */
#define PAUSE_US 10000000
#define PAUSE_AFTER_ERROR_US 60000000

/* This process's only state: until when syncfs is not used. */
static int64_t paused_until_us;

void
flush_begin(int fd)
{
	/* only a hint: what matters is said by the flush */
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void
flush_one(struct flush_item *item)
{
	int error = item->is_dir ? FAULT("maildir.fsync_dir") :
	    FAULT("maildir.fdatasync");

	if (!error && (item->is_dir ? fsync(item->fd) :
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
			items[i].error = items[i].is_dir ?
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
