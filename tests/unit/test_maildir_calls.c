/* SPDX-License-Identifier: ISC */
/*
 * test_maildir_calls.c - a delivery on file systems that do not answer as the
 * one that tests run on: the system calls are answered here instead.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "../../deliver/maildir.h"
#include "table.h"

#define FILE_NAME "1700000000.M1P2_0_0.mx.example.org,S=46"

static char base[64];
static struct maildir m;
static int no_replace_error;	/* of RENAME_NOREPLACE, or 0 */
static unsigned n_fsyncs;
static int link_error;		/* of linkat, or 0 */
static bool is_late;		/* rename into new/ comes in between */
static bool is_unreadable;	/* folders fail in the middle */
static int stat_error;		/* of fstat, or 0 */
static unsigned n_stats;	/* that work before it */

int
renameat2(int from, const char *old, int to, const char *name,
    unsigned flags)
{
	if (flags != 0 && no_replace_error != 0) {
		errno = no_replace_error;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from, old, to, name, flags);
}

int
renameat(int from, const char *old, int to, const char *name)
{
	if (is_late)
		(void)syscall(SYS_renameat2, m.tmp_fd, FILE_NAME, m.new_fd,
		    FILE_NAME, 0);
	return (int)syscall(SYS_renameat2, from, old, to, name, 0);
}

int
linkat(int from, const char *old, int to, const char *name, int flags)
{
	errno = link_error;
	return link_error == 0 ? (int)syscall(SYS_linkat, from, old, to,
	    name, flags) : -1;
}

int
fstat(int fd, struct stat *st)
{
	if (stat_error == 0 || n_stats > 0) {
		n_stats -= n_stats > 0;
		return fstatat(fd, "", st, AT_EMPTY_PATH);
	}
	errno = stat_error;
	return -1;
}

int
fsync(int fd)
{
	n_fsyncs++;
	return (int)syscall(SYS_fsync, fd);
}

struct dirent *
readdir(DIR *dir)
{
	struct dirent *(*real)(DIR *dir);

	*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (!is_unreadable)
		return real(dir);
	errno = EIO;
	return NULL;
}

static int
set_up(void **state)
{
	char path[128];

	(void)state;
	no_replace_error = stat_error = link_error = 0;
	n_stats = 0;
	is_late = is_unreadable = false;
	strcpy(base, "/tmp/postern-maildir-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(path, sizeof path, "%s/Maildir", base);
	return maildir_open(&m, path, base, true);
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	maildir_close(&m);
	snprintf(command, sizeof command, "rm -rf %s", base);
	return system(command);
}

static void
write_file(int folder, const char *octets)
{
	int fd = openat(folder, FILE_NAME, O_CREAT | O_EXCL | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, octets, strlen(octets)), strlen(octets));
	close(fd);
}

static bool
is_in(int folder)
{
	struct stat st;

	return fstatat(folder, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A FUSE daemon has died, a disk is broken: that is said, and not that the
 * mailbox is no directory, or belongs to somebody else. */
static void
test_disk_that_does_not_answer(void **state)
{
	static const int errors[] = { ENOTCONN, EIO };
	struct maildir other;
	char path[128], link[128];

	(void)state;
	snprintf(path, sizeof path, "%s/Maildir", base);
	snprintf(link, sizeof link, "%s/link", base);
	assert_int_equal(symlink("Maildir", link), 0);
	for (size_t i = 0; i < N_OF(errors); i++) {
		stat_error = errors[i];
		assert_int_equal(maildir_open(&other, path, base, true),
		    -errors[i]);
		/* because of the link it is walked: / and then /tmp */
		n_stats = 1;
		assert_int_equal(maildir_open(&other, link, base, true),
		    -errors[i]);
	}
}

/* NFS, FUSE: EINVAL; an old kernel: ENOSYS. */
static void
test_no_noreplace(void **state)
{
	static const int errors[] = { EINVAL, ENOSYS, EOPNOTSUPP };

	(void)state;
	for (size_t i = 0; i < N_OF(errors); i++) {
		no_replace_error = errors[i];
		write_file(m.tmp_fd, "x");
		assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
		assert_true(is_in(m.new_fd));
		assert_false(is_in(m.tmp_fd));
		/* its answer was lost */
		assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
		/* another's file keeps its place */
		write_file(m.tmp_fd, "y");
		assert_int_equal(maildir_rename(&m, FILE_NAME), -EEXIST);
		assert_true(is_in(m.tmp_fd));
		assert_int_equal(unlinkat(m.new_fd, FILE_NAME, 0), 0);
		assert_int_equal(unlinkat(m.tmp_fd, FILE_NAME, 0), 0);
	}
}

/* exFAT and others of FUSE; AFS has them within a directory alone. */
static void
test_no_links(void **state)
{
	static const int errors[] = { EPERM, EOPNOTSUPP, ENOSYS, EXDEV };

	(void)state;
	no_replace_error = EINVAL;
	for (size_t i = 0; i < N_OF(errors); i++) {
		link_error = errors[i];
		write_file(m.tmp_fd, "x");
		assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
		assert_true(is_in(m.new_fd));
		assert_false(is_in(m.tmp_fd));
		/* whose answer was lost */
		assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
		/* another's is not written over */
		write_file(m.tmp_fd, "y");
		assert_int_equal(maildir_rename(&m, FILE_NAME), -EEXIST);
		assert_true(is_in(m.tmp_fd));
		assert_int_equal(unlinkat(m.new_fd, FILE_NAME, 0), 0);
		assert_int_equal(unlinkat(m.tmp_fd, FILE_NAME, 0), 0);
		assert_int_equal(maildir_rename(&m, FILE_NAME), -ENOENT);
	}
	/* a disk that is broken is no such file system */
	link_error = EIO;
	write_file(m.tmp_fd, "x");
	assert_int_equal(maildir_rename(&m, FILE_NAME), -EIO);
	assert_false(is_in(m.new_fd));
}

/* After a kill between link and unlink: readers do not see it any more. */
static void
test_take_back_of_two_names(void **state)
{
	(void)state;
	write_file(m.tmp_fd, "x");
	assert_int_equal(linkat(m.tmp_fd, FILE_NAME, m.new_fd, FILE_NAME, 0),
	    0);
	assert_int_equal(maildir_take_back(&m, FILE_NAME), MAILDIR_NEW);
	assert_true(is_in(m.tmp_fd));
	assert_false(is_in(m.new_fd));
}

/* A power cut must not undo what has been answered. */
static void
test_answers_are_durable(void **state)
{
	(void)state;
	write_file(m.new_fd, "x");
	n_fsyncs = 0;
	assert_int_equal(maildir_resolve(&m, FILE_NAME, true), MAILDIR_NEW);
	assert_int_equal(n_fsyncs, 1);
	assert_int_equal(maildir_take_back(&m, FILE_NAME), MAILDIR_NEW);
	assert_int_equal(n_fsyncs, 2);
}

/* A worker that was slow moves it while somebody asks for it. */
static void
test_resolve_and_a_late_rename(void **state)
{
	(void)state;
	write_file(m.tmp_fd, "x");
	is_late = true;
	assert_int_equal(maildir_resolve(&m, FILE_NAME, true), MAILDIR_NEW);
	assert_true(is_in(m.new_fd));
}

/* "Not delivered" stays so, whatever is known of renames when it is asked
 * again. */
static void
test_void_stays_void(void **state)
{
	(void)state;
	assert_int_equal(maildir_resolve(&m, FILE_NAME, true), MAILDIR_TMP);
	assert_int_equal(maildir_resolve(&m, FILE_NAME, false), MAILDIR_TMP);
}

/* cur/ may hold it: unknown, neither yes nor no. */
static void
test_cur_that_cannot_be_read(void **state)
{
	(void)state;
	is_unreadable = true;
	assert_int_equal(maildir_resolve(&m, FILE_NAME, true), -EIO);
	is_unreadable = false;
	assert_int_equal(unlinkat(m.new_fd, "../cur", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("new", m.new_fd, "../cur"), 0);
	assert_true(maildir_resolve(&m, FILE_NAME, true) < 0);
	assert_int_equal(unlinkat(m.new_fd, "../cur", 0), 0);
	/* a Maildir whose reader has not come yet */
	assert_int_equal(maildir_resolve(&m, FILE_NAME, true), MAILDIR_TMP);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_disk_that_does_not_answer),
		TEST(test_no_noreplace),
		TEST(test_no_links),
		TEST(test_take_back_of_two_names),
		TEST(test_answers_are_durable),
		TEST(test_resolve_and_a_late_rename),
		TEST(test_void_stays_void),
		TEST(test_cur_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
