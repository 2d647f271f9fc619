/* SPDX-License-Identifier: ISC */
/*
 * config_domain.c - checks of one section domain, and against those before.
 */
#include <stdlib.h>
#include <string.h>
#include "config_frame.h"

const struct config_domain *
config_find_domain(const struct config *config, struct slice name)
{
	return config_index_find(config, CONFIG_BY_NAME, name);
}

/* ---- names ---- */

static bool
check_name(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	const char *name = config->domains[frame->index].name;
	const struct config_domain *first;

	if (name == NULL)	/* a bad title, reported */
		return true;
	first = config_find_domain(config, slice_of(name));
	if (first != NULL)
		config_error(problems, frame->line, "domain \"%s\" stands "
		    "twice, first on line %u", name, first->line);
	return config_index_add(config, CONFIG_BY_NAME, name, frame->index);
}

static bool
check_same_as(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	const struct config_domain *domain = &config->domains[frame->index];
	unsigned line = config_frame_line(frame, "same_as");

	for (size_t i = 0; i < domain->same_as.n; i++) {
		const char *name = domain->same_as.items[i];
		const struct config_domain *first = config_find_domain(config,
		    slice_of(name));

		if (first == domain || (domain->name != NULL &&
		    strcmp(domain->name, name) == 0))
			config_error(problems, line, "same_as \"%s\" stands "
			    "twice in this domain", name);
		else if (first != NULL)
			config_error(problems, line, "same_as \"%s\" belongs "
			    "to the domain of line %u already", name,
			    first->line);
		if (!config_index_add(config, CONFIG_BY_NAME, name,
		    frame->index))
			return false;
	}
	return true;
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
	/* "" is none, what is wrong in itself is told already */
	bool has_names = has_users || domain->aliases != NULL ||
	    (config_frame_has(frame, "aliases") && config_problems_has_line(
	    problems, config_frame_line(frame, "aliases")));

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

/* alice of the one domain would read the mail of alice of the other, or
 * whoever is first keeps the other's out. */
static bool
check_shared(struct config *config, const struct config_frame *frame,
    unsigned line, struct config_problems *problems)
{
	const struct config_domain *domain = &config->domains[frame->index];
	const struct config_domain *other = config_index_find(config,
	    CONFIG_BY_MAILBOX, slice_of(domain->mailbox));

	if (other != NULL && !text_equals(other->users_table,
	    domain->users_table))
		config_warn(problems, line, "mailbox \"%s\" is also that of "
		    "the domain on line %u, whose users are others: equal "
		    "names share a mailbox; put %%d into it",
		    domain->mailbox, other->line);
	else if (other != NULL && !text_equals(other->owner, domain->owner))
		config_warn(problems, line, "mailbox \"%s\" is also that of "
		    "the domain on line %u, whose owner is another: only one "
		    "of them can write it; put %%d into it",
		    domain->mailbox, other->line);
	return config_index_add(config, CONFIG_BY_MAILBOX, domain->mailbox,
	    frame->index);
}

static bool
check_mailbox(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	const struct config_domain *domain = &config->domains[frame->index];
	unsigned line = config_frame_line(frame, "mailbox");

	if (config_problems_has_line(problems, line) ||
	    !config_domain_has_users(domain))
		return true;
	if (domain->mailbox[0] == '/') {
		if (!names_one_of(domain->mailbox, "un"))
			config_warn(problems, line, "mailbox \"%s\" has no "
			    "%%u: all users share it", domain->mailbox);
		else if (!names_one_of(domain->mailbox, "d"))
			return check_shared(config, frame, line, problems);
		return true;
	}
	if (domain->users_table != NULL)
		config_error(problems, line, "users of a table have no home "
		    "directory: mailbox needs an absolute path, such as "
		    "\"/var/vmail/%%d/%%u\"");
	else if (domain->owner != NULL)
		config_error(problems, config_frame_line(frame, "owner"),
		    "owner does not fit a mailbox in the home directory of "
		    "each user");
	return true;
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
	return config_index_find(config, CONFIG_BY_HOP, slice_of(next_hop));
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

/* ---- all of it ---- */

/* What later domains, and whoever asks for one, can be told of this one. */
static bool
note_files_and_hop(struct config *config, const struct config_frame *frame)
{
	const struct config_domain *domain = &config->domains[frame->index];
	const char *what[CONFIG_INDICES] = {
		[CONFIG_BY_HOP] = config_domain_hop(domain),
		[CONFIG_BY_USERS] = domain->users_table,
		[CONFIG_BY_ALIASES] = domain->aliases };

	for (size_t i = 0; i < CONFIG_INDICES; i++)
		if (what[i] != NULL && !config_index_add(config, i, what[i],
		    frame->index))
			return false;
	return true;
}

struct counts {
	size_t names, tables;
};

static struct counts
count(const struct config *config)
{
	return (struct counts){ config->indices[CONFIG_BY_NAME].n,
		config->indices[CONFIG_BY_USERS].n +
		config->indices[CONFIG_BY_ALIASES].n };
}

/* Said once, by the section that has one too many. */
static void
check_counts(const struct config *config, const struct config_frame *frame,
    const struct counts *before, struct config_problems *problems)
{
	const struct counts now = count(config);

	if (before->names <= CONFIG_MAX_DOMAINS &&
	    now.names > CONFIG_MAX_DOMAINS)
		config_error(problems, frame->line,
		    "more than %d names of domains", CONFIG_MAX_DOMAINS);
	if (before->tables <= CONFIG_MAX_TABLES &&
	    now.tables > CONFIG_MAX_TABLES)
		config_error(problems, frame->line, "more than %d files of "
		    "users and aliases; several domains can have one",
		    CONFIG_MAX_TABLES);
}

bool
config_check_domain(struct config *config, const struct config_frame *frame,
    struct config_problems *problems)
{
	struct config_domain *domain = &config->domains[frame->index];
	const struct counts before = count(config);

	if (!check_name(config, frame, problems) ||
	    !check_same_as(config, frame, problems))
		return false;
	check_users(domain, frame, problems);
	take_users(domain);
	if (!note_files_and_hop(config, frame))
		return false;
	check_counts(config, frame, &before, problems);
	check_next_hop(config, frame, problems);
	check_idle_keys(domain, frame, problems);
	return check_mailbox(config, frame, problems) &&
	    config_complete_address(&domain->catch_all, domain->name);
}
