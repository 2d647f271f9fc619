/* SPDX-License-Identifier: ISC */
/*
 * build_aliases.c - an aliases file and what it includes; see build.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "build_parts.h"

#define REASON_MAX 100		/* why a list is out of order */

/* sources[0] is the aliases file, the others are includes, each once. */
static bool
is_known_source(const struct build *build, const char *path)
{
	for (size_t i = 1; i < build->sources.n_sources; i++)
		if (strcmp(build->sources.sources[i].path, path) == 0)
			return true;
	return false;
}

static int
add_list(struct build *build, const char *path, const struct alias *alias,
    const char *reason)
{
	struct buf value = { 0 };
	int error = record_put_list(&value, alias, true, reason);

	error = build_add(build, RECORD_INCLUDE, slice_of(path), &value,
	    error);
	buf_free(&value);
	return error;
}

/* "line 2: ...": the first of errors that were added from n on. */
static void
write_reason(char *to, size_t room, const char *path,
    const struct config_problems *problems, size_t n)
{
	const char *text = "it has an error";
	size_t size = strlen(path);

	if (n < problems->n)
		text = problems->items[n].text;
	if (strncmp(text, path, size) == 0 && text[size] == ':')
		snprintf(to, room, "line %s", text + size + 1);
	else
		snprintf(to, room, "%s", text);
}

/*
 * A list may be another's to write, and his mistake is not to keep the table
 * from everybody else: it is noted there, with its line, and who includes the
 * list is out of order. What could be read of it stays to be looked at.
 */
static int
parse_include(struct build *build, const char *path, struct slice text,
    struct config_problems *problems, struct aliases *parsed)
{
	struct alias none = { 0 };
	char reason[REASON_MAX + 1] = "";
	size_t n_before = problems->n;
	int error = aliases_parse_include(parsed, text, path, problems);

	if (error == -EILSEQ)
		return add_list(build, path, &none, "it is no list of names");
	if (!build_goes_on(error))
		return error;
	if (error)
		write_reason(reason, sizeof reason, path, problems, n_before);
	return add_list(build, path, &parsed->items[0], reason);
}

/*
 * An include that changes under our hands will be still in a moment: that
 * stops the compilation. One that cannot be read is noted in the table.
 */
static int
add_include(struct build *build, const char *path, unsigned line,
    const char *from, struct config_problems *problems,
    struct aliases *parsed)
{
	struct buf text = { 0 };
	struct config_problems ignored = { 0 };
	struct alias none = { 0 };
	int error = build_read(build, path, &text, &ignored);

	config_problems_free(&ignored);
	if (error == -ENOMEM || error == -E2BIG || error == -EBUSY) {
		config_problem_add(problems, 0, false,
		    "%s:%u: :include:%s: %s", from, line, path,
		    error == -EBUSY ? "changed while it was read" :
		    error == -E2BIG ? "too many files are included" :
		    strerror(-error));
		/* nobody would see it change: it is left out */
		error = error == -E2BIG ? 0 : error;
	} else if (error) {
		config_problem_add(problems, 0, true,
		    "%s:%u: :include:%s cannot be read: %s", from, line,
		    path, strerror(-error));
		error = add_list(build, path, &none, strerror(-error));
	} else {
		error = parse_include(build, path, buf_slice(&text),
		    problems, parsed);
	}
	buf_free(&text);
	return error;
}

/* Includes in alias, and in those: not deeper than there are sources. */
static int
add_includes(struct build *build, const struct alias *alias,
    const char *from, struct config_problems *problems)
{
	int error = 0, first_error = 0, below;

	for (size_t i = 0; i < alias->n_targets; i++) {
		const struct alias_target *target = &alias->targets[i];
		struct aliases parsed = { 0 };

		if (target->kind != ALIAS_INCLUDE ||
		    is_known_source(build, target->text))
			continue;
		error = add_include(build, target->text, target->line, from,
		    problems, &parsed);
		if (build_goes_on(error) && parsed.n > 0) {
			below = add_includes(build, &parsed.items[0],
			    target->text, problems);
			error = below ? below : error;
		}
		aliases_free(&parsed);
		if (error && build_goes_on(first_error))
			first_error = error;
		if (!build_goes_on(error))
			break;
	}
	return first_error;
}

static int
add_aliases(struct build *build, const struct aliases *aliases,
    const struct table_spec *spec, struct config_problems *problems)
{
	struct buf value = { 0 };
	int error = 0, first_error = 0;

	for (size_t i = 0; i < aliases->n; i++) {
		const struct alias *alias = &aliases->items[i];
		char *key = strdup(alias->name);

		if (key == NULL) {
			first_error = -ENOMEM;
			break;
		}
		record_fold(key, strlen(key), spec->folds_case);
		value.size = 0;
		error = build_add(build, RECORD_ALIAS, slice_of(key), &value,
		    record_put_list(&value, alias, false, ""));
		free(key);
		if (!error)
			error = add_includes(build, alias, spec->path,
			    problems);
		if (error && build_goes_on(first_error))
			first_error = error;
		if (!build_goes_on(error))
			break;
	}
	build->n_entries = (uint32_t)aliases->n;
	buf_free(&value);
	return first_error;
}

int
build_aliases(struct build *build, const struct table_spec *spec,
    struct config_problems *problems)
{
	struct buf text = { 0 };
	struct aliases aliases = { 0 };
	int error = build_read(build, spec->path, &text, problems);
	int added;

	if (!error)
		error = aliases_parse(&aliases, buf_slice(&text), spec->path,
		    spec->folds_case, problems);
	if (build_goes_on(error)) {
		/* go on after errors: all of them are wanted in one run */
		added = add_aliases(build, &aliases, spec, problems);
		error = added ? added : error;
	}
	aliases_free(&aliases);
	buf_free(&text);
	return error;
}
