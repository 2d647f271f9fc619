/* SPDX-License-Identifier: ISC */
/*
 * test_maildir.c - the steps of a delivery, on a real file system and as a
 * real, unprivileged uid (root tests become one first).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "flush.h"
#include "../../deliver/junk.h"
#include "../../deliver/junk.h"
#include "../../deliver/maildir.h"
#include "../../deliver/path.h"
#include "sealed.h"
#include "table.h"

#define TEST_UID 61234
#define FILE_NAME "1700000000.M1P2_0_0.mx.example.org,S=46"
#define OTHER_NAME "1700000000.M1P3_0_0.mx.example.org,S=46"

static char base[64];		/* ours, holds everything */

static const char *
path_in(const char *name)
{
	static char room[8][256];
	static unsigned next;
	char *path = room[next++ % 8];

	snprintf(path, 256, "%s/%s", base, name);
	return path;
}

static size_t
count_files(const char *name)
{
	DIR *dir = opendir(path_in(name));
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static struct maildir
open_box(void)
{
	struct maildir m;

	assert_int_equal(maildir_open(&m, path_in("home/Maildir"),
	    path_in("home"), true), 0);
	return m;
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(base, "/tmp/postern-maildir-XXXXXX");
	assert_non_null(mkdtemp(base));
	return mkdir(path_in("home"), 0700);
}

static int
tear_down(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", base,
	    base);
	return system(command);
}

static int
write_copy(const struct maildir *m, const char *file)
{
	struct maildir_text text = { .tops = { SLICE("Return-Path: <>\n"),
		SLICE("Delivered-To: b\n"), SLICE("Received: x\n") },
		.start = SLICE("\n\n"), .message_size = 2,
		.message_fd = -1 };

	return maildir_write(m, file, &text);
}

static void
prepare(const struct maildir *m, const char *file)
{
	struct flush_item item = { .fd = write_copy(m, file) };

	assert_true(item.fd >= 0);
	flush_all(&item, 1);
	assert_int_equal(item.error, 0);
	assert_int_equal(maildir_finish(m, file, item.fd, 0), 0);
}

/* ---- opening ---- */

static void
test_missing_mailbox_is_made(void **state)
{
	static const char *const parts[] = { "home/Maildir",
		"home/Maildir/tmp", "home/Maildir/new", "home/Maildir/cur" };
	struct maildir m = open_box();
	struct stat st;

	(void)state;
	for (size_t i = 0; i < N_OF(parts); i++) {
		CHECK(parts[i], stat(path_in(parts[i]), &st) == 0);
		CHECK(parts[i], (st.st_mode & 07777) == 0700);
	}
	maildir_close(&m);
	maildir_close(&m);
}

/* As after "mv Maildir old", and then after a restore. */
static void
test_mailbox_that_is_elsewhere_now(void **state)
{
	struct maildir m = open_box(), other;
	const char *path = path_in("home/Maildir");

	(void)state;
	assert_true(maildir_is_at(&m, path));
	assert_int_equal(rename(path, path_in("home/old")), 0);
	assert_false(maildir_is_at(&m, path));
	assert_true(maildir_is_at(&m, path_in("home/old")));
	other = open_box();
	assert_false(maildir_is_at(&m, path));
	assert_true(maildir_is_at(&other, path));
	maildir_close(&other);
	maildir_close(&m);
}

static void
test_deep_mailbox_below_home_is_made(void **state)
{
	struct maildir m;

	(void)state;
	assert_int_equal(maildir_open(&m, path_in("home/a/b/Maildir"),
	    path_in("home"), true), 0);
	maildir_close(&m);
}

static void
test_what_cannot_be_opened(void **state)
{
	struct maildir m;

	(void)state;
	assert_int_equal(maildir_open(&m, path_in("home/Maildir"),
	    path_in("home"), false), -ENOENT);
	assert_int_equal(maildir_open(&m, path_in("gone/Maildir"),
	    path_in("gone"), true), -ENOENT);
	assert_int_equal(maildir_open(&m, "relative", "", true), -EINVAL);
	assert_int_equal(maildir_open(&m, path_in("home/../home/Maildir"),
	    path_in("home"), true), -EINVAL);
	/* no home: only below a directory of ours, and /tmp is not */
	assert_int_equal(maildir_open(&m, "/tmp/postern-none/Maildir", "",
	    true), -ENOENT);
	assert_int_equal(maildir_open(&m, path_in("virtual/u/Maildir"), "",
	    true), 0);
	maildir_close(&m);
	/* root's */
	assert_int_equal(maildir_open(&m, "/usr", "", true), -EPERM);
}

static void
test_links_do_not_lead_astray(void **state)
{
	struct maildir m = open_box();

	(void)state;
	maildir_close(&m);
	/* the mailbox itself, a directory on the way, a part of it */
	assert_int_equal(symlink(path_in("home/Maildir"),
	    path_in("home/link")), 0);
	assert_int_equal(maildir_open(&m, path_in("home/link"),
	    path_in("home"), true), -ELOOP);
	assert_int_equal(symlink(path_in("home"), path_in("way")), 0);
	assert_int_equal(maildir_open(&m, path_in("way/Maildir"),
	    path_in("way"), true), -ELOOP);
	assert_int_equal(rename(path_in("home/Maildir/new"),
	    path_in("home/elsewhere")), 0);
	assert_int_equal(symlink(path_in("home/elsewhere"),
	    path_in("home/Maildir/new")), 0);
	assert_int_equal(maildir_open(&m, path_in("home/Maildir"),
	    path_in("home"), true), -ELOOP);
}

static void
test_link_of_root_counts(void **state)
{
	int fd = path_open_directory("/proc/self", "", false);

	(void)state;
	/* /proc/self is root's link in root's directory; its target is a
	 * directory of ours */
	assert_true(fd >= 0);
	close(fd);
}

static void
test_file_in_the_way(void **state)
{
	struct maildir m;
	int fd = open(path_in("home/Maildir"), O_CREAT | O_WRONLY, 0600);

	(void)state;
	close(fd);
	assert_int_equal(maildir_open(&m, path_in("home/Maildir"),
	    path_in("home"), true), -ENOTDIR);
	assert_int_equal(unlink(path_in("home/Maildir")), 0);
	m = open_box();
	maildir_close(&m);
	assert_int_equal(rmdir(path_in("home/Maildir/new")), 0);
	close(open(path_in("home/Maildir/new"), O_CREAT | O_WRONLY, 0600));
	assert_int_equal(maildir_open(&m, path_in("home/Maildir"),
	    path_in("home"), true), -ENOTDIR);
}

static void
test_check_sees_what_is_not_writable(void **state)
{
	struct maildir m = open_box();

	(void)state;
	assert_int_equal(maildir_check(&m, 1000), 0);
	assert_int_equal(maildir_check(&m, UINT64_MAX), -ENOSPC);
	assert_int_equal(chmod(path_in("home/Maildir/tmp"), 0500), 0);
	assert_int_equal(maildir_check(&m, 0), -EACCES);
	maildir_close(&m);
}

/* ---- names ---- */

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		bool want;
	} rows[] = {
		{ FILE_NAME, true },
		{ "a", true },
		{ "", false },
		{ ".", false },
		{ "..", false },
		{ ".hidden", false },
		{ "../new/x", false },
		{ "a/b", false },
		{ "a:2,S", false },
		{ "a b", false },
		{ "a\nb", false },
		{ "a\\057b", true },
		{ "a\xc3\xa4", false },
	};
	char longest[MAILDIR_NAME_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		CHECK(rows[i].name, maildir_is_name(slice_of(rows[i].name)) ==
		    rows[i].want);
	assert_false(maildir_is_name((struct slice){ "a\0b", 3 }));
	memset(longest, 'a', sizeof longest);
	assert_true(maildir_is_name((struct slice){ longest, 255 }));
	assert_false(maildir_is_name((struct slice){ longest, 256 }));
}

/* ---- the steps ---- */

static void
test_prepare_then_commit(void **state)
{
	struct maildir m = open_box();
	char text[64] = "";
	struct stat st;
	int fd;

	(void)state;
	prepare(&m, FILE_NAME);
	assert_int_equal(count_files("home/Maildir/new"), 0);
	assert_int_equal(count_files("home/Maildir/tmp"), 1);
	assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
	assert_int_equal(count_files("home/Maildir/tmp"), 0);
	fd = openat(m.new_fd, FILE_NAME, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(read(fd, text, sizeof text), 46);
	assert_string_equal(text, "Return-Path: <>\nDelivered-To: b\n"
	    "Received: x\n\n\n");
	close(fd);
	maildir_close(&m);
}

static void
test_large_message_is_whole(void **state)
{
	struct maildir m = open_box();
	size_t size = 3000000;
	char *big = malloc(size), *back = malloc(size + 10);
	struct maildir_text text = { .start = { big, 1000 },
		.message_fd = sealed_create("t"), .message_size = size };
	int fd;

	(void)state;
	for (size_t i = 0; i < size; i++)
		big[i] = (char)(i * 2654435761u >> 13);
	assert_int_equal(write(text.message_fd, big, size), size);
	assert_int_equal(sealed_finish(text.message_fd), 0);
	fd = maildir_write(&m, "big", &text);
	assert_true(fd >= 0);
	assert_int_equal(maildir_finish(&m, "big", fd, 0), 0);
	/* sent by offset: the shared descriptor's own has not moved */
	assert_int_equal(lseek(text.message_fd, 0, SEEK_CUR), size);
	fd = openat(m.tmp_fd, "big", O_RDONLY);
	assert_int_equal(read(fd, back, size + 10), size);
	assert_memory_equal(back, big, size);
	close(fd);
	close(text.message_fd);
	free(big);
	free(back);
	maildir_close(&m);
}

static void
test_never_over_another_file(void **state)
{
	struct maildir m = open_box();

	(void)state;
	prepare(&m, FILE_NAME);
	assert_int_equal(write_copy(&m, FILE_NAME), -EEXIST);
	assert_int_equal(count_files("home/Maildir/tmp"), 1);
	assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
	prepare(&m, FILE_NAME);
	assert_int_equal(maildir_rename(&m, FILE_NAME), -EEXIST);
	assert_int_equal(count_files("home/Maildir/tmp"), 1);
	maildir_close(&m);
}

static void
test_lost_answers_of_rename(void **state)
{
	struct maildir m = open_box();

	(void)state;
	/* it was done: nothing in tmp/, the file in new/ */
	prepare(&m, FILE_NAME);
	assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
	assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
	/* the link was made, the old name not yet removed */
	assert_int_equal(linkat(m.new_fd, FILE_NAME, m.tmp_fd, FILE_NAME, 0),
	    0);
	assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
	assert_int_equal(count_files("home/Maildir/tmp"), 0);
	assert_int_equal(count_files("home/Maildir/new"), 1);
	/* it never was there */
	assert_int_equal(maildir_rename(&m, "other"), -ENOENT);
	maildir_close(&m);
}

static void
test_failed_flush_removes_the_file(void **state)
{
	struct maildir m = open_box();
	int fd = write_copy(&m, FILE_NAME);

	(void)state;
	assert_int_equal(maildir_finish(&m, FILE_NAME, fd, -EIO), -EIO);
	assert_int_equal(count_files("home/Maildir/tmp"), 0);
	/* the same when it is the close that fails */
	fd = write_copy(&m, FILE_NAME);
	assert_int_equal(close(fd), 0);
	assert_int_equal(maildir_finish(&m, FILE_NAME, fd, 0), -EBADF);
	assert_int_equal(count_files("home/Maildir/tmp"), 0);
	maildir_close(&m);
}

static void
test_abort_and_take_back(void **state)
{
	struct maildir m = open_box();

	(void)state;
	prepare(&m, FILE_NAME);
	assert_int_equal(maildir_take_back(&m, FILE_NAME), MAILDIR_TMP);
	assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
	assert_int_equal(maildir_take_back(&m, FILE_NAME), MAILDIR_NEW);
	assert_int_equal(count_files("home/Maildir/new"), 0);
	assert_int_equal(maildir_abort(&m, FILE_NAME), 0);
	assert_int_equal(count_files("home/Maildir/tmp"), 0);
	assert_int_equal(maildir_abort(&m, FILE_NAME), 0);
	assert_int_equal(maildir_take_back(&m, FILE_NAME), MAILDIR_NOWHERE);
	maildir_close(&m);
}

/* What is still there is not said to be gone. */
static void
test_what_cannot_be_removed(void **state)
{
	struct maildir m = open_box();

	(void)state;
	prepare(&m, FILE_NAME);
	prepare(&m, OTHER_NAME);
	assert_int_equal(maildir_rename(&m, OTHER_NAME), 0);
	assert_int_equal(chmod(path_in("home/Maildir/tmp"), 0500), 0);
	assert_int_equal(maildir_abort(&m, FILE_NAME), -EACCES);
	assert_int_equal(maildir_take_back(&m, OTHER_NAME), -EACCES);
	assert_int_equal(maildir_resolve(&m, FILE_NAME, false), -EACCES);
	assert_int_equal(count_files("home/Maildir/tmp"), 1);
	assert_int_equal(count_files("home/Maildir/new"), 1);
	maildir_close(&m);
}

static void
test_resolve(void **state)
{
	struct maildir m = open_box();

	(void)state;
	prepare(&m, FILE_NAME);
	/* the same answer however often it is asked for, and no late rename
	 * can deliver it any more */
	for (int i = 0; i < 3; i++)
		assert_int_equal(maildir_resolve(&m, FILE_NAME, false),
		    MAILDIR_TMP);
	assert_int_equal(maildir_rename(&m, FILE_NAME), -ENOENT);
	assert_int_equal(count_files("home/Maildir/new"), 0);
	prepare(&m, OTHER_NAME);
	assert_int_equal(maildir_rename(&m, OTHER_NAME), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(maildir_resolve(&m, OTHER_NAME, false),
		    MAILDIR_NEW);
	assert_int_equal(count_files("home/Maildir/new"), 1);
	assert_int_equal(unlinkat(m.new_fd, OTHER_NAME, 0), 0);
	assert_int_equal(maildir_resolve(&m, OTHER_NAME, false),
	    MAILDIR_NOWHERE);
	maildir_close(&m);
}

/* Nobody saw it leave tmp/: only a reader's cur/ says that it did. */
static void
test_resolve_unmoved(void **state)
{
	struct maildir m = open_box();

	(void)state;
	prepare(&m, FILE_NAME);
	assert_int_equal(maildir_rename(&m, FILE_NAME), 0);
	assert_int_equal(maildir_resolve(&m, FILE_NAME, true), MAILDIR_NEW);
	assert_int_equal(renameat(m.new_fd, FILE_NAME, m.new_fd,
	    "../cur/" FILE_NAME ":2,S"), 0);
	assert_int_equal(maildir_resolve(&m, FILE_NAME, true),
	    MAILDIR_NOWHERE);
	/* another's name that begins alike is not it */
	assert_int_equal(renameat(m.new_fd, "../cur/" FILE_NAME ":2,S",
	    m.new_fd, "../cur/" FILE_NAME "0:2,S"), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(maildir_resolve(&m, FILE_NAME, true),
		    MAILDIR_TMP);
	maildir_close(&m);
}

static void
test_sweep_takes_only_what_is_old(void **state)
{
	struct maildir m = open_box();
	struct stat st;
	int64_t now_s;

	(void)state;
	prepare(&m, "young");
	assert_int_equal(mkdir(path_in("home/Maildir/tmp/folder"), 0700), 0);
	assert_int_equal(fstatat(m.tmp_fd, "young", &st, 0), 0);
	now_s = st.st_ctime;
	assert_int_equal(maildir_sweep(&m, now_s + 60 * 3600), 0);
	assert_int_equal(count_files("home/Maildir/tmp"), 2);
	assert_int_equal(maildir_sweep(&m, now_s + 60 * 3600 + 1), 1);
	assert_int_equal(count_files("home/Maildir/tmp"), 1);
	maildir_close(&m);
}

static void
test_flush_many_together(void **state)
{
	struct maildir m = open_box();
	struct flush_item items[12];
	char name[16];

	(void)state;
	for (int i = 0; i < 11; i++) {
		snprintf(name, sizeof name, "copy%d", i);
		items[i] = (struct flush_item){ .fd = write_copy(&m, name),
			.is_local = m.is_local && i % 3 != 0,
			.device = m.device };
		flush_begin(items[i].fd);
	}
	items[11] = (struct flush_item){ .fd = m.new_fd, .is_name = true,
		.is_local = m.is_local, .device = m.device };
	flush_all(items, 12);
	for (int i = 0; i < 12; i++)
		assert_int_equal(items[i].error, 0);
	/* the one that cannot be flushed does not spoil the others */
	close(items[3].fd);
	flush_all(items, 12);
	for (int i = 0; i < 12; i++)
		assert_int_equal(items[i].error, i == 3 ? -EBADF : 0);
	for (int i = 0; i < 11; i++)
		if (i != 3)
			close(items[i].fd);
	maildir_close(&m);
}

/* syncfs cannot say whose data was lost: all that went with it failed. */
static void
test_failed_flush_of_many_is_everybodys(void **state)
{
	struct maildir m = open_box();
	struct flush_item items[FLUSH_TOGETHER_MIN + 3];
	const size_t n = N_OF(items);
	char name[16];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof name, "copy%zu", i);
		/* the last two are not of them */
		items[i] = (struct flush_item){ .fd = write_copy(&m, name),
			.is_local = i != n - 1,
			.device = m.device + (i == n - 2) };
	}
	close(items[0].fd);
	flush_all(items, n);
	/* where the disk was slow, the test before has paused this for 10 s */
	for (int i = 0; i < 15 && items[1].error == 0; i++) {
		sleep(1);
		flush_all(items, n);
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(items[i].error, i < n - 2 ? -EBADF : 0);
	/* from then on each by itself */
	flush_all(items, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(items[i].error, i == 0 ? -EBADF : 0);
	assert_int_equal(flush_data(items[0].fd), -EBADF);
	assert_int_equal(flush_data(items[1].fd), 0);
	for (size_t i = 1; i < n; i++)
		close(items[i].fd);
	maildir_close(&m);
}

static void
test_local_types(void **state)
{
	static const struct {
		const char *name;
		long type;
		bool want;
	} table[] = {
		{ "ext4", EXT4_SUPER_MAGIC, true },
		{ "xfs", 0x58465342, true },
		{ "tmpfs", TMPFS_MAGIC, true },
		{ "nfs", NFS_SUPER_MAGIC, false },
		{ "btrfs", BTRFS_SUPER_MAGIC, false },
		{ "overlay", OVERLAYFS_SUPER_MAGIC, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(table); i++)
		CHECK(table[i].name, flush_is_local_type(table[i].type) ==
		    table[i].want);
}

/* ---- .Junk ---- */

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(path_in(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
read_file(const char *name, char *to, size_t room)
{
	FILE *f = fopen(path_in(name), "r");

	assert_non_null(f);
	to[fread(to, 1, room - 1, f)] = '\0';
	fclose(f);
}

static void
test_junk_is_made_subscribed_and_taken_back(void **state)
{
	struct maildir m = open_box(), junk;
	char text[100];

	(void)state;
	write_file("home/Maildir/subscriptions", "Sent");
	assert_int_equal(junk_open(&m), 0);
	assert_int_equal(junk_open(&m), 0);
	read_file("home/Maildir/subscriptions", text, sizeof text);
	assert_string_equal(text, "Sent\nJunk\n");
	assert_int_equal(access(path_in("home/Maildir/courierimapsubscribed"),
	    F_OK), -1);
	assert_int_equal(access(path_in("home/Maildir/.Junk/maildirfolder"),
	    F_OK), 0);
	prepare(&m, FILE_NAME);
	assert_int_equal(count_files("home/Maildir/tmp"), 1);
	junk = junk_of(&m);
	assert_int_equal(maildir_rename(&junk, FILE_NAME), 0);
	assert_int_equal(count_files("home/Maildir/.Junk/new"), 1);
	assert_int_equal(count_files("home/Maildir/new"), 0);
	/* not in tmp/: resolved as delivered without a look at .Junk */
	assert_int_equal(maildir_resolve(&m, FILE_NAME, false), MAILDIR_NOWHERE);
	assert_int_equal(maildir_take_back(&junk, FILE_NAME), MAILDIR_NEW);
	assert_int_equal(count_files("home/Maildir/.Junk/new"), 0);
	assert_int_equal(maildir_abort(&m, FILE_NAME), 0);
	maildir_close(&m);
	/* once subscribed is enough, also after it was made */
	m = open_box();
	assert_int_equal(junk_open(&m), 0);
	read_file("home/Maildir/subscriptions", text, sizeof text);
	assert_string_equal(text, "Sent\nJunk\n");
	maildir_close(&m);
}

static void
test_junk_is_no_link(void **state)
{
	struct maildir m = open_box();

	(void)state;
	assert_int_equal(mkdir(path_in("elsewhere"), 0700), 0);
	assert_int_equal(symlink(path_in("elsewhere"),
	    path_in("home/Maildir/.Junk")), 0);
	assert_true(junk_open(&m) < 0);
	assert_int_equal(m.junk_fd, -1);
	assert_int_equal(count_files("elsewhere"), 0);
	maildir_close(&m);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_junk_is_made_subscribed_and_taken_back),
		TEST(test_junk_is_no_link),
		TEST(test_missing_mailbox_is_made),
		TEST(test_mailbox_that_is_elsewhere_now),
		TEST(test_deep_mailbox_below_home_is_made),
		TEST(test_what_cannot_be_opened),
		TEST(test_links_do_not_lead_astray),
		TEST(test_link_of_root_counts),
		TEST(test_file_in_the_way),
		TEST(test_check_sees_what_is_not_writable),
		TEST(test_names),
		TEST(test_prepare_then_commit),
		TEST(test_large_message_is_whole),
		TEST(test_never_over_another_file),
		TEST(test_lost_answers_of_rename),
		TEST(test_failed_flush_removes_the_file),
		TEST(test_abort_and_take_back),
		TEST(test_what_cannot_be_removed),
		TEST(test_resolve),
		TEST(test_resolve_unmoved),
		TEST(test_sweep_takes_only_what_is_old),
		TEST(test_flush_many_together),
		TEST(test_local_types),
		/* last: no syncfs for a while after it */
		TEST(test_failed_flush_of_many_is_everybodys),
	};

	if (geteuid() == 0 && (setresgid(TEST_UID, TEST_UID, TEST_UID) < 0 ||
	    setresuid(TEST_UID, TEST_UID, TEST_UID) < 0))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
