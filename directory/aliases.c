/* SPDX-License-Identifier: ISC */
/*
 * aliases.c - the aliases file; see aliases.h. One target is read in
 * alias_target.c, the lists and lines around it here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "address.h"
#include "alias_target.h"
#include "aliases.h"
#include "grow.h"
#include "route.h"
#include "source.h"

struct parser {
	struct source source;
	struct aliases *out;
	struct alias *current;	/* whose list is being read; NULL: skip it */
	bool is_include;
	bool has_alias;		/* a continuation line belongs to something */
	bool wants_target;	/* after the colon or a comma */
	bool is_out_of_memory;
};

static bool
starts_with_space(struct slice s)
{
	return s.size > 0 && (*s.data == ' ' || *s.data == '\t');
}

/*
 * Take the text up to a comma outside quotes off the front of *rest.
 * is_last: no comma followed. False when a quote is not closed.
 */
static bool
take_item(struct slice *rest, struct slice *item, bool *is_last)
{
	bool is_quoted = false;
	size_t i = 0;

	for (; i < rest->size; i++) {
		char c = rest->data[i];

		if (c == '"')
			is_quoted = !is_quoted;
		else if (c == '\\' && is_quoted && i + 1 < rest->size)
			i++;
		else if (c == ',' && !is_quoted)
			break;
	}
	*is_last = i == rest->size;
	*item = slice_trim((struct slice){ rest->data, i });
	rest->data += i + !*is_last;
	rest->size -= i + !*is_last;
	return !is_quoted;
}

static void
add_target(struct parser *p, struct slice item)
{
	struct alias *alias = p->current;
	struct alias_target *targets;
	struct alias_target target = { .line = p->source.line };
	int error;

	if (alias->n_targets == ROUTE_MAX_LEAVES) {
		source_error(&p->source, p->source.line,
		    "more than %d members in one list", ROUTE_MAX_LEAVES);
		p->current = NULL;
		return;
	}
	error = alias_target_parse(&target, item, &p->source);
	targets = error ? NULL : grow_array(alias->targets, alias->n_targets,
	    sizeof *targets);
	if (targets == NULL) {
		alias_target_free(&target);
		p->is_out_of_memory |= error != -EBADMSG;
		return;
	}
	alias->targets = targets;
	targets[alias->n_targets++] = target;
}

static void
parse_targets(struct parser *p, struct slice rest)
{
	struct slice item;
	bool is_last = false;

	rest = slice_trim(rest);
	if (!p->is_include && !p->wants_target && rest.size > 0 &&
	    *rest.data == ',') {
		p->wants_target = true;		/* "alice" NEWLINE " , bob" */
		rest.data++;
		rest.size--;
	}
	while (!is_last && p->current != NULL && !p->is_out_of_memory) {
		rest = slice_trim(rest);
		if (rest.size == 0)
			break;
		if (!p->wants_target && !p->is_include) {
			source_error(&p->source, p->source.line,
			    "a comma is missing before this line");
			p->current = NULL;
			break;
		}
		if (alias_target_is_reply(rest)) {
			item = rest;
			is_last = true;
		} else if (!take_item(&rest, &item, &is_last)) {
			source_error(&p->source, p->source.line,
			    "a quotation mark is not closed");
			p->current = NULL;
			break;
		}
		p->wants_target = !is_last;
		if (item.size > 0)
			add_target(p, item);
	}
}

/* What must hold once the last line of a list has been seen. */
static void
finish_alias(struct parser *p)
{
	struct alias *alias = p->current;

	if (alias == NULL || p->is_include)
		return;
	if (alias->n_targets == 0 && p->wants_target)
		source_error(&p->source, alias->line,
		    "alias \"%s\" has no target", alias->name);
	else if (p->wants_target)
		source_error(&p->source, p->source.line,
		    "the list of alias \"%s\" ends with a comma",
		    alias->name);
	p->current = NULL;
}

/* Take "name:" off the front of *line. False, with an error, if it is not. */
static bool
take_name(struct parser *p, struct slice *line, struct address *name)
{
	bool is_quoted = false;
	size_t i = 0;
	struct slice text;

	for (; i < line->size; i++) {
		char c = line->data[i];

		if (c == '"')
			is_quoted = !is_quoted;
		else if (c == '\\' && is_quoted)
			i++;
		else if (c == ':' && !is_quoted)
			break;
	}
	if (i >= line->size) {
		source_error(&p->source, p->source.line,
		    "expected \"name: target, ...\"");
		return false;
	}
	text = slice_trim((struct slice){ line->data, i });
	line->data += i + 1;
	line->size -= i + 1;
	if (address_parse(name, text, ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL | ADDRESS_ALLOW_BARE_LOCAL) ==
	    ADDRESS_OK && name->domain[0] == '\0')
		return true;
	source_error(&p->source, p->source.line, slice_find(text, '@') <
	    text.size ? "\"%.*s\": an alias has no @; it belongs to the "
	    "domains that name this file" : "\"%.*s\" is not a local part",
	    text.size < 80 ? (int)text.size : 80, text.data);
	return false;
}

static void
begin_alias(struct parser *p, const char *name)
{
	struct aliases *out = p->out;
	struct alias *items = grow_array(out->items, out->n, sizeof *items);
	char *copy = strdup(name);

	if (items != NULL)
		out->items = items;
	if (items == NULL || copy == NULL) {
		free(copy);
		p->is_out_of_memory = true;
		return;
	}
	p->current = &items[out->n++];
	*p->current = (struct alias){ .name = copy, .line = p->source.line };
	p->wants_target = true;
}

static void
parse_line(struct parser *p, struct slice line)
{
	struct slice text = slice_trim(line);
	struct address name;

	if (text.size == 0 || *text.data == '#')
		return;
	if (p->is_include) {
		parse_targets(p, text);
		return;
	}
	if (starts_with_space(line)) {
		if (!p->has_alias)
			source_error(&p->source, p->source.line,
			    "a continuation line without an alias before it");
		parse_targets(p, text);
		return;
	}
	finish_alias(p);
	p->has_alias = true;
	if (!take_name(p, &line, &name))
		return;
	begin_alias(p, name.local);
	parse_targets(p, line);
}

static int
run(struct parser *p)
{
	struct slice line;

	if (!source_has_nul(&p->source))
		while (source_next_line(&p->source, &line) &&
		    !p->is_out_of_memory &&
		    p->source.n_errors < SOURCE_MAX_PROBLEMS)
			parse_line(p, line);
	finish_alias(p);
	if (p->is_out_of_memory)
		return -ENOMEM;
	return source_result(&p->source);
}

/* ---- duplicates ---- */

static int
compare_names(const void *a, const void *b)
{
	const struct alias *x = *(struct alias *const *)a;
	const struct alias *y = *(struct alias *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int
compare_names_nocase(const void *a, const void *b)
{
	const struct alias *x = *(struct alias *const *)a;
	const struct alias *y = *(struct alias *const *)b;
	int order = strcasecmp(x->name, y->name);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static void
free_alias(struct alias *alias)
{
	for (size_t i = 0; i < alias->n_targets; i++)
		alias_target_free(&alias->targets[i]);
	free(alias->targets);
	free(alias->name);
	*alias = (struct alias){ 0 };
}

/* The targets of the second one go to the first, as far as they fit. */
static void
merge(struct parser *p, struct alias *first, struct alias *second)
{
	struct alias_target *targets;
	size_t n = 0;

	targets = reallocarray(first->targets,
	    first->n_targets + second->n_targets + 1, sizeof *targets);
	if (targets == NULL) {
		p->is_out_of_memory = true;
		return;
	}
	first->targets = targets;
	while (n < second->n_targets && first->n_targets < ROUTE_MAX_LEAVES) {
		targets[first->n_targets++] = second->targets[n];
		second->targets[n++] = (struct alias_target){ 0 };
	}
	free_alias(second);
}

static void
remove_merged(struct aliases *out)
{
	size_t n = 0;

	for (size_t i = 0; i < out->n; i++)
		if (out->items[i].name != NULL)
			out->items[n++] = out->items[i];
	out->n = n;
}

static int
check_duplicates(struct parser *p, bool folds_case)
{
	struct alias **sorted = calloc(p->out->n + 1, sizeof *sorted);
	size_t n = p->out->n, first = 0;
	unsigned line_before;

	if (sorted == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &p->out->items[i];
	qsort(sorted, n, sizeof *sorted,
	    folds_case ? compare_names_nocase : compare_names);
	line_before = n > 0 ? sorted[0]->line : 0;
	for (size_t i = 1; i < n && !p->is_out_of_memory; i++) {
		unsigned line = sorted[i]->line;

		if ((folds_case ? strcasecmp : strcmp)(sorted[i]->name,
		    sorted[first]->name) == 0) {
			source_error(&p->source, line,
			    "alias \"%s\" stands on line %u already",
			    sorted[i]->name, line_before);
			merge(p, sorted[first], sorted[i]);
		} else {
			first = i;
		}
		line_before = line;
	}
	free(sorted);
	remove_merged(p->out);
	return p->is_out_of_memory ? -ENOMEM : source_result(&p->source);
}

/* ---- entry points ---- */

int
aliases_parse(struct aliases *out, struct slice text, const char *path,
    bool folds_case, struct config_problems *problems)
{
	struct parser p = { .out = out, .source = {
		.path = path, .rest = text, .problems = problems } };
	int error;

	*out = (struct aliases){ 0 };
	error = run(&p);
	return error == -ENOMEM ? error : check_duplicates(&p, folds_case);
}

int
aliases_parse_include(struct aliases *out, struct slice text,
    const char *path, struct config_problems *problems)
{
	struct parser p = { .out = out, .is_include = true, .source = {
		.path = path, .rest = text, .problems = problems } };

	*out = (struct aliases){ 0 };
	begin_alias(&p, path);
	return run(&p);
}

void
aliases_free(struct aliases *aliases)
{
	for (size_t i = 0; i < aliases->n; i++)
		free_alias(&aliases->items[i]);
	free(aliases->items);
	*aliases = (struct aliases){ 0 };
}
