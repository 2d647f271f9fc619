/* SPDX-License-Identifier: ISC */
/*
 * maildirsize.c - Maildir++ quota files; see maildirsize.h.
 *
 * Everything is named relative to the open tmp/, whose parent is the
 * mailbox: ours, and opened without following links.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "fault.h"
#include "maildirsize.h"

#define FILE_NAME "../maildirsize"
#define FILE_MAX 5120		/* Maildir++: longer is counted anew */
#define NO_ROOM_AGE_S (15 * 60)
#define COUNT_TRIES 3
#define FOLDERS_MAX 4096
#define DEFINITION_SIZE 64	/* "5000000000S,10000C" */

/* ---- reading ---- */

/* "1000S,20C" -> 1000. 0: says nothing about octets. */
static uint64_t
parse_quota(const char *line)
{
	while (*line != '\0' && *line != '\n') {
		char *end;
		unsigned long long value = strtoull(line, &end, 10);

		if (end == line)
			return 0;
		if (*end == 'S')
			return value;
		line = end + (*end != '\0' && *end != '\n');
		line += *line == ',';
	}
	return 0;
}

/*
 * What stands in the first line where it is the same quota: the number of
 * messages (",1000C") is other programs' affair. Else the quota alone.
 */
static void
get_definition(const struct maildir *m, uint64_t quota_bytes,
    char line[DEFINITION_SIZE])
{
	int fd = openat(m->tmp_fd, FILE_NAME, O_RDONLY | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : pread(fd, line, DEFINITION_SIZE - 1, 0);
	size_t size;

	if (fd >= 0)
		close(fd);
	line[n > 0 ? n : 0] = '\0';
	size = strspn(line, "0123456789SC,");
	if (line[size] == '\n' && parse_quota(line) == quota_bytes)
		line[size] = '\0';
	else
		snprintf(line, DEFINITION_SIZE, "%" PRIu64 "S", quota_bytes);
}

/* Sum and number of the lines after the first; false for anything odd. */
static bool
parse_lines(char *text, int64_t *bytes, unsigned *n_lines)
{
	char *line = strchr(text, '\n'), *end;

	*bytes = 0;
	*n_lines = 0;
	if (line == NULL)
		return false;
	for (line++; *line != '\0'; line = end + 1) {
		long long value = strtoll(line, &end, 10);

		if (end == line || (*end != ' ' && *end != '\t'))
			return false;
		if (__builtin_add_overflow(*bytes, (int64_t)value, bytes))
			return false;
		line = end;
		(void)strtoll(line, &end, 10);
		end += strspn(end, " \t\r");
		if (end == line || *end != '\n')
			return false;
		++*n_lines;
	}
	return *bytes >= 0;
}

static bool
has_room(const struct maildirsize_quota *quota, uint64_t used)
{
	return used <= quota->limit_bytes &&
	    quota->wanted_bytes <= quota->limit_bytes - used;
}

/*
 * Maildir++: only such a file may say that there is no room. What was added
 * to it since may be wrong, and readers that know no maildirsize may have
 * made some.
 */
static bool
was_just_counted(const struct stat *st, unsigned n_lines)
{
	int64_t age_s = clock_wall_s() - st->st_mtime;

	return n_lines == 1 && age_s >= 0 && age_s <= NO_ROOM_AGE_S;
}

/* 0, or -EAGAIN: count anew. */
static int
read_file(const struct maildir *m, const struct maildirsize_quota *quota,
    uint64_t *used)
{
	char text[FILE_MAX + 1];
	unsigned n_lines;
	struct stat st;
	int64_t bytes;
	ssize_t n;
	int fd;

	fd = openat(m->tmp_fd, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);
	if (fd < 0)
		return -EAGAIN;
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ?
	    pread(fd, text, sizeof text, 0) : -1;
	close(fd);
	if (n <= 0 || n > FILE_MAX)
		return -EAGAIN;
	text[n] = '\0';
	if (strlen(text) != (size_t)n || parse_quota(text) !=
	    quota->limit_bytes ||
	    !parse_lines(text, &bytes, &n_lines))
		return -EAGAIN;
	*used = (uint64_t)bytes;
	if (!has_room(quota, *used) && !was_just_counted(&st, n_lines))
		return -EAGAIN;
	return 0;
}

/* ---- counting ---- */

struct count {
	uint64_t bytes, messages;
	uint64_t stamp;		/* changes when a counted directory does */
};

/* NAME,S=123:2,S -> 123 without a look at the file. */
static bool
size_from_name(const char *name, uint64_t *size)
{
	const char *at = strstr(name, ",S=");
	char *end;

	if (at == NULL || at[3] < '0' || at[3] > '9')
		return false;
	*size = strtoull(at + 3, &end, 10);
	return *end == '\0' || *end == ':' || *end == ',';
}

static void
count_file(int dir_fd, const char *name, struct count *count)
{
	struct stat st;
	uint64_t size;

	if (*name == '.')
		return;
	if (!size_from_name(name, &size)) {
		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			return;
		size = (uint64_t)st.st_size;
	}
	count->bytes += size;
	count->messages++;
}

static int
count_directory(int root, const char *path, struct count *count)
{
	int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
	    O_NOFOLLOW), error;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (dir == NULL) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		/* a plain file whose name begins like a folder's */
		return error == -ENOENT || error == -ENOTDIR ? 0 : error;
	}
	if (fstat(fd, &st) == 0)
		count->stamp = count->stamp * 31 + (uint64_t)st.st_ino +
		    (uint64_t)st.st_mtim.tv_sec * 1000000007u +
		    (uint64_t)st.st_mtim.tv_nsec;
	while (errno = 0, (entry = readdir(dir)) != NULL)
		count_file(fd, entry->d_name, count);
	error = -errno;
	closedir(dir);
	return error;
}

static int
count_folder(int root, const char *name, struct count *count)
{
	char path[NAME_MAX + 8];
	int error;

	snprintf(path, sizeof path, "%s/new", name);
	error = count_directory(root, path, count);
	if (error)
		return error;
	snprintf(path, sizeof path, "%s/cur", name);
	return count_directory(root, path, count);
}

static bool
is_counted_folder(const char *name)
{
	if (name[0] != '.' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	return strncmp(name, ".Trash", 6) != 0 ||
	    (name[6] != '\0' && name[6] != '.');
}

static int
count_all(const struct maildir *m, struct count *count)
{
	int root = openat(m->tmp_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = root < 0 ? NULL : fdopendir(root);
	struct dirent *entry = NULL;
	int error;

	*count = (struct count){ 0 };
	if (dir == NULL) {
		error = -errno;
		if (root >= 0)
			close(root);
		return error;
	}
	error = count_folder(root, ".", count);
	for (int i = 0; !error && i < FOLDERS_MAX &&
	    (errno = 0, entry = readdir(dir)) != NULL; i++)
		if (is_counted_folder(entry->d_name))
			error = count_folder(root, entry->d_name, count);
	if (!error && entry == NULL)
		error = -errno;
	closedir(dir);
	return error;
}

static int
write_file(const struct maildir *m, uint64_t quota_bytes,
    const struct count *count)
{
	char name[64], definition[DEFINITION_SIZE], text[128];
	int error = FAULT("maildirsize.open"), fd, size;

	if (error)
		return -error;
	snprintf(name, sizeof name, "maildirsize.%" PRId64 ".%ld",
	    clock_wall_us(), (long)getpid());
	get_definition(m, quota_bytes, definition);
	size = snprintf(text, sizeof text, "%s\n%" PRIu64 " %" PRIu64 "\n",
	    definition, count->bytes, count->messages);
	fd = openat(m->tmp_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)size) != size)
		error = -EIO;
	if (close(fd) < 0 && !error)
		error = -errno;
	if (!error && renameat(m->tmp_fd, name, m->tmp_fd, FILE_NAME) < 0)
		error = -errno;
	if (error)
		(void)unlinkat(m->tmp_fd, name, 0);
	return error;
}

/*
 * Another process may deliver while we count, and append to the file that
 * we are about to replace: count again until the folders stood still, and
 * leave no file when they never do.
 */
static int
count_anew(const struct maildir *m, uint64_t quota_bytes, uint64_t *used)
{
	struct count before, after;
	int error = count_all(m, &before);

	for (int i = 0; !error && i < COUNT_TRIES; i++) {
		*used = before.bytes;
		/* a full disk cannot hold the cache; the count is right */
		(void)write_file(m, quota_bytes, &before);
		error = count_all(m, &after);
		if (error || after.stamp == before.stamp)
			return error;
		before = after;
	}
	(void)unlinkat(m->tmp_fd, FILE_NAME, 0);
	return error;
}

/* ---- public ---- */

int
maildirsize_read(const struct maildir *m,
    const struct maildirsize_quota *quota, uint64_t *used_bytes)
{
	if (read_file(m, quota, used_bytes) == 0)
		return 0;
	return count_anew(m, quota->limit_bytes, used_bytes);
}

void
maildirsize_add(const struct maildir *m, int64_t size_bytes)
{
	int error = FAULT("maildirsize.write"), fd, size;
	char line[48];
	ssize_t done = -1;

	size = snprintf(line, sizeof line, "%" PRId64 " %d\n", size_bytes,
	    size_bytes < 0 ? -1 : 1);
	fd = openat(m->tmp_fd, FILE_NAME, O_WRONLY | O_APPEND | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;		/* missing is counted anew anyway */
	if (!error)
		done = write(fd, line, (size_t)size);
	close(fd);
	if (done != size)
		(void)unlinkat(m->tmp_fd, FILE_NAME, 0);
}
