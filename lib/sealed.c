/* SPDX-License-Identifier: ISC */
/*
 * sealed.c - memory files with seals; see sealed.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file_io.h"
#include "sealed.h"

#define SIZE_SEALS (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define TEXT_SEALS (SIZE_SEALS | F_SEAL_WRITE)
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u	/* Linux 6.3; older kernels say EINVAL */
#endif

int
sealed_create(const char *name)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	return fd < 0 ? -errno : fd;
}

/* What is no memfd has no seals, or lacks some: EINVAL or bits. */
static bool
has_seals(int fd, int wanted, size_t *size)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & wanted) != wanted || fstat(fd, &st) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_size < 0)
		return false;
	*size = (size_t)st.st_size;
	return true;
}

/* ---- texts ---- */

int
sealed_finish(int fd)
{
	return fcntl(fd, F_ADD_SEALS, TEXT_SEALS) < 0 ? -errno : 0;
}

int
sealed_of_text(const char *name, struct slice text)
{
	int fd = sealed_create(name), error;

	if (fd < 0)
		return fd;
	error = file_write(fd, text);
	if (!error)
		error = sealed_finish(fd);
	if (error)
		close(fd);
	return error ? error : fd;
}

bool
sealed_is_text(int fd, size_t *size)
{
	return has_seals(fd, TEXT_SEALS, size);
}

bool
sealed_is_text_of(int fd, size_t size)
{
	size_t has_size;

	return sealed_is_text(fd, &has_size) && has_size == size;
}

int
sealed_read(struct buf *to, int fd, size_t size)
{
	if (!sealed_is_text_of(fd, size))
		return -EBADMSG;
	to->data = calloc(1, size + 1);
	if (to->data == NULL)
		return -ENOMEM;
	to->size = size;
	to->capacity = size + 1;
	return pread(fd, to->data, size, 0) == (ssize_t)size ? 0 : -EIO;
}

/* ---- boards ---- */

/* Those who share an empty one may all be at it: whoever comes second finds
 * the size, or the seals, as he wants them. */
int
sealed_make_board(int fd, size_t size)
{
	struct stat st;
	size_t has_size;
	int error;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != 0 && (size_t)st.st_size != size)
		return -EBADMSG;
	error = ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, SIZE_SEALS) < 0 ? -errno : 0;
	return has_seals(fd, SIZE_SEALS, &has_size) && has_size == size ? 0 :
	    error ? error : -EBADMSG;
}

void *
sealed_map_board(int fd, size_t size, bool is_writable)
{
	size_t has_size;
	void *at;

	if (!has_seals(fd, SIZE_SEALS, &has_size) || has_size != size) {
		errno = EBADMSG;
		return NULL;
	}
	at = mmap(NULL, size, is_writable ? PROT_READ | PROT_WRITE :
	    PROT_READ, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

void *
sealed_open_board(int fd, size_t size)
{
	int error = fd >= 0 ? sealed_make_board(fd, size) : 0;
	void *at;

	if (error) {
		errno = -error;
		return NULL;
	}
	if (fd >= 0)
		return sealed_map_board(fd, size, true);
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED |
	    MAP_ANONYMOUS, -1, 0);
	return at == MAP_FAILED ? NULL : at;
}
