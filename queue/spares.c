/* SPDX-License-Identifier: ISC */
/*
 * spares.c - see spares.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "spares.h"

#define NAME_SIZE 16

static void
name_spare(char name[NAME_SIZE], enum spare_kind kind, uint32_t number)
{
	snprintf(name, NAME_SIZE, "%c%u", kind == SPARE_BODY ? 'b' : 'e',
	    (unsigned)number);
}

static void
spare_remove(const struct spares *s, enum spare_kind kind, uint32_t number)
{
	char name[NAME_SIZE];

	name_spare(name, kind, number);
	(void)unlinkat(s->folder, name, 0);
}

void
spares_init(struct spares *s, int folder)
{
	*s = (struct spares){ .folder = folder };
}

/* ---- keep ---- */

static bool
is_small_file(int folder, const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    st.st_size <= SPARE_SIZE_MAX;
}

bool
spares_keep(struct spares *s, enum spare_kind kind, int folder,
    const char *name)
{
	struct spare_stock *stock = &s->stocks[kind];
	char spare[NAME_SIZE];

	if (s->is_off || stock->n_ready + stock->n_fresh >= SPARES_MAX ||
	    !is_small_file(folder, name))
		return false;
	name_spare(spare, kind, ++s->last);
	if (renameat(folder, name, s->folder, spare) < 0)
		return false;
	stock->fresh[stock->n_fresh++] = s->last;
	return true;
}

void
spares_settle(struct spares *s, bool is_durable)
{
	for (int kind = 0; kind < SPARE_N_KINDS; kind++) {
		struct spare_stock *stock = &s->stocks[kind];

		for (unsigned i = 0; i < stock->n_fresh; i++)
			if (is_durable)
				stock->ready[stock->n_ready++] =
				    stock->fresh[i];
			else
				spare_remove(s, (enum spare_kind)kind,
				    stock->fresh[i]);
		stock->n_fresh = 0;
	}
}

/* ---- take ---- */

/* A write lease is given only to who has the file open alone. */
static bool
is_ours_alone(struct spares *s, int fd)
{
	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
		return fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
	s->is_off = s->is_off || (errno != EAGAIN && errno != EBUSY);
	return false;
}

int
spares_take(struct spares *s, enum spare_kind kind, int folder,
    const char *name)
{
	struct spare_stock *stock = &s->stocks[kind];
	char spare[NAME_SIZE];
	uint32_t number;
	int fd;

	if (stock->n_ready == 0)
		return -1;
	number = stock->ready[--stock->n_ready];
	if (stock->n_ready < stock->n_idle)
		stock->n_idle = stock->n_ready;
	name_spare(spare, kind, number);
	fd = openat(s->folder, spare, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && is_ours_alone(s, fd) && renameat2(s->folder, spare,
	    folder, name, RENAME_NOREPLACE) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	spare_remove(s, kind, number);
	return -1;
}

/* ---- the end ---- */

bool
spares_trim(struct spares *s)
{
	bool has_more = false;

	for (int kind = 0; kind < SPARE_N_KINDS; kind++) {
		struct spare_stock *stock = &s->stocks[kind];

		for (; stock->n_idle > 0; stock->n_idle--)
			spare_remove(s, (enum spare_kind)kind,
			    stock->ready[--stock->n_ready]);
		stock->n_idle = stock->n_ready;
		has_more |= stock->n_ready > 0 || stock->n_fresh > 0;
	}
	return has_more;
}

void
spares_clear(struct spares *s)
{
	spares_settle(s, false);
	for (int kind = 0; kind < SPARE_N_KINDS; kind++) {
		struct spare_stock *stock = &s->stocks[kind];

		while (stock->n_ready > 0)
			spare_remove(s, (enum spare_kind)kind,
			    stock->ready[--stock->n_ready]);
		stock->n_idle = 0;
	}
}
