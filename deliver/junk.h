/* SPDX-License-Identifier: ISC */
/*
 * junk.h - copies that go into the folder .Junk (Maildir++) of a mailbox.
 *
 * They are prepared in the mailbox's own tmp/, like all others, and renamed
 * into .Junk/new/. So a copy that is not in tmp/ is delivered, wherever it
 * went, and resolving and sweeping know nothing of .Junk. What takes a
 * struct maildir to rename or take back is given junk_of instead.
 */
#ifndef DELIVER_JUNK_H
#define DELIVER_JUNK_H

#include "maildir.h"

/*
 * Open m->junk_fd, unless it is: .Junk is made when it is missing, and then
 * noted in the subscriptions of the mailbox's reader, if it keeps any. 0 or
 * a negative errno.
 */
int junk_open(struct maildir *m);
/*
 * Whether .Junk of the mailbox at path is the one that is open, if one is:
 * mail programs delete folders. Any doubt is a no.
 */
bool junk_is_at(const struct maildir *m, const char *path);
/* The same mailbox with .Junk/new/ as its new/; owns nothing. */
struct maildir junk_of(const struct maildir *m);

#endif
