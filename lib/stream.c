/* SPDX-License-Identifier: ISC */
/*
 * stream.c - see stream.h.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "ipc_wire.h"
#include "stream.h"
#include "stream_tls.h"

static void stream_ready(struct loop_io *io, uint32_t events, void *arg);

int
stream_open(struct stream *stream, struct loop *loop, int fd, stream_fn *fn,
    void *arg)
{
	int error;

	memset(stream, 0, sizeof(*stream));
	stream->loop = loop;
	stream->fn = fn;
	stream->arg = arg;
	stream->wants_input = true;
	stream->out.maximum = STREAM_OUT_MAX;
	error = loop_watch(loop, &stream->io, fd, EPOLLIN, stream_ready,
	    stream);
	if (error < 0) {
		close(fd);
		return error;
	}
	stream->is_open = true;
	return 0;
}

void
stream_close(struct stream *stream)
{
	if (!stream->is_open)
		return;
	stream->is_open = false;
	if (stream->tls != NULL)
		stream_tls_free(stream);
	loop_unwatch(stream->loop, &stream->io);
	close(stream->io.fd);
	buf_free(&stream->out);
}

void
stream_set_events(struct stream *stream, uint32_t events)
{
	/* Cannot fail for a descriptor that is watched. */
	if (stream->is_open && stream->io.events != events)
		(void)loop_change(stream->loop, &stream->io, events);
}

/* Input that is not wanted stays masked from its first event on. */
void
stream_want_input(struct stream *stream, bool wants_input)
{
	if (stream->tls != NULL && stream_tls_is_handshaking(stream))
		return;
	stream->wants_input = wants_input;
	if (wants_input && (stream->io.events & EPOLLIN) == 0)
		stream_set_events(stream, stream->io.events | EPOLLIN);
	if (wants_input && stream->tls != NULL)
		stream_tls_wake(stream);
}

ssize_t
stream_read(struct stream *stream, void *data, size_t size)
{
	ssize_t n;

	if (stream->tls != NULL)
		return stream_tls_read(stream, data, size);
	do {
		n = recv(stream->io.fd, data, size, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Octets that the socket took, or a negative errno. */
static ssize_t
stream_send(struct stream *stream, const char *data, size_t size)
{
	ssize_t n;

	if (stream->tls != NULL)
		return stream_tls_send(stream, data, size);
	do {
		n = send(stream->io.fd, data, size,
		    MSG_DONTWAIT | MSG_NOSIGNAL |
		    (stream->is_ending ? MSG_MORE : 0));
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	return n < 0 ? -errno : n;
}

int
stream_write(struct stream *stream, struct slice data)
{
	ssize_t n = 0;
	int error;

	if (!stream->is_open)
		return -EPIPE;
	if (stream->out.size == 0) {
		n = stream_send(stream, data.data, data.size);
		if (n < 0)
			return (int)n;
	}
	if ((size_t)n == data.size)
		return 0;
	error = buf_append(&stream->out, data.data + n, data.size - (size_t)n);
	if (error == 0)
		stream_set_events(stream, stream->io.events | EPOLLOUT);
	return error;
}

int
stream_write_last(struct stream *stream, struct slice data)
{
	stream->is_ending = true;
	return stream_write(stream, data);
}

int
stream_pass(struct stream *stream, struct slice data, int fd)
{
	union ipc_control control;
	struct iovec part = { .iov_len = data.size };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (!stream->is_open || stream->tls != NULL || stream->out.size > 0)
		return -EBUSY;
	part.iov_base = (void *)(uintptr_t)data.data;
	ipc_fd_attach(&msg, &control, fd);
	n = sendmsg(stream->io.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return stream_write(stream, (struct slice){ data.data + n,
	    data.size - (size_t)n });
}

void
stream_end_tls(struct stream *stream)
{
	if (stream->tls != NULL)
		stream_tls_free(stream);
}

bool
stream_has_output(const struct stream *stream)
{
	return stream->out.size > 0;
}

void
stream_shut(struct stream *stream)
{
	if (stream->is_open && stream->tls != NULL)
		stream_tls_shut(stream);
	if (stream->is_open)
		(void)shutdown(stream->io.fd, SHUT_WR);
}

/* What may still be out is our end of file, which is the last segment. */
bool
stream_is_acknowledged(const struct stream *stream)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	memset(&info, 0, sizeof(info));
	return stream->is_open && stream->out.size == 0 &&
	    getsockopt(stream->io.fd, IPPROTO_TCP, TCP_INFO, &info,
	    &size) == 0 && info.tcpi_unacked <= 1 &&
	    info.tcpi_notsent_bytes == 0;
}

enum stream_presence
stream_look(const struct stream *stream)
{
	char octet;
	ssize_t n;

	if (!stream->is_open)
		return STREAM_GONE;
	if (stream->tls != NULL)
		return stream_tls_look(stream);
	n = recv(stream->io.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n > 0)
		return STREAM_HAS_INPUT;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return STREAM_QUIET;
	return STREAM_GONE;
}

/* Send on. False: the stream is broken. */
static bool
stream_drain(struct stream *stream)
{
	ssize_t n = stream_send(stream, stream->out.data, stream->out.size);

	if (n < 0)
		return false;
	buf_consume(&stream->out, (size_t)n);
	if (stream->out.size > 0)
		return true;
	buf_free(&stream->out);
	stream->out.maximum = STREAM_OUT_MAX;
	stream_set_events(stream, stream->io.events & ~(uint32_t)EPOLLOUT);
	return true;
}

static void
stream_ready(struct loop_io *io, uint32_t events, void *arg)
{
	struct stream *stream = arg;
	bool had_output = stream->out.size > 0;

	(void)io;
	if (stream->tls != NULL && stream_tls_is_handshaking(stream)) {
		stream_tls_ready(stream, events);
		return;
	}
	if ((events & EPOLLERR) != 0 ||
	    ((events & EPOLLHUP) != 0 && !stream->wants_input) ||
	    (had_output && !stream_drain(stream))) {
		stream->fn(stream, STREAM_BROKEN, stream->arg);
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP)) != 0) {
		if (stream->wants_input) {
			stream->fn(stream, STREAM_INPUT, stream->arg);
			return;
		}
		stream_set_events(stream,
		    stream->io.events & ~(uint32_t)EPOLLIN);
		stream->fn(stream, STREAM_HELD, stream->arg);
	}
	if (had_output && stream->out.size == 0)
		stream->fn(stream, STREAM_WRITTEN, stream->arg);
}
