/* SPDX-License-Identifier: ISC */
/*
 * maildir.c - the steps of a delivery into a Maildir; see maildir.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "fault.h"
#include "flush.h"
#include "maildir.h"
#include "path.h"

#define VOID_MARK '~'		/* in place of a name's first _ */
#define PIECE_SIZE (256u << 10)	/* of a large message */
#define SWEEP_AGE_S (60 * 3600)	/* longer than any record lives */
#define SWEEP_MAX 10000		/* files looked at in one sweep */

/* ---- opening ---- */

/* What rename goes by, where the kernel tells (Linux 5.8). */
static bool
is_same_mount(int a_fd, int b_fd)
{
	struct statx a, b;

	return statx(a_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) < 0 ||
	    statx(b_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &b) < 0 ||
	    !(a.stx_mask & b.stx_mask & STATX_MNT_ID) ||
	    a.stx_mnt_id == b.stx_mnt_id;
}

/* Also whether a copy can be renamed from tmp/ into new/. */
static int
learn_device(struct maildir *m)
{
	struct stat st, tmp;
	struct statfs fs;

	if (fstat(m->new_fd, &st) < 0 || fstat(m->tmp_fd, &tmp) < 0 ||
	    fstatfs(m->new_fd, &fs) < 0)
		return -errno;
	if (st.st_dev != tmp.st_dev || !is_same_mount(m->new_fd, m->tmp_fd))
		return -EXDEV;
	m->device = st.st_dev;
	m->new_inode = st.st_ino;
	m->is_local = flush_is_local_type((long)fs.f_type);
	return 0;
}

static int
open_children(struct maildir *m, int root, bool is_made)
{
	int cur_fd;

	m->tmp_fd = path_open_child(root, "tmp", is_made);
	if (m->tmp_fd < 0)
		return m->tmp_fd;
	m->new_fd = path_open_child(root, "new", is_made);
	if (m->new_fd < 0)
		return m->new_fd;
	if (!is_made)
		return 0;
	/* readers want it, we do not */
	cur_fd = path_open_child(root, "cur", true);
	if (cur_fd < 0)
		return cur_fd;
	close(cur_fd);
	return 0;
}

int
maildir_open(struct maildir *m, const char *path, const char *home,
    bool is_made)
{
	int root = path_open_directory(path, home, is_made), error;

	m->tmp_fd = m->new_fd = m->junk_fd = -1;
	if (root < 0)
		return root;
	error = open_children(m, root, is_made);
	close(root);
	if (!error)
		error = learn_device(m);
	if (error)
		maildir_close(m);
	return error;
}

void
maildir_close(struct maildir *m)
{
	if (m->tmp_fd >= 0)
		close(m->tmp_fd);
	if (m->new_fd >= 0)
		close(m->new_fd);
	if (m->junk_fd >= 0)
		close(m->junk_fd);
	m->tmp_fd = m->new_fd = m->junk_fd = -1;
}

bool
maildir_is_at(const struct maildir *m, const char *path)
{
	return path_leads_to(path, "new", m->device, m->new_inode);
}

/*
 * Of a worker, whose effective ids are its real ones. Not by faccessat(): the
 * C library asks faccessat2 first, and the EPERM of a container's filter that
 * does not know it would be taken for an answer.
 */
static bool
can_write(int dir_fd)
{
	return syscall(SYS_faccessat, dir_fd, ".", W_OK | X_OK) == 0;
}

int
maildir_check(const struct maildir *m, uint64_t size_bytes)
{
	struct statvfs fs;
	int error = FAULT("maildir.check");

	if (error)
		return -error;
	if (!can_write(m->tmp_fd) || !can_write(m->new_fd) ||
	    fstatvfs(m->tmp_fd, &fs) < 0)
		return -errno;
	/* some file systems have no fixed number of inodes and say 0 */
	if (fs.f_files > 0 && fs.f_favail == 0)
		return -ENOSPC;
	/* and a tmpfs without a limit no blocks */
	if (fs.f_blocks == 0 || fs.f_frsize == 0)
		return 0;
	return size_bytes / fs.f_frsize >= fs.f_bavail ?
	    -ENOSPC : 0;
}

bool
maildir_is_name(struct slice name)
{
	if (name.size == 0 || name.size >= MAILDIR_NAME_SIZE ||
	    name.data[0] == '.')
		return false;
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr("._-=+,\\", c) != NULL)))
			return false;
	}
	return true;
}

/* ---- into tmp/ ---- */

/* Like writev, until all is written. Changes iov. */
static int
write_parts(int fd, struct iovec *iov, int n)
{
	while (n > 0) {
		ssize_t done = writev(fd, iov, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		while (n > 0 && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

/*
 * What does not fit into text->start. The message is sealed, so that it can
 * be mapped and is not shorter than it says. The disk begins with each piece
 * while the next one is copied.
 */
static int
write_rest(int fd, const struct maildir_text *text)
{
	size_t at = text->start.size, size = text->message_size;
	struct iovec iov;
	char *map;
	int error = 0;

	if (at >= size)
		return 0;
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, text->message_fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	while (!error && at < size) {
		flush_begin(fd);
		iov.iov_base = map + at;
		iov.iov_len = size - at < PIECE_SIZE ? size - at : PIECE_SIZE;
		at += iov.iov_len;
		error = write_parts(fd, &iov, 1);
	}
	munmap(map, size);
	return error;
}

static int
write_text(int fd, const struct maildir_text *text)
{
	struct iovec iov[MAILDIR_TOPS + 1];
	int error = FAULT("maildir.write");

	if (error)
		return -error;
	for (size_t i = 0; i < MAILDIR_TOPS; i++) {
		iov[i].iov_base = (void *)(uintptr_t)text->tops[i].data;
		iov[i].iov_len = text->tops[i].size;
	}
	iov[MAILDIR_TOPS].iov_base = (void *)(uintptr_t)text->start.data;
	iov[MAILDIR_TOPS].iov_len = text->start.size;
	error = write_parts(fd, iov, MAILDIR_TOPS + 1);
	return error ? error : write_rest(fd, text);
}

int
maildir_write(const struct maildir *m, const char *file,
    const struct maildir_text *text)
{
	int error = FAULT("maildir.create"), fd;

	if (error)
		return -error;
	fd = openat(m->tmp_fd, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	error = write_text(fd, text);
	return error ? maildir_finish(m, file, fd, error) : fd;
}

int
maildir_finish(const struct maildir *m, const char *file, int fd, int error)
{
	int injected = FAULT("maildir.close");

	/* a file system over the network may say it only here */
	if ((close(fd) < 0 && errno != EINTR) && !error)
		error = -errno;
	if (!error && injected)
		error = -injected;
	if (error)
		(void)unlinkat(m->tmp_fd, file, 0);
	return error;
}

/* ---- into new/ ---- */

static bool
is_there(int dir_fd, const char *file, struct stat *st)
{
	return fstatat(dir_fd, file, st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * The name is ours alone: when it is in new/ and no longer in tmp/, then the
 * operation that seemed to fail was done, its answer lost.
 */
static int
look_at_both(const struct maildir *m, const char *file, int error)
{
	struct stat in_tmp, in_new;
	bool is_in_tmp = is_there(m->tmp_fd, file, &in_tmp);

	if (!is_there(m->new_fd, file, &in_new))
		return -error;
	if (!is_in_tmp)
		return 0;
	if (in_tmp.st_dev != in_new.st_dev || in_tmp.st_ino != in_new.st_ino)
		return -EEXIST;
	(void)unlinkat(m->tmp_fd, file, 0);
	return 0;
}

/*
 * For file systems that have no links either, or none from one directory to
 * another (sshfs and others of FUSE, AFS). As the name is ours alone, nobody
 * takes it between the look and the rename.
 */
static int
look_and_rename(const struct maildir *m, const char *file)
{
	struct stat st;

	if (is_there(m->new_fd, file, &st))
		return look_at_both(m, file, EEXIST);
	if (errno != ENOENT)
		return -errno;
	return renameat(m->tmp_fd, file, m->new_fd, file) == 0 ? 0 :
	    look_at_both(m, file, errno);
}

static bool
has_no_links(int error)
{
	return error == EPERM || error == EOPNOTSUPP || error == ENOSYS ||
	    error == EXDEV;
}

/* For file systems without RENAME_NOREPLACE (NFS). */
static int
link_over(const struct maildir *m, const char *file)
{
	if (linkat(m->tmp_fd, file, m->new_fd, file, 0) < 0)
		return has_no_links(errno) ? look_and_rename(m, file) :
		    look_at_both(m, file, errno);
	/* if this fails, a second name stays in tmp/ for the sweep */
	(void)unlinkat(m->tmp_fd, file, 0);
	return 0;
}

int
maildir_rename(const struct maildir *m, const char *file)
{
	int error = FAULT("maildir.rename");

	if (error)
		return -error;
	if (renameat2(m->tmp_fd, file, m->new_fd, file, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
		return link_over(m, file);
	if (errno == ENOENT || errno == EEXIST)
		return look_at_both(m, file, errno);
	return -errno;
}

/* ---- and back ---- */

/* true when it was there; *error is set when it could not be removed. */
static bool
remove_name(int dir_fd, const char *file, int *error)
{
	int injected = FAULT("maildir.unlink");

	if (!injected && unlinkat(dir_fd, file, 0) == 0)
		return true;
	if (injected || errno != ENOENT)
		*error = injected ? -injected : -errno;
	return false;
}

int
maildir_abort(const struct maildir *m, const char *file)
{
	int error = 0;

	(void)remove_name(m->tmp_fd, file, &error);
	return error;
}

int
maildir_take_back(const struct maildir *m, const char *file)
{
	int error = FAULT("maildir.take_back");
	struct stat st;

	if (error)
		return -error;
	if (renameat(m->new_fd, file, m->tmp_fd, file) < 0) {
		if (errno != ENOENT)
			return -errno;
		return is_there(m->tmp_fd, file, &st) ? MAILDIR_TMP :
		    MAILDIR_NOWHERE;
	}
	/* two names of one file stay both (link_over, a crash in it) */
	(void)unlinkat(m->new_fd, file, 0);
	/* so that a power cut does not bring it back; if it cannot be made
	 * durable, readers still do not see it now */
	(void)fsync(m->new_fd);
	return MAILDIR_NEW;
}

static int
settle_in_new(const struct maildir *m, const char *file)
{
	int error = FAULT("maildir.fsync_dir");

	(void)unlinkat(m->tmp_fd, file, 0);
	if (!error && fsync(m->new_fd) < 0)
		error = errno;
	return error ? -error : MAILDIR_NEW;
}

/* No copy has this character in its name. */
static bool
void_name(char mark[MAILDIR_NAME_SIZE], const char *file)
{
	char *at = slice_copy(mark, MAILDIR_NAME_SIZE, slice_of(file)) ?
	    strchr(mark, '_') : NULL;

	if (at != NULL)
		*at = VOID_MARK;
	return at != NULL;
}

/*
 * Never delivered: take the name away, so that no late rename finds it, and
 * leave a mark, so that the answer stays the same when it is lost and asked
 * for again. An unlinked file would then look like a delivered one.
 */
static bool
mark_void(const struct maildir *m, const char *file, int *error)
{
	char mark[MAILDIR_NAME_SIZE];
	struct stat st;
	int injected = FAULT("maildir.void"), fd;

	if (!void_name(mark, file)) {
		*error = -EINVAL;
		return false;
	}
	if (injected || (renameat(m->tmp_fd, file, m->tmp_fd, mark) < 0 &&
	    errno != ENOENT)) {
		*error = injected ? -injected : -errno;
		return false;
	}
	if (!is_there(m->tmp_fd, mark, &st))
		return false;
	/* only the name is needed until the sweep */
	fd = openat(m->tmp_fd, mark, O_WRONLY | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW);
	if (fd >= 0)
		close(fd);
	return true;
}

/* A reader renames it to NAME or NAME:2,FLAGS. 1, 0, or a negative errno. */
static int
is_in_cur(const struct maildir *m, const char *file)
{
	int fd = openat(m->new_fd, "../cur", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t size = strlen(file);
	struct dirent *entry;
	int found = 0;

	if (dir == NULL) {
		found = errno == ENOENT ? 0 : -errno;
		if (fd >= 0)
			close(fd);
		return found;
	}
	while (errno = 0, !found && (entry = readdir(dir)) != NULL)
		found = strncmp(entry->d_name, file, size) == 0 &&
		    (entry->d_name[size] == '\0' ||
		    entry->d_name[size] == ':');
	if (!found)
		found = -errno;	/* half of the names say nothing */
	closedir(dir);
	return found;
}

/* It was never in new/: leave the mark that mark_void would have left. */
static int
settle_unmoved(const struct maildir *m, const char *file)
{
	char mark[MAILDIR_NAME_SIZE];
	int found = is_in_cur(m, file), fd;

	if (found != 0)
		return found < 0 ? found : MAILDIR_NOWHERE;
	if (!void_name(mark, file))
		return -EINVAL;
	fd = openat(m->tmp_fd, mark, O_WRONLY | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return MAILDIR_TMP;
}

int
maildir_resolve(const struct maildir *m, const char *file, bool is_unmoved)
{
	struct stat st;
	int error = 0;

	if (is_there(m->new_fd, file, &st))
		return settle_in_new(m, file);
	if (mark_void(m, file, &error))
		return MAILDIR_TMP;
	if (error)
		return error;
	if (is_there(m->new_fd, file, &st))
		return settle_in_new(m, file);
	return is_unmoved ? settle_unmoved(m, file) : MAILDIR_NOWHERE;
}

/* ---- old leftovers ---- */

static bool
is_stale(const struct stat *st, int64_t now_s)
{
	int64_t last = st->st_atime;

	if (st->st_mtime > last)
		last = st->st_mtime;
	if (st->st_ctime > last)
		last = st->st_ctime;
	return S_ISREG(st->st_mode) && last < now_s - SWEEP_AGE_S;
}

int
maildir_sweep(const struct maildir *m, int64_t now_s)
{
	int fd = openat(m->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;
	int n = 0;

	if (dir == NULL) {
		int error = -errno;

		if (fd >= 0)
			close(fd);
		return error;
	}
	for (int i = 0; i < SWEEP_MAX && (entry = readdir(dir)) != NULL; i++)
		if (is_there(m->tmp_fd, entry->d_name, &st) &&
		    is_stale(&st, now_s) &&
		    unlinkat(m->tmp_fd, entry->d_name, 0) == 0)
			n++;
	closedir(dir);
	return n;
}
