/* SPDX-License-Identifier: ISC */
/*
 * list_tokens.c - see list_tokens.h.
 */
#include "list_tokens.h"
#include "octets.h"

static bool
is_fws(char c)
{
	return is_space(c) || c == '\n' || c == '\r';
}

static bool
is_special(char c)
{
	return c != '\0' && strchr("<>,;:@()\"[]\\", c) != NULL;
}

/* False for a comment without an end. */
static bool
skip_space(struct token_reader *r)
{
	struct slice before = r->rest;
	size_t size;

	while (r->rest.size > 0) {
		if (is_fws(*r->rest.data))
			size = 1;
		else if (*r->rest.data != '(')
			break;
		else if ((size = enclosed_size(r->rest, '(', ')')) == 0)
			return false;
		r->rest = slice_after(r->rest, size);
	}
	r->token.follows_space = r->rest.size != before.size;
	return true;
}

static size_t
word_size(struct slice s)
{
	size_t n = 0;

	while (n < s.size && !is_fws(s.data[n]) && !is_special(s.data[n]))
		n++;
	return n;
}

void
token_advance(struct token_reader *r)
{
	enum token_kind kind = TOKEN_SPECIAL;
	size_t size = 1;

	r->token = (struct token){ TOKEN_BAD, { "", 0 }, false };
	if (!skip_space(r))
		return;
	if (r->rest.size == 0) {
		r->token.kind = TOKEN_END;
		return;
	}
	if (*r->rest.data == '"') {
		kind = TOKEN_QUOTED;
		size = enclosed_size(r->rest, '"', '"');
	} else if (*r->rest.data == '[') {
		kind = TOKEN_LITERAL;
		size = enclosed_size(r->rest, '[', ']');
	} else if (!is_special(*r->rest.data)) {
		kind = TOKEN_WORD;
		size = word_size(r->rest);
	}
	if (size == 0)
		return;
	r->token.kind = kind;
	r->token.text = slice_first(r->rest, size);
	r->rest = slice_after(r->rest, size);
}

bool
token_is(const struct token_reader *r, char special)
{
	return r->token.kind == TOKEN_SPECIAL &&
	    *r->token.text.data == special;
}

bool
token_is_text(const struct token_reader *r)
{
	return r->token.kind == TOKEN_WORD || r->token.kind == TOKEN_QUOTED;
}

bool
token_is_separator(const struct token_reader *r)
{
	return token_is(r, ',') || token_is(r, ';') || token_is(r, ':');
}

bool
token_has_angle(const struct token_reader *r)
{
	struct token_reader ahead = *r;

	while (ahead.token.kind != TOKEN_END &&
	    ahead.token.kind != TOKEN_BAD && !token_is_separator(&ahead)) {
		if (token_is(&ahead, '<'))
			return true;
		token_advance(&ahead);
	}
	return false;
}
