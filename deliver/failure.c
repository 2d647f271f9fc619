/* SPDX-License-Identifier: ISC */
/*
 * failure.c - errno to reply; see failure.h.
 */
#include <errno.h>
#include "failure.h"

struct failure_row {
	int error;
	int code, subject, detail;
	bool is_own;
	const char *text;
};

/*
 * The first row that matches; the last one matches everything. What a system
 * call said of a mailbox is that mailbox's, also where it is not known here:
 * the others would wait for it for ever.
 */
static const struct failure_row rows[] = {
	{ ENOSPC, 452, 3, 1, true,
	    "the mailbox's disk is full" },
	{ EDQUOT, 452, 2, 2, true,
	    "the mailbox is full; it may have room later" },
	{ -FAILURE_NEVER_FITS, 552, 2, 2, true,
	    "the message is larger than the mailbox may ever be" },
	{ EIO, 451, 3, 0, true,
	    "the mailbox's disk reported an error" },
	{ EUCLEAN, 451, 3, 0, true,
	    "the mailbox's disk reported an error" },
	{ EBADMSG, 451, 3, 0, true,
	    "the mailbox's disk reported an error" },
	{ ENOTCONN, 451, 3, 0, true,
	    "the mailbox's disk does not answer" },
	{ ETIMEDOUT, 451, 3, 0, true,
	    "the mailbox's disk does not answer" },
	{ EHOSTDOWN, 451, 3, 0, true,
	    "the mailbox's disk does not answer" },
	{ ENODEV, 451, 3, 0, true,
	    "the mailbox's disk does not answer" },
	{ EINVAL, 451, 3, 5, true,
	    "the mailbox's file system lacks what a delivery needs" },
	{ EOPNOTSUPP, 451, 3, 5, true,
	    "the mailbox's file system lacks what a delivery needs" },
	{ ENOSYS, 451, 3, 5, true,
	    "the mailbox's file system lacks what a delivery needs" },
	{ EROFS, 451, 2, 0, true,
	    "the mailbox cannot be written to now" },
	{ EACCES, 451, 2, 0, true,
	    "the mailbox cannot be written to now" },
	{ EPERM, 451, 2, 0, true,
	    "the mailbox belongs to somebody else" },
	{ ELOOP, 451, 2, 0, true,
	    "the mailbox is behind a symbolic link" },
	{ ENOENT, 451, 2, 0, true,
	    "the mailbox's directory is missing" },
	{ ENOTDIR, 451, 2, 0, true,
	    "the mailbox is not a directory" },
	{ EXDEV, 451, 2, 0, true,
	    "the mailbox's tmp and new are on different file systems" },
	{ ENAMETOOLONG, 451, 2, 0, true,
	    "the mailbox's name is too long" },
	{ EEXIST, 451, 2, 0, true,
	    "the mailbox has a file of that name already" },
	{ ESTALE, 451, 2, 0, true,
	    "the mailbox was moved; try again" },
	{ -FAILURE_NO_PROGRAMS, 451, 3, 5, true,
	    "programs cannot be run here now" },
	{ -FAILURE_UNKNOWN, 451, 3, 0, false,
	    "the delivery did not answer; try again" },
	{ ENOBUFS, 452, 5, 3, false,
	    "too many recipients in one transaction" },
	{ ETIME, 451, 4, 7, false,
	    "this transaction took too long; try again" },
	{ ENOMEM, 451, 3, 0, false,
	    "out of memory for a moment; try again" },
	{ EMFILE, 451, 3, 0, false,
	    "the delivery failed for now; try again" },
	{ ENFILE, 451, 3, 0, false,
	    "the delivery failed for now; try again" },
	{ ECANCELED, 451, 3, 0, false,
	    "the delivery failed for now; try again" },
	{ 0, 451, 3, 0, true,
	    "the delivery failed for now; try again" },
};

static const struct failure_row *
find(int error)
{
	const struct failure_row *row = rows;

	while (row->error != 0 && row->error != -error)
		row++;
	return row;
}

bool
delivery_failure_verdict(struct verdict *v, int error, bool is_at_rcpt)
{
	const struct failure_row *row = find(error);

	if (error == FAILURE_NEVER_FITS && is_at_rcpt)
		verdict_set(v, 550, 2, 3, "%s", row->text);
	else
		verdict_set(v, row->code, row->subject, row->detail, "%s",
		    row->text);
	return row->is_own;
}
