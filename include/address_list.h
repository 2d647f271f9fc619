/* SPDX-License-Identifier: ISC */
/*
 * address_list.h - the mailboxes of a To, Cc or Bcc field, one by one.
 *
 * For programs of our own users: sendmail -t reads recipients with it, from
 * headers that were written by people and scripts. So it takes what can be
 * meant in one way only: names, comments, groups, quotes, encoded words,
 * source routes (dropped), white space around dots and "@" (RFC 5322 4.4),
 * empty members, bare local names. Anything else is bad as a whole: a
 * recipient must not be guessed. Pure.
 *
 *	address_list_start(&list, value);
 *	while ((step = address_list_next(&list, &a)) == ADDRESS_LIST_MAILBOX)
 *		...
 */
#ifndef POSTERN_ADDRESS_LIST_H
#define POSTERN_ADDRESS_LIST_H

#include <stdbool.h>
#include "address.h"
#include "buf.h"

enum address_list_step {
	ADDRESS_LIST_MAILBOX,
	ADDRESS_LIST_END,
	ADDRESS_LIST_BAD,	/* and it stays so */
};

struct address_list {
	struct slice rest;	/* not read yet */
	struct slice mailbox;	/* the one under way, or what is bad */
	bool is_bad;
};

/* value: what follows the colon of a field, folds and all. */
void address_list_start(struct address_list *list, struct slice value);
/*
 * The next mailbox, as address_parse takes it with UTF-8, bare and long
 * local parts allowed; *a is set for ADDRESS_LIST_MAILBOX only.
 */
enum address_list_step address_list_next(struct address_list *list,
    struct address *a);

#endif
