/* SPDX-License-Identifier: ISC */
/*
 * mailbox.c - a leaf: whose mailbox, where, how large; see resolve_parts.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "resolve_parts.h"
#include "users.h"

/*
 * The path of the mailbox: "~/" is the home; %u and %n are the local part,
 * %d is the domain. False if it does not fit or there is no home.
 */
static bool
write_path(char *to, size_t room, const char *pattern, const char *home,
    struct slice local, const char *domain)
{
	struct buf path = { .maximum = room - 1 };
	int error = 0;
	bool fits;

	if (strncmp(pattern, "~/", 2) == 0) {
		if (home == NULL || *home != '/')
			return false;
		error = buf_puts(&path, home);
		pattern++;
	}
	for (; *pattern != '\0' && !error; pattern++) {
		if (*pattern != '%' || pattern[1] == '\0')
			error = buf_append(&path, pattern, 1);
		else if (*++pattern == 'd')
			error = buf_puts(&path, domain);
		else if (*pattern == 'u' || *pattern == 'n')
			error = buf_append_slice(&path, local);
		else
			error = buf_append(&path, pattern, 1);
	}
	fits = !error && slice_copy(to, room, buf_slice(&path));
	buf_free(&path);
	return fits;
}

/*
 * Whose uid table mailboxes have: resolved once, and kept. What is wrong
 * with it is wrong with the domain, whichever alias led here.
 */
static bool
find_owner(struct resolver *r, struct catalog_domain *domain)
{
	const struct catalog *c = r->catalog;
	const struct config_domain *config = domain->config;
	const struct passwd_entry *entry;
	int error;

	if (domain->has_owner)
		return true;
	if (!c->is_privileged) {
		domain->owner_uid = c->own_uid;
		domain->owner_gid = c->own_gid;
		return domain->has_owner = true;
	}
	if (config->owner == NULL) {
		resolve_trouble(r, NULL, TROUBLE_UNREADABLE, "domain \"%s\" "
		    "has no owner for its mailboxes", config->name);
		return false;
	}
	error = passwd_find(c->passwd, slice_of(config->owner), &entry);
	if (error || !passwd_may_have_mailbox(entry->uid,
	    c->config->min_uid)) {
		resolve_trouble(r, NULL, error == -EAGAIN ? TROUBLE_UNKNOWN :
		    TROUBLE_UNREADABLE, "owner \"%s\" of domain \"%s\" %s%s",
		    config->owner, config->name, error == -EAGAIN ?
		    "cannot be looked up now" : error ? "does not exist" :
		    "has a uid below min_uid", error == -EAGAIN ?
		    passwd_why_unknown(c->passwd) : "");
		return false;
	}
	domain->owner_uid = entry->uid;
	domain->owner_gid = entry->gid;
	return domain->has_owner = true;
}

static int
append_leaf(struct resolver *r, const struct route_leaf *leaf)
{
	struct resolved *out = &r->out;

	if (out->n_leaves == r->leaves_capacity) {
		size_t capacity = r->leaves_capacity ?
		    2 * r->leaves_capacity : 16;
		struct route_leaf *leaves = reallocarray(out->leaves,
		    capacity, sizeof *leaves);

		if (leaves == NULL)
			return -ENOMEM;
		out->leaves = leaves;
		r->leaves_capacity = capacity;
	}
	out->leaves[out->n_leaves++] = *leaf;
	return 0;
}

/* One copy per mailbox, however many names lead there. */
static void
add_once(struct resolver *r, const struct step *step,
    const struct route_leaf *leaf)
{
	int added = string_set_add(&r->seen, leaf->maildir);

	if (added == 0)
		return;
	if (r->out.n_leaves == ROUTE_MAX_LEAVES)
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "more than %d "
		    "mailboxes", ROUTE_MAX_LEAVES);
	else if (added < 0 || append_leaf(r, leaf) < 0)
		resolve_trouble(r, step, TROUBLE_UNKNOWN, "out of memory");
}

static void
explain_mailbox(struct resolver *r, const struct config_domain *domain,
    const struct found_user *user, const char *path)
{
	if (user->passwd != NULL)
		resolve_explain(r, "%.*s@%s: user \"%s\" of the system, uid "
		    "%u -> %s", RESOLVE_QUOTE(user->local), domain->name,
		    user->passwd->name, (unsigned)user->passwd->uid, path);
	else
		resolve_explain(r, "%.*s@%s: user \"%.*s\" at %s:%u -> %s",
		    RESOLVE_QUOTE(user->local), domain->name,
		    RESOLVE_QUOTE(user->local), user->path, user->line, path);
}

static bool
fill_leaf(struct resolver *r, struct catalog_domain *domain,
    const struct found_user *user, const char *path, struct route_leaf *leaf)
{
	const struct passwd_entry *pw = user->passwd;
	char address[ADDRESS_TEXT_MAX + 1];

	if (!address_write(address, sizeof address, user->local,
	    slice_of(domain->config->name)))
		return false;
	*leaf = (struct route_leaf){
		.uid = pw ? pw->uid : domain->owner_uid,
		.gid = pw ? pw->gid : domain->owner_gid,
		.quota_bytes = user->has_quota ? user->quota_bytes :
		    domain->config->quota_bytes,
		.user = user->local,
		.home = arena_copy(&r->arena, pw ? slice_of(pw->home) :
		    SLICE("")),
		.maildir = arena_copy(&r->arena, slice_of(path)),
		.delivered_to = arena_copy(&r->arena, slice_of(address)) };
	return leaf->home.data != NULL && leaf->maildir.data != NULL &&
	    leaf->delivered_to.data != NULL;
}

void
mailbox_add(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct found_user *user)
{
	const struct config_domain *config = domain->config;
	const struct passwd_entry *pw = user->passwd;
	char path[PATH_MAX];
	struct route_leaf leaf;

	if (pw == NULL && !find_owner(r, domain))
		return;
	if (config->mailbox == NULL || !users_is_path_safe(user->local) ||
	    !write_path(path, sizeof path, config->mailbox,
	    pw ? pw->home : NULL, user->local, config->name)) {
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "user \"%.*s\" "
		    "of domain \"%s\" has no path for a mailbox",
		    RESOLVE_QUOTE(user->local), config->name);
		return;
	}
	explain_mailbox(r, config, user, path);
	if (fill_leaf(r, domain, user, path, &leaf))
		add_once(r, step, &leaf);
	else
		resolve_trouble(r, step, TROUBLE_UNKNOWN, "out of memory");
}
