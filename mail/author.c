/* SPDX-License-Identifier: ISC */
/*
 * author.c - the domain of the From field; see author.h.
 *
 * The value is cut into tokens; comments are dropped. A mailbox ends at ","
 * ";" or the end. With angle brackets its address is what stands in them
 * and the words before are a name, whatever they look like; without, the
 * words are the address. A mailbox without "@" has no domain that it could
 * claim, so "Doe, Jane <jane@example.org>" is read as it was meant.
 */
#include "author.h"
#include "header.h"
#include "octets.h"

enum token_kind {
	TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_LITERAL, TOKEN_SPECIAL,
	TOKEN_BAD,
};

struct token {
	enum token_kind kind;
	struct slice text;
	bool follows_space;	/* white space or a comment stands before */
};

struct parser {
	struct slice rest;
	struct token token;		/* the one under way */
	bool is_bad;
	char domain[ADDRESS_DOMAIN_MAX + 1];
	bool has_domain, has_several;
};

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

/* Size of what open at the front begins and close ends, backslashes obeyed;
 * 0 when it has no end. Comments nest. */
static size_t
enclosed_size(struct slice s, char open, char close)
{
	unsigned depth = 1;

	for (size_t i = 1; i < s.size; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == close && --depth == 0)
			return i + 1;
		else if (s.data[i] == open && open == '(')
			depth++;
	}
	return 0;
}

/* False for a comment without an end. */
static bool
skip_space(struct parser *p)
{
	struct slice before = p->rest;
	size_t size;

	while (p->rest.size > 0) {
		if (is_fws(*p->rest.data))
			size = 1;
		else if (*p->rest.data != '(')
			break;
		else if ((size = enclosed_size(p->rest, '(', ')')) == 0)
			return false;
		p->rest = slice_after(p->rest, size);
	}
	p->token.follows_space = p->rest.size != before.size;
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

static void
advance(struct parser *p)
{
	enum token_kind kind = TOKEN_SPECIAL;
	size_t size = 1;

	p->token = (struct token){ TOKEN_BAD, { "", 0 }, false };
	if (!skip_space(p))
		return;
	if (p->rest.size == 0) {
		p->token.kind = TOKEN_END;
		return;
	}
	if (*p->rest.data == '"') {
		kind = TOKEN_QUOTED;
		size = enclosed_size(p->rest, '"', '"');
	} else if (*p->rest.data == '[') {
		kind = TOKEN_LITERAL;
		size = enclosed_size(p->rest, '[', ']');
	} else if (!is_special(*p->rest.data)) {
		kind = TOKEN_WORD;
		size = word_size(p->rest);
	}
	if (size == 0)
		return;
	p->token.kind = kind;
	p->token.text = slice_first(p->rest, size);
	p->rest = slice_after(p->rest, size);
}

static bool
at_special(const struct parser *p, char c)
{
	return p->token.kind == TOKEN_SPECIAL && *p->token.text.data == c;
}

static void
note_domain(struct parser *p, struct slice text)
{
	char domain[ADDRESS_DOMAIN_MAX + 1];

	if (address_parse_domain(domain, text, ADDRESS_ALLOW_UTF8) !=
	    ADDRESS_OK) {
		p->is_bad = true;
		return;
	}
	if (!p->has_domain)
		memcpy(p->domain, domain, sizeof(p->domain));
	else if (strcmp(p->domain, domain) != 0)
		p->has_several = true;
	p->has_domain = true;
}

/* After "@": one word or literal. */
static void
read_domain(struct parser *p)
{
	advance(p);
	if (p->token.kind == TOKEN_WORD)
		note_domain(p, p->token.text);
	else if (p->token.kind != TOKEN_LITERAL)
		p->is_bad = true;	/* a literal is no domain */
	advance(p);
}

/* "@a,@b:" in front of an address (RFC 5322 4.4), and no use to anybody. */
static void
skip_route(struct parser *p)
{
	while (!p->is_bad && !at_special(p, ':')) {
		if (p->token.kind == TOKEN_END || p->token.kind == TOKEN_BAD ||
		    at_special(p, '>') || at_special(p, '<'))
			p->is_bad = true;
		advance(p);
	}
	advance(p);
}

/* What stands in angle brackets; at the token behind "<". */
static void
read_angle(struct parser *p)
{
	bool has_local = false;

	if (at_special(p, '@'))
		skip_route(p);
	while (p->token.kind == TOKEN_WORD || p->token.kind == TOKEN_QUOTED) {
		if (has_local && p->token.follows_space)
			p->is_bad = true;
		has_local = true;
		advance(p);
	}
	if (at_special(p, '@')) {
		if (!has_local)
			p->is_bad = true;
		read_domain(p);
	}
	if (!at_special(p, '>'))
		p->is_bad = true;
	advance(p);
}

/* "," between two mailboxes, ":" behind a group's name, ";" behind it. */
static bool
is_separator(const struct parser *p)
{
	return at_special(p, ',') || at_special(p, ';') || at_special(p, ':');
}

/* Is there a "<" before this mailbox ends? */
static bool
has_angle(const struct parser *p)
{
	struct parser ahead = *p;

	while (ahead.token.kind != TOKEN_END &&
	    ahead.token.kind != TOKEN_BAD && !is_separator(&ahead)) {
		if (at_special(&ahead, '<'))
			return true;
		advance(&ahead);
	}
	return false;
}

/* A mailbox without brackets: local part, "@", domain, or only words. */
static void
read_bare(struct parser *p)
{
	unsigned n_words = 0;
	bool is_split = false;

	while (p->token.kind == TOKEN_WORD || p->token.kind == TOKEN_QUOTED) {
		is_split |= n_words++ > 0 && p->token.follows_space;
		advance(p);
	}
	if (!at_special(p, '@'))
		return;
	if (n_words == 0 || is_split)
		p->is_bad = true;
	read_domain(p);
}

static void
read_mailbox(struct parser *p)
{
	if (has_angle(p)) {
		while (!at_special(p, '<')) {
			if (at_special(p, '>') || at_special(p, '\\'))
				p->is_bad = true;
			advance(p);
		}
		advance(p);
		read_angle(p);
	} else
		read_bare(p);
}

enum author_result
author_of_field(struct slice value, char domain[ADDRESS_DOMAIN_MAX + 1])
{
	struct parser p = { .rest = value };

	*domain = '\0';
	advance(&p);
	while (!p.is_bad && p.token.kind != TOKEN_END) {
		if (!is_separator(&p))
			read_mailbox(&p);
		if (p.token.kind != TOKEN_END && !is_separator(&p))
			p.is_bad = true;
		else
			advance(&p);
	}
	if (p.is_bad)
		return AUTHOR_BAD_SYNTAX;
	if (p.has_several)
		return AUTHOR_SEVERAL_DOMAINS;
	if (!p.has_domain)
		return AUTHOR_NO_DOMAIN;
	memcpy(domain, p.domain, sizeof(p.domain));
	return AUTHOR_OK;
}

/*
 * From fields up to the blank line, also behind lines that are no fields.
 * The first one's value is kept.
 */
static unsigned
count_from(struct slice message, struct slice *value)
{
	struct header_walk walk;
	struct header_field field;
	enum header_step step;
	unsigned n = 0;

	header_walk_start(&walk, message, true);
	while ((step = header_next(&walk, &field)) != HEADER_END) {
		if (step != HEADER_FIELD) {
			struct slice rest = slice_after(message, walk.offset);
			size_t end = slice_find(rest, '\n');

			walk.offset += end < rest.size ? end + 1 : end;
		} else if (header_is(&field, "From") && n++ == 0)
			*value = field.value;
	}
	return n;
}

enum author_result
author_find(struct slice message, char domain[ADDRESS_DOMAIN_MAX + 1])
{
	struct slice value = { "", 0 };
	unsigned n = count_from(message, &value);

	*domain = '\0';
	if (n == 0)
		return AUTHOR_NO_FIELD;
	if (n > 1)
		return AUTHOR_SEVERAL_FIELDS;
	return author_of_field(value, domain);
}

const char *
author_problem(enum author_result result)
{
	switch (result) {
	case AUTHOR_OK:
		return "has an author";
	case AUTHOR_NO_FIELD:
		return "has no From field";
	case AUTHOR_SEVERAL_FIELDS:
		return "has several From fields";
	case AUTHOR_NO_DOMAIN:
		return "has a From field without a domain";
	case AUTHOR_SEVERAL_DOMAINS:
		return "has authors of several domains";
	case AUTHOR_BAD_SYNTAX:
		break;
	}
	return "has a malformed From field";
}
