/* SPDX-License-Identifier: ISC */
/*
 * config_problem.c - the list of what is wrong with a configuration.
 *
 * The list is bounded: a file of garbage is not worth more than
 * CONFIG_MAX_PROBLEMS lines of a kind. They are counted beyond that, and
 * without memory too, so that a list that lost an error never looks clean.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "config_lex.h"
#include "utf8.h"

#define NOTE "note: "

/* Terminals and logs show what the file says. */
static char *
escaped(struct slice text)
{
	char escape[UTF8_ESCAPE_SIZE];
	struct buf out = { 0 };
	int error = buf_puts(&out, "");

	while (text.size > 0 && error == 0) {
		size_t size = utf8_escape(escape, text);

		error = *escape != '\0' ? buf_puts(&out, escape) :
		    buf_append(&out, text.data, size);
		text.data += size;
		text.size -= size;
	}
	if (error != 0)
		buf_free(&out);
	return out.data;
}

static void
append(struct config_problems *problems, struct config_problem problem)
{
	struct config_problem *items = problem.text == NULL ? NULL :
	    reallocarray(problems->items, problems->n + 1, sizeof(*items));

	if (items == NULL) {
		free(problem.text);
		return;
	}
	problems->items = items;
	items[problems->n++] = problem;
}

bool
config_problem_is_note(const struct config_problem *problem)
{
	return problem->is_warning &&
	    strncmp(problem->text, NOTE, sizeof(NOTE) - 1) == 0;
}

void
config_problem_print(const struct config_problem *problem, FILE *to,
    const char *path)
{
	fprintf(to, "%s:", path);
	if (problem->line > 0)
		fprintf(to, "%u:", problem->line);
	fprintf(to, " %s%s\n", problem->is_warning &&
	    !config_problem_is_note(problem) ? "warning: " : "",
	    problem->text);
}

static size_t *
count_of(struct config_problems *problems,
    const struct config_problem *problem)
{
	if (problem->text != NULL && config_problem_is_note(problem))
		return &problems->n_notes;
	return problem->is_warning ? &problems->n_warnings :
	    &problems->n_errors;
}

void
config_problem_add(struct config_problems *problems, unsigned line,
    bool is_warning, const char *format, ...)
{
	struct config_problem problem = { line, is_warning, NULL };
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, format);
	if (buf_vprintf(&text, format, ap) == 0)
		problem.text = escaped(buf_slice(&text));
	va_end(ap);
	buf_free(&text);
	if (++*count_of(problems, &problem) <= CONFIG_MAX_PROBLEMS)
		append(problems, problem);
	else
		free(problem.text);
}

bool
config_problems_has_error(const struct config_problems *problems)
{
	return problems->n_errors > 0;
}

bool
config_problems_has_line(const struct config_problems *problems,
    unsigned line)
{
	for (size_t i = 0; i < problems->n; i++)
		if (problems->items[i].line == line &&
		    !problems->items[i].is_warning)
			return true;
	return false;
}

/* Whether b is to stand before a: by line, errors first, the file last. */
static bool
is_before(const struct config_problem *b, const struct config_problem *a)
{
	if (b->line == a->line)
		return a->is_warning && !b->is_warning;
	if (b->line == 0 || a->line == 0)
		return a->line == 0;
	return b->line < a->line;
}

/* Insertion sort: stable, and the list is short. */
void
config_problems_sort(struct config_problems *problems)
{
	for (size_t i = 1; i < problems->n; i++) {
		struct config_problem moved = problems->items[i];
		size_t at = i;

		for (; at > 0 && is_before(&moved, &problems->items[at - 1]);
		    at--)
			problems->items[at] = problems->items[at - 1];
		problems->items[at] = moved;
	}
}

/* ---- what is not shown ---- */

struct config_hidden
config_problems_hidden(const struct config_problems *problems)
{
	struct config_problems shown = { 0 };

	for (size_t i = 0; i < problems->n; i++)
		++*count_of(&shown, &problems->items[i]);
	return (struct config_hidden){
		.n_errors = problems->n_errors - shown.n_errors,
		.n_warnings = problems->n_warnings - shown.n_warnings,
		.n_notes = problems->n_notes - shown.n_notes };
}

void
config_problems_add_hidden(struct config_problems *problems,
    const struct config_hidden *hidden)
{
	problems->n_errors += hidden->n_errors;
	problems->n_warnings += hidden->n_warnings;
	problems->n_notes += hidden->n_notes;
}

/* ", 7 more warnings" */
static void
put_count(struct buf *out, size_t n, const char *what)
{
	if (n > 0)
		buf_printf(out, "%s%zu more %s%s", out->size > 0 ? ", " : "",
		    n, what, n == 1 ? "" : "s");
}

void
config_problems_finish(struct config_problems *problems)
{
	const struct config_hidden hidden = config_problems_hidden(problems);
	struct config_problem problem = { .line = 0 };
	struct buf out = { 0 };

	config_problems_sort(problems);
	problem.is_warning = hidden.n_errors == 0 && !problems->is_cut;
	put_count(&out, hidden.n_errors, "error");
	put_count(&out, hidden.n_warnings, "warning");
	put_count(&out, hidden.n_notes, "note");
	if (out.size > 0)
		buf_puts(&out, " not shown");
	if (problems->is_cut)
		buf_printf(&out, "%safter %d errors the rest of the file "
		    "was not read", out.size > 0 ? "; " : "",
		    CONFIG_MAX_PROBLEMS);
	if (out.size > 0) {
		problem.text = escaped(buf_slice(&out));
		append(problems, problem);
	}
	buf_free(&out);
}

void
config_problems_free(struct config_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		free(problems->items[i].text);
	free(problems->items);
	*problems = (struct config_problems){ 0 };
}
