/* SPDX-License-Identifier: ISC */
/*
 * message.h - a received message as one descriptor that nobody can change.
 *
 * smtpd writes a memfd (LF lines, dots removed) and seals it against
 * writing, growing and shrinking; every other compartment receives the
 * descriptor and calls message_accept, which checks seals and size before
 * anything is read. The file offset is shared between processes: use pread,
 * sendfile with an offset, or mmap, never read.
 */
#ifndef POSTERN_MESSAGE_H
#define POSTERN_MESSAGE_H

#include <stddef.h>
#include "buf.h"

struct message {
	int fd;			/* owned */
	size_t size_bytes;
};

/* A new, empty, writable memfd named for the session. -errno on failure. */
int message_create(const char *session_id);
/* Seal it. 0 or a negative errno. */
int message_seal(int fd);
/* A sealed one of this text. -errno on failure. */
int message_of_text(const char *name, struct slice text);
/*
 * Take a descriptor from another compartment. -EBADMSG if it is not a sealed
 * memfd of exactly size_bytes. On success the message owns fd.
 */
int message_accept(struct message *message, int fd, size_t size_bytes);
/* Closes; safe to repeat. */
void message_close(struct message *message);

#endif
