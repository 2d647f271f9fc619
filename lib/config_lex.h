/* SPDX-License-Identifier: ISC */
/*
 * config_lex.h - the text of a configuration as tokens, and how
 * what is wrong with it is reported.
 *
 *	text -> config_lex (tokens) -> config_read (sections, settings)
 *	     -> config_store (one value, by the type of its key)
 *	     -> config_check_section, config_check_file
 *
 * Nothing stops at the first error: each step reports what it found to the
 * same list and leaves the next step something that it can work with.
 */
#ifndef POSTERN_CONFIG_LEX_H
#define POSTERN_CONFIG_LEX_H

#include "config.h"

/* For "%.*s": long values are cut in messages. */
#define CONFIG_QUOTE(s) (int)((s).size > 80 ? 80 : (s).size), (s).data

enum token_kind { TOKEN_WORD, TOKEN_NUMBER, TOKEN_STRING, TOKEN_OPEN,
	TOKEN_CLOSE, TOKEN_EQUALS, TOKEN_COMMA, TOKEN_END };

struct token {
	enum token_kind kind;
	unsigned line;
	bool is_bad;		/* reported already: ask nothing of it */
	struct slice text;	/* of a string: decoded */
};

struct token_list {
	struct token *items;	/* the last is TOKEN_END */
	size_t n;
	char *strings;		/* decoded ones, all of them */
};

/* False without memory. Tokens point into text and into the list. */
bool config_lex(struct token_list *tokens, struct slice text,
    struct config_problems *problems);
void config_lex_free(struct token_list *tokens);

/* config_problem_add for the common case. */
#define config_error(problems, line, ...) \
	config_problem_add((problems), (line), false, __VA_ARGS__)
#define config_warn(problems, line, ...) \
	config_problem_add((problems), (line), true, __VA_ARGS__)
bool config_problems_has_line(const struct config_problems *problems,
    unsigned line);

#endif
