/* SPDX-License-Identifier: ISC */
/*
 * logsink - the part of a syslog daemon that Postfix needs under load.
 *
 * usage: logsink SOCKET FILE
 *
 * Takes datagrams at SOCKET and appends them to FILE, a line each. Ends at
 * SIGTERM.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0)
		return -1;
	return fd;
}

int
main(int argc, char **argv)
{
	char line[8192];
	ssize_t n;
	int in, out;

	if (argc != 3) {
		fputs("usage: logsink SOCKET FILE\n", stderr);
		return 2;
	}
	in = listen_at(argv[1]);
	out = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (in < 0 || out < 0) {
		perror("logsink");
		return 1;
	}
	while ((n = recv(in, line, sizeof(line) - 1, 0)) >= 0 ||
	    errno == EINTR) {
		if (n < 0)
			continue;
		line[n] = '\n';
		if (write(out, line, (size_t)n + 1) < 0)
			break;
	}
	perror("logsink");
	return 1;
}
