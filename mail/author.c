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
#include "list_tokens.h"
#include "octets.h"

struct parser {
	struct token_reader at;
	bool is_bad;
	char domain[ADDRESS_DOMAIN_MAX + 1];
	bool has_domain, has_several;
};

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
	token_advance(&p->at);
	if (p->at.token.kind == TOKEN_WORD)
		note_domain(p, p->at.token.text);
	else if (p->at.token.kind != TOKEN_LITERAL)
		p->is_bad = true;	/* a literal is no domain */
	token_advance(&p->at);
}

/* "@a,@b:" in front of an address (RFC 5322 4.4), and no use to anybody. */
static void
skip_route(struct parser *p)
{
	while (!p->is_bad && !token_is(&p->at, ':')) {
		if (p->at.token.kind == TOKEN_END ||
		    p->at.token.kind == TOKEN_BAD ||
		    token_is(&p->at, '>') || token_is(&p->at, '<'))
			p->is_bad = true;
		token_advance(&p->at);
	}
	token_advance(&p->at);
}

/* What stands in angle brackets; at the token behind "<". */
static void
read_angle(struct parser *p)
{
	bool has_local = false;

	if (token_is(&p->at, '@'))
		skip_route(p);
	while (token_is_text(&p->at)) {
		if (has_local && p->at.token.follows_space)
			p->is_bad = true;
		has_local = true;
		token_advance(&p->at);
	}
	if (token_is(&p->at, '@')) {
		if (!has_local)
			p->is_bad = true;
		read_domain(p);
	}
	if (!token_is(&p->at, '>'))
		p->is_bad = true;
	token_advance(&p->at);
}

/* A mailbox without brackets: local part, "@", domain, or only words. */
static void
read_bare(struct parser *p)
{
	unsigned n_words = 0;
	bool is_split = false;

	while (token_is_text(&p->at)) {
		is_split |= n_words++ > 0 && p->at.token.follows_space;
		token_advance(&p->at);
	}
	if (!token_is(&p->at, '@'))
		return;
	if (n_words == 0 || is_split)
		p->is_bad = true;
	read_domain(p);
}

static void
read_mailbox(struct parser *p)
{
	if (token_has_angle(&p->at)) {
		while (!token_is(&p->at, '<')) {
			if (token_is(&p->at, '>') || token_is(&p->at, '\\'))
				p->is_bad = true;
			token_advance(&p->at);
		}
		token_advance(&p->at);
		read_angle(p);
	} else
		read_bare(p);
}

enum author_result
author_of_field(struct slice value, char domain[ADDRESS_DOMAIN_MAX + 1])
{
	struct parser p = { .at.rest = value };

	*domain = '\0';
	token_advance(&p.at);
	while (!p.is_bad && p.at.token.kind != TOKEN_END) {
		if (!token_is_separator(&p.at))
			read_mailbox(&p);
		if (p.at.token.kind != TOKEN_END && !token_is_separator(&p.at))
			p.is_bad = true;
		else
			token_advance(&p.at);
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
