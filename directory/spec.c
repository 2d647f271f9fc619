/* SPDX-License-Identifier: ISC */
/*
 * spec.c - the tables of a configuration; see spec.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "grow.h"
#include "spec.h"

#define BASE_NAME_MAX 40

const char *
table_kind_name(enum table_kind kind)
{
	return kind == TABLE_USERS ? "users" :
	    kind == TABLE_ALIASES ? "aliases" : "names";
}

/* FNV-1a: tells apart files of one name in several folders. */
static uint64_t
hash_path(const char *path, bool folds_case)
{
	uint64_t hash = 0xcbf29ce484222325u ^ folds_case;

	for (; *path != '\0'; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
	return hash;
}

static void
set_name(struct table_spec *spec)
{
	const char *slash = strrchr(spec->path, '/');
	char base[BASE_NAME_MAX + 1];
	size_t n;

	snprintf(base, sizeof base, "%s", slash ? slash + 1 : spec->path);
	for (n = 0; base[n] != '\0'; n++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789._-"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ", base[n]) == NULL)
			base[n] = '_';
	snprintf(spec->name, sizeof spec->name, "%s-%s-%016" PRIx64,
	    table_kind_name(spec->kind), base,
	    hash_path(spec->path, spec->folds_case));
}

/* The source of a domain's table of this kind, or NULL. */
static const char *
source_of(const struct config_domain *domain, enum table_kind kind)
{
	if (kind == TABLE_USERS)
		return domain->users_are_passwd ? NULL : domain->users_table;
	if (kind == TABLE_ALIASES)
		return domain->aliases;
	return domain->users_are_passwd && domain->has_names ?
	    SPEC_PASSWD : NULL;
}

static bool
folds_case_of(const struct config_domain *domain, enum table_kind kind)
{
	return kind == TABLE_NAMES || !domain->is_case_sensitive;
}

/* Where the spec that is like wanted has its index, or would have it. */
static uint32_t *
place_of(const struct table_specs *specs, const struct table_spec *wanted)
{
	size_t at = (size_t)hash_path(wanted->path, wanted->folds_case) +
	    wanted->kind;
	const struct table_spec *found;

	for (;; at++) {
		uint32_t *place = &specs->places[at & (specs->room - 1)];

		if (*place == 0)
			return place;
		found = &specs->items[*place - 1];
		if (found->kind == wanted->kind &&
		    found->folds_case == wanted->folds_case &&
		    strcmp(found->path, wanted->path) == 0)
			return place;
	}
}

static struct table_spec
spec_of(const struct config_domain *domain, enum table_kind kind)
{
	return (struct table_spec){ .kind = kind,
		.path = source_of(domain, kind),
		.folds_case = folds_case_of(domain, kind) };
}

int
table_specs_find(const struct table_specs *specs,
    const struct config_domain *domain, enum table_kind kind)
{
	const struct table_spec wanted = spec_of(domain, kind);

	return wanted.path == NULL || specs->n == 0 ? -1 :
	    (int)*place_of(specs, &wanted) - 1;
}

static bool
make_room(struct table_specs *specs)
{
	size_t room = specs->room > 0 ? 2 * specs->room : 16;
	uint32_t *places;

	if (2 * (specs->n + 1) <= specs->room)
		return true;
	places = calloc(room, sizeof *places);
	if (places == NULL)
		return false;
	free(specs->places);
	specs->places = places;
	specs->room = room;
	for (size_t i = 0; i < specs->n; i++)
		*place_of(specs, &specs->items[i]) = (uint32_t)i + 1;
	return true;
}

static int
add_spec(struct table_specs *specs, const struct config_domain *domain,
    enum table_kind kind)
{
	struct table_spec *items;

	if (source_of(domain, kind) == NULL ||
	    table_specs_find(specs, domain, kind) >= 0)
		return 0;
	items = grow_array(specs->items, specs->n, sizeof *items);
	if (items == NULL)
		return -ENOMEM;
	specs->items = items;
	if (!make_room(specs))
		return -ENOMEM;
	items[specs->n] = spec_of(domain, kind);
	set_name(&items[specs->n]);
	*place_of(specs, &items[specs->n]) = (uint32_t)specs->n + 1;
	specs->n++;
	return 0;
}

int
table_specs_make(struct table_specs *specs, const struct config *config)
{
	int error = 0;

	*specs = (struct table_specs){ 0 };
	for (size_t i = 0; i < config->n_domains && !error; i++) {
		const struct config_domain *domain = &config->domains[i];

		error = add_spec(specs, domain, TABLE_USERS);
		if (!error)
			error = add_spec(specs, domain, TABLE_ALIASES);
		if (!error)
			error = add_spec(specs, domain, TABLE_NAMES);
	}
	if (error)
		table_specs_free(specs);
	return error;
}

void
table_specs_free(struct table_specs *specs)
{
	free(specs->items);
	free(specs->places);
	*specs = (struct table_specs){ 0 };
}

bool
table_spec_path(char *to, size_t room, const char *state_dir,
    const struct table_spec *spec, const char *suffix)
{
	int n = spec == NULL ? snprintf(to, room, "%s/tables", state_dir) :
	    snprintf(to, room, "%s/tables/%s.%s", state_dir, spec->name,
	    suffix);

	return n > 0 && (size_t)n < room;
}
