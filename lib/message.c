/* SPDX-License-Identifier: ISC */
/*
 * message.c - a received message, handed over; see message.h.
 */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>
#include "message.h"
#include "sealed.h"

static uint64_t most_bytes;	/* 0: nothing was said yet */

void
message_expect_at_most(uint64_t bytes)
{
	if (bytes > most_bytes)
		most_bytes = bytes;
}

bool
message_is_sealed(int fd, uint64_t size_bytes)
{
	return (most_bytes == 0 || size_bytes <= most_bytes) &&
	    size_bytes <= SIZE_MAX &&
	    sealed_is_text_of(fd, (size_t)size_bytes);
}

int
message_accept(struct message *message, int fd, size_t size_bytes)
{
	if (!message_is_sealed(fd, size_bytes))
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
