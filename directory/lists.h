/* SPDX-License-Identifier: ISC */
/*
 * lists.h - members of an alias who are elsewhere; for resolve.c and
 * expand.c.
 *
 *	list_add for each that expand.c meets -> list_end: the owner's mailbox
 */
#ifndef DIRECTORY_LISTS_H
#define DIRECTORY_LISTS_H

#include <stddef.h>
#include "buf.h"

struct catalog_domain;
struct record_target;
struct resolver;
struct step;

struct list_owner {		/* domain NULL: there is none */
	const char *of;		/* the name, in the arena, of whose members
				 * it is the owner */
	struct catalog_domain *domain;
	struct slice local;
};

struct list_search {
	struct list_owner owner, last;
	size_t capacity;	/* of resolved.members */
	struct resolver *second;	/* for the owner's mailbox */
};

/* This target is elsewhere: at a host of this domain, or in none of ours
 * (NULL). Without an owner it is the next hop of all of it (hops.c). */
void list_add(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target);
/* There are such: the owner's address and account into the result. */
void list_end(struct resolver *r);

#endif
