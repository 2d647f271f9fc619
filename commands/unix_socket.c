/* SPDX-License-Identifier: ISC */
/*
 * unix_socket.c - see unix_socket.h.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "buf.h"
#include "unix_socket.h"

int
unix_socket_connect(const char *path, unsigned patience_s)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = patience_s };
	int fd, error;

	if (!slice_copy(to.sun_path, sizeof to.sun_path, slice_of(path)))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof patience);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
	    sizeof patience);
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}
