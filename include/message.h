/* SPDX-License-Identifier: ISC */
/*
 * message.h - a received message as one descriptor that nobody can change.
 *
 * smtpd writes it (LF lines, dots removed) and seals it (sealed.h); every
 * other compartment receives the descriptor and calls message_accept, which
 * checks seals and size before anything is read.
 */
#ifndef POSTERN_MESSAGE_H
#define POSTERN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message {
	int fd;			/* owned */
	size_t size_bytes;
};

/*
 * From now on what is larger is none: a memfd can say that it has terabytes
 * that nobody has written. compartment.c says what memory_messages allows;
 * the larger of two that were said is in force, since messages outlive a
 * reload.
 */
void message_expect_at_most(uint64_t bytes);
/* Whether fd is a sealed memfd of exactly size_bytes, and not too large. */
bool message_is_sealed(int fd, uint64_t size_bytes);
/*
 * Take a descriptor from another compartment. -EBADMSG if it is not a sealed
 * memfd of exactly size_bytes, or too large. On success the message owns fd.
 */
int message_accept(struct message *message, int fd, size_t size_bytes);
/* Closes; safe to repeat. */
void message_close(struct message *message);

#endif
