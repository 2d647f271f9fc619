/* SPDX-License-Identifier: ISC */
/*
 * lookup.c - what a local part is in one domain; see resolve_parts.h.
 */
#include <errno.h>
#include <string.h>
#include "names.h"
#include "resolve_parts.h"

struct slice
lookup_fold(struct resolver *r, const struct catalog_domain *domain,
    struct slice local)
{
	char *copy;

	if (local.size > ADDRESS_LONG_LOCAL_MAX)
		return (struct slice){ NULL, 0 };
	copy = arena_take(&r->arena, local.size + 1);
	if (copy == NULL)
		return (struct slice){ NULL, 0 };
	memcpy(copy, local.data, local.size);
	copy[local.size] = '\0';
	record_fold(copy, local.size, !domain->config->is_case_sensitive);
	return (struct slice){ copy, local.size };
}

static void
set_unknown(struct found *found, int error, const struct catalog_slot *slot)
{
	found->kind = FOUND_UNKNOWN;
	found->error = error;
	found->slot = slot;
}

/* ---- users ---- */

static void
lookup_system_user(struct resolver *r, struct slice local, struct slice key,
    struct found *found)
{
	const struct catalog *c = r->catalog;
	const struct passwd_entry *entry;
	int error = passwd_find(c->passwd, local, &entry);

	/* logins are lower case nearly everywhere; addresses are not */
	if (error == -ENOENT && !slice_equals(local, key))
		error = passwd_find(c->passwd, key, &entry);
	if (error == -ENOENT)
		return;
	if (error) {
		set_unknown(found, error, NULL);
		return;
	}
	if (!passwd_may_have_mailbox(entry->uid, c->config->min_uid) ||
	    (!c->is_privileged && entry->uid != c->own_uid)) {
		resolve_explain(r, "user \"%s\" (uid %u) of the system has "
		    "no mailbox%s", entry->name, (unsigned)entry->uid,
		    passwd_may_have_mailbox(entry->uid, c->config->min_uid) ?
		    ": the server runs without root" : "");
		return;
	}
	found->kind = FOUND_USER;
	found->user = (struct found_user){ .passwd = entry,
		.local = arena_copy(&r->arena, slice_of(entry->name)) };
	if (found->user.local.data == NULL)
		set_unknown(found, -ENOMEM, NULL);
}

static void
lookup_table_user(struct resolver *r, struct catalog_domain *domain,
    struct slice key, struct found *found)
{
	struct slice value;
	struct record_user user;
	int error = catalog_get(r->catalog, domain->users, RECORD_USER, key,
	    &value);

	if (error == -ENOENT)
		return;
	if (!error && !record_get_user(value, &user))
		error = -EIO;
	if (error) {
		set_unknown(found, error, domain->users);
		return;
	}
	found->kind = FOUND_USER;
	found->user = (struct found_user){
		.local = arena_copy(&r->arena, user.local),
		.path = domain->users->spec->path, .line = user.line,
		.has_quota = user.has_quota,
		.quota_bytes = user.quota_bytes };
	if (found->user.local.data == NULL)
		set_unknown(found, -ENOMEM, NULL);
}

void
lookup_user(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found)
{
	struct slice key = lookup_fold(r, domain, local);

	*found = (struct found){ .kind = FOUND_NOTHING };
	if (key.data == NULL)
		return;
	if (domain->config->users_are_passwd)
		lookup_system_user(r, local, key, found);
	else
		lookup_table_user(r, domain, key, found);
}

/* ---- aliases ---- */

static void
lookup_alias(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found)
{
	struct slice key = lookup_fold(r, domain, local), value;
	int error;

	*found = (struct found){ .kind = FOUND_NOTHING, .alias_name = key };
	if (key.data == NULL)
		return;
	error = catalog_get(r->catalog, domain->aliases, RECORD_ALIAS, key,
	    &value);
	if (error == -ENOENT)
		return;
	if (!error) {
		value = arena_copy(&r->arena, value);
		if (value.data == NULL)
			error = -ENOMEM;
		else if (!record_get_list(value, &found->alias))
			error = -EIO;
	}
	if (error)
		set_unknown(found, error, domain->aliases);
	else
		found->kind = FOUND_ALIAS;
}

/*
 * An alias comes before the mailbox of its name if it keeps that mailbox
 * (alice: alice, bob) or takes the address out of use (alice: error:...).
 */
static bool
comes_before_user(struct resolver *r, struct catalog_domain *domain,
    const struct found *alias)
{
	struct record_list list = alias->alias;
	struct record_target target;

	while (record_next_target(&list, &target)) {
		if (target.kind == ALIAS_ERROR ||
		    target.kind == ALIAS_DISCARD)
			return true;
		if (target.kind != ALIAS_ADDRESS &&
		    target.kind != ALIAS_MAILBOX)
			continue;
		if (target.domain.size > 0 && domain !=
		    catalog_find_domain(r->catalog, target.domain))
			continue;
		if (slice_equals(lookup_fold(r, domain, target.text),
		    alias->alias_name))
			return true;
	}
	return false;
}

void
lookup_exact(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found)
{
	struct found alias;

	lookup_user(r, domain, local, found);
	if (found->kind == FOUND_UNKNOWN)
		return;
	lookup_alias(r, domain, local, &alias);
	if (alias.kind == FOUND_NOTHING)
		return;
	/* an alias that cannot be known may take the address out of use */
	if (found->kind == FOUND_NOTHING || alias.kind == FOUND_UNKNOWN ||
	    comes_before_user(r, domain, &alias))
		*found = alias;
	else
		resolve_explain(r, "alias \"%.*s\" at %s:%u is not used: a "
		    "user has that name", RESOLVE_QUOTE(alias.alias_name),
		    domain->aliases->spec->path, alias.alias.line);
}

void
lookup_plus(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found)
{
	struct slice user, tag;

	lookup_exact(r, domain, local, found);
	if (found->kind != FOUND_NOTHING || domain->config->plus == NULL ||
	    !address_split_plus(local, domain->config->plus, &user, &tag))
		return;
	lookup_exact(r, domain, user, found);
	if (found->kind != FOUND_NOTHING)
		resolve_explain(r, "\"%.*s\" without its tag is \"%.*s\"",
		    RESOLVE_QUOTE(local), RESOLVE_QUOTE(user));
}

/* ---- partial names ---- */

static void
explain_ambiguous(struct resolver *r, struct slice local,
    const struct record_name *name)
{
	struct buf list = { .maximum = 1024 };

	if (r->explains) {
		for (uint32_t i = 0; i < name->n; i++)
			(void)buf_printf(&list, "%s%.*s", i ? ", " : "",
			    RESOLVE_QUOTE(name->users[i]));
		resolve_explain(r, "\"%.*s\" is a partial name of %u users: "
		    "%s%s", RESOLVE_QUOTE(local), name->n_users,
		    list.data ? list.data : "",
		    name->n < name->n_users ? " ..." : "");
	}
	buf_free(&list);
}

void
lookup_partial(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct found *found)
{
	char key[NAMES_KEY_MAX];
	struct record_name name;
	struct slice value, user;
	int error;

	*found = (struct found){ .kind = FOUND_NOTHING };
	if (domain->names == NULL || !names_fold(key, sizeof key, local))
		return;
	error = catalog_get(r->catalog, domain->names, RECORD_NAME,
	    slice_of(key), &value);
	if (error == -ENOENT)
		return;
	if (!error && !record_get_name(value, &name))
		error = -EIO;
	if (error) {
		set_unknown(found, error, domain->names);
	} else if (name.n_users > 1) {
		explain_ambiguous(r, local, &name);
		found->kind = FOUND_AMBIGUOUS;
	} else {
		user = arena_copy(&r->arena, name.users[0]);
		resolve_explain(r, "\"%.*s\" is a partial name of \"%.*s\"",
		    RESOLVE_QUOTE(local), RESOLVE_QUOTE(user));
		if (user.data == NULL)
			set_unknown(found, -ENOMEM, NULL);
		else	/* an alias may have taken that user out of use */
			lookup_exact(r, domain, user, found);
		if (found->kind == FOUND_USER || found->kind == FOUND_ALIAS)
			r->out.guess = user;
	}
}
