/* SPDX-License-Identifier: ISC */
/*
 * path.c - opening a mailbox's directory; see path.h.
 *
 * openat2 with RESOLVE_NO_SYMLINKS answers the usual case with one system
 * call. Only when it does not (a link, a missing part, an old kernel) is the
 * path walked part by part on O_PATH descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "fault.h"
#include "path.h"

#define OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
#define WALK_FLAGS (O_PATH | O_CLOEXEC | O_NOFOLLOW)
#define MADE_MODE 0700

struct walk {
	int fd;			/* where we stand, O_PATH */
	struct stat st;		/* of fd */
	bool is_trusted;	/* only root can have changed what is in fd */
	bool is_made;
	bool has_home;
	size_t home_size;	/* parts that end beyond it may be made */
};

static int
make_durable(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		error = -errno;
	close(fd);
	return error;
}

static int
make_child(int dir_fd, const char *name)
{
	int error = FAULT("maildir.mkdir");

	if (error)
		return -error;
	if (mkdirat(dir_fd, name, MADE_MODE) < 0 && errno != EEXIST)
		return -errno;
	return make_durable(dir_fd);
}

/* ---- one part ---- */

static bool
is_root_only(const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int
make_part(const struct walk *w, const char *name, size_t end)
{
	if (!w->is_made)
		return -ENOENT;
	if (w->has_home ? end <= w->home_size : w->st.st_uid != geteuid())
		return -ENOENT;
	return make_child(w->fd, name);
}

static int
open_part(const struct walk *w, const char *name, size_t end)
{
	int fd = openat(w->fd, name, WALK_FLAGS), error;

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	error = make_part(w, name, end);
	if (error)
		return error;
	fd = openat(w->fd, name, WALK_FLAGS);
	return fd < 0 ? -errno : fd;
}

/* Step into name, which ends at octet `end` of the whole path. */
static int
walk_part(struct walk *w, const char *name, size_t end)
{
	int fd = open_part(w, name, end), error;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
		close(fd);
		if (!w->is_trusted || st.st_uid != 0)
			return -ELOOP;
		fd = openat(w->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	error = fstat(fd, &st) < 0 ? -errno :
	    S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	if (error) {
		close(fd);
		return error;
	}
	close(w->fd);
	w->fd = fd;
	w->st = st;
	w->is_trusted = w->is_trusted && is_root_only(&st);
	return 0;
}

static int
walk_all(struct walk *w, const char *path)
{
	char name[NAME_MAX + 1];
	const char *at = path;
	int error = 0;

	while (!error) {
		size_t size;

		at += strspn(at, "/");
		size = strcspn(at, "/");
		if (size == 0)
			break;
		if (size > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(name, at, size);
		name[size] = '\0';
		at += size;
		if (strcmp(name, ".") != 0)
			error = walk_part(w, name, (size_t)(at - path));
	}
	return error;
}

static int
open_by_walking(const char *path, const char *home, bool is_made)
{
	struct walk w = { .is_made = is_made, .has_home = *home != '\0' };
	int error, fd;

	/* a home that the mailbox does not lie in says nothing about it */
	w.home_size = strlen(home);
	while (w.home_size > 1 && home[w.home_size - 1] == '/')
		w.home_size--;
	if (w.has_home && (strncmp(path, home, w.home_size) != 0 ||
	    path[w.home_size] != '/'))
		w.has_home = false;
	w.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.fd < 0 || fstat(w.fd, &w.st) < 0)
		return -errno;
	w.is_trusted = is_root_only(&w.st);
	error = walk_all(&w, path);
	fd = error ? -1 : openat(w.fd, ".", OPEN_FLAGS);
	if (!error && fd < 0)
		error = -errno;
	close(w.fd);
	return error ? error : fd;
}

static int
open_at_once(const char *path)
{
	struct open_how how = { .flags = OPEN_FLAGS,
		.resolve = RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

/* ---- public ---- */

static int
check_owner(int fd)
{
	struct stat st;
	int error = fstat(fd, &st) < 0 ? -errno :
	    st.st_uid == geteuid() ? 0 : -EPERM;

	if (!error)
		return fd;
	close(fd);
	return error;
}

/* Absolute, and no part of it climbs. */
static bool
is_plain_path(const char *path)
{
	const char *at = path;

	while ((at = strstr(at, "..")) != NULL) {
		if (at > path && at[-1] == '/' &&
		    (at[2] == '/' || at[2] == '\0'))
			return false;
		at += 2;
	}
	return *path == '/';
}

int
path_open_directory(const char *path, const char *home, bool is_made)
{
	int error = FAULT("maildir.open_mailbox");
	int fd;

	if (error)
		return -error;
	if (!is_plain_path(path))
		return -EINVAL;
	fd = open_at_once(path);
	if (fd < 0)
		fd = open_by_walking(path, home, is_made);
	return fd < 0 ? fd : check_owner(fd);
}

/* O_DIRECTORY makes a link ENOTDIR, as it does a file. */
static int
no_directory(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISLNK(st.st_mode) ? -ENOTDIR : -ELOOP;
}

int
path_open_child(int dir_fd, const char *name, bool is_made)
{
	int fd = openat(dir_fd, name, OPEN_FLAGS), error;

	if (fd < 0 && errno == ENOENT && is_made) {
		error = make_child(dir_fd, name);
		if (error)
			return error;
		fd = openat(dir_fd, name, OPEN_FLAGS);
	}
	if (fd < 0)
		return errno == ENOTDIR ? no_directory(dir_fd, name) : -errno;
	return check_owner(fd);
}

bool
path_leads_to(const char *path, const char *part, dev_t device, ino_t inode)
{
	char name[PATH_MAX];
	struct stat st;
	int n = snprintf(name, sizeof name, "%s/%s", path, part);

	return n > 0 && (size_t)n < sizeof name && stat(name, &st) == 0 &&
	    st.st_dev == device && st.st_ino == inode;
}
