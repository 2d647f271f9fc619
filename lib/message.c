/* SPDX-License-Identifier: ISC */
/*
 * message.c - a received message, handed over; see message.h.
 */
#include <errno.h>
#include <unistd.h>
#include "message.h"
#include "sealed.h"

int
message_accept(struct message *message, int fd, size_t size_bytes)
{
	if (!sealed_is_text_of(fd, size_bytes))
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
