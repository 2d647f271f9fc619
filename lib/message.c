/* SPDX-License-Identifier: ISC */
/*
 * message.c - sealed message descriptors; see message.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "file_io.h"
#include "message.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u	/* Linux 6.3; older kernels say EINVAL */
#endif

int
message_create(const char *session_id)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	char name[64];
	int fd;

	snprintf(name, sizeof name, "message-%s", session_id);
	fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	return fd < 0 ? -errno : fd;
}

int
message_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int
message_of_text(const char *name, struct slice text)
{
	int fd = message_create(name), error;

	if (fd < 0)
		return fd;
	error = file_write(fd, text);
	if (!error)
		error = message_seal(fd);
	if (error)
		close(fd);
	return error ? error : fd;
}

int
message_accept(struct message *message, int fd, size_t size_bytes)
{
	/* what is no memfd has no seals, or lacks some: EINVAL or bits */
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return -EBADMSG;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
	    (size_t)st.st_size != size_bytes)
		return -EBADMSG;
	message->fd = fd;
	message->size_bytes = size_bytes;
	return 0;
}

void
message_close(struct message *message)
{
	if (message->fd >= 0)
		close(message->fd);
	message->fd = -1;
	message->size_bytes = 0;
}
