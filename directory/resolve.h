/* SPDX-License-Identifier: ISC */
/*
 * resolve.h - who is this recipient? (DESIGN 7)
 *
 *	address -> domain -> exact user, alias, plus-address, unique partial
 *	name, catch-all -> mailboxes, or the reply that refuses it
 *
 * A domain with a next_hop has no users here: all of it is that host's. One
 * address elsewhere in an alias is a forward (hops.h); more are a list.
 *
 * An alias is followed to its last leaf, and every leaf is checked. What we
 * broke ourselves (a loop, a dead leaf, a list that cannot be read) is 451
 * with an alarm; what cannot be known now is 451 4.4.3; only what is known
 * not to exist is 550.
 *
 * A user comes before an alias of the same name, with two exceptions: an
 * alias that lists that user adds to the mailbox (alice: alice, bob), and
 * one that begins with error: or discard: takes the address out of use.
 *
 * One resolver for a process; a resolution is valid until the next one.
 */
#ifndef DIRECTORY_RESOLVE_H
#define DIRECTORY_RESOLVE_H

#include <stdbool.h>
#include "address.h"
#include "catalog.h"
#include "hop_route.h"
#include "list_route.h"
#include "route.h"
#include "verdict.h"
#include "voucher.h"

#define RESOLVE_ALARM_MAX 511
#define RESOLVE_EXPLANATION_MAX 6000	/* octets; cut off beyond that */
#define RESOLVE_MAX_DEPTH 60		/* aliases and includes in a row */

struct resolved {
	enum route_kind kind;
	struct verdict verdict;		/* ROUTE_REFUSE only; else code 0 */
	bool is_unknown_user;		/* 550 5.1.1 because nobody has it */
	bool is_exempt;			/* postmaster, abuse */
	bool is_elsewhere;		/* 550 5.7.1: no domain of ours */
	struct slice guess;		/* whom a partial name means, or "" */
	char alarm[RESOLVE_ALARM_MAX + 1];	/* first thing to mend, or "" */
	struct buf explanation;		/* lines, when asked for */
	struct route_leaf *leaves;
	size_t n_leaves;
	/* ROUTE_LIST: who is elsewhere, and whose list it is */
	struct slice *members;
	size_t n_members;
	char owner[ADDRESS_TEXT_MAX + 1];
	char account[VOUCHER_USER_MAX];
	/* ROUTE_HOP: who asks there, and as whom */
	char destination[HOP_DESTINATION_MAX];
	char hop_address[ADDRESS_TEXT_MAX + 1];
	bool is_forward, is_smart_host;
	const char *srs_domain;		/* of a forward: its sender's */
	struct slice program;		/* ROUTE_PROGRAM: its command */
};

struct resolver;

/* The catalog must outlive it. NULL without memory. */
struct resolver *resolver_new(struct catalog *catalog);
void resolver_free(struct resolver **resolver);

/*
 * Resolve local@domain. domain is compared without case; "" is only good
 * for <Postmaster>. Never fails: without memory it is 451.
 */
const struct resolved *resolver_find(struct resolver *resolver,
    struct slice local, struct slice domain, bool explains);

/* The same where only a mailbox here will do: no list. */
const struct resolved *resolver_find_mailbox(struct resolver *resolver,
    struct slice local, struct slice domain);

/*
 * For `postern -n`: called with each thing to mend ("FILE:LINE: text"), of
 * which a resolution itself names only the first.
 */
typedef void resolver_trouble_fn(const char *text, void *arg);
void resolver_set_trouble(struct resolver *resolver, resolver_trouble_fn *fn,
    void *arg);

#endif
