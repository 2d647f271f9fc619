/* SPDX-License-Identifier: ISC */
/*
 * lists.c - members of an alias who are elsewhere (DESIGN 7).
 *
 * An alias NAME may have them when there is an owner-NAME, which leads to a
 * mailbox here: copies leave with owner-NAME for a reverse-path, and what
 * cannot be delivered comes home to that mailbox. Where aliases lie within
 * one another the outermost that has an owner counts, so that there is one
 * for the whole address.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "hops.h"

#define OWNER "owner-"

/* ---- whose list it is ---- */

/* owner-NAME of this alias; data NULL: it has none. */
static struct slice
owner_of(struct resolver *r, const struct step *alias)
{
	struct buf name = { .maximum = ADDRESS_LONG_LOCAL_MAX };
	struct slice local = { NULL, 0 };
	struct found found;

	if (buf_puts(&name, OWNER) == 0 &&
	    buf_append_slice(&name, alias->name) == 0)
		local = arena_copy(&r->arena, buf_slice(&name));
	buf_free(&name);
	if (local.data == NULL)
		return local;
	lookup_exact(r, alias->domain, local, &found);
	return found.kind == FOUND_NOTHING ? (struct slice){ NULL, 0 } : local;
}

/* The owner of the outermost alias that has one; kept for its members. */
static struct list_owner
find_owner(struct resolver *r, const struct step *step)
{
	struct list_owner owner = { .of = step->name.data };
	struct slice local;

	if (r->list.last.of == step->name.data)
		return r->list.last;
	for (const struct step *s = step; s != NULL; s = s->up) {
		if (s->kind != STEP_ALIAS)
			continue;
		local = owner_of(r, s);
		if (local.data != NULL) {
			owner.domain = s->domain;
			owner.local = local;
		}
	}
	return r->list.last = owner;
}

/* All members of one address have one owner, and no next hop beside them. */
static bool
take_owner(struct resolver *r, const struct step *step,
    const struct list_owner *owner)
{
	struct list_owner *list = &r->list.owner;

	if (*r->out.destination != '\0') {
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "\"%s\" is "
		    "elsewhere, and no member of the list of \"%.*s\": the "
		    "alias around them needs an owner-NAME of its own",
		    r->out.hop_address, RESOLVE_QUOTE(owner->local));
		return false;
	}
	if (list->domain != NULL && (list->domain != owner->domain ||
	    !slice_equals(list->local, owner->local))) {
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "members "
		    "elsewhere belong to \"%.*s\" and to \"%.*s\": the alias "
		    "around them needs an owner-NAME of its own",
		    RESOLVE_QUOTE(list->local), RESOLVE_QUOTE(owner->local));
		return false;
	}
	*list = *owner;
	return true;
}

/* ---- the members ---- */

static int
append_member(struct resolver *r, struct slice member)
{
	struct resolved *out = &r->out;

	if (out->n_members == r->list.capacity) {
		size_t capacity = r->list.capacity ? 2 * r->list.capacity :
		    16;
		struct slice *members = reallocarray(out->members, capacity,
		    sizeof *members);

		if (members == NULL)
			return -ENOMEM;
		out->members = members;
		r->list.capacity = capacity;
	}
	out->members[out->n_members++] = member;
	return 0;
}

static void
add_member(struct resolver *r, const struct step *step,
    const struct record_target *target)
{
	char text[ADDRESS_TEXT_MAX + 1];
	struct slice member = { NULL, 0 };
	int added = -ENOMEM;

	if (!address_write(text, sizeof text, target->text, target->domain)) {
		resolve_trouble(r, step, TROUBLE_DEAD, "an address that is "
		    "too long");
		return;
	}
	member = arena_copy(&r->arena, slice_of(text));
	/* paths begin with a slash, steps with a digit */
	if (member.data != NULL)
		added = string_set_add(&r->seen, member);
	if (added == 0)
		return;
	resolve_explain(r, "%s: elsewhere, from %.*s@%s", text,
	    RESOLVE_QUOTE(r->list.owner.local),
	    r->list.owner.domain->config->name);
	if (r->out.n_members == LIST_ROUTE_MAX_MEMBERS)
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "more than %d "
		    "members elsewhere", LIST_ROUTE_MAX_MEMBERS);
	else if (added < 0 || append_member(r, member) < 0)
		resolve_trouble(r, step, TROUBLE_UNKNOWN, "out of memory");
}

void
list_add(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target)
{
	struct list_owner owner = { 0 };

	if (r->allows_lists)
		owner = find_owner(r, step);
	if (owner.domain != NULL && take_owner(r, step, &owner))
		add_member(r, step, target);
	else if (owner.domain == NULL && domain != NULL)
		hop_front(r, step, domain, target);
	else if (owner.domain == NULL)
		hop_forward(r, step, target);
}

/* ---- the owner's mailbox ---- */

/* As in a voucher: users of the system have a name without a domain. */
static bool
write_account_of(struct resolver *r, const struct route_leaf *leaf)
{
	struct slice address = leaf->delivered_to, account = address;
	struct catalog_domain *domain;
	size_t at = address.size;

	while (at > 0 && address.data[at - 1] != '@')
		at--;
	domain = catalog_find_domain(r->catalog, (struct slice){
	    address.data + at, address.size - at });
	if (domain != NULL && domain->config->users_are_passwd)
		account = leaf->user;
	return slice_copy(r->out.account, sizeof r->out.account, account);
}

static bool
write_account(struct resolver *r, const struct resolved *found)
{
	if (found->kind == ROUTE_HOP)	/* a mailbox by LMTP */
		return slice_copy(r->out.account, sizeof r->out.account,
		    slice_of(found->hop_address));
	return found->kind == ROUTE_MAILBOX &&
	    write_account_of(r, &found->leaves[0]);
}

/* A second resolution, while the first one's memory is still in use. */
static const struct resolved *
resolve_owner(struct resolver *r)
{
	if (r->list.second == NULL)
		r->list.second = resolver_new(r->catalog);
	return r->list.second == NULL ? NULL : resolver_find_mailbox(
	    r->list.second, r->list.owner.local,
	    slice_of(r->list.owner.domain->config->name));
}

void
list_end(struct resolver *r)
{
	const struct list_owner *owner = &r->list.owner;
	const struct resolved *found = resolve_owner(r);

	if (found == NULL) {
		resolve_trouble(r, NULL, TROUBLE_UNKNOWN, "out of memory");
		return;
	}
	if (write_account(r, found) && address_write(r->out.owner,
	    sizeof r->out.owner, owner->local,
	    slice_of(owner->domain->config->name)))
		return;
	resolve_trouble(r, NULL, found->kind == ROUTE_REFUSE &&
	    found->verdict.code < 500 ? TROUBLE_UNREADABLE : TROUBLE_DEAD,
	    "%.*s@%s, the owner of a list, leads to no mailbox here%s%s",
	    RESOLVE_QUOTE(owner->local), owner->domain->config->name,
	    found->alarm[0] ? ": " : "", found->alarm);
}
