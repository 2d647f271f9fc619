/* SPDX-License-Identifier: ISC */
/*
 * account_rights.c - what belongs to one of our own accounts.
 */
#include <limits.h>
#include <string.h>
#include "account_rights.h"
#include "hops.h"
#include "resolve_parts.h"

/* ---- the account ---- */

/* "name@domain": the name may hold an @ itself, in quotes. */
static bool
split_account(struct slice user, struct slice *local, struct slice *domain)
{
	size_t at = user.size;

	while (at > 0 && user.data[at - 1] != '@')
		at--;
	if (at == 0)
		return false;
	*local = (struct slice){ user.data, at - 1 };
	*domain = (struct slice){ user.data + at, user.size - at };
	return true;
}

/* Where the mailboxes of the system's users are: the origin's, else first. */
static struct catalog_domain *
find_passwd_domain(struct resolver *r)
{
	struct catalog *c = r->catalog;
	struct catalog_domain *domain = c->config->origin == NULL ? NULL :
	    catalog_find_domain(c, slice_of(c->config->origin));

	if (domain != NULL && domain->config->users_are_passwd)
		return domain;
	for (size_t i = 0; i < c->config->n_domains; i++)
		if (c->domains[i].config->users_are_passwd)
			return &c->domains[i];
	return NULL;
}

static struct catalog_domain *
lookup_account(struct resolver *r, struct slice user, struct found *found)
{
	struct slice local = user, name;
	struct catalog_domain *domain;

	*found = (struct found){ .kind = FOUND_NOTHING };
	if (!split_account(user, &local, &name)) {
		domain = find_passwd_domain(r);
	} else {
		domain = catalog_find_domain(r->catalog, name);
		/* the system's users have names without a domain */
		if (domain != NULL && domain->config->users_are_passwd)
			domain = NULL;
	}
	if (domain != NULL)
		lookup_user(r, domain, local, found);
	return domain;
}

/* ---- its mailbox ---- */

/* An account that has none here, as all have none beside a next_hop. A login
 * name without a mailbox is nobody there. */
static bool
is_by_lmtp(const struct catalog_domain *domain, const struct found *found)
{
	return domain != NULL && found->kind == FOUND_NOTHING &&
	    !domain->config->users_are_passwd &&
	    config_hop_is_lmtp(config_domain_hop(domain->config));
}

const struct resolved *
account_find_mailbox(struct resolver *r, struct slice user)
{
	const struct config *config = r->catalog->config;
	struct catalog_domain *domain = NULL;
	struct slice local, name;
	struct found found;

	resolve_begin(r, false);
	r->out.is_exempt = true;	/* never 5xx for what we broke */
	if (user.size > 0)
		domain = lookup_account(r, user, &found);
	if (is_by_lmtp(domain, &found) &&
	    split_account(user, &local, &name)) {
		hop_home(r, domain, local);
		return resolve_end(r);
	}
	if (domain != NULL && found.kind != FOUND_NOTHING) {
		expand_found(r, NULL, domain, &found);
		return resolve_end(r);
	}
	if (user.size > 0 && config->dsn_to != NULL &&
	    split_account(slice_of(config->dsn_to), &local, &name))
		return resolver_find_mailbox(r, local, name);
	expand_postmaster(r, NULL, NULL);
	return resolve_end(r);
}

/* ---- its addresses ---- */

static bool
is_user(const char *configured, struct slice user)
{
	struct slice name = slice_of(configured);

	/* login names are what they are; addresses are compared as such */
	return strchr(configured, '@') == NULL ? slice_equals(name, user) :
	    slice_equals_nocase(name, user);
}

/* An entry of `may`: local@domain or *@domain, where domain and those that
 * are the same as it are one. */
static bool
grants(struct resolver *r, const char *entry, const struct address *address)
{
	struct slice local, name, wanted = slice_of(address->domain);
	struct catalog_domain *domain;

	if (!split_account(slice_of(entry), &local, &name))
		return false;
	domain = catalog_find_domain(r->catalog, wanted);
	if (!slice_equals_nocase(name, wanted) && (domain == NULL ||
	    domain != catalog_find_domain(r->catalog, name)))
		return false;
	return slice_equals(local, SLICE("*")) ||
	    slice_equals_nocase(local, slice_of(address->local));
}

static bool
is_granted(struct resolver *r, struct slice user,
    const struct address *address)
{
	const struct config *config = r->catalog->config;

	for (size_t i = 0; i < config->n_senders; i++) {
		const struct config_sender *sender = &config->senders[i];

		if (!is_user(sender->user, user))
			continue;
		for (size_t k = 0; k < sender->may.n; k++)
			if (grants(r, sender->may.items[k], address))
				return true;
	}
	return false;
}

/* The name itself, also with a tag, as the domain compares names. */
static bool
is_name_in(struct resolver *r, const struct catalog_domain *domain,
    struct slice name, const struct address *address)
{
	struct slice own, user, tag, local = slice_of(address->local);

	own = lookup_fold(r, domain, name);
	if (own.data == NULL)
		return false;
	if (slice_equals(own, lookup_fold(r, domain, local)))
		return true;
	return domain->config->plus != NULL && address_split_plus(local,
	    domain->config->plus, &user, &tag) &&
	    slice_equals(own, lookup_fold(r, domain, user));
}

/*
 * cron and www-data have no mailbox, and still a name: where the users are
 * the system's, and at the origin, where nobody else is called so.
 */
static enum may_answer
is_login(struct resolver *r, struct slice user,
    struct catalog_domain *domain, const struct address *address)
{
	const char *origin = r->catalog->config->origin;
	bool is_origin = origin != NULL && slice_equals_nocase(
	    slice_of(origin), slice_of(address->domain));
	struct found found;

	if (domain == NULL)
		return is_origin && slice_equals_nocase(user,
		    slice_of(address->local)) ? MAY_SEND : MAY_NOT;
	if (!is_name_in(r, domain, user, address))
		return MAY_NOT;
	if (domain->config->users_are_passwd)
		return MAY_SEND;
	if (!is_origin)
		return MAY_NOT;
	lookup_user(r, domain, user, &found);
	return found.kind == FOUND_NOTHING ? MAY_SEND :
	    found.kind == FOUND_UNKNOWN ? MAY_UNKNOWN : MAY_NOT;
}

/* By name: aliases may add to a mailbox (bob: bob, alice), or close it. */
static enum may_answer
is_own_name(struct resolver *r, struct slice user,
    const struct address *address)
{
	struct catalog_domain *domain = catalog_find_domain(r->catalog,
	    slice_of(address->domain));
	struct slice local, name;

	resolve_begin(r, false);
	if (!split_account(user, &local, &name))
		return is_login(r, user, domain, address);
	return domain != NULL && !domain->config->users_are_passwd &&
	    domain == catalog_find_domain(r->catalog, name) &&
	    is_name_in(r, domain, local, address) ? MAY_SEND : MAY_NOT;
}

/* The path of its own mailbox; "" if it has none. */
static enum may_answer
find_own_path(struct resolver *r, struct slice user, char path[PATH_MAX])
{
	struct catalog_domain *domain;
	struct found found;

	*path = '\0';
	resolve_begin(r, false);
	domain = lookup_account(r, user, &found);
	if (found.kind == FOUND_UNKNOWN)
		return MAY_UNKNOWN;
	if (domain == NULL || found.kind != FOUND_USER)
		return MAY_NOT;
	mailbox_add(r, NULL, domain, &found.user);
	if (r->is_broken || r->out.n_leaves != 1 || !slice_copy(path,
	    PATH_MAX, r->out.leaves[0].maildir))
		return MAY_UNKNOWN;
	return MAY_SEND;
}

/* The same of an account whose mailbox is behind a next hop. */
static enum may_answer
leads_to_hop(struct resolver *r, struct slice user,
    const struct address *address)
{
	const struct catalog_domain *domain;
	const struct resolved *to;
	struct address there;
	struct found found;

	resolve_begin(r, false);
	domain = lookup_account(r, user, &found);
	if (!is_by_lmtp(domain, &found))
		return MAY_NOT;
	to = resolver_find(r, slice_of(address->local),
	    slice_of(address->domain), false);
	if (to->kind == ROUTE_HOP)
		return !to->is_forward && to->n_leaves == 0 &&
		    address_parse(&there, slice_of(to->hop_address),
		    ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_LONG_LOCAL) ==
		    ADDRESS_OK ? is_own_name(r, user, &there) : MAY_NOT;
	return to->kind == ROUTE_REFUSE && to->verdict.code < 500 ?
	    MAY_UNKNOWN : MAY_NOT;
}

/* Whether the address leads to this account's mailbox alone. */
static enum may_answer
leads_home(struct resolver *r, struct slice user,
    const struct address *address)
{
	char path[PATH_MAX];
	enum may_answer own = find_own_path(r, user, path);
	const struct catalog_domain *domain = catalog_find_domain(r->catalog,
	    slice_of(address->domain));
	const struct resolved *found;

	if (own == MAY_NOT)
		return leads_to_hop(r, user, address);
	if (own != MAY_SEND)
		return own;
	if (domain != NULL && domain->config->next_hop != NULL)
		return MAY_NOT;
	/* as mail to it goes: what leads elsewhere is not broken */
	found = resolver_find(r, slice_of(address->local),
	    slice_of(address->domain), false);
	if (found->kind == ROUTE_MAILBOX)
		return found->n_leaves == 1 && slice_equals(
		    found->leaves[0].maildir, slice_of(path)) ? MAY_SEND :
		    MAY_NOT;
	return found->kind == ROUTE_REFUSE && found->verdict.code < 500 ?
	    MAY_UNKNOWN : MAY_NOT;
}

enum may_answer
account_may_send(struct resolver *r, struct slice user, struct slice text)
{
	struct address address;
	enum may_answer own, home;

	if (address_parse(&address, text, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) != ADDRESS_OK || address.is_null)
		return MAY_NOT;
	if (is_granted(r, user, &address))
		return MAY_SEND;
	own = is_own_name(r, user, &address);
	if (own == MAY_SEND)
		return MAY_SEND;
	home = leads_home(r, user, &address);
	return home == MAY_NOT ? own : home;
}
