/* SPDX-License-Identifier: ISC */
/*
 * path.h - opening a mailbox's directory without being led astray.
 *
 * A delivery worker uses this as the mailbox's owner. A symbolic link counts
 * only where nobody but root can have placed it (owned by root, in a
 * directory that root alone can write to: /home -> /srv/home); any other one
 * on the way is -ELOOP, so no user can point a delivery somewhere else.
 * Directories that are missing can be made, 0700, and are then durable.
 */
#ifndef DELIVER_PATH_H
#define DELIVER_PATH_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Open the directory at path, absolute and without "..". With is_made,
 * missing parts are made below home, which must exist itself; when home is
 * "" they are made below a directory that is our own uid's.
 *
 * A descriptor, or a negative errno: -ELOOP a link that does not count,
 * -EPERM the directory is not ours, -ENOENT and what mkdir says otherwise.
 */
int path_open_directory(const char *path, const char *home, bool is_made);

/* Open (or make) a directory by its name in dir_fd; ours, and no link. */
int path_open_child(int dir_fd, const char *name, bool is_made);

/*
 * Whether path/part leads to this directory, and not to another that was put
 * in its place while it was open. Any doubt is a no.
 */
bool path_leads_to(const char *path, const char *part, dev_t device,
    ino_t inode);

#endif
