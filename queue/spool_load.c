/* SPDX-License-Identifier: ISC */
/*
 * spool_load.c - what a start makes of the spool; and one envelope read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fault.h"
#include "spool_files.h"

/* ids of messages that were found, to be sorted and searched */
struct known {
	uint64_t *ids;
	size_t n, room;
};

struct load {
	struct spool *spool;
	const struct spool_visitor *visitor;
	enum spool_folder folder;
	struct known known;
	int error;
};

/* ---- files ---- */

/* All of a small file; 0 or a negative errno. */
static int
read_file(const struct spool *spool, enum spool_folder folder,
    const char *name, struct buf *to)
{
	int error = FAULT("queue.read");
	char room[16384];
	ssize_t n = 0;
	int fd;

	if (error)
		return -error;
	fd = openat(spool->folders[folder], name, O_RDONLY | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	to->size = 0;
	to->maximum = ENVELOPE_MAX;
	while (!error && (n = read(fd, room, sizeof room)) > 0) {
		error = buf_append(to, room, (size_t)n);
		if (!error && (size_t)n < sizeof room)
			break;		/* what followed would be seen as a
					 * wrong checksum */
	}
	if (n < 0)
		error = -errno;
	close(fd);
	return error == -ENOBUFS ? -EBADMSG : error;
}

/* Whether it says so of the file: of a shortage or of the disk it says
 * nothing that would hold for ever. */
static bool
is_damage(int error)
{
	switch (-error) {
	case EBADMSG:
	case ELOOP:		/* a symbolic link, */
	case EISDIR:		/* a folder, */
	case ENXIO:		/* a socket */
		return true;
	default:
		return false;
	}
}

/* A bad sector, or a spool that was restored as somebody else's. */
static bool
is_about_file(int error)
{
	return error == -EIO || error == -EACCES || error == -EPERM;
}

/* An envelope with whose name and body it agrees; else *why, if it is
 * damaged. 0 or a negative errno. */
static int
check(const struct spool *spool, const char *name, const struct envelope *e,
    const char **why)
{
	int error = FAULT("queue.stat_body");
	char id[ENVELOPE_ID_SIZE];
	struct stat st = { 0 };

	envelope_id_write(id, e->id);
	if (!error && fstatat(spool->folders[SPOOL_BODIES], name, &st,
	    AT_SYMLINK_NOFOLLOW) < 0)
		error = errno;
	if (error && error != ENOENT)
		return -error;
	*why = NULL;
	if (strcmp(id, name) != 0)
		*why = "its name is another";
	else if (error)
		*why = "its body is missing";
	else if (!S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != e->size_bytes)
		*why = "its body has another size";
	return *why != NULL ? -EBADMSG : 0;
}

/* 0 and *e; a negative errno; *why when is_damage. */
static int
read_envelope(struct spool *spool, enum spool_folder folder,
    const char *name, struct envelope **e, const char **why)
{
	int error = read_file(spool, folder, name, &spool->text);

	*e = NULL;
	*why = error == 0 || error == -EBADMSG ?
	    "it is not an envelope, or was changed" : "it cannot be read";
	if (error == 0)
		error = envelope_parse(e, buf_slice(&spool->text));
	if (error == 0)
		error = check(spool, name, *e, why);
	if (error)
		envelope_free(e);
	return error;
}

/* Out of the way, with its body if it has one; not over what is there. */
static void
set_aside(struct spool *spool, enum spool_folder folder, const char *name)
{
	char to[NAME_MAX + 16];
	struct stat st;

	for (unsigned i = 0; i < 100; i++) {
		snprintf(to, sizeof to, "%s.%s%u", name,
		    spool_folder_names[folder], i);
		if (fstatat(spool->folders[SPOOL_DAMAGED], to, &st,
		    AT_SYMLINK_NOFOLLOW) < 0)
			break;
	}
	(void)renameat(spool->folders[folder], name,
	    spool->folders[SPOOL_DAMAGED], to);
	spool->is_dirty[SPOOL_DAMAGED] = spool->is_dirty[folder] = true;
}

static void
set_aside_both(struct spool *spool, enum spool_folder folder,
    const char *name)
{
	set_aside(spool, folder, name);
	set_aside(spool, SPOOL_BODIES, name);
	spool->has_removed = true;
}

int
spool_read(struct spool *spool, uint64_t id, enum spool_folder folder,
    struct envelope **e)
{
	char name[ENVELOPE_ID_SIZE];
	const char *why;
	int error;

	envelope_id_write(name, id);
	error = read_envelope(spool, folder, name, e, &why);
	if (error == -EBADMSG)
		set_aside_both(spool, folder, name);
	return error;
}

/* ---- start ---- */

static int
remember(struct known *known, uint64_t id)
{
	uint64_t *grown;
	size_t room = known->room ? known->room * 2 : 1024;

	if (known->n == known->room) {
		grown = reallocarray(known->ids, room, sizeof *grown);
		if (grown == NULL)
			return -ENOMEM;
		known->ids = grown;
		known->room = room;
	}
	known->ids[known->n++] = id;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool
ends_in_new(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcmp(name + n - 4, ".new") == 0;
}

/* One such file does not stop everybody's mail: it stays, with its body, for
 * a start that can read it. */
static int
leave(struct load *load, const char *name)
{
	uint64_t id;

	return envelope_id_parse(&id, slice_of(name)) ?
	    remember(&load->known, id) : 0;
}

/* A name that ends so is of a replacement that was not finished. */
static void
load_envelope(struct load *load, const char *name)
{
	struct spool *spool = load->spool;
	const struct spool_visitor *visitor = load->visitor;
	struct envelope *e;
	const char *why;
	int error;

	if (ends_in_new(name)) {
		(void)unlinkat(spool->folders[load->folder], name, 0);
		return;
	}
	error = read_envelope(spool, load->folder, name, &e, &why);
	if (is_damage(error)) {
		visitor->damaged(name, why, visitor->arg);
		set_aside_both(spool, load->folder, name);
	} else if (error) {
		visitor->unread(name, error, !is_about_file(error),
		    visitor->arg);
		load->error = is_about_file(error) ? leave(load, name) :
		    error;
	} else {
		load->error = remember(&load->known, e->id);
		visitor->found(e, load->folder, visitor->arg);
	}
}

/* Never committed: its submitter has not been told yes. Or a spare file. */
static void
load_nothing(struct load *load, const char *name)
{
	(void)unlinkat(load->spool->folders[load->folder], name, 0);
}

static void
load_body(struct load *load, const char *name)
{
	uint64_t id;

	if (envelope_id_parse(&id, slice_of(name)) && load->known.n > 0 &&
	    bsearch(&id, load->known.ids, load->known.n, sizeof id,
	    compare) != NULL)
		return;
	(void)unlinkat(load->spool->folders[SPOOL_BODIES], name, 0);
}

struct found {
	ino_t inode;
	char name[ENVELOPE_ID_SIZE + 8];
};

struct names {
	struct found *items;
	size_t n, room;
};

static int
names_add(struct names *names, const struct dirent *entry)
{
	size_t room = names->room ? names->room * 2 : 256;
	struct found *grown;

	if (names->n == names->room) {
		grown = reallocarray(names->items, room, sizeof *grown);
		if (grown == NULL)
			return -ENOMEM;
		names->items = grown;
		names->room = room;
	}
	grown = &names->items[names->n++];
	grown->inode = entry->d_ino;
	memcpy(grown->name, entry->d_name, strlen(entry->d_name) + 1);
	return 0;
}

static int
by_inode(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* NULL: that was all, or *error is set. */
static const struct dirent *
next_entry(DIR *dir, int *error)
{
	const struct dirent *entry = NULL;

	errno = FAULT("queue.readdir");
	if (errno == 0)
		entry = readdir(dir);
	if (entry == NULL)
		*error = -errno;
	return entry;
}

/*
 * A name that is too long for one of ours is told at once. Half of the names
 * are worse than none: who is not among them would lose his body.
 */
static int
collect_names(struct load *load, DIR *dir, struct names *names,
    void (*fn)(struct load *load, const char *name))
{
	const struct dirent *entry;
	int error = 0;

	while (!error && (entry = next_entry(dir, &error)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		if (strlen(entry->d_name) < sizeof names->items->name)
			error = names_add(names, entry);
		else
			fn(load, entry->d_name);
	}
	return error;
}

/*
 * In the order of their inodes: on a disk that turns, and in a cold cache,
 * that is many times faster than the order of the folder.
 */
static int
each_name(struct load *load, enum spool_folder folder,
    void (*fn)(struct load *load, const char *name))
{
	int fd = openat(load->spool->folders[folder], ".", O_RDONLY |
	    O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct names names = { 0 };

	if (dir == NULL)
		return -errno;
	load->folder = folder;
	load->error = collect_names(load, dir, &names, fn);
	closedir(dir);
	if (names.n > 0)
		qsort(names.items, names.n, sizeof *names.items, by_inode);
	for (size_t i = 0; i < names.n && load->error == 0; i++)
		fn(load, names.items[i].name);
	free(names.items);
	return load->error;
}

int
spool_load(struct spool *spool, const struct spool_visitor *visitor)
{
	struct load load = { .spool = spool, .visitor = visitor };
	int error = each_name(&load, SPOOL_ACTIVE, load_envelope);

	if (!error)
		error = each_name(&load, SPOOL_FAILED, load_envelope);
	if (!error)
		error = each_name(&load, SPOOL_PREPARED, load_nothing);
	if (!error)
		error = each_name(&load, SPOOL_SPARE, load_nothing);
	if (!error && load.known.n > 0)
		qsort(load.known.ids, load.known.n, sizeof *load.known.ids,
		    compare);
	if (!error)
		error = each_name(&load, SPOOL_BODIES, load_body);
	free(load.known.ids);
	if (spool->has_removed)
		spool_flush(spool);
	return error;
}
