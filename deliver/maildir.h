/* SPDX-License-Identifier: ISC */
/*
 * maildir.h - one message into one Maildir, in two steps.
 *
 * Only a delivery worker uses this, after it has become the mailbox's owner.
 * Each function is one step of one copy; the worker takes many copies
 * through a step together and has flush.h make them durable together:
 *
 *	maildir_write --flush--> durable in tmp/ --maildir_rename--> in new/
 *	                              ^   |        --flush--> and durable there
 *	              gone <--abort---+   \<-take_back--
 *
 * A crash after maildir_write leaves a file in tmp/ that maildir_resolve or,
 * after 60 hours, maildir_sweep removes; a crash after maildir_rename leaves
 * the message delivered. Errors are negative errno values; -EDQUOT and
 * -ENOSPC are the caller's 452. Nothing here logs.
 */
#ifndef DELIVER_MAILDIR_H
#define DELIVER_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "buf.h"

struct maildir {		/* an open mailbox */
	int tmp_fd, new_fd;	/* owned */
	int junk_fd;		/* .Junk/new, or -1; see junk.h */
	dev_t device;
	ino_t new_inode;	/* of new/ on it */
	bool is_local;		/* of a kind that flush.h knows well */
};

/* Longest file name that we write, and NUL. */
#define MAILDIR_NAME_SIZE 256

/*
 * Open a mailbox; with is_made, make what is missing of it where the owner's
 * home exists (path.h). Its directories must be this uid's and no links, and
 * tmp/ and new/ on one file system (-EXDEV): a copy is renamed between them.
 */
int maildir_open(struct maildir *m, const char *path, const char *home,
    bool is_made);
void maildir_close(struct maildir *m);

/*
 * Whether path still leads to this mailbox: it was not moved away, and no
 * other was put in its place. Any doubt is a no; opening it anew tells.
 */
bool maildir_is_at(const struct maildir *m, const char *path);

/* Could size_bytes be written now? 0, -EROFS, -EACCES, -ENOSPC ... */
int maildir_check(const struct maildir *m, uint64_t size_bytes);

/* No separator, no leading dot, and only characters that we write. */
bool maildir_is_name(struct slice name);

/* What a copy consists of, from top to end. */
#define MAILDIR_TOPS 3
struct maildir_text {
	struct slice tops[MAILDIR_TOPS];	/* whole header lines */
	struct slice start;		/* the message's first octets */
	int message_fd;			/* the sealed message */
	size_t message_size;
};

/*
 * Create tmp/file and write it; returns its open descriptor, which is the
 * caller's to flush and to close with maildir_finish. After a failure there
 * is no file.
 */
int maildir_write(const struct maildir *m, const char *file,
    const struct maildir_text *text);
/* Close it; error is what flushing said. If either failed, it is unlinked. */
int maildir_finish(const struct maildir *m, const char *file, int fd,
    int error);

/* tmp/ to new/, never over another file. Not durable before a flush of
 * new_fd. On NFS an operation may be done although it is said to have
 * failed: both names are looked at (RFC 1813 4.5). */
int maildir_rename(const struct maildir *m, const char *file);

/* Unlink a prepared copy from tmp/. It may be gone already. */
int maildir_abort(const struct maildir *m, const char *file);

enum maildir_place { MAILDIR_NOWHERE, MAILDIR_TMP, MAILDIR_NEW };

/*
 * Undo a rename: from new/ back to tmp/, where it can still be resolved or
 * aborted. Where it was found (NOWHERE: a reader was faster), or a negative
 * errno when it could not be moved.
 */
int maildir_take_back(const struct maildir *m, const char *file);

/*
 * What became of a copy whose transaction was cut off after it was prepared:
 * MAILDIR_TMP when it is still in tmp/, where an empty file of another name
 * takes its place, so that asking again gives the same answer; MAILDIR_NEW,
 * durable; MAILDIR_NOWHERE: delivered, and a reader took it. With is_unmoved
 * nobody has seen it leave tmp/: then it is MAILDIR_NOWHERE only if it is in
 * cur/, and else MAILDIR_TMP, with the same mark.
 */
int maildir_resolve(const struct maildir *m, const char *file,
    bool is_unmoved);

/* Remove what nobody touched for 60 hours from tmp/. How many, or -errno. */
int maildir_sweep(const struct maildir *m, int64_t now_s);

#endif
