/* SPDX-License-Identifier: ISC */
/*
 * junk.c - the folder .Junk of a Maildir++; see junk.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "buf.h"
#include "fault.h"
#include "junk.h"
#include "path.h"

#define SUBSCRIPTIONS_MAX 65536

/* Where readers note which folders are shown, and what they call this one. */
static const struct subscriptions {
	const char *file;
	struct slice line;
} subscriptions[] = {
	{ "subscriptions", SLICE("Junk\n") },			/* Dovecot */
	{ "courierimapsubscribed", SLICE("INBOX.Junk\n") },	/* Courier */
};

static bool
has_line(const char *text, size_t size, struct slice line)
{
	struct slice rest = { text, size };

	while (rest.size >= line.size) {
		size_t end = slice_find(rest, '\n');

		if (end < rest.size && slice_equals((struct slice){
		    rest.data, end + 1 }, line))
			return true;
		if (end >= rest.size)
			break;
		rest.data += end + 1;
		rest.size -= end + 1;
	}
	return false;
}

/* Only where there is such a file; a failure costs nobody a message. */
static void
subscribe(int root, const struct subscriptions *s)
{
	static char text[SUBSCRIPTIONS_MAX];
	int fd = openat(root, s->file, O_RDWR | O_APPEND | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return;
	n = pread(fd, text, sizeof text, 0);
	if (n >= 0 && n < (ssize_t)sizeof text &&
	    !has_line(text, (size_t)n, s->line)) {
		bool is_cut = n > 0 && text[n - 1] != '\n';

		if (is_cut && write(fd, "\n", 1) != 1)
			n = -1;
		if (n >= 0 && write(fd, s->line.data, s->line.size) < 0)
			n = -1;
	}
	close(fd);
}

/* tmp, new, cur, and the mark that makes it a folder of Maildir++. */
static int
open_children(int folder)
{
	static const char *const others[] = { "tmp", "cur" };
	int new_fd, fd;

	for (size_t i = 0; i < 2; i++) {
		fd = path_open_child(folder, others[i], true);
		if (fd < 0)
			return fd;
		close(fd);
	}
	new_fd = path_open_child(folder, "new", true);
	fd = openat(folder, "maildirfolder", O_WRONLY | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd >= 0)
		close(fd);
	return new_fd;
}

int
junk_open(struct maildir *m)
{
	int error = FAULT("maildir.junk"), root, folder;
	struct stat st;
	bool is_new;

	if (error)
		return -error;
	if (m->junk_fd >= 0)
		return 0;
	root = openat(m->tmp_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	is_new = fstatat(root, ".Junk", &st, AT_SYMLINK_NOFOLLOW) < 0;
	folder = path_open_child(root, ".Junk", true);
	m->junk_fd = folder < 0 ? folder : open_children(folder);
	error = m->junk_fd < 0 ? m->junk_fd : 0;
	if (error == 0 && is_new)
		for (size_t i = 0; i < 2; i++)
			subscribe(root, &subscriptions[i]);
	/* its name must be durable before a message is only there */
	if (error == 0 && is_new && (fsync(folder) < 0 || fsync(root) < 0))
		error = -errno;
	if (folder >= 0)
		close(folder);
	close(root);
	if (error && m->junk_fd >= 0)
		close(m->junk_fd);
	if (error)
		m->junk_fd = -1;
	return error;
}

bool
junk_is_at(const struct maildir *m, const char *path)
{
	struct stat ours;

	return m->junk_fd < 0 || (fstat(m->junk_fd, &ours) == 0 &&
	    path_leads_to(path, ".Junk/new", ours.st_dev, ours.st_ino));
}

struct maildir
junk_of(const struct maildir *m)
{
	struct maildir junk = *m;

	junk.new_fd = m->junk_fd;
	return junk;
}
