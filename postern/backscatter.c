/* SPDX-License-Identifier: ISC */
/*
 * backscatter.c - bounces that the configuration invites; see backscatter.h.
 */
#include <string.h>
#include "backscatter.h"

/* ---- bounces that come back ---- */

static bool
has_users_of_ours(const struct config *config)
{
	for (size_t i = 0; i < config->n_listens; i++)
		if (config->listens[i].role != LISTEN_MX)
			return true;
	return false;
}

/* Some mailboxes are here, and some at its fallback. */
static bool
is_split(const struct config_domain *domain)
{
	return domain->fallback != NULL && config_domain_has_users(domain);
}

/* Users at a fallback send by that host, as a rule. */
static const struct config_domain *
find_split(const struct config *config)
{
	for (size_t i = 0; i < config->n_domains; i++)
		if (is_split(&config->domains[i]))
			return &config->domains[i];
	return NULL;
}

/* What our users send elsewhere has neither a tag nor a record here. */
static void
check_untagged(const struct config *config, struct config_problems *problems)
{
	const struct config_checks *checks = &config->checks;
	const struct config_domain *split = find_split(config);
	unsigned line = checks->untagged_line;

	if (checks->untagged_bounces == UNTAGGED_ACCEPT)
		config_problem_add(problems, line, true, "backscatter: "
		    "untagged_bounces = accept: bounces of mail that your "
		    "users never sent reach them; say prove, and let all of "
		    "their mail leave through this server");
	else if (config->n_domains > 0 && !has_users_of_ours(config))
		config_problem_add(problems, line, true, "backscatter: mail "
		    "of your users leaves through other servers, as no listen "
		    "here is for them (role submission or local), and its "
		    "bounces cannot prove themselves: they are refused. Let "
		    "it leave through this server, or say untagged_bounces = "
		    "accept");
	else if (split != NULL)
		config_problem_add(problems, split->line, true, "backscatter: "
		    "bounces to the users at the fallback of domain \"%s\" "
		    "are refused unless their mail, too, leaves through this "
		    "server; where it does not, say untagged_bounces = "
		    "accept", split->name);
	if (checks->untagged_bounces == UNTAGGED_REFUSE &&
	    config->batv_exempt.n > 0)
		config_problem_add(problems, line, true, "backscatter: "
		    "untagged_bounces = refuse turns away each bounce from "
		    "\"%s\", as mail to it leaves without a tag (batv "
		    "exempt); say prove", config->batv_exempt.items[0]);
}

/* ---- hosts in front of us and behind us ---- */

static void
check_relay_peers(const struct config *config,
    struct config_problems *problems)
{
	const struct config_strings *peers = &config->checks.relay_peer;
	unsigned line = config->checks.relay_peer_line;

	if (peers->n == 0)
		return;
	config_problem_add(problems, line, true, "backscatter: relay_peer "
	    "\"%s\"%s accepts mail before it asks here, and bounces what is "
	    "for unknown recipients to whoever a message names as its "
	    "sender. Let that host ask us about each recipient before its "
	    "own 250 (Postfix: reject_unverified_recipient; Exim: verify = "
	    "recipient/callout), or let mail come here directly",
	    peers->items[0], peers->n > 1 ? " and others" : "");
	for (size_t i = 0; i < config->n_domains; i++)
		if (config_domain_hop(&config->domains[i]) != NULL)
			config_problem_add(problems, config->domains[i].line,
			    true, "backscatter: domain \"%s\" has no .Junk "
			    "here: what its next hop or a check refuses of a "
			    "relay_peer's mail is bounced by that peer; let "
			    "it bring such mail to the next hop itself",
			    config->domains[i].name);
}

static void
check_next_hop(const struct config_domain *domain, bool is_asked,
    struct config_problems *problems)
{
	const char *hop = config_domain_hop(domain);
	bool is_lmtp = config_hop_is_lmtp(hop);

	if (is_lmtp)
		config_problem_add(problems, domain->line, true, "note: "
		    "domain \"%s\" goes on to %s, which answers for each "
		    "recipient before we do; what it sends after that (a "
		    "Sieve reject, redirect or vacation, the mail of a list) "
		    "is its own, and bounces of that are refused unless it "
		    "leaves through this server, or untagged_bounces = accept",
		    domain->name, hop);
	else if (!is_asked)
		config_problem_add(problems, domain->line, true,
		    "backscatter: domain \"%s\" goes on to %s: if that server "
		    "accepts recipients that it does not have, it bounces "
		    "them later, to whoever a message names as its sender; "
		    "\"postern -n -a\" asks it", domain->name, hop);
	if (!is_lmtp && !is_split(domain))
		config_problem_add(problems, domain->line, true, "note: "
		    "bounces to the users of domain \"%s\" are refused unless "
		    "their mail leaves through this server, and not by %s, or "
		    "untagged_bounces = accept", domain->name, hop);
}

/* ---- what is dropped ---- */

static void
check_milter(const struct config_filter *milter,
    struct config_problems *problems)
{
	if (milter->discard == DISPOSAL_DROP)
		config_problem_add(problems, milter->line, true, "note: what "
		    "milter \"%s\" discards is accepted and thrown away "
		    "(discard = drop): nobody is told; refuse tells the "
		    "sender", milter->text);
}

void
backscatter_check(const struct config *config, bool is_asked,
    struct config_problems *problems)
{
	check_untagged(config, problems);
	check_relay_peers(config, problems);
	for (size_t i = 0; i < config->n_domains; i++)
		if (config_domain_hop(&config->domains[i]) != NULL)
			check_next_hop(&config->domains[i], is_asked,
			    problems);
	for (size_t i = 0; i < config->n_milters; i++)
		check_milter(&config->milters[i], problems);
}
