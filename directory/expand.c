/* SPDX-License-Identifier: ISC */
/*
 * expand.c - following aliases to their last leaf; see resolve_parts.h.
 *
 * Every alias and include is followed once per resolution, so that the
 * work is bounded by the size of the tables whatever the graph looks like;
 * one that is met again above itself is a loop.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "hops.h"

static void follow_address(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target);

/* ---- loops ---- */

static bool
is_same_step(const struct step *a, const struct step *b)
{
	return a->kind == b->kind && a->domain == b->domain &&
	    slice_equals(a->name, b->name);
}

/* "a -> b -> a", outermost first: from the first visit to the second. */
static void
write_loop(struct buf *out, const struct step *step, const struct step *end)
{
	if (step == NULL)
		return;
	if (step != end && step->up != NULL)
		write_loop(out, step->up, end);
	(void)buf_printf(out, "%.*s -> ", RESOLVE_QUOTE(step->name));
}

static void
report_loop(struct resolver *r, const struct step *step,
    const struct step *first)
{
	struct buf path = { .maximum = 400 };

	write_loop(&path, step->up, first);
	(void)buf_append_slice(&path, step->name);
	resolve_trouble(r, step->up, TROUBLE_LOOP, "a loop: %s",
	    path.data ? path.data : "");
	buf_free(&path);
}

/*
 * May step be entered? Not if it is above itself, too deep, or done
 * already.
 */
static bool
enter(struct resolver *r, const struct step *step)
{
	char head[32];
	struct buf key = { 0 };
	struct slice kept = { NULL, 0 };
	int added;

	for (const struct step *s = step->up; s != NULL; s = s->up)
		if (is_same_step(s, step)) {
			report_loop(r, step, s);
			return false;
		}
	if (step->depth > RESOLVE_MAX_DEPTH) {
		resolve_trouble(r, step->up, TROUBLE_LOOP, "more than %d "
		    "aliases in a row", RESOLVE_MAX_DEPTH);
		return false;
	}
	/* paths of mailboxes begin with a slash, so these are different */
	snprintf(head, sizeof head, "%d:%zu:", (int)step->kind,
	    (size_t)(step->domain - r->catalog->domains));
	if (buf_puts(&key, head) == 0 &&
	    buf_append_slice(&key, step->name) == 0)
		kept = arena_copy(&r->arena, buf_slice(&key));
	buf_free(&key);
	added = kept.data ? string_set_add(&r->seen, kept) : -ENOMEM;
	if (added < 0)
		resolve_trouble(r, step->up, TROUBLE_UNKNOWN,
		    "out of memory");
	return added > 0;
}

static struct step
step_below(const struct step *up, enum step_kind kind,
    struct catalog_domain *domain, struct slice name, const char *path)
{
	return (struct step){ .up = up, .kind = kind, .domain = domain,
		.depth = up ? up->depth + 1 : 1, .name = name,
		.path = path };
}

/* ---- targets ---- */

/* The alias that this step belongs to, its includes left out. */
static const struct step *
enclosing_alias(const struct step *step)
{
	while (step != NULL && step->kind == STEP_INCLUDE)
		step = step->up;
	return step != NULL && step->kind == STEP_ALIAS ? step : NULL;
}

/* An alias that names itself means the mailbox of that name. */
static bool
names_itself(struct resolver *r, const struct step *step,
    const struct catalog_domain *domain, struct slice local)
{
	const struct step *alias = enclosing_alias(step);

	return alias != NULL && alias->domain == domain &&
	    slice_equals(lookup_fold(r, domain, local), alias->name);
}

static void
refuse(struct resolver *r, const struct step *step,
    const struct record_target *target)
{
	char where[RESOLVE_ALARM_MAX + 1];

	resolve_explain(r, "refused: %u %u.%u.%u %.*s", target->code,
	    target->code / 100, target->subject, target->detail,
	    RESOLVE_QUOTE(target->text));
	if (r->n_refused++ > 0)
		return;
	verdict_set(&r->refusal, target->code, target->subject,
	    target->detail, "%.*s", (int)target->text.size,
	    target->text.data);
	resolve_describe(where, sizeof where, step);
	snprintf(r->refusal_text, sizeof r->refusal_text,
	    "%.300s\"error:\" among other targets", where);
}

/* The target's own domain, or its alias's. False: its mailboxes are another
 * host's, and the target is kept for that host. */
static bool
find_domain(struct resolver *r, const struct step *step,
    struct catalog_domain **domain, const struct record_target *target)
{
	if (target->domain.size > 0)
		*domain = catalog_find_domain(r->catalog, target->domain);
	if (*domain != NULL && (*domain)->config->next_hop == NULL)
		return true;
	list_add(r, step, *domain, target);
	return false;
}

/* The rest of the domain is at its fallback: where it has no users here, a
 * bare name, too, is one of those there. */
static bool
is_at_fallback(const struct catalog_domain *domain,
    const struct record_target *target)
{
	return domain->config->fallback != NULL && (target->domain.size > 0 ||
	    !config_domain_has_users(domain->config));
}

static void
follow_fallback(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target)
{
	struct record_target whole = *target;

	if (whole.domain.size == 0)
		whole.domain = slice_of(domain->config->name);
	list_add(r, step, domain, &whole);
}

/* "\name": elsewhere there is no alias of ours to leave out. */
static void
follow_mailbox(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target)
{
	struct found found;

	if (!find_domain(r, step, &domain, target))
		return;
	lookup_user(r, domain, target->text, &found);
	if (found.kind != FOUND_NOTHING)
		expand_found(r, step, domain, &found);
	else if (is_at_fallback(domain, target))
		follow_fallback(r, step, domain, target);
	else
		resolve_trouble(r, step, TROUBLE_DEAD, "\"\\%.*s\" has no "
		    "mailbox in %s", RESOLVE_QUOTE(target->text),
		    domain->config->name);
}

static void follow_include(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, struct slice path);

static void
follow_target(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target)
{
	switch (target->kind) {
	case ALIAS_ADDRESS:
		follow_address(r, step, domain, target);
		break;
	case ALIAS_MAILBOX:
		follow_mailbox(r, step, domain, target);
		break;
	case ALIAS_INCLUDE:
		follow_include(r, step, domain, target->text);
		break;
	case ALIAS_PROGRAM:
		program_add(r, step, target);
		break;
	case ALIAS_FILE:
		resolve_trouble(r, step, TROUBLE_UNREADABLE, "\"%.*s\": "
		    "delivery into files is not supported%s",
		    RESOLVE_QUOTE(target->text), slice_equals(target->text,
		    SLICE("/dev/null")) ? "; write discard: instead" : "");
		break;
	case ALIAS_ERROR:
		refuse(r, step, target);
		break;
	case ALIAS_DISCARD:
		resolve_explain(r, "discarded on purpose");
		r->n_discarded++;
		break;
	}
}

/*
 * An address inside an alias. A bare name is a user, alias or plus-address
 * of the same domain; one with a domain may also be its catch-all's, or its
 * fallback's. A partial name is never guessed at here.
 */
static void
follow_address(struct resolver *r, const struct step *step,
    struct catalog_domain *domain, const struct record_target *target)
{
	struct slice local = target->text;
	struct found found;

	if (!find_domain(r, step, &domain, target))
		return;
	if (names_itself(r, step, domain, local))
		lookup_user(r, domain, local, &found);
	else
		lookup_plus(r, domain, local, &found);
	if (found.kind != FOUND_NOTHING)
		expand_found(r, step, domain, &found);
	else if (record_is_exempt(local))
		expand_postmaster(r, step, domain);
	else if (target->domain.size > 0 &&
	    domain->config->catch_all != NULL &&
	    (step == NULL || step->kind != STEP_CATCH_ALL))
		expand_catch_all(r, step, domain);
	else if (is_at_fallback(domain, target))
		follow_fallback(r, step, domain, target);
	else
		resolve_trouble(r, step, TROUBLE_DEAD, "\"%.*s\" is no user "
		    "or alias of %s", RESOLVE_QUOTE(local),
		    domain->config->name);
}

/* ---- lists ---- */

static void
explain_list(struct resolver *r, struct record_list list,
    const struct step *step)
{
	struct buf text = { .maximum = 1000 };
	struct record_target target;
	const char *between = "";

	if (!r->explains)
		return;
	while (record_next_target(&list, &target)) {
		static const char *const prefixes[] = {
			[ALIAS_ADDRESS] = "", [ALIAS_MAILBOX] = "\\",
			[ALIAS_INCLUDE] = ":include:", [ALIAS_PROGRAM] = "|",
			[ALIAS_FILE] = "", [ALIAS_ERROR] = "error:",
			[ALIAS_DISCARD] = "discard:" };

		(void)buf_printf(&text, "%s%s%.*s%s%.*s", between,
		    prefixes[target.kind], RESOLVE_QUOTE(target.text),
		    target.domain.size ? "@" : "",
		    RESOLVE_QUOTE(target.domain));
		between = ", ";
	}
	if (step->kind == STEP_INCLUDE)
		resolve_explain(r, ":include:%s -> %s", step->path,
		    text.data ? text.data : "");
	else
		resolve_explain(r, "%.*s@%s: alias \"%.*s\" at %s:%u -> %s",
		    RESOLVE_QUOTE(step->name), step->domain->config->name,
		    RESOLVE_QUOTE(step->name), step->path, step->line,
		    text.data ? text.data : "");
	buf_free(&text);
}

static void
follow_list(struct resolver *r, struct step *step, struct record_list list)
{
	char where[RESOLVE_ALARM_MAX + 1];
	struct record_target target;

	if (list.n_targets == 0) {
		/* no harm where others are left in the same alias */
		resolve_explain(r, "%s: an empty list", step->path);
		resolve_describe(where, sizeof where, step);
		if (r->n_refused == 0)
			snprintf(r->refusal_text, sizeof r->refusal_text,
			    "%.300san empty list, and nobody else", where);
		return;
	}
	while (record_next_target(&list, &target)) {
		step->line = target.line;
		follow_target(r, step, step->domain, &target);
	}
	if (list.n_targets > 0)
		resolve_trouble(r, step, TROUBLE_UNKNOWN, "a damaged entry "
		    "in its compiled table");
}

/* The table does not say, or nobody can ask it now. */
static void
report_unknown(struct resolver *r, const struct step *step,
    const struct catalog_slot *slot, int error)
{
	if (error == -ENOMEM)
		resolve_trouble(r, step, TROUBLE_UNKNOWN, "out of memory");
	else if (slot == NULL)
		resolve_trouble(r, step, TROUBLE_UNKNOWN,
		    "the system's users cannot be looked up now%s",
		    passwd_why_unknown(r->catalog->passwd));
	else if (error == -ESTALE)
		resolve_trouble(r, step, TROUBLE_UNKNOWN, "%s: too many "
		    "entries are gone, this one among them, until "
		    "\"posternctl tables accept\"", slot->spec->path);
	else
		resolve_trouble(r, step, TROUBLE_UNKNOWN, "%s: its compiled "
		    "table %s.db is damaged or missing", slot->spec->path,
		    slot->spec->name);
}

static void
follow_include(struct resolver *r, const struct step *up,
    struct catalog_domain *domain, struct slice path)
{
	struct slice kept = arena_copy(&r->arena, path), value;
	struct step step = step_below(up, STEP_INCLUDE, domain, kept,
	    kept.data);
	struct record_list list;
	int error;

	if (kept.data == NULL) {
		report_unknown(r, up, NULL, -ENOMEM);
		return;
	}
	if (!enter(r, &step))
		return;
	error = catalog_get(r->catalog, domain->aliases, RECORD_INCLUDE, kept,
	    &value);
	if (!error)
		value = arena_copy(&r->arena, value);
	if (error || value.data == NULL || !record_get_list(value, &list)) {
		report_unknown(r, up, domain->aliases, -EIO);
		return;
	}
	if (list.name.size > 0) {
		resolve_trouble(r, up, TROUBLE_UNREADABLE,
		    ":include:%s cannot be read: %.*s", kept.data,
		    RESOLVE_QUOTE(list.name));
		/* `postern -n` wants what else is wrong in the rest */
		if (list.n_targets == 0)
			return;
	}
	explain_list(r, list, &step);
	follow_list(r, &step, list);
}

void
expand_found(struct resolver *r, const struct step *up,
    struct catalog_domain *domain, const struct found *found)
{
	struct step step;

	if (found->kind == FOUND_UNKNOWN) {
		report_unknown(r, up, found->slot, found->error);
	} else if (found->kind == FOUND_USER) {
		mailbox_add(r, up, domain, &found->user);
	} else if (found->kind == FOUND_ALIAS) {
		step = step_below(up, STEP_ALIAS, domain, found->alias_name,
		    domain->aliases->spec->path);
		step.line = found->alias.line;
		if (!enter(r, &step))
			return;
		explain_list(r, found->alias, &step);
		follow_list(r, &step, found->alias);
	}
}

/* ---- addresses in the configuration ---- */

static void
follow_text(struct resolver *r, struct step *step, const char *text)
{
	struct address address;
	struct record_target target = { .kind = ALIAS_ADDRESS };

	if (!enter(r, step))
		return;
	/* config_parse has completed and checked both */
	if (text == NULL || address_parse(&address, slice_of(text),
	    ADDRESS_ALLOW_UTF8) != ADDRESS_OK) {
		resolve_trouble(r, step, TROUBLE_DEAD, "no address");
		return;
	}
	target.text = slice_of(address.local);
	target.domain = slice_of(address.domain);
	follow_address(r, step, step->domain, &target);
}

void
expand_postmaster(struct resolver *r, const struct step *up,
    struct catalog_domain *domain)
{
	const char *text = r->catalog->config->postmaster;
	struct step step = step_below(up, STEP_POSTMASTER, NULL,
	    SLICE("postmaster"), "the configuration");

	/* one for all domains: a second visit is a loop */
	step.domain = &r->catalog->domains[0];
	(void)domain;
	resolve_explain(r, "postmaster of the configuration -> %s",
	    text ? text : "nobody");
	follow_text(r, &step, text);
}

void
expand_catch_all(struct resolver *r, const struct step *up,
    struct catalog_domain *domain)
{
	const struct config_domain *config = domain->config;
	struct step step = step_below(up, STEP_CATCH_ALL, domain,
	    SLICE("catch_all"), "the configuration");

	step.line = config->line;
	resolve_explain(r, "catch_all of domain \"%s\" (line %u) -> %s",
	    config->name, config->line, config->catch_all);
	follow_text(r, &step, config->catch_all);
}
