/* SPDX-License-Identifier: ISC */
/*
 * catalog.c - open tables by domain; see catalog.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include "address.h"
#include "catalog.h"
#include "source.h"
#include "state.h"

static struct catalog_slot *
slot_for(struct catalog *catalog, const struct config_domain *domain,
    enum table_kind kind)
{
	int index = table_specs_find(&catalog->specs, domain, kind);

	return index < 0 ? NULL : &catalog->slots[index];
}

static void
link_domains(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->specs.n; i++) {
		catalog->slots[i].spec = &catalog->specs.items[i];
		catalog->slots[i].live_error = -ENOENT;
	}
	for (size_t i = 0; i < catalog->config->n_domains; i++) {
		const struct config_domain *d = &catalog->config->domains[i];

		catalog->domains[i] = (struct catalog_domain){ .config = d,
			.users = slot_for(catalog, d, TABLE_USERS),
			.aliases = slot_for(catalog, d, TABLE_ALIASES),
			.names = slot_for(catalog, d, TABLE_NAMES) };
		/* a users table carries its own names */
		if (d->has_names && !d->users_are_passwd)
			catalog->domains[i].names =
			    catalog->domains[i].users;
	}
}

struct catalog *
catalog_new(const struct config *config, bool is_privileged)
{
	struct catalog *catalog = calloc(1, sizeof *catalog);

	if (catalog == NULL)
		return NULL;
	catalog->config = config;
	catalog->is_privileged = is_privileged;
	catalog->own_uid = getuid();
	catalog->own_gid = getgid();
	catalog->passwd = passwd_cache_new();
	catalog->domains = calloc(config->n_domains + 1,
	    sizeof *catalog->domains);
	if (table_specs_make(&catalog->specs, config) == 0)
		catalog->slots = calloc(catalog->specs.n + 1,
		    sizeof *catalog->slots);
	if (catalog->passwd == NULL || catalog->domains == NULL ||
	    catalog->slots == NULL) {
		catalog_free(&catalog);
		return NULL;
	}
	link_domains(catalog);
	return catalog;
}

void
catalog_free(struct catalog **catalog)
{
	struct catalog *c = *catalog;

	if (c == NULL)
		return;
	for (size_t i = 0; c->slots != NULL && i < c->specs.n; i++) {
		table_close(&c->slots[i].live);
		table_close(&c->slots[i].pending);
	}
	free(c->slots);
	free(c->domains);
	table_specs_free(&c->specs);
	passwd_cache_free(&c->passwd);
	free(c);
	*catalog = NULL;
}

/* ---- files ---- */

/*
 * Open path anew if it is not the file that *table was opened from. The old
 * handle stays when that fails. 0, or a negative errno.
 */
static int
reopen(struct table **table, struct source_stamp *opened, const char *path,
    enum table_kind kind)
{
	struct source_stamp now;
	struct table *fresh;
	int error = source_stat(path, &now);

	if (error)
		return error;
	if (*table != NULL && source_stamp_equals(&now, opened))
		return 0;
	error = table_open(&fresh, path, kind);
	if (error)
		return error;
	table_close(table);
	*table = fresh;
	*opened = now;
	return 0;
}

/* What became of the last compilation; read when it is another one. */
static void
read_outcome(struct catalog_slot *slot, const char *path)
{
	struct source_stamp now;
	struct state state;

	if (source_stat(path, &now) != 0)
		now = (struct source_stamp){ 0 };
	else if (source_stamp_equals(&now, &slot->state_stamp))
		return;
	slot->state_stamp = now;
	slot->is_outdated = state_read(path, &state) == 0 &&
	    state.result == STATE_FAILED;
	state_free(&state);
}

static void
open_slot(struct catalog *catalog, struct catalog_slot *slot)
{
	const char *state_dir = catalog->config->state_dir;
	enum table_kind kind = slot->spec->kind;
	char path[PATH_MAX];

	if (!table_spec_path(path, sizeof path, state_dir, slot->spec, "db")) {
		slot->live_error = -ENAMETOOLONG;
		return;
	}
	if (slot->is_lookup_damaged)
		slot->live_stamp = (struct source_stamp){ 0 };
	slot->live_error = reopen(&slot->live, &slot->live_stamp, path, kind);
	if (slot->live_error == 0)
		slot->is_lookup_damaged = false;
	(void)table_spec_path(path, sizeof path, state_dir, slot->spec,
	    "pending.db");
	slot->pending_error = reopen(&slot->pending, &slot->pending_stamp,
	    path, kind);
	if (slot->pending_error == -ENOENT) {
		table_close(&slot->pending);
		slot->pending_error = 0;
	}
	(void)table_spec_path(path, sizeof path, state_dir, slot->spec,
	    "state");
	read_outcome(slot, path);
}

void
catalog_open(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->specs.n; i++)
		open_slot(catalog, &catalog->slots[i]);
}

bool
catalog_is_complete(const struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->specs.n; i++)
		if (catalog->slots[i].live == NULL)
			return false;
	return true;
}

/* ---- look-ups ---- */

/* Entries of which a fifth may not vanish silently. */
static bool
is_guarded(const struct catalog_slot *slot, char kind)
{
	return kind == table_entry_kind(slot->spec->kind);
}

static int
compare_pending(struct catalog_slot *slot, char kind, struct slice name,
    int live_result)
{
	struct slice ignored;
	int result;

	if (slot->pending_error)
		return -EIO;
	result = table_get(slot->pending, kind, name, &ignored);
	if (result != 0 && result != -ENOENT)
		return -EIO;
	return result == live_result ? result : -ESTALE;
}

int
catalog_get(struct catalog *catalog, struct catalog_slot *slot, char kind,
    struct slice name, struct slice *value)
{
	int result;

	if (slot == NULL)
		return -ENOENT;
	if (slot->live == NULL)
		return -EIO;
	result = table_get(slot->live, kind, name, value);
	if (result != 0 && result != -ENOENT) {
		/* asked for once; catalog_open looks at the file again */
		if (!slot->is_lookup_damaged)
			catalog->wants_compile = true;
		slot->is_lookup_damaged = true;
		return -EIO;
	}
	if ((slot->pending != NULL || slot->pending_error) &&
	    is_guarded(slot, kind))
		return compare_pending(slot, kind, name, result);
	return result;
}

struct catalog_domain *
catalog_find_domain(struct catalog *catalog, struct slice name)
{
	const struct config_domain *found;
	char lower[ADDRESS_DOMAIN_MAX + 1];

	if (!slice_copy(lower, sizeof lower, name))
		return NULL;
	source_fold(lower, name.size);
	found = config_find_domain(catalog->config,
	    (struct slice){ lower, name.size });
	return found == NULL ? NULL :
	    &catalog->domains[found - catalog->config->domains];
}
