/* SPDX-License-Identifier: ISC */
/*
 * resolve_parts.h - what resolve.c, lookup.c, expand.c, mailbox.c and
 * account_rights.c (an account's own mailbox and addresses) share.
 *
 *	resolve.c	one address from the question to the answer
 *	lookup.c	what a local part is in a domain: user, alias, nothing
 *	expand.c	following aliases, includes and addresses to the leaves
 *	mailbox.c	a leaf; lists.c, hops.c: elsewhere; programs.c: run
 */
#ifndef DIRECTORY_RESOLVE_PARTS_H
#define DIRECTORY_RESOLVE_PARTS_H

#include "address.h"
#include "arena.h"
#include "lists.h"
#include "resolve.h"

struct resolver {
	struct catalog *catalog;
	const struct catalog_domain *asked;	/* the recipient's, or NULL */
	struct arena arena;
	struct string_set seen;		/* aliases followed, mailboxes added */
	struct resolved out;
	size_t leaves_capacity, n_refused, n_discarded;
	struct verdict refusal;		/* the first error: entry; code 0 */
	/* why it is trouble that nothing but refusals or nobody is left */
	char refusal_text[RESOLVE_ALARM_MAX + 1];
	bool explains, allows_lists, is_broken;	/* out.verdict is set already */
	struct list_search list;
	resolver_trouble_fn *trouble_fn;
	void *trouble_arg;
};

/* ---- lookup.c ---- */

struct found_user {
	struct slice local;		/* its canonical spelling; in arena */
	const struct passwd_entry *passwd;	/* or NULL; see passwd_find */
	const char *path;		/* table, or NULL */
	uint32_t line;
	bool has_quota;
	uint64_t quota_bytes;
};
enum found_kind { FOUND_NOTHING, FOUND_USER, FOUND_ALIAS, FOUND_AMBIGUOUS,
	FOUND_UNKNOWN };

struct found {
	enum found_kind kind;
	int error;			/* FOUND_UNKNOWN: -EIO, -ESTALE ... */
	const struct catalog_slot *slot;	/* whose error, or NULL */
	struct found_user user;
	struct record_list alias;	/* in arena */
	struct slice alias_name;	/* as compared; in arena */
};

/* The mailbox of exactly this name, whatever the aliases say. */
void lookup_user(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found);
void lookup_exact(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found);
/* Exact user or alias; then without the tag of a plus-address. */
void lookup_plus(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found);
/* A unique partial name. */
void lookup_partial(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found);
/* The form of a local part that keys are made of; data NULL: too long, or
 * without memory. */
struct slice lookup_fold(struct resolver *r,
    const struct catalog_domain *domain, struct slice local);

/* ---- expand.c ---- */

enum step_kind { STEP_ALIAS, STEP_INCLUDE, STEP_POSTMASTER, STEP_CATCH_ALL };
/* What is being followed; on the stack, innermost first. */
struct step {
	const struct step *up;
	enum step_kind kind;
	unsigned depth;
	struct catalog_domain *domain;
	struct slice name;		/* of the alias or include */
	const char *path;		/* file that lists the targets */
	uint32_t line;			/* of the target being followed */
};

/* What follows from found, which was looked up for step (or NULL). */
void expand_found(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct found *found);
/* To config->postmaster. */
void expand_postmaster(struct resolver *r, const struct step *step,
    struct catalog_domain *domain);
void expand_catch_all(struct resolver *r, const struct step *step,
    struct catalog_domain *domain);

/* ---- mailbox.c: add the mailbox of this user, once ---- */
void mailbox_add(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct found_user *user);

/* ---- resolve.c: other rules, what comes between is the caller's ---- */
void resolve_begin(struct resolver *r, bool explains);
const struct resolved *resolve_end(struct resolver *r);

enum trouble { TROUBLE_LOOP, TROUBLE_DEAD, TROUBLE_UNREADABLE,
	TROUBLE_UNKNOWN };

/* Something of ours is broken, at step (or NULL). */
void resolve_trouble(struct resolver *r, const struct step *step,
    enum trouble trouble, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "FILE:LINE: alias "x": " of step. */
void resolve_describe(char *to, size_t room, const struct step *step);
/* One line, if the question wants an explanation. */
void resolve_explain(struct resolver *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* For "%.*s" of text that came from outside: cut. */
#define RESOLVE_QUOTE(s) (int)((s).size > 100 ? 100 : (s).size), (s).data

#endif
