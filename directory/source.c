/* SPDX-License-Identifier: ISC */
/*
 * source.c - text files of tables; see source.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "source.h"
#include "utf8.h"

bool
source_stamp_equals(const struct source_stamp *a, const struct source_stamp *b)
{
	return a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns &&
	    a->size_bytes == b->size_bytes && a->inode == b->inode;
}

/* Of dates after 2262 the lower 64 bits: they are compared, no more. */
static int64_t
in_ns(struct timespec t)
{
	return (int64_t)((uint64_t)t.tv_sec * 1000000000u +
	    (uint64_t)t.tv_nsec);
}

static struct source_stamp
stamp_of(const struct stat *st)
{
	return (struct source_stamp){
		.mtime_ns = in_ns(st->st_mtim),
		.ctime_ns = in_ns(st->st_ctim),
		.size_bytes = (uint64_t)st->st_size,
		.inode = st->st_ino,
	};
}

int
source_stat(const char *path, struct source_stamp *stamp)
{
	struct stat st;

	*stamp = (struct source_stamp){ 0 };
	if (stat(path, &st) < 0)
		return -errno;
	*stamp = stamp_of(&st);
	return 0;
}

static int
read_all(int fd, struct buf *text)
{
	char block[65536];
	ssize_t n;
	int error;

	text->maximum = SOURCE_MAX_BYTES;
	for (;;) {
		n = read(fd, block, sizeof block);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		error = buf_append(text, block, (size_t)n);
		if (error)
			return error == -ENOBUFS ? -EFBIG : error;
	}
}

static int
read_stamped(int fd, struct buf *text, struct source_stamp *stamp)
{
	struct source_stamp after;
	struct stat st;
	int error;

	if (fstat(fd, &st) < 0)
		return -errno;
	*stamp = stamp_of(&st);
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	error = read_all(fd, text);
	if (error)
		return error;
	if (fstat(fd, &st) < 0)
		return -errno;
	after = stamp_of(&st);
	if (!source_stamp_equals(stamp, &after) ||
	    text->size != after.size_bytes)
		return -EBUSY;
	return 0;
}

int
source_read(const char *path, struct buf *text, struct source_stamp *stamp)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int error;

	*stamp = (struct source_stamp){ 0 };
	if (fd < 0)
		return -errno;
	error = read_stamped(fd, text, stamp);
	close(fd);
	return error;
}

bool
source_next_line(struct source *s, struct slice *line)
{
	size_t size;

	if (s->line == 0)
		s->rest = utf8_after_mark(s->rest);
	if (s->rest.size == 0)
		return false;
	size = slice_find(s->rest, '\n');
	*line = (struct slice){ s->rest.data, size };
	if (size < s->rest.size)
		size++;
	s->rest.data += size;
	s->rest.size -= size;
	if (line->size > 0 && line->data[line->size - 1] == '\r')
		line->size--;
	s->line++;
	return true;
}

void
source_error(struct source *s, unsigned line, const char *format, ...)
{
	char text[1024];
	va_list ap;

	if (++s->n_errors > SOURCE_MAX_PROBLEMS) {
		config_problems_add_hidden(s->problems,
		    &(struct config_hidden){ .n_errors = 1 });
		return;
	}
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	config_problem_add(s->problems, 0, false, "%s:%u: %s", s->path, line,
	    text);
	if (s->n_errors == SOURCE_MAX_PROBLEMS && s->rest.size > 0)
		config_problem_add(s->problems, 0, false, "%s:%u: after %d "
		    "errors the rest of this file is not read", s->path,
		    s->line, SOURCE_MAX_PROBLEMS);
}

int
source_result(const struct source *s)
{
	if (s->n_errors == 0)
		return 0;
	return s->rest.size > 0 ? -EILSEQ : -EBADMSG;
}

bool
source_has_nul(struct source *s)
{
	size_t at = slice_find(s->rest, '\0');
	unsigned line = 1;

	if (at == s->rest.size)
		return false;
	for (size_t i = 0; i < at; i++)
		line += s->rest.data[i] == '\n';
	source_error(s, line, "a NUL octet; the file was not written "
	    "completely, or is not text");
	return true;
}

void
source_fold(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] + ('a' - 'A'));
}
