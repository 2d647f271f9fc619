/* SPDX-License-Identifier: ISC */
/*
 * config_domain.c - checks of one section domain, and against those before.
 */
#include <stdlib.h>
#include <string.h>
#include "config_frame.h"

static bool
has_alias(const struct config_domain *domain, struct slice name)
{
	for (size_t i = 0; i < domain->same_as.n; i++)
		if (slice_equals(slice_of(domain->same_as.items[i]), name))
			return true;
	return false;
}

static const struct config_domain *
find_among(const struct config_domain *domains, size_t n, struct slice name)
{
	for (size_t i = 0; i < n; i++) {
		const struct config_domain *domain = &domains[i];

		if ((domain->name != NULL &&
		    slice_equals(slice_of(domain->name), name)) ||
		    has_alias(domain, name))
			return domain;
	}
	return NULL;
}

const struct config_domain *
config_find_domain(const struct config *config, struct slice name)
{
	return find_among(config->domains, config->n_domains, name);
}

/* ---- names ---- */

static void
check_name(const struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	const char *name = config->domains[frame->index].name;
	const struct config_domain *first;

	if (name == NULL)	/* a bad title, reported */
		return;
	first = find_among(config->domains, frame->index, slice_of(name));
	if (first != NULL)
		config_error(problems, frame->line, "domain \"%s\" stands "
		    "twice, first on line %u", name, first->line);
}

static void
check_same_as(const struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	const struct config_domain *domain = &config->domains[frame->index];
	unsigned line = config_frame_line(frame, "same_as");

	for (size_t i = 0; i < domain->same_as.n; i++) {
		const char *name = domain->same_as.items[i];
		const struct config_domain *first = find_among(
		    config->domains, frame->index, slice_of(name));
		struct config_domain before = { .name = domain->name,
			.same_as = { domain->same_as.items, i } };

		if (find_among(&before, 1, slice_of(name)) != NULL)
			config_error(problems, line, "same_as \"%s\" stands "
			    "twice in this domain", name);
		else if (first != NULL)
			config_error(problems, line, "same_as \"%s\" belongs "
			    "to the domain of line %u already", name,
			    first->line);
	}
}

static void
check_count(const struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	size_t n = 0;

	for (size_t i = 0; i <= frame->index; i++) {
		n += 1 + config->domains[i].same_as.n;
		if (i + 1 == frame->index && n > CONFIG_MAX_DOMAINS)
			return;		/* reported by the one before */
	}
	if (n > CONFIG_MAX_DOMAINS)
		config_error(problems, frame->line,
		    "more than %d names of domains", CONFIG_MAX_DOMAINS);
}

/* ---- users and mailboxes ---- */

static void
take_users(struct config_domain *domain)
{
	domain->users_are_passwd = domain->users_table != NULL &&
	    strcmp(domain->users_table, "passwd") == 0;
	if (!domain->users_are_passwd)
		return;
	free(domain->users_table);
	domain->users_table = NULL;
}

static void
check_users(const struct config_domain *domain,
    const struct config_frame *frame, struct config_problems *problems)
{
	bool has_users = config_frame_has(frame, "users");
	bool has_names = has_users || config_frame_has(frame, "aliases");

	if (!has_names && !config_frame_has(frame, "next_hop"))
		config_error(problems, frame->line, "domain \"%s\" has "
		    "neither users nor aliases nor next_hop",
		    domain->name ? domain->name : "");
	if (has_users && config_frame_has(frame, "next_hop"))
		config_error(problems, config_frame_line(frame, "next_hop"),
		    "a domain has either users or a next_hop; fallback is "
		    "for whom it has not");
	if (!has_names && config_frame_has(frame, "fallback"))
		config_error(problems, config_frame_line(frame, "fallback"),
		    "fallback is for a domain with users or aliases; next_hop "
		    "has all of them");
	if (config_frame_has(frame, "catch_all") &&
	    config_frame_has(frame, "fallback"))
		config_error(problems, config_frame_line(frame, "fallback"),
		    "catch_all takes everybody: nobody is left for fallback");
	if (domain->has_names && domain->fallback != NULL)
		config_error(problems, config_frame_line(frame, "names"),
		    "names cannot tell whether a name is one user's alone "
		    "where others are at a fallback");
}

/* Whether the path differs from user to user; %% is a percent sign. */
static bool
names_one_of(const char *mailbox, const char *letters)
{
	for (const char *at = mailbox; (at = strchr(at, '%')) != NULL; at += 2)
		if (at[1] != '\0' && strchr(letters, at[1]) != NULL)
			return true;
	return false;
}

static bool
has_same_users(const struct config_domain *a, const struct config_domain *b)
{
	return a->users_table == NULL || b->users_table == NULL ?
	    a->users_table == b->users_table :
	    strcmp(a->users_table, b->users_table) == 0;
}

/* alice of the one domain would read the mail of alice of the other. */
static void
check_shared(const struct config *config, const struct config_frame *frame,
    unsigned line, struct config_problems *problems)
{
	const struct config_domain *domain = &config->domains[frame->index];

	for (size_t i = 0; i < frame->index; i++) {
		const struct config_domain *other = &config->domains[i];

		if (other->mailbox == NULL ||
		    strcmp(other->mailbox, domain->mailbox) != 0 ||
		    has_same_users(other, domain))
			continue;
		config_warn(problems, line, "mailbox \"%s\" is also that of "
		    "the domain on line %u, whose users are others: equal "
		    "names share a mailbox; put %%d into it",
		    domain->mailbox, other->line);
		return;
	}
}

static void
check_mailbox(const struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	const struct config_domain *domain = &config->domains[frame->index];
	unsigned line = config_frame_line(frame, "mailbox");

	if (config_problems_has_line(problems, line) ||
	    !config_domain_has_users(domain))
		return;
	if (domain->mailbox[0] == '/') {
		if (!names_one_of(domain->mailbox, "un"))
			config_warn(problems, line, "mailbox \"%s\" has no "
			    "%%u: all users share it", domain->mailbox);
		else if (!names_one_of(domain->mailbox, "d"))
			check_shared(config, frame, line, problems);
		return;
	}
	if (domain->users_table != NULL)
		config_error(problems, line, "users of a table have no home "
		    "directory: mailbox needs an absolute path, such as "
		    "\"/var/vmail/%%d/%%u\"");
	else if (domain->owner != NULL)
		config_error(problems, config_frame_line(frame, "owner"),
		    "owner does not fit a mailbox in the home directory of "
		    "each user");
}

/* ---- next hops ---- */

bool
config_domain_has_users(const struct config_domain *domain)
{
	return domain->users_are_passwd || domain->users_table != NULL;
}

const char *
config_domain_hop(const struct config_domain *domain)
{
	return domain->next_hop != NULL ? domain->next_hop : domain->fallback;
}

const struct config_domain *
config_find_hop(const struct config *config, const char *next_hop)
{
	for (size_t i = 0; i < config->n_domains; i++) {
		const char *hop = config_domain_hop(&config->domains[i]);

		if (hop != NULL && strcmp(hop, next_hop) == 0)
			return &config->domains[i];
	}
	return NULL;
}

bool
config_hop_is_lmtp(const char *next_hop)
{
	return next_hop != NULL && strncmp(next_hop, "lmtp:", 5) == 0;
}

const char *
config_hop_path(const char *next_hop)
{
	static const char unix_hop[] = "lmtp:unix:";

	return next_hop != NULL && strncmp(next_hop, unix_hop,
	    sizeof unix_hop - 1) == 0 ? next_hop + sizeof unix_hop - 1 : NULL;
}

static void
warn_idle(const struct config_frame *frame, struct config_problems *problems,
    const char *key, const char *why)
{
	if (config_frame_has(frame, key))
		config_warn(problems, config_frame_line(frame, key),
		    "%s does nothing %s", key, why);
}

/* A next hop is asked about every address as it is. */
static void
check_idle_keys(const struct config_domain *domain,
    const struct config_frame *frame, struct config_problems *problems)
{
	static const char *const hop[] = { "mailbox", "quota", "names",
	    "case", "plus", "catch_all", "broken_alias" };
	static const char *const users[] = { "mailbox", "owner", "quota",
	    "names" };
	size_t i;

	if (domain->next_hop == NULL) {
		for (i = 0; i < sizeof users / sizeof *users &&
		    !config_frame_has(frame, "users"); i++)
			warn_idle(frame, problems, users[i],
			    "in a domain without users");
		return;
	}
	warn_idle(frame, problems, "aliases", "beside next_hop: the server "
	    "there has all addresses; say fallback instead of next_hop, and "
	    "it has those that are no aliases");
	for (i = 0; i < sizeof hop / sizeof *hop; i++)
		warn_idle(frame, problems, hop[i], "beside next_hop: the "
		    "server there has all addresses");
}

/* One host is known by what it is called: it cannot have two rules. */
static void
check_next_hop(const struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	const struct config_domain *domain = &config->domains[frame->index];
	const char *hop = config_domain_hop(domain);
	const struct config_domain *first;
	unsigned line = config_frame_line(frame, "tls");

	if (hop == NULL) {
		if (config_frame_has(frame, "tls"))
			config_error(problems, line, "tls is for a "
			    "next_hop, and this domain has none");
		return;
	}
	if (domain->next_hop_tls == HOP_TLS_REQUIRED &&
	    config_hop_path(hop) != NULL)
		config_error(problems, line, "a unix socket has no TLS");
	first = config_find_hop(config, hop);
	if (first->next_hop_tls != domain->next_hop_tls)
		config_error(problems, line, "next_hop \"%s\" has another tls "
		    "in the domain of line %u", hop, first->line);
}

bool
config_check_domain(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	struct config_domain *domain = &config->domains[frame->index];

	check_count(config, frame, problems);
	check_name(config, frame, problems);
	check_same_as(config, frame, problems);
	check_users(domain, frame, problems);
	check_next_hop(config, frame, problems);
	check_idle_keys(domain, frame, problems);
	take_users(domain);
	check_mailbox(config, frame, problems);
	return config_complete_address(&domain->catch_all, domain->name);
}
