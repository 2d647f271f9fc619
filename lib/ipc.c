/* SPDX-License-Identifier: ISC */
/*
 * ipc.c - blocking messages; see ipc.h. Channels on a loop are in
 * channel.c.
 *
 * On the wire: type (2), reserved (2), id (4), deadline in ms (4), payload.
 * SEQPACKET keeps the boundaries, so there is no length field to lie in.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "big_endian.h"
#include "ipc.h"
#include "ipc_wire.h"

#define SOCKET_BUFFER (1 << 20)

void
ipc_header_write(uint8_t *to, uint16_t type, uint32_t id, uint32_t deadline_ms)
{
	big_endian_put(to, type, 2);
	big_endian_put(to + 2, 0, 2);
	big_endian_put(to + 4, id, 4);
	big_endian_put(to + 8, deadline_ms, 4);
}

int
ipc_message_read(struct ipc_message *m, const void *data, size_t size)
{
	struct ipc_reader r;

	if (size < IPC_HEADER_SIZE)
		return -EBADMSG;
	ipc_reader_init(&r, data, size);
	m->type = ipc_get_u16(&r);
	if (ipc_get_u16(&r) != 0)
		return -EBADMSG;
	m->id = ipc_get_u32(&r);
	m->deadline_ms = ipc_get_u32(&r);
	m->fd = -1;
	ipc_reader_init(&m->body, (const uint8_t *)data + IPC_HEADER_SIZE,
	    size - IPC_HEADER_SIZE);
	return 0;
}

void
ipc_fd_attach(struct msghdr *msg, union ipc_control *control, int fd)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof *control);
	msg->msg_control = control->space;
	msg->msg_controllen = sizeof control->space;
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
}

/* Keep the first descriptor of one control message, close the others. */
static void
take_descriptors(const struct cmsghdr *c, int *fd, bool *is_odd)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fd;
	int got;

	for (size_t i = 0; i < n; i++) {
		memcpy(&got, CMSG_DATA(c) + i * sizeof got, sizeof got);
		if (*fd < 0) {
			*fd = got;
		} else {
			close(got);
			*is_odd = true;
		}
	}
}

int
ipc_fd_detach(struct msghdr *msg, int *fd)
{
	bool is_odd = (msg->msg_flags & MSG_TRUNC) != 0;
	bool is_cut = (msg->msg_flags & MSG_CTRUNC) != 0;

	*fd = -1;
	/* of several the first would have come */
	if (is_cut && !is_odd && CMSG_FIRSTHDR(msg) == NULL)
		return -EMFILE;
	is_odd |= is_cut;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take_descriptors(c, fd, &is_odd);
		else
			is_odd = true;
	}
	if (!is_odd)
		return 0;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -EBADMSG;
}

int
ipc_pair(int fds[2])
{
	int size = SOCKET_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		/* what the kernel grants is enough: a full socket is handled */
		(void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size,
		    sizeof size);
	return 0;
}

int
ipc_send_with_header(int fd, const uint8_t *header, const struct ipc_writer *w,
    int passed_fd)
{
	/* sendmsg does not write to what it sends */
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)header, IPC_HEADER_SIZE }, { NULL, 0 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 };
	union ipc_control control;
	ssize_t n;

	if (w != NULL && w->size > 0) {
		iov[1].iov_base = (void *)(uintptr_t)w->data;
		iov[1].iov_len = w->size;
		msg.msg_iovlen = 2;
	}
	if (passed_fd >= 0)
		ipc_fd_attach(&msg, &control, passed_fd);
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int
ipc_send(int fd, uint16_t type, uint32_t id, uint32_t deadline_ms,
    const struct ipc_writer *w, int passed_fd)
{
	uint8_t header[IPC_HEADER_SIZE];

	if (w != NULL && w->failed)
		return -EMSGSIZE;
	ipc_header_write(header, type, id, deadline_ms);
	return ipc_send_with_header(fd, header, w, passed_fd);
}

static int
receive(int fd, struct ipc_message *m, void *buffer, int flags)
{
	struct iovec iov = { buffer, IPC_BUFFER_SIZE };
	union ipc_control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof control.space };
	int passed_fd, error;
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	error = ipc_fd_detach(&msg, &passed_fd);
	if (error)
		return error;
	error = ipc_message_read(m, buffer, (size_t)n);
	if (error && passed_fd >= 0)
		close(passed_fd);
	m->fd = error ? -1 : passed_fd;
	return error;
}

int
ipc_receive(int fd, struct ipc_message *m, void *buffer)
{
	return receive(fd, m, buffer, 0);
}

int
ipc_receive_waiting(int fd, struct ipc_message *m, void *buffer)
{
	return receive(fd, m, buffer, MSG_DONTWAIT);
}
