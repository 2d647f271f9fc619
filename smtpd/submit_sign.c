/* SPDX-License-Identifier: ISC */
/*
 * The message as it leaves, see submit.h: our Received field stands on top
 * of what queue keeps, and of the local copies alike, so that all have the
 * same octets.
 */
#include <errno.h>
#include <unistd.h>
#include "commands.h"
#include "finish.h"
#include "limits.h"
#include "message.h"
#include "submit.h"

#define BLOCK 65536

static int
write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int
copy_message(int to, const struct transaction *tx)
{
	static char block[BLOCK];
	uint64_t at = 0;
	ssize_t n;
	int error;

	while (at < tx->message_bytes) {
		n = pread(tx->message_fd, block, sizeof(block), (off_t)at);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		error = write_all(to, block, (size_t)n);
		if (error < 0)
			return error;
		at += (uint64_t)n;
	}
	return 0;
}

/* A new sealed memfd, or a negative errno. */
static int
seal_with(const struct session *s, struct slice top)
{
	int fd = message_create(s->id), error;

	if (fd < 0)
		return fd;
	error = write_all(fd, top.data, top.size);
	if (error == 0)
		error = copy_message(fd, s->tx);
	if (error == 0)
		error = message_seal(fd);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

/* Octets on top of the message become part of it. */
static bool
put_on_top(struct session *s, struct slice top)
{
	struct transaction *tx = s->tx;
	uint64_t size_bytes = tx->message_bytes + top.size;
	int fd;

	if (size_bytes > tx->reserved_bytes &&
	    !limits_reserve(s->settings->limits, s->client,
	    &tx->reserved_bytes, size_bytes))
		return false;
	fd = seal_with(s, top);
	if (fd < 0)
		return false;
	close(tx->message_fd);
	tx->message_fd = fd;
	tx->message_bytes = size_bytes;
	return true;
}

enum step
submit_sign(struct session *s, session_then_fn *then)
{
	if (s->tx->n_remote == 0)
		return then(s);
	if (!put_on_top(s, buf_slice(&s->tx->trace)))
		return finish_refuse(s, REPLY_DATA_IO_ERROR);
	s->tx->trace.size = 0;
	return then(s);
}
