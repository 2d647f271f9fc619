/* SPDX-License-Identifier: ISC */
/*
 * file_io.c - see file_io.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "file_io.h"

#define BLOCK 65536
#define SECRET_MAX 4096
#define DESCRIPTORS (1u << 20)	/* the kernel's own limit, fs.nr_open */

int
file_read(const char *path, struct buf *text)
{
	char block[8192];
	ssize_t n = 1;
	int error = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (error == 0 && n != 0) {
		n = read(fd, block, sizeof block);
		if (n > 0)
			error = buf_append(text, block, (size_t)n);
		else if (n < 0 && errno != EINTR)
			error = -errno;
	}
	close(fd);
	return error;
}

int
file_read_secret(const char *path, char **secret)
{
	struct buf text = { .maximum = SECRET_MAX };
	int error = file_read(path, &text);
	struct slice rest = buf_slice(&text), line = slice_next_line(&rest);

	*secret = NULL;
	if (line.size > 0 && line.data[line.size - 1] == '\r')
		line.size--;
	if (error == -ENOBUFS)
		error = -E2BIG;
	if (!error && line.size == 0)
		error = -ENODATA;
	if (!error && (*secret = slice_strdup(line)) == NULL)
		error = -ENOMEM;
	if (text.data != NULL)
		explicit_bzero(text.data, text.size);
	buf_free(&text);
	return error;
}

int
file_write(int fd, struct slice text)
{
	while (text.size > 0) {
		ssize_t n = write(fd, text.data, text.size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text.data += n;
		text.size -= (size_t)n;
	}
	return 0;
}

int
file_copy(int to, int from, uint64_t at, uint64_t size)
{
	static char block[BLOCK];	/* each process has one thread */
	int error = 0;

	while (error == 0 && size > 0) {
		ssize_t n = pread(from, block, size < BLOCK ? (size_t)size :
		    BLOCK, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		error = file_write(to, (struct slice){ block, (size_t)n });
		at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return error;
}

int
file_sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return error;
}

int
file_hold_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode) != fd)
			return -EBADF;
	}
	return 0;
}

void
file_close_from(int first)
{
	struct rlimit limit;

	if (close_range((unsigned)first, ~0u, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur > DESCRIPTORS)
		limit.rlim_cur = DESCRIPTORS;
	for (int fd = first; fd < (int)limit.rlim_cur; fd++)
		close(fd);
}

void
file_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
