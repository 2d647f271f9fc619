/* SPDX-License-Identifier: ISC */
/*
 * catalog.h - the tables of all domains, open, and what each domain uses.
 *
 *	catalog_new -> catalog_open -> catalog_get ... -> catalog_open (again,
 *	when tables were replaced) -> catalog_free
 *
 * `postern -n` and tests put tables into the slots themselves. A table that
 * cannot be opened anew goes on with its old handle; one without a handle
 * answers "unknown" (-EIO), never "no such user".
 */
#ifndef DIRECTORY_CATALOG_H
#define DIRECTORY_CATALOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "config.h"
#include "passwd.h"
#include "spec.h"
#include "table.h"

struct catalog_slot {
	const struct table_spec *spec;
	struct table *live;
	struct table *pending;		/* waits to be accepted, or NULL */
	int live_error;			/* why live is NULL or outdated; or 0 */
	int pending_error;		/* 0, or it is there and unreadable */
	struct source_stamp live_stamp, pending_stamp, state_stamp;
	bool is_lookup_damaged;		/* found by catalog_get */
	bool is_outdated;		/* its source could not be compiled */
};

/* One of config->domains, at the same index. */
struct catalog_domain {
	const struct config_domain *config;
	struct catalog_slot *users;	/* NULL: the system's */
	struct catalog_slot *aliases;	/* NULL: none */
	struct catalog_slot *names;	/* NULL: no partial names */
	bool has_owner;			/* of table mailboxes: looked up */
	uid_t owner_uid;
	gid_t owner_gid;
};

struct catalog {
	const struct config *config;
	bool is_privileged;		/* else: everything under own_uid */
	uid_t own_uid;
	gid_t own_gid;
	struct table_specs specs;
	struct catalog_slot *slots;	/* one per spec */
	struct catalog_domain *domains;
	struct passwd_cache *passwd;
	bool wants_compile;		/* damage was found: ask for it */
};

/* Opens nothing yet. NULL without memory. The configuration must outlive it. */
struct catalog *catalog_new(const struct config *config, bool is_privileged);
void catalog_free(struct catalog **catalog);
/* Open what is new or was replaced; each slot says how that went. */
void catalog_open(struct catalog *catalog);
/* No table is missing. */
bool catalog_is_complete(const struct catalog *catalog);

/*
 * Look up in live, minding pending. 0; -ENOENT; -EIO: damaged or not there;
 * -ESTALE: an entry of only one of live and pending, nobody knows which is
 * right. slot NULL is -ENOENT.
 */
int catalog_get(struct catalog *catalog, struct catalog_slot *slot,
    char kind, struct slice name, struct slice *value);

/* The domain of this name or same_as, in any case; NULL: not ours. */
struct catalog_domain *catalog_find_domain(struct catalog *catalog,
    struct slice name);

#endif
