/* SPDX-License-Identifier: ISC */
/*
 * config_list.c - values and lists, and how to go on after a mistake.
 */
#include "config_parser.h"

static bool
is_at_word(const struct token *t, enum token_kind next)
{
	return t->kind == TOKEN_WORD && t[1].kind == next;
}

bool
parser_is_line_new(const struct parser *p, unsigned line)
{
	return !config_problems_has_line(p->problems, line);
}

/* ---- going on after a mistake ---- */

void
parser_skip_block(struct parser *p)
{
	unsigned line = p->at->line;
	size_t depth = 0;

	do {
		depth += p->at->kind == TOKEN_OPEN;
		depth -= p->at->kind == TOKEN_CLOSE;
		p->at++;
	} while (depth > 0 && p->at->kind != TOKEN_END);
	if (depth == 0)
		return;
	p->n_unclosed -= (long)depth;
	config_error(p->problems, line, "\"{\" is never closed");
}

void
parser_skip_rest(struct parser *p, unsigned line)
{
	while (p->at->line == line && p->at->kind != TOKEN_END &&
	    p->at->kind != TOKEN_CLOSE) {
		if (p->at->kind == TOKEN_OPEN)
			parser_skip_block(p);
		else
			p->at++;
	}
}

/* ---- values ---- */

static void
report_open_list(struct parser *p, unsigned line)
{
	if (p->n_unclosed > 0)
		p->n_unclosed--;
	config_error(p->problems, line, "list is never closed: its \"{\" "
	    "has no \"}\"");
}

/* One item and the comma behind it; false where the list cannot go on. */
static bool
parse_item(struct parser *p, const struct token *open)
{
	if (p->at->kind == TOKEN_END || is_at_word(p->at, TOKEN_EQUALS) ||
	    is_at_word(p->at, TOKEN_OPEN) || p->at->kind == TOKEN_EQUALS) {
		report_open_list(p, open->line);
		return false;
	}
	if (p->at->kind == TOKEN_OPEN) {
		if (parser_is_line_new(p, p->at->line))
			config_error(p->problems, p->at->line,
			    "list in a list");
		parser_skip_block(p);
		return true;
	}
	if (p->at->kind != TOKEN_STRING && !p->at->is_bad &&
	    parser_is_line_new(p, p->at->line))
		config_error(p->problems, p->at->line, "\"%.*s\" in a list "
		    "is no string in double quotes",
		    CONFIG_QUOTE(p->at->text));
	p->at++;
	if (p->at->kind == TOKEN_COMMA)
		p->at++;
	else if (p->at->kind == TOKEN_STRING &&
	    parser_is_line_new(p, p->at->line))
		config_error(p->problems, p->at->line,
		    "\",\" is missing before \"%.*s\"",
		    CONFIG_QUOTE(p->at->text));
	return true;
}

static struct config_value
parse_list(struct parser *p)
{
	const struct token *open = p->at++;
	struct config_value value = { .first = p->at, .is_list = true,
		.line = open->line };

	while (p->at->kind != TOKEN_CLOSE && parse_item(p, open))
		;
	value.n = (size_t)(p->at - value.first);
	if (p->at->kind == TOKEN_CLOSE)
		p->at++;
	return value;
}

struct config_value
parser_value(struct parser *p, const struct token *name)
{
	struct config_value value = { .first = p->at, .n = 1,
		.line = p->at->line };

	if (p->at->line != name->line || p->at->kind > TOKEN_OPEN ||
	    is_at_word(p->at, TOKEN_EQUALS)) {
		if (parser_is_line_new(p, name->line))
			config_error(p->problems, name->line,
			    "%.*s has no value", CONFIG_QUOTE(name->text));
		value.is_bad = true;
		return value;
	}
	if (p->at->kind == TOKEN_OPEN)
		return parse_list(p);
	value.is_bad = p->at->is_bad;
	p->at++;
	return value;
}
