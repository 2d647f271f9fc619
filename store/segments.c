/* SPDX-License-Identifier: ISC */
/*
 * segments.c - see segments.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "segments.h"
#include "trail.h"

#define NAME_SIZE 6
#define EMPTY_LIFE_S 86400
#define OVERSIZE_BYTES ((off_t)TRAIL_SEGMENT_BYTES * 4)

struct segment {
	uint16_t number;
	bool is_in_use;
	int64_t written_s;
	uint64_t bytes;
};

struct segments {
	int dir;
	unsigned next;				/* number, if it is free */
	size_t n;
	struct segment all[SEGMENTS_MAX];	/* the oldest first */
};

static void
name_of(char name[NAME_SIZE], uint16_t number)
{
	for (size_t i = NAME_SIZE - 1; i-- > 0; number /= 10)
		name[i] = (char)('0' + number % 10);
	name[NAME_SIZE - 1] = '\0';
}

static bool
number_of(const char *name, uint16_t *number)
{
	unsigned value = 0;

	if (strlen(name) != NAME_SIZE - 1)
		return false;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9')
			return false;
		value = value * 10 + (unsigned)(*name - '0');
	}
	*number = (uint16_t)value;
	return value < TRAIL_SEGMENT_NONE;
}

static size_t
find(const struct segments *s, uint16_t number)
{
	size_t i = 0;

	while (i < s->n && s->all[i].number != number)
		i++;
	return i;
}

static void
measure(const struct segments *s, struct segment *segment)
{
	char name[NAME_SIZE];
	struct stat st;

	name_of(name, segment->number);
	if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	segment->written_s = st.st_mtime;
	segment->bytes = (uint64_t)st.st_size;
}

static void
delete(struct segments *s, size_t i)
{
	char name[NAME_SIZE];

	name_of(name, s->all[i].number);
	(void)unlinkat(s->dir, name, 0);
	s->n--;
	memmove(s->all + i, s->all + i + 1, (s->n - i) * sizeof *s->all);
}

/* ---- open ---- */

static int
by_age(const void *pa, const void *pb)
{
	const struct segment *a = pa, *b = pb;

	if (a->written_s != b->written_s)
		return a->written_s < b->written_s ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static int
scan(struct segments *s)
{
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint16_t number;

	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL && s->n < SEGMENTS_MAX)
		if (number_of(entry->d_name, &number)) {
			s->all[s->n] = (struct segment){ .number = number };
			measure(s, &s->all[s->n++]);
		}
	closedir(dir);
	qsort(s->all, s->n, sizeof *s->all, by_age);
	s->next = s->n ? s->all[s->n - 1].number + 1u : 0;
	return 0;
}

int
segments_open(struct segments **sp, const char *folder)
{
	struct segments *s = calloc(1, sizeof *s);
	int error;

	*sp = NULL;
	if (s == NULL)
		return -ENOMEM;
	s->dir = -1;
	error = mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
	if (!error) {
		s->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		error = s->dir < 0 ? -errno : scan(s);
	}
	if (error)
		segments_close(&s);
	*sp = s;
	return error;
}

void
segments_close(struct segments **s)
{
	if (*s != NULL && (*s)->dir >= 0)
		close((*s)->dir);
	free(*s);
	*s = NULL;
}

/* ---- use ---- */

/* Not even that of an empty one that went: an id may name it. */
static uint16_t
next_number(struct segments *s)
{
	unsigned number;

	do {
		number = s->next % TRAIL_SEGMENT_NONE;
		s->next = number + 1;
	} while (find(s, (uint16_t)number) < s->n);
	return (uint16_t)number;
}

static bool
make_room(struct segments *s)
{
	size_t i = 0;

	if (s->n < SEGMENTS_MAX)
		return true;
	while (i < s->n && s->all[i].is_in_use)
		i++;
	if (i < s->n)
		delete(s, i);
	return s->n < SEGMENTS_MAX;
}

int
segments_begin(struct segments *s, uint16_t *number)
{
	char name[NAME_SIZE];
	struct stat st;
	int fd;

	if (!make_room(s))
		return -ENOSPC;
	*number = next_number(s);
	name_of(name, *number);
	fd = openat(s->dir, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	s->all[s->n++] = (struct segment){ .number = *number,
		.is_in_use = true,
		.written_s = fstat(fd, &st) == 0 ? st.st_mtime : 0 };
	return fd;
}

void
segments_end(struct segments *s, uint16_t number)
{
	size_t i = find(s, number);

	if (i == s->n)
		return;
	s->all[i].is_in_use = false;
	measure(s, &s->all[i]);
	if (s->all[i].bytes == 0)
		delete(s, i);
}

int
segments_read(const struct segments *s, uint16_t number)
{
	char name[NAME_SIZE];
	int fd;

	if (find(s, number) == s->n)
		return -ENOENT;
	name_of(name, number);
	fd = openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool
segments_next(const struct segments *s, uint16_t number, uint16_t *next)
{
	size_t i = find(s, number);

	if (i + 1 >= s->n)
		return false;
	*next = s->all[i + 1].number;
	return true;
}

/* ---- age ---- */

/* A writer that goes on and on must not fill the disk. */
static bool
empty_oversize(const struct segments *s, const struct segment *segment)
{
	char name[NAME_SIZE];
	int fd;

	if (!segment->is_in_use || segment->bytes <= OVERSIZE_BYTES)
		return false;
	name_of(name, segment->number);
	fd = openat(s->dir, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return true;
}

/*
 * An empty one that nobody holds may yet be written to: by a writer who got
 * it before the store was started anew.
 */
static int64_t
life_of(const struct segment *segment)
{
	return segment->bytes == 0 ? EMPTY_LIFE_S : SEGMENTS_LIFE_S;
}

unsigned
segments_expire(struct segments *s, int64_t now_s)
{
	unsigned n_oversize = 0;
	uint64_t total = 0;

	for (size_t i = 0; i < s->n; i++) {
		measure(s, &s->all[i]);
		n_oversize += empty_oversize(s, &s->all[i]);
		total += s->all[i].bytes;
	}
	for (size_t i = 0; i < s->n;) {
		struct segment *segment = &s->all[i];

		if (segment->is_in_use || (total <= SEGMENTS_TOTAL_BYTES &&
		    segment->written_s + life_of(segment) > now_s)) {
			i++;
			continue;
		}
		total -= segment->bytes;
		delete(s, i);
	}
	return n_oversize;
}
