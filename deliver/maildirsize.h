/* SPDX-License-Identifier: ISC */
/*
 * maildirsize.h - how much is in a mailbox, by Maildir++'s maildirsize file.
 *
 * Only a delivery worker uses this, for mailboxes that have a quota. The
 * file's first line is the quota ("1073741824S", Dovecot and Courier write
 * more kinds, which are skipped), each other line adds "OCTETS MESSAGES",
 * negative ones too. It is a cache: whenever it is missing, garbled, too
 * long, made for another quota, or says that there is no room and is not a
 * count of the last quarter of an hour (one line), the folders are counted
 * anew. It is not made durable; a crash leaves a count that the next one
 * mends.
 */
#ifndef DELIVER_MAILDIRSIZE_H
#define DELIVER_MAILDIRSIZE_H

#include <stdint.h>
#include "maildir.h"

struct maildirsize_quota {
	uint64_t limit_bytes;
	uint64_t wanted_bytes;	/* room that is asked for */
};

/* Octets in the mailbox, Trash not counted; 0 or a negative errno. */
int maildirsize_read(const struct maildir *m,
    const struct maildirsize_quota *quota, uint64_t *used_bytes);

/*
 * A message of so many octets came (or, negative, went again). Errors do not
 * matter to the delivery: the file is then removed, to be counted anew.
 */
void maildirsize_add(const struct maildir *m, int64_t size_bytes);

#endif
