/* SPDX-License-Identifier: ISC */
/*
 * sealed.h - memory that compartments hand to one another as a descriptor.
 *
 * Two kinds, and neither needs trust in who made it:
 *
 *	text	written once, then sealed against every change: whoever has
 *		the descriptor reads what all others read
 *	board	of one size for good, read and written while it is mapped: its
 *		contents are its writers' claim, but no mapping of it turns
 *		into a SIGBUS at another's will
 *
 * A descriptor's offset is shared between processes: use pread, sendfile
 * with an offset, or mmap, never read. Nothing here logs.
 */
#ifndef POSTERN_SEALED_H
#define POSTERN_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

/* A new, empty, writable one; the name is for /proc. -errno on failure. */
int sealed_create(const char *name);

/* ---- texts ---- */

/* Nobody changes it any more. 0 or a negative errno. */
int sealed_finish(int fd);
/* A finished one of this text. -errno on failure. */
int sealed_of_text(const char *name, struct slice text);
/* Is it finished? Then its size, in octets. */
bool sealed_is_text(int fd, size_t *size);
/* The same of one that must be so large. */
bool sealed_is_text_of(int fd, size_t size);
/* All of it into an empty buf, which the caller frees in any case. 0;
 * -EBADMSG: it is none, or not so large; -ENOMEM, -EIO. */
int sealed_read(struct buf *to, int fd, size_t size);

/* ---- boards ---- */

/*
 * Give an empty one its size, zeroed and for good; one that has a size must
 * have this one. 0 or a negative errno, -EBADMSG for another size.
 */
int sealed_make_board(int fd, size_t size);
/* NULL with errno, EBADMSG for what is no board of this size. */
void *sealed_map_board(int fd, size_t size, bool is_writable);
/* Both, to read and write; -1 for one that no other process has. */
void *sealed_open_board(int fd, size_t size);

#endif
