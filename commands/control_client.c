/* SPDX-License-Identifier: ISC */
/*
 * control_client.c - see control_client.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control_client.h"
#include "unix_socket.h"

#define REPLY_MAX (256u << 20)	/* a listing of a large queue */

int
control_connect(const char *path)
{
	return unix_socket_connect(path, 0);
}

static bool
send_request(int fd, const struct buf *line, int passed)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec part = { line->data, line->size };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *c = &control.align;

	if (passed >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof control.space;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed, sizeof passed);
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)line->size;
}

int
control_converse(int fd, const struct buf *line, int passed,
    struct buf *reply)
{
	char block[8192];
	ssize_t n;
	int error = 0;

	if (!send_request(fd, line, passed))
		return -errno;
	reply->maximum = REPLY_MAX;
	while (error == 0 && (n = read(fd, block, sizeof block)) != 0)
		error = n < 0 ? -errno : buf_append(reply, block, (size_t)n);
	return error;
}

int
control_status(struct slice *reply)
{
	const struct slice mark = SLICE("postern ");
	size_t first = slice_find(*reply, '\n');
	unsigned long long status;

	if (first == reply->size || !slice_starts_nocase(*reply, mark) ||
	    !slice_number((struct slice){ reply->data + mark.size,
	    first - mark.size }, 125, &status))
		return -1;
	reply->data += first + 1;
	reply->size -= first + 1;
	return (int)status;
}
