/* SPDX-License-Identifier: ISC */
/*
 * resolve.c - from an address to its answer; see resolve.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "hops.h"

struct resolver *
resolver_new(struct catalog *catalog)
{
	struct resolver *r = calloc(1, sizeof *r);

	if (r != NULL) {
		r->catalog = catalog;
		r->out.explanation.maximum = RESOLVE_EXPLANATION_MAX;
	}
	return r;
}

void
resolver_free(struct resolver **resolver)
{
	struct resolver *r = *resolver;

	if (r == NULL)
		return;
	arena_free(&r->arena);
	string_set_free(&r->seen);
	buf_free(&r->out.explanation);
	free(r->out.leaves);
	free(r->out.members);
	resolver_free(&r->list.second);
	free(r);
	*resolver = NULL;
}

void
resolver_set_trouble(struct resolver *resolver, resolver_trouble_fn *fn,
    void *arg)
{
	resolver->trouble_fn = fn;
	resolver->trouble_arg = arg;
}

void
resolve_begin(struct resolver *r, bool explains)
{
	arena_reset(&r->arena);
	string_set_reset(&r->seen);
	r->asked = NULL;
	r->out.kind = ROUTE_REFUSE;
	r->out.verdict.code = r->refusal.code = 0;
	r->out.is_unknown_user = r->out.is_exempt = false;
	r->out.is_elsewhere = false;
	r->out.guess.size = 0;
	r->out.alarm[0] = r->refusal_text[0] = '\0';
	buf_consume(&r->out.explanation, r->out.explanation.size);
	r->out.n_leaves = r->out.n_members = 0;
	r->out.destination[0] = '\0';
	r->out.program.size = 0;
	r->list.owner = r->list.last = (struct list_owner){ 0 };
	r->allows_lists = false;
	r->n_refused = r->n_discarded = 0;
	r->explains = explains;
	r->is_broken = false;
}

/* ---- what is broken, what is told ---- */

void
resolve_explain(struct resolver *r, const char *format, ...)
{
	struct buf *out = &r->out.explanation;
	size_t begin = out->size;
	va_list ap;

	if (!r->explains)
		return;
	va_start(ap, format);
	/* whole lines or nothing: what is over the limit is cut off */
	if (buf_vprintf(out, format, ap) != 0 || buf_puts(out, "\n") != 0)
		out->size = begin;
	va_end(ap);
}

void
resolve_describe(char *to, size_t room, const struct step *step)
{
	const struct step *alias = step;
	char line[16] = "";

	if (step != NULL && step->line > 0)
		snprintf(line, sizeof line, ":%u", step->line);
	while (alias != NULL && alias->kind == STEP_INCLUDE)
		alias = alias->up;
	if (step == NULL)
		*to = '\0';
	else if (step->kind == STEP_POSTMASTER)
		snprintf(to, room, "postmaster: ");
	else if (step->kind == STEP_CATCH_ALL)
		snprintf(to, room, "catch_all of domain \"%s\": ",
		    step->domain->config->name);
	else if (alias == NULL || alias->kind != STEP_ALIAS)
		snprintf(to, room, "%s%s: ", step->path, line);
	else
		snprintf(to, room, "%s%s: alias \"%.*s\": ", step->path,
		    line, RESOLVE_QUOTE(alias->name));
}

/*
 * What the domain wants to be told as 5xx: that an alias of its own is
 * broken, and not what is wrong with a mailbox, with the directory itself,
 * or with the addresses that have to exist.
 */
static bool
is_permanent(const struct resolver *r, const struct step *step,
    enum trouble trouble)
{
	if (r->asked == NULL || !r->asked->config->is_broken_permanent ||
	    r->out.is_exempt)
		return false;
	return trouble == TROUBLE_LOOP || trouble == TROUBLE_DEAD ||
	    (trouble == TROUBLE_UNREADABLE && step != NULL);
}

static void
set_trouble_verdict(struct verdict *verdict, enum trouble trouble, int code)
{
	switch (trouble) {
	case TROUBLE_LOOP:
		verdict_set(verdict, code, 4, 6, "this address leads round in "
		    "a circle here; our postmaster has to mend it");
		break;
	case TROUBLE_DEAD:
		verdict_set(verdict, code, 2, 4, "this address leads to a "
		    "mailbox that is not here; our postmaster has to mend it");
		break;
	case TROUBLE_UNREADABLE:
		verdict_set(verdict, code, 3, 5, "this address is not set up "
		    "correctly here; our postmaster has to mend it");
		break;
	case TROUBLE_UNKNOWN:
		verdict_set(verdict, 451, 4, 3, "our directory cannot tell "
		    "now whether this address exists");
		break;
	}
}

void
resolve_trouble(struct resolver *r, const struct step *step,
    enum trouble trouble, const char *format, ...)
{
	char text[RESOLVE_ALARM_MAX + 1], where[RESOLVE_ALARM_MAX + 1];
	char whole[2 * RESOLVE_ALARM_MAX + 1];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	resolve_describe(where, sizeof where, step);
	snprintf(whole, sizeof whole, "%s%s", where, text);
	resolve_explain(r, "problem: %s", whole);
	if (r->trouble_fn != NULL)
		r->trouble_fn(whole, r->trouble_arg);
	if (r->is_broken)
		return;
	r->is_broken = true;
	snprintf(r->out.alarm, sizeof r->out.alarm, "%.*s",
	    RESOLVE_ALARM_MAX, whole);
	set_trouble_verdict(&r->out.verdict, trouble,
	    is_permanent(r, step, trouble) ? 550 : 451);
}

/* ---- one address ---- */

/* The table whose source may know more than it does, or NULL. */
static const struct catalog_slot *
find_outdated(const struct catalog_domain *domain)
{
	const struct catalog_slot *const slots[] = { domain->users,
		domain->aliases, domain->names };

	for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
		if (slots[i] != NULL && slots[i]->is_outdated)
			return slots[i];
	return NULL;
}

/* The postmaster was told when it could not be compiled: no alarm here. */
static void
refuse_unknown(struct resolver *r, struct slice local,
    const struct catalog_domain *domain)
{
	const struct catalog_slot *outdated = find_outdated(domain);

	if (outdated != NULL) {
		set_trouble_verdict(&r->out.verdict, TROUBLE_UNKNOWN, 451);
		resolve_explain(r, "%.*s@%s: not in the tables in use; %s has "
		    "an error and may know it (posternctl tables)",
		    RESOLVE_QUOTE(local), domain->config->name,
		    outdated->spec->path);
		return;
	}
	r->out.is_unknown_user = true;
	verdict_set(&r->out.verdict, 550, 1, 1, "no such mailbox here");
	resolve_explain(r, "%.*s@%s: no user%s of this name",
	    RESOLVE_QUOTE(local), domain->config->name,
	    domain->names ? ", alias or partial name" : " or alias");
}

/* name is the domain's, or one of its same_as. */
static void
resolve_fronted(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct slice name)
{
	const struct record_target target = { .kind = ALIAS_ADDRESS,
		.text = local, .domain = name };

	hop_front(r, NULL, domain, &target);
}

static void
resolve_local(struct resolver *r, struct catalog_domain *domain,
    struct slice local, struct slice name)
{
	struct found found;

	lookup_plus(r, domain, local, &found);
	if (found.kind == FOUND_NOTHING && r->out.is_exempt) {
		expand_postmaster(r, NULL, domain);
		return;
	}
	if (found.kind == FOUND_NOTHING)
		lookup_partial(r, domain, local, &found);
	if (found.kind == FOUND_AMBIGUOUS)
		verdict_set(&r->out.verdict, 553, 1, 4, "more than one "
		    "mailbox here may be meant; use a complete address");
	else if (found.kind != FOUND_NOTHING)
		expand_found(r, NULL, domain, &found);
	else if (domain->config->catch_all != NULL)
		expand_catch_all(r, NULL, domain);
	else if (domain->config->fallback != NULL)
		resolve_fronted(r, domain, local, name);
	else
		refuse_unknown(r, local, domain);
}

/* <Postmaster> alone: the origin's, if that domain is ours. */
static void
resolve_bare(struct resolver *r, struct slice local)
{
	const char *origin = r->catalog->config->origin;
	struct catalog_domain *domain = origin == NULL ? NULL :
	    catalog_find_domain(r->catalog, slice_of(origin));

	r->out.is_exempt = slice_equals_nocase(local, SLICE("postmaster"));
	if (!r->out.is_exempt)
		verdict_set(&r->out.verdict, 553, 1, 3,
		    "the address has no domain");
	else if (domain != NULL && domain->config->next_hop != NULL)
		resolve_fronted(r, domain, local, slice_of(origin));
	else if (domain != NULL)
		resolve_local(r, domain, local, slice_of(origin));
	else
		expand_postmaster(r, NULL, domain);
}

static void
resolve_at(struct resolver *r, struct slice local, struct slice name)
{
	struct catalog_domain *domain = catalog_find_domain(r->catalog, name);

	if (domain == NULL) {
		r->out.is_elsewhere = true;
		verdict_set(&r->out.verdict, 550, 7, 1,
		    "we do not take mail for this domain");
		resolve_explain(r, "\"%.*s\" is not a domain of this server",
		    RESOLVE_QUOTE(name));
		return;
	}
	if (!slice_equals(name, slice_of(domain->config->name)))
		resolve_explain(r, "domain \"%.*s\" is the same as \"%s\"",
		    RESOLVE_QUOTE(name), domain->config->name);
	r->asked = domain;
	r->out.is_exempt = record_is_exempt(local);
	if (domain->config->next_hop != NULL)
		resolve_fronted(r, domain, local, name);
	else
		resolve_local(r, domain, local, name);
}

/* ---- the answer ---- */

/* Somebody gets it. */
static bool
has_targets(const struct resolved *out)
{
	return out->n_leaves > 0 || out->n_members > 0 ||
	    *out->destination != '\0' || out->program.size > 0;
}

static enum route_kind
kind_of(const struct resolved *out)
{
	if (out->n_members > 0)
		return ROUTE_LIST;
	if (*out->destination != '\0')
		return ROUTE_HOP;
	if (out->program.size > 0)
		return ROUTE_PROGRAM;
	return out->n_leaves > 0 ? ROUTE_MAILBOX : ROUTE_DISCARD;
}

/*
 * A verdict that is set already stands. Else: mailboxes, or a list where some
 * members are elsewhere, or a next hop or program, unless an error: entry is
 * among them (nobody can be told so after the 250); an error: entry alone;
 * discard: alone; or nothing at all.
 */
const struct resolved *
resolve_end(struct resolver *r)
{
	struct resolved *out = &r->out;

	if (out->verdict.code == 0 && out->n_members > 0)
		list_end(r);
	if (out->verdict.code == 0)
		program_end(r);
	if (out->verdict.code == 0 && r->n_refused > 0) {
		if (has_targets(out) || r->n_discarded > 0)
			resolve_trouble(r, NULL, TROUBLE_DEAD, "%s",
			    r->refusal_text);
		else
			out->verdict = r->refusal;
	}
	if (out->verdict.code == 0 && !has_targets(out) &&
	    r->n_discarded == 0)
		resolve_trouble(r, NULL, TROUBLE_DEAD, "%s",
		    r->refusal_text);
	if (out->verdict.code != 0) {
		out->kind = ROUTE_REFUSE;
		out->n_leaves = out->n_members = 0;
		out->destination[0] = '\0';
		out->program.size = 0;
	} else {
		out->kind = kind_of(out);
	}
	return out;
}

static const struct resolved *
find(struct resolver *r, struct slice local, struct slice domain)
{
	if (domain.size == 0)
		resolve_bare(r, local);
	else
		resolve_at(r, local, domain);
	return resolve_end(r);
}

const struct resolved *
resolver_find(struct resolver *r, struct slice local, struct slice domain,
    bool explains)
{
	resolve_begin(r, explains);
	r->allows_lists = true;
	return find(r, local, domain);
}

const struct resolved *
resolver_find_mailbox(struct resolver *r, struct slice local,
    struct slice domain)
{
	resolve_begin(r, false);
	return find(r, local, domain);
}
