/* SPDX-License-Identifier: ISC */
/*
 * lint.h - what lint.c, which walks every name as RCPT resolves it, and
 * backscatter.c, which looks at where mail goes from there, share.
 */
#ifndef DIRECTORY_LINT_H
#define DIRECTORY_LINT_H

#include "arena.h"
#include "resolve.h"

/* What can fail after a 250 without harm, as it comes home: counted. */
enum lint_home { HOME_LIST, HOME_FORWARD, HOME_PROGRAM, HOME_DISCARD,
	HOME_COUNT };

struct lint {
	struct catalog *catalog;
	struct resolver *resolver;
	struct config_problems *problems;
	struct catalog_domain *domain;	/* being walked */
	unsigned line;			/* of what is being checked */
	struct arena arena;
	struct string_set reported;	/* one problem, many ways to it */
	size_t n_troubles;		/* of the name being resolved */
	size_t n_home[HOME_COUNT];
	char first[HOME_COUNT][400];	/* the first of each, and where */
	size_t n_without_junk;		/* names that lead on from here */
	char first_without_junk[400];
};

/* Once for each text; a warning that begins with "note: " is a note. */
void lint_report(struct lint *lint, bool is_warning, const char *text);
/* Resolve as RCPT does; what is broken is reported. */
const struct resolved *lint_try(struct lint *lint, struct slice local,
    const char *domain);

/* It has mailboxes here, and all of its tables could be read. */
bool lint_is_complete(const struct catalog_domain *domain);

/* The alias name at line resolves to found; its targets stand in list. */
void backscatter_alias(struct lint *lint, struct slice name,
    struct record_list list, const struct resolved *found);
/* The targets of an include. */
void backscatter_include(struct lint *lint, struct slice path,
    struct record_list list);
/* What mail to a name that nobody has resolves to. */
void backscatter_catch_all(struct lint *lint, const struct resolved *found);
/* Where reports go when nobody else can have them, and their accounts. */
void backscatter_reports(struct lint *lint);
/* All was walked: the notes. */
void backscatter_end(struct lint *lint);

#endif
