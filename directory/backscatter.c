/* SPDX-License-Identifier: ISC */
/*
 * backscatter.c - `postern -n`: what could still fail after its 250.
 *
 * A route to mailboxes cannot: all copies are durable before the 250. What
 * is left are programs that write to the sender by themselves, addresses
 * that are made for everybody and lead away from here, and reports that have
 * no place to go. What can fail and comes home, to a mailbox here, is only
 * counted, with the first of its kind, so that a hundred lists are one line.
 */
#include <stdio.h>
#include <string.h>
#include "account_rights.h"
#include "lint.h"
#include "record.h"
#include "resolve_parts.h"

#define TEXT_MAX 1000

static void warn(struct lint *lint, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
warn(struct lint *lint, const char *format, ...)
{
	char text[TEXT_MAX] = "backscatter: ";
	size_t size = strlen(text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + size, sizeof text - size, format, ap);
	va_end(ap);
	lint_report(lint, true, text);
}

/* "FILE:LINE "what"" */
static void
write_place(char to[400], const struct lint *lint, uint32_t line,
    struct slice what)
{
	snprintf(to, 400, "%.200s:%u \"%.*s\"",
	    lint->domain->aliases->spec->path, line, RESOLVE_QUOTE(what));
}

/* What is at FILE:LINE comes home. */
static void
note_home(struct lint *lint, enum lint_home kind, uint32_t line,
    struct slice what)
{
	if (lint->n_home[kind]++ == 0)
		write_place(lint->first[kind], lint, line, what);
}

/* ---- programs ---- */

/* They answer, send on or refuse by mail of their own. */
static const char *const mailers[] = {
	"autorespond", "autoresponder", "bounce-email", "dovecot-lda",
	"esmtp", "exim", "exim4", "formail", "gnarwl", "mail", "mailbot",
	"maildrop", "mailman", "mailx", "majordomo", "mlmmj-receive",
	"mlmmj-recieve", "msmtp", "mutt", "procmail", "qmail-inject",
	"qreply", "reformail", "rt-mailgate", "s-nail", "sendmail", "ssmtp",
	"swaks", "vacation",
};

static bool
is_mailer(struct slice word)
{
	for (size_t i = 0; i < sizeof mailers / sizeof *mailers; i++)
		if (slice_equals(word, slice_of(mailers[i])))
			return true;
	return false;
}

/* The last component of each word, also of what a shell is given. */
static struct slice
find_mailer(struct slice command)
{
	size_t begin = 0;

	for (size_t i = 0; i <= command.size; i++) {
		char c = i < command.size ? command.data[i] : ' ';
		struct slice word = { command.data + begin, i - begin };

		if (strchr(" \t\"'|;&(){}=/", c) == NULL)
			continue;
		if (c != '/' && is_mailer(word))
			return word;
		begin = i + 1;
	}
	return SLICE("");
}

static void
check_program(struct lint *lint, const char *where,
    const struct record_target *target)
{
	struct slice mailer = find_mailer(target->text);

	if (mailer.size == 0) {
		note_home(lint, HOME_PROGRAM, target->line, target->text);
		return;
	}
	warn(lint, "%s:%u: \"|%.*s\": %.*s can write to whoever a message "
	    "names as its sender, after we have accepted it, and that may be "
	    "a stranger; let it answer only where Authentication-Results "
	    "says spf=pass or dkim=pass, or not at all, and use an alias to "
	    "send on or to refuse", where, target->line,
	    RESOLVE_QUOTE(target->text), RESOLVE_QUOTE(mailer));
}

static void
check_targets(struct lint *lint, const char *where, struct record_list list)
{
	struct record_target target;

	while (record_next_target(&list, &target)) {
		if (target.kind == ALIAS_PROGRAM)
			check_program(lint, where, &target);
		else if (target.kind == ALIAS_DISCARD)
			note_home(lint, HOME_DISCARD, target.line,
			    list.name);
	}
}

/* ---- names ---- */

/* It answers for everybody, before it knows whether he is there. */
static void
note_forward(struct lint *lint, uint32_t line, struct slice name,
    const struct resolved *found)
{
	unsigned at = lint->line;

	note_home(lint, HOME_FORWARD, line, name);
	if (!found->is_smart_host)
		return;
	lint->line = 0;
	warn(lint, "aliases that forward go through smart_host %s, which "
	    "accepts whatever we bring and bounces what fails later, to the "
	    "rewritten sender here and on to the first one; let forwards go "
	    "to mailboxes here, or send without a smart host",
	    found->destination);
	lint->line = at;
}

void
backscatter_alias(struct lint *lint, struct slice name,
    struct record_list list, const struct resolved *found)
{
	if (found->kind == ROUTE_LIST)
		note_home(lint, HOME_LIST, list.line, name);
	if (found->kind == ROUTE_HOP && found->is_forward)
		note_forward(lint, list.line, name, found);
	if (found->kind != ROUTE_MAILBOX && found->kind != ROUTE_REFUSE &&
	    found->kind != ROUTE_DISCARD && lint->n_without_junk++ == 0)
		write_place(lint->first_without_junk, lint, list.line, name);
	check_targets(lint, lint->domain->aliases->spec->path, list);
}

void
backscatter_include(struct lint *lint, struct slice path,
    struct record_list list)
{
	char where[300];

	snprintf(where, sizeof where, "%.*s", (int)(path.size > 290 ? 290 :
	    path.size), path.data);
	check_targets(lint, where, list);
}

void
backscatter_catch_all(struct lint *lint, const struct resolved *found)
{
	static const struct {
		const char *to, *harm;
	} ways[] = {
		[ROUTE_DISCARD] = { "throws mail away", "and who mistypes "
		    "one never hears of it" },
		[ROUTE_LIST] = { "leads away from this host", "and its spam "
		    "is sent on in our name" },
		[ROUTE_HOP] = { "leads away from this host", "and its spam "
		    "is sent on in our name" },
		[ROUTE_PROGRAM] = { "leads to a program", "and it is run for "
		    "each" },
	};
	const struct config_domain *domain = lint->domain->config;

	if (found->kind == ROUTE_MAILBOX || found->kind == ROUTE_REFUSE)
		return;
	warn(lint, "catch_all of domain \"%s\" %s: every address that "
	    "somebody invents there is accepted, %s; remove it, so that "
	    "unknown addresses are refused, or let it lead to a mailbox here",
	    domain->name, ways[found->kind].to, ways[found->kind].harm);
}

/* ---- reports of what could not be delivered ---- */

/* Mailboxes there take reports only by LMTP. */
static bool
is_here(struct lint *lint, const char *key, const char *address)
{
	const char *at = strrchr(address, '@');
	const struct catalog_domain *domain = at == NULL ? NULL :
	    catalog_find_domain(lint->catalog, slice_of(at + 1));

	if (domain == NULL)
		return false;
	if (domain->config->next_hop != NULL &&
	    !config_hop_is_lmtp(domain->config->next_hop))
		warn(lint, "%s \"%s\" has no mailbox here, but at %s: reports "
		    "of what could not be delivered never leave this host; "
		    "name a mailbox here in dsn_to", key, address,
		    domain->config->next_hop);
	return lint_is_complete(domain);
}

/* A full mailbox cannot take them, and there is nobody behind it. */
static void
check_last_resort(struct lint *lint, const char *key, const char *address)
{
	const struct resolved *found;

	if (!is_here(lint, key, address))
		return;
	found = account_find_mailbox(lint->resolver, SLICE(""));
	for (size_t i = 0; i < found->n_leaves; i++)
		if (found->leaves[i].quota_bytes > 0) {
			warn(lint, "%s \"%s\" has a quota: when that mailbox "
			    "is full, nobody can be told of what could not "
			    "be delivered; give it quota=0", key, address);
			return;
		}
}

static bool
has_own_mailbox(struct lint *lint, const char *user)
{
	size_t size = strcspn(user, "@");
	const struct resolved *found = account_find_mailbox(lint->resolver,
	    slice_of(user));
	struct slice to = { NULL, 0 };

	if (found->kind == ROUTE_MAILBOX)
		to = found->leaves[0].delivered_to;
	else if (found->kind == ROUTE_HOP)	/* by LMTP */
		to = slice_of(found->hop_address);
	return to.size > size && to.data[size] == '@' &&
	    memcmp(to.data, user, size) == 0;
}

static void
check_accounts(struct lint *lint)
{
	const struct config *config = lint->catalog->config;
	char text[TEXT_MAX];

	for (size_t i = 0; i < config->n_senders; i++) {
		const struct config_sender *sender = &config->senders[i];

		if (config->dsn_to != NULL ||
		    has_own_mailbox(lint, sender->user))
			continue;
		lint->line = sender->line;
		snprintf(text, sizeof text, "note: sender \"%.100s\" has no "
		    "mailbox: what it sends and cannot be delivered is "
		    "reported to postmaster; dsn_to may name another",
		    sender->user);
		lint_report(lint, true, text);
	}
}

void
backscatter_reports(struct lint *lint)
{
	const struct config *config = lint->catalog->config;

	lint->domain = NULL;
	/* what is broken has been said */
	resolver_set_trouble(lint->resolver, NULL, NULL);
	lint->line = config->dsn_to != NULL ? 0 : config->postmaster_line;
	if (config->dsn_to != NULL)
		check_last_resort(lint, "dsn_to", config->dsn_to);
	else if (config->postmaster != NULL)
		check_last_resort(lint, "postmaster", config->postmaster);
	check_accounts(lint);
}

/* ---- the notes ---- */

/* Of domains with a next hop postern/backscatter.c says the same. */
static void
warn_without_junk(struct lint *lint)
{
	const struct config *config = lint->catalog->config;

	if (config->checks.relay_peer.n == 0 || lint->n_without_junk == 0)
		return;
	lint->line = config->checks.relay_peer_line;
	warn(lint, "%zu aliases lead to a list, a program or another host, "
	    "where there is no .Junk (first: %s): what is refused of a "
	    "relay_peer's mail to them is bounced by that peer; let it ask us "
	    "for them, or let them lead to mailboxes here",
	    lint->n_without_junk, lint->first_without_junk);
}

void
backscatter_end(struct lint *lint)
{
	static const char *const texts[] = {
		[HOME_LIST] = "aliases with members elsewhere: what cannot be "
		    "delivered to those comes home, to the mailbox of "
		    "owner-NAME here",
		[HOME_FORWARD] = "aliases that forward: the next hop answers "
		    "before we do; what it bounces later comes back here, "
		    "and goes on only to a sender who had proven himself",
		[HOME_PROGRAM] = "programs: each answers by its exit status "
		    "before we do; see that it writes to no sender",
		[HOME_DISCARD] = "entries that throw mail away on purpose "
		    "(discard:): nobody is told, neither sender nor "
		    "recipient",
	};
	char text[TEXT_MAX];

	warn_without_junk(lint);
	lint->line = 0;
	for (size_t i = 0; i < HOME_COUNT; i++) {
		if (lint->n_home[i] == 0)
			continue;
		snprintf(text, sizeof text, "note: %zu %s (first: %s)",
		    lint->n_home[i], texts[i], lint->first[i]);
		lint_report(lint, true, text);
	}
}
