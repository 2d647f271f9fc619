/* SPDX-License-Identifier: ISC */
/*
 * lint.c - `postern -n` for recipients; see directory_check.h.
 *
 * The tables are built in memory exactly as the compiler builds them, and
 * every name is resolved exactly as RCPT resolves it: what is reported here
 * is what a client would meet. The compiler gives up a text with an error;
 * here what could be read of it is walked all the same, so that one run
 * finds everything.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "build.h"
#include "directory_check.h"
#include "lint.h"
#include "passwords.h"
#include "program_check.h"
#include "resolve_parts.h"

/* A name that nobody has: it goes to the catch-all, if there is one. */
#define NOBODY "no-one.has.this.name.in.any.table"

static void
turn_to(struct lint *lint, struct catalog_domain *domain)
{
	lint->domain = domain;
	lint->line = domain ? domain->config->line : 0;
}

void
lint_report(struct lint *lint, bool is_warning, const char *text)
{
	struct slice kept = arena_copy(&lint->arena, slice_of(text));

	if (kept.data == NULL || string_set_add(&lint->reported, kept) != 0)
		config_problem_add(lint->problems, lint->line, is_warning,
		    "%s", text);
}

static void
on_trouble(const char *text, void *arg)
{
	struct lint *lint = arg;
	unsigned line = lint->line;

	lint->n_troubles++;
	/* the configuration's postmaster, whoever leads to it */
	if (strncmp(text, "postmaster: ", 12) == 0)
		lint->line = lint->catalog->config->postmaster_line;
	lint_report(lint, false, text);
	lint->line = line;
}

const struct resolved *
lint_try(struct lint *lint, struct slice local, const char *domain)
{
	lint->n_troubles = 0;
	return resolver_find(lint->resolver, local, slice_of(domain), false);
}

/* ---- tables ---- */

/* Errors of the builder; its warnings come back while aliases are walked. */
static void
take_problems(struct lint *lint, const struct config_problems *found)
{
	for (size_t i = 0; i < found->n; i++)
		if (!found->items[i].is_warning)
			lint_report(lint, false, found->items[i].text);
}

static struct catalog_domain *
first_user_of(struct lint *lint, const struct catalog_slot *slot)
{
	for (size_t i = 0; i < lint->catalog->config->n_domains; i++) {
		struct catalog_domain *d = &lint->catalog->domains[i];

		if (d->users == slot || d->aliases == slot ||
		    d->names == slot)
			return d;
	}
	return NULL;
}

static void
build_slot(struct lint *lint, struct catalog_slot *slot)
{
	struct config_problems found = { 0 };
	struct build build;
	int error = build_table(&build, slot->spec, lint->catalog->config,
	    &found);

	turn_to(lint, first_user_of(lint, slot));
	take_problems(lint, &found);
	config_problems_free(&found);
	if (build.has_image)
		error = table_of_image(&slot->live, &build.image);
	slot->live_error = error;
	build_free(&build);
}

bool
lint_is_complete(const struct catalog_domain *domain)
{
	return domain->config->next_hop == NULL &&
	    (domain->users == NULL || domain->users->live != NULL) &&
	    (domain->aliases == NULL || domain->aliases->live != NULL) &&
	    (domain->names == NULL || domain->names->live != NULL);
}

/* ---- names ---- */

static void
check_shadowed(struct lint *lint, struct slice name, uint32_t line)
{
	char text[512];
	struct found found;

	lookup_exact(lint->resolver, lint->domain, name, &found);
	if (found.kind != FOUND_USER)
		return;
	snprintf(text, sizeof text, "%s:%u: alias \"%.*s\" is never used: a "
	    "user of that name has a mailbox; list the name itself among "
	    "the targets to add to it", lint->domain->aliases->spec->path,
	    line, RESOLVE_QUOTE(name));
	lint_report(lint, true, text);
}

/* Is its program there, and may it be run? */
static void
check_program(struct lint *lint, const struct resolved *found,
    struct slice name, uint32_t line)
{
	struct buf wrong = { .maximum = 400 };
	char text[768];
	bool is_warning;

	if (found->program.size == 0)
		return;
	is_warning = program_check(&wrong, lint->catalog->config,
	    lint->catalog->is_privileged, found->program);
	snprintf(text, sizeof text, "%s:%u: alias \"%.*s\": \"|%.*s\": %s",
	    lint->domain->aliases->spec->path, line, RESOLVE_QUOTE(name),
	    RESOLVE_QUOTE(found->program), wrong.size ? wrong.data : "");
	if (wrong.size > 0)
		lint_report(lint, is_warning, text);
	buf_free(&wrong);
}

static int
check_alias(struct slice key, struct slice value, void *arg)
{
	struct lint *lint = arg;
	const struct resolved *found;
	struct record_list list;
	struct slice name = { key.data + 1, key.size - 1 };

	if (key.data[0] == RECORD_INCLUDE && record_get_list(value, &list))
		backscatter_include(lint, name, list);

	/* an alias without targets: its parse error has been reported */
	if (key.data[0] != RECORD_ALIAS || !record_get_list(value, &list) ||
	    list.n_targets == 0)
		return 0;
	found = lint_try(lint, name, lint->domain->config->name);
	check_program(lint, found, name, list.line);
	backscatter_alias(lint, name, list, found);
	check_shadowed(lint, name, list.line);
	return 0;
}

static int
check_user(struct slice key, struct slice value, void *arg)
{
	struct lint *lint = arg;

	(void)value;
	if (key.data[0] == RECORD_USER)
		lint_try(lint, (struct slice){ key.data + 1, key.size - 1 },
		    lint->domain->config->name);
	return 0;
}

/* Where it leads instead; "" where nobody has said anything about it. */
static const char *
leads_to(const struct resolved *found)
{
	switch (found->kind) {
	case ROUTE_DISCARD:
		return "it is discarded; ";
	case ROUTE_REFUSE:
		return found->is_unknown_user ? "" : "it is refused; ";
	case ROUTE_LIST:
		return "it is a list with members elsewhere; ";
	case ROUTE_HOP:
		return "it goes to another host; ";
	case ROUTE_PROGRAM:
		return "it goes to a program alone; ";
	default:
		return "";
	}
}

static const char mend_alias[] = "mend its alias, or postmaster in the "
    "configuration where there is none";

/* A name that must lead to a mailbox. */
static void
check_required(struct lint *lint, const char *local, const char *domain,
    const char *advice)
{
	const struct resolved *found = lint_try(lint, slice_of(local),
	    domain);
	const struct catalog_domain *d = lint->domain;
	const char *path = d && d->aliases ? d->aliases->spec->path : NULL;
	char text[512];

	if (found->kind == ROUTE_MAILBOX ||
	    (found->kind == ROUTE_PROGRAM && found->n_leaves > 0) ||
	    (found->kind == ROUTE_HOP && !found->is_forward &&
	    config_hop_is_lmtp(found->destination)))
		return;
	if (found->kind == ROUTE_REFUSE && lint->n_troubles > 0)
		return;			/* reported already */
	snprintf(text, sizeof text, "%s%s%s%s%s leads to no mailbox: %s%s",
	    path ? path : "", path ? ": " : "", local, *domain ? "@" : "",
	    domain, leads_to(found), advice);
	lint_report(lint, false, text);
}

/*
 * Mail of the system itself goes to root at the origin, and to root of
 * every domain whose users are the system's.
 */
static bool
needs_root(struct lint *lint, const struct catalog_domain *domain)
{
	const char *origin = lint->catalog->config->origin;

	return domain->config->users_are_passwd || (origin != NULL &&
	    catalog_find_domain(lint->catalog, slice_of(origin)) == domain);
}

static void
check_domain(struct lint *lint, struct catalog_domain *domain)
{
	const char *name = domain->config->name;

	turn_to(lint, domain);
	if (!lint_is_complete(domain))
		return;
	if (domain->users != NULL)
		(void)table_each(domain->users->live, check_user, lint);
	if (domain->aliases != NULL)
		(void)table_each(domain->aliases->live, check_alias, lint);
	check_required(lint, "postmaster", name, mend_alias);
	check_required(lint, "abuse", name, mend_alias);
	if (needs_root(lint, domain))
		check_required(lint, "root", name,
		    "write an alias such as \"root: somebody\"");
	if (domain->config->catch_all != NULL)
		backscatter_catch_all(lint,
		    lint_try(lint, SLICE(NOBODY), name));
}

/* The postmaster of the configuration, whatever the aliases say. */
static void
check_postmaster(struct lint *lint)
{
	const char *text = lint->catalog->config->postmaster;
	struct address address;
	struct catalog_domain *domain;

	turn_to(lint, NULL);
	lint->line = lint->catalog->config->postmaster_line;
	if (text == NULL || address_parse(&address, slice_of(text),
	    ADDRESS_ALLOW_UTF8) != ADDRESS_OK)
		return;			/* config_parse said so */
	domain = catalog_find_domain(lint->catalog,
	    slice_of(address.domain));
	if (domain != NULL && lint_is_complete(domain))
		check_required(lint, address.local, address.domain,
		    "postmaster in the configuration must be a mailbox here");
	if (domain != NULL && lint_is_complete(domain))
		check_required(lint, "postmaster", "", mend_alias);
}

/* Reports go into a mailbox, and no alias is followed to somewhere else. */
static void
check_dsn_to(struct lint *lint)
{
	const char *text = lint->catalog->config->dsn_to;
	struct address address;
	struct catalog_domain *domain;

	turn_to(lint, NULL);
	if (text == NULL || address_parse(&address, slice_of(text),
	    ADDRESS_ALLOW_UTF8) != ADDRESS_OK)
		return;
	domain = catalog_find_domain(lint->catalog,
	    slice_of(address.domain));
	if (domain != NULL && lint_is_complete(domain))
		check_required(lint, address.local, address.domain,
		    "dsn_to must be a mailbox here");
}

/* As the compiler reads them. What stands in the log of neither is a hash. */
static void
check_passwords(struct lint *lint)
{
	const struct config *config = lint->catalog->config;
	struct config_problems found = { 0 };
	struct passwords passwords;
	int error;

	if (!passwords_are_wanted(config))
		return;
	turn_to(lint, NULL);
	error = passwords_collect(&passwords, config, &found);
	for (size_t i = 0; i < found.n; i++)
		lint_report(lint, found.items[i].is_warning,
		    found.items[i].text);
	if (!error && passwords.n == 0 && config->n_submitters == 0)
		lint_report(lint, true, "no account has a password: nobody can "
		    "log in to submit mail");
	config_problems_free(&found);
	passwords_free(&passwords);
}

/* As vouchers call them: account.h. Or NULL. */
static const char *
why_nobody(struct lint *lint, const char *user)
{
	const struct passwd_entry *entry;
	const struct catalog_domain *domain;
	const char *at = strrchr(user, '@');

	if (at == NULL)
		return passwd_find(lint->catalog->passwd, slice_of(user),
		    &entry) == -ENOENT ? "the system has no such user, and "
		    "those of a users table are called with their domain" :
		    NULL;
	domain = catalog_find_domain(lint->catalog, slice_of(at + 1));
	if (domain == NULL || strcasecmp(domain->config->name, at + 1) != 0)
		return "there is no section domain of that name";
	return domain->config->users_are_passwd ? "users of the system are "
	    "called without a domain" : NULL;
}

static void
check_senders(struct lint *lint)
{
	const struct config *config = lint->catalog->config;
	char text[512];

	for (size_t i = 0; i < config->n_senders; i++) {
		const struct config_sender *sender = &config->senders[i];
		const char *why = why_nobody(lint, sender->user);

		if (why == NULL)
			continue;
		turn_to(lint, NULL);
		lint->line = sender->line;
		snprintf(text, sizeof text, "sender \"%.300s\" is nobody's "
		    "name: %s", sender->user, why);
		lint_report(lint, true, text);
	}
}

/*
 * It sends as the user of this very name: what an alias leads to is another's,
 * and 553 is all that such a device would hear.
 */
static void
check_submitters(struct lint *lint)
{
	const struct config *config = lint->catalog->config;
	struct catalog_domain *domain;
	struct address address;
	struct found found;
	char text[768];

	for (size_t i = 0; i < config->n_submitters; i++) {
		const struct config_submitter *own = &config->submitters[i];

		if (own->as == NULL || address_parse(&address,
		    slice_of(own->as), ADDRESS_ALLOW_UTF8) != ADDRESS_OK)
			continue;
		domain = catalog_find_domain(lint->catalog,
		    slice_of(address.domain));
		if (domain == NULL || !lint_is_complete(domain))
			continue;
		turn_to(lint, NULL);
		lint->line = own->line;
		resolve_begin(lint->resolver, false);
		lookup_user(lint->resolver, domain, slice_of(address.local),
		    &found);
		if (found.kind != FOUND_NOTHING)
			continue;
		snprintf(text, sizeof text, "submitter \"%s\": as \"%.300s\" "
		    "is no user: name one (an alias is none)", own->network,
		    own->as);
		lint_report(lint, true, text);
	}
}

static void
check_all(struct lint *lint)
{
	const struct config *config = lint->catalog->config;

	for (size_t i = 0; i < lint->catalog->specs.n; i++)
		build_slot(lint, &lint->catalog->slots[i]);
	for (size_t i = 0; i < config->n_domains; i++)
		check_domain(lint, &lint->catalog->domains[i]);
	check_postmaster(lint);
	check_dsn_to(lint);
	check_senders(lint);
	check_submitters(lint);
	check_passwords(lint);
	backscatter_reports(lint);
	backscatter_end(lint);
}

void
directory_check(const struct config *config, bool is_privileged,
    struct config_problems *problems)
{
	struct lint lint = { .problems = problems };

	lint.catalog = catalog_new(config, is_privileged);
	if (lint.catalog != NULL) {
		passwd_warm_up(lint.catalog->passwd);
		lint.resolver = resolver_new(lint.catalog);
	}
	if (lint.resolver != NULL) {
		resolver_set_trouble(lint.resolver, on_trouble, &lint);
		check_all(&lint);
	} else {
		config_problem_add(problems, 0, false, "recipients: %s",
		    strerror(ENOMEM));
	}
	resolver_free(&lint.resolver);
	catalog_free(&lint.catalog);
	string_set_free(&lint.reported);
	arena_free(&lint.arena);
}
