/* SPDX-License-Identifier: ISC */
/*
 * spec.h - which tables a configuration needs, and what their files are
 * called.
 *
 * One table per source file and way of comparing letters, however many
 * domains use it. In STATE_DIR/tables a table called NAME has
 *
 *	NAME.db			what is looked up in
 *	NAME.db.new		being written; a crash leaves it, the next
 *				compilation removes it
 *	NAME.pending.db		a version that lost too many entries, until
 *				it is accepted (posternctl tables accept)
 *	NAME.state		what became of the last compilation
 */
#ifndef DIRECTORY_SPEC_H
#define DIRECTORY_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include "config.h"
#include "table.h"

#define SPEC_NAME_MAX 96
#define SPEC_PASSWD "/etc/passwd"	/* whose change is watched */

struct table_spec {
	enum table_kind kind;
	const char *path;		/* the configuration's */
	bool folds_case;
	char name[SPEC_NAME_MAX];
};

struct table_specs {
	struct table_spec *items;
	size_t n;
	uint32_t *places;		/* hash table: index + 1, or 0 */
	size_t room;			/* 0, or a power of two over 2 n */
};

/* 0 or -ENOMEM. The configuration must outlive the specs. */
int table_specs_make(struct table_specs *specs, const struct config *config);
/* The index of the table that domain uses for kind, or -1. */
int table_specs_find(const struct table_specs *specs,
    const struct config_domain *domain, enum table_kind kind);
void table_specs_free(struct table_specs *specs);

const char *table_kind_name(enum table_kind kind);
/* "STATE_DIR/tables/NAME.SUFFIX", or ".../tables" for spec NULL; false if
 * it does not fit. */
bool table_spec_path(char *to, size_t room, const char *state_dir,
    const struct table_spec *spec, const char *suffix);

#endif
