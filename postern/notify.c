/* SPDX-License-Identifier: ISC */
/*
 * notify.c - sd_notify(3) and sd_listen_fds(3) without libsystemd.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "notify.h"
#include "supervisor.h"

#define FIRST_PASSED_FD 3

void
notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (length < 2 || length >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, length);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	close(fd);
}

int
notify_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	unsigned long long value;

	if (pid == NULL || n == NULL ||
	    !slice_number(slice_of(pid), INT32_MAX, &value) ||
	    (pid_t)value != getpid() ||
	    !slice_number(slice_of(n), MAX_SOCKETS, &value))
		return 0;
	/* no compartment may inherit one; it is handed what it serves */
	for (int fd = FIRST_PASSED_FD; fd < FIRST_PASSED_FD + (int)value; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return (int)value;
}
