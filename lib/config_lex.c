/* SPDX-License-Identifier: ISC */
/*
 * config_lex.c - the text of a configuration, cut into tokens.
 *
 * Words, numbers with their unit, strings in double quotes, { } = and the
 * comma; # starts a comment. A string ends on its line, so one that is not
 * terminated spoils no more than that line. What is wrong is reported here
 * and handed on as a token that is_bad: something stands here, and the
 * parser has no need to complain again.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "config_lex.h"
#include "utf8.h"

struct lexer {
	struct slice text;
	size_t at;
	unsigned line;
	struct token_list *tokens;
	size_t capacity;
	size_t strings_used;
	unsigned garbage_line;		/* reported last */
	struct config_problems *problems;
};

static bool
has_more(const struct lexer *l)
{
	return l->at < l->text.size;
}

static unsigned char
peek(const struct lexer *l)
{
	return has_more(l) ? (unsigned char)l->text.data[l->at] : '\n';
}

/* A CR LF ends a line too; a CR alone is garbage. */
static bool
is_line_end(const struct lexer *l, size_t at)
{
	const char *s = l->text.data;

	return at >= l->text.size || s[at] == '\n' ||
	    (s[at] == '\r' && at + 1 < l->text.size && s[at + 1] == '\n');
}

static bool
is_blank(const struct lexer *l)
{
	return peek(l) == ' ' || peek(l) == '\t' || is_line_end(l, l->at);
}

static bool
is_bare(unsigned char c)
{
	return isalnum(c) || (c != '\0' && strchr("_-.:/@*+%~[]!?&|", c));
}

static bool
add_token(struct lexer *l, enum token_kind kind, struct slice text,
    bool is_bad)
{
	struct token_list *tokens = l->tokens;

	if (tokens->n == l->capacity) {
		size_t capacity = l->capacity ? l->capacity * 2 : 256;
		struct token *items = reallocarray(tokens->items, capacity,
		    sizeof(*items));

		if (items == NULL)
			return false;
		tokens->items = items;
		l->capacity = capacity;
	}
	tokens->items[tokens->n++] = (struct token){ kind, l->line, is_bad,
		text };
	return true;
}

static void
skip_comment(struct lexer *l)
{
	const char *end = memchr(l->text.data + l->at, '\n',
	    l->text.size - l->at);

	l->at = end ? (size_t)(end - l->text.data) : l->text.size;
}

/* Octets of the UTF-8 sequence (RFC 3629) at the front; 0 if it is none. */
static size_t
utf8_length(const unsigned char *s, size_t room)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
	    s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (n > room)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* The octet that \c stands for, or 0. */
static char
unescaped(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case 'n':
		return '\n';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

/* Decode one character of a string; false (reported) if it is not one. */
static bool
take_character(struct lexer *l)
{
	unsigned char c = peek(l);
	size_t n = utf8_length((const unsigned char *)l->text.data + l->at,
	    l->text.size - l->at);
	char *to = l->tokens->strings + l->strings_used;

	if (c == '\\') {
		l->at++;
		*to = unescaped(peek(l));
		if (*to == '\0') {
			config_error(l->problems, l->line, "unknown escape "
			    "\"\\%c\"; only \\\" \\\\ \\n and \\t are known",
			    peek(l));
			return false;
		}
		n = 1;
	} else if (n == 0 || (c < 0x20 && c != '\t') || c == 0x7f) {
		config_error(l->problems, l->line,
		    "octet 0x%02x in a string", c);
		return false;
	} else {
		memcpy(to, l->text.data + l->at, n);
	}
	l->at += n;
	l->strings_used += n;
	return true;
}

/* Whether a string goes on here: neither its quote nor the line's end. */
static bool
is_in_string(const struct lexer *l)
{
	return peek(l) != '"' && !is_line_end(l, l->at) &&
	    !(peek(l) == '\\' && is_line_end(l, l->at + 1));
}

static void
skip_string(struct lexer *l)
{
	while (is_in_string(l))
		l->at += peek(l) == '\\' ? 2 : 1;
}

static bool
lex_string(struct lexer *l)
{
	const char *start = l->tokens->strings + l->strings_used;
	bool is_good = true;

	l->at++;
	while (is_good && is_in_string(l))
		is_good = take_character(l);
	if (!is_good)
		skip_string(l);
	if (peek(l) == '"' && has_more(l)) {
		l->at++;
	} else {
		if (is_good)
			config_error(l->problems, l->line,
			    "string without its closing '\"'");
		is_good = false;
		while (!is_line_end(l, l->at))
			l->at++;
	}
	return add_token(l, TOKEN_STRING, (struct slice){ start,
	    (size_t)(l->tokens->strings + l->strings_used - start) },
	    !is_good);
}

static bool
lex_bare(struct lexer *l)
{
	size_t start = l->at;

	while (has_more(l) && is_bare(peek(l)))
		l->at++;
	return add_token(l, isdigit((unsigned char)l->text.data[start]) ?
	    TOKEN_NUMBER : TOKEN_WORD,
	    (struct slice){ l->text.data + start, l->at - start }, false);
}

static void
report_garbage(struct lexer *l)
{
	unsigned char c = peek(l);

	if (l->garbage_line == l->line)
		return;
	l->garbage_line = l->line;
	if (c == ';')
		config_error(l->problems, l->line,
		    "unexpected ';': settings need nothing between them");
	else if (c == '\'')
		config_error(l->problems, l->line,
		    "unexpected \"'\": strings stand in double quotes");
	else if (c == '$')
		config_error(l->problems, l->line, "unexpected '$': nothing "
		    "is taken from the environment");
	else if (c > 0x20 && c < 0x7f)
		config_error(l->problems, l->line, "unexpected '%c'", c);
	else
		config_error(l->problems, l->line,
		    "unexpected octet 0x%02x", c);
}

/* A run of octets that no token starts with, and what is glued to it. */
static bool
lex_garbage(struct lexer *l)
{
	size_t start = l->at;
	bool is_quoted = peek(l) == '\'';

	report_garbage(l);
	do
		l->at++;
	while (!is_line_end(l, l->at) && (is_quoted ? peek(l) != '\'' :
	    !is_blank(l) && !strchr("\"{}=,#", peek(l))));
	if (is_quoted && peek(l) == '\'')
		l->at++;
	return add_token(l, TOKEN_WORD,
	    (struct slice){ l->text.data + start, l->at - start }, true);
}

static bool
lex_mark(struct lexer *l, enum token_kind kind)
{
	l->at++;
	return add_token(l, kind,
	    (struct slice){ l->text.data + l->at - 1, 1 }, false);
}

static bool
lex_token(struct lexer *l)
{
	switch (peek(l)) {
	case '{':
		return lex_mark(l, TOKEN_OPEN);
	case '}':
		return lex_mark(l, TOKEN_CLOSE);
	case '=':
		return lex_mark(l, TOKEN_EQUALS);
	case ',':
		return lex_mark(l, TOKEN_COMMA);
	case '"':
		return lex_string(l);
	default:
		return is_bare(peek(l)) ? lex_bare(l) : lex_garbage(l);
	}
}

bool
config_lex(struct token_list *tokens, struct slice text,
    struct config_problems *problems)
{
	struct lexer l = { .text = utf8_after_mark(text), .line = 1,
		.tokens = tokens, .problems = problems };

	*tokens = (struct token_list){ 0 };
	tokens->strings = malloc(text.size + 1);
	if (tokens->strings == NULL)
		return false;
	while (has_more(&l)) {
		if (peek(&l) == '#') {
			skip_comment(&l);
		} else if (is_blank(&l)) {
			l.line += peek(&l) == '\n';
			l.at++;
		} else if (!lex_token(&l)) {
			return false;
		}
	}
	return add_token(&l, TOKEN_END, SLICE(""), false);
}

void
config_lex_free(struct token_list *tokens)
{
	free(tokens->items);
	free(tokens->strings);
	*tokens = (struct token_list){ 0 };
}
