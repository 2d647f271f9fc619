/* SPDX-License-Identifier: ISC */
/*
 * secret_file.c - state_dir/secrets, for vault.
 *
 *	(none) --made, synced, renamed--> secrets --rotated the same way--+
 *	                                     ^                            |
 *	                                     +----------------------------+
 *
 * A crash leaves secrets.new beside it, which the next one replaces. A file
 * that cannot be read is never made anew: every tag that is under way would
 * be worthless. It belongs to root (without root: to who runs the server).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "clock.h"
#include "file_io.h"
#include "log.h"
#include "sealed.h"
#include "secrets.h"
#include "supervisor.h"

#define DAY_S 86400

static int
replace(const char *folder, struct slice text)
{
	char path[4096], new[4096];
	int fd, error;

	snprintf(path, sizeof path, "%s/secrets", folder);
	snprintf(new, sizeof new, "%s/secrets.new", folder);
	if (unlink(new) < 0 && errno != ENOENT)
		return -errno;
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return -errno;
	error = file_write(fd, text);
	if (error == 0 && fsync(fd) < 0)
		error = -errno;
	close(fd);
	if (error == 0 && rename(new, path) < 0)
		error = -errno;
	return error == 0 ? file_sync_folder(folder) : error;
}

/* The text of the file. 0, -ENOENT or another negative errno. */
static int
read_file(const char *folder, char text[SECRETS_FILE_MAX], size_t *size)
{
	char path[4096];
	struct stat st;
	ssize_t n = -1;
	int fd, error = 0;

	snprintf(path, sizeof path, "%s/secrets", folder);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		error = -EPERM;
	else if ((n = read(fd, text, SECRETS_FILE_MAX)) < 0)
		error = -errno;
	close(fd);
	*size = n > 0 ? (size_t)n : 0;
	return error;
}

/* What is there, or what is made now. *is_new: it must be written. */
static int
load(const char *folder, struct secrets *secrets, bool *is_new)
{
	char text[SECRETS_FILE_MAX];
	uint32_t day = (uint32_t)(clock_wall_s() / DAY_S);
	unsigned line;
	size_t size;
	int error = read_file(folder, text, &size);

	*is_new = error == -ENOENT;
	if (*is_new)
		return secrets_make(secrets, day);
	if (error == 0 && !secrets_read(secrets, (struct slice){ text, size },
	    &line)) {
		log_error("secrets", LOG_S("file", "secrets"),
		    LOG_U("line", line), LOG_S("problem", "malformed"),
		    LOG_END);
		error = -EBADMSG;
	}
	explicit_bzero(text, sizeof text);
	if (error)
		return error;
	error = secrets_rotate(secrets, day);
	*is_new = error > 0;
	return error < 0 ? error : 0;
}

int
secret_file_open(const char *folder)
{
	struct buf text = { .maximum = SECRETS_FILE_MAX };
	struct secrets secrets;
	bool is_new;
	int error = load(folder, &secrets, &is_new), fd = -1;

	if (error == 0)
		error = secrets_write(&text, &secrets);
	if (error == 0 && is_new)
		error = replace(folder, buf_slice(&text));
	if (error == 0)
		fd = sealed_of_text("secrets", buf_slice(&text));
	explicit_bzero(&secrets, sizeof secrets);
	if (text.data != NULL)
		explicit_bzero(text.data, text.size);
	buf_free(&text);
	return error ? error : fd;
}
