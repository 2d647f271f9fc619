/* SPDX-License-Identifier: ISC */
/*
 * source.h - the text files that tables are compiled from: reading them
 * whole, cutting them into lines, and naming what is wrong in them.
 *
 * Used by the table compiler, by `postern -n` and by the watcher. A source
 * is read once, whole, from one descriptor; its stamp is taken from that
 * descriptor before and after, so that text and stamp belong together.
 * Nothing here logs.
 */
#ifndef DIRECTORY_SOURCE_H
#define DIRECTORY_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "config.h"

#define SOURCE_MAX_BYTES ((size_t)256 << 20)
#define SOURCE_MAX_PROBLEMS 100		/* of one table, then it gives up */

/*
 * Which version of a file; all zero when there is none. The time of the last
 * change cannot be set: a file that was written over with as many octets and
 * has its old date (rsync -t, cp -p) differs in that alone.
 */
struct source_stamp {
	int64_t mtime_ns, ctime_ns;
	uint64_t size_bytes;
	uint64_t inode;
};

bool source_stamp_equals(const struct source_stamp *a,
    const struct source_stamp *b);
/* 0, or a negative errno; then the stamp is all zero. */
int source_stat(const char *path, struct source_stamp *stamp);
/*
 * Read a regular file whole into text. 0, a negative errno of the file, or
 * -EBUSY when it changed while it was read, -EFBIG, -EINVAL when it is not
 * a regular file. The stamp is set as far as it is known.
 */
int source_read(const char *path, struct buf *text,
    struct source_stamp *stamp);

/* What is read, and where the reader is. */
struct source {
	const char *path;
	struct slice rest;
	unsigned line;			/* of the line last taken; from 1 */
	struct config_problems *problems;
	unsigned n_errors;
};

/* The next line without LF or CRLF, or a mark of UTF-8 in front of the first;
 * false at the end. */
bool source_next_line(struct source *s, struct slice *line);
/* Adds "PATH:LINE: text" as an error. */
void source_error(struct source *s, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 0 without errors; -EBADMSG; -EILSEQ when the end was not read. */
int source_result(const struct source *s);
/* True, and an error, if the text holds a NUL: no text file does. Then
 * nothing is taken from it. */
bool source_has_nul(struct source *s);
/* ASCII lower case in place, for case-insensitive keys. */
void source_fold(char *text, size_t size);

#endif
