/* SPDX-License-Identifier: ISC */
/*
 * file_io.h - whole files and folders, blocking: read, written, copied, made
 * durable. Everybody may use it. All return 0 or a negative errno; a signal
 * interrupts nothing. Nothing here logs.
 */
#ifndef POSTERN_FILE_IO_H
#define POSTERN_FILE_IO_H

#include <stdint.h>
#include "buf.h"

/* Append the whole file; -ENOBUFS when it is over text->maximum. */
int file_read(const char *path, struct buf *text);
/*
 * A password: the first line, without its end. The caller wipes and frees it.
 * -ENODATA: the line is empty; -E2BIG: the file is over 4 KiB.
 */
int file_read_secret(const char *path, char **secret);
/* All of it, at the descriptor's own place. -EIO: the file takes no more. */
int file_write(int fd, struct slice text);
/* The same with octets of another file, from a place on; its own place does
 * not move. -EIO: it is shorter. */
int file_copy(int to, int from, uint64_t at, uint64_t size);
/* Make a folder's names durable. */
int file_sync_folder(const char *path);
/*
 * Whoever starts a program may have closed standard input, output or error.
 * Nothing that is opened later, a connection or a file, may get their
 * numbers: what is meant for a person, or for the log, would be written to
 * it. Reading and writing these still fails. Before anything is opened.
 */
int file_hold_standard(void);
/* Close every descriptor from this number on, also where a container's own
 * filter refuses close_range. */
void file_close_from(int first);

/* As many descriptors as this process may have at all. */
void file_raise_limit(void);

#endif
