/* SPDX-License-Identifier: ISC */
/*
 * address_list.c - see address_list.h.
 *
 * A mailbox ends at "," or ";". In angle brackets is its address, and the
 * words before them are a name; without brackets the words are the address.
 * Either is written anew, without comments and white space, and then parsed
 * like an address of SMTP.
 */
#include "address_list.h"
#include "list_tokens.h"
#include "octets.h"

#define ALLOWED (ADDRESS_ALLOW_UTF8 | ADDRESS_ALLOW_BARE_LOCAL | \
	ADDRESS_ALLOW_LONG_LOCAL)

struct spec {
	struct token_reader at;
	char text[ADDRESS_TEXT_MAX + 1];
	size_t size;
	bool is_bad;
};

static void
put_token(struct spec *s)
{
	struct slice text = s->at.token.text;

	if (text.size >= sizeof(s->text) - s->size) {
		s->is_bad = true;
	} else {
		memcpy(s->text + s->size, text.data, text.size);
		s->size += text.size;
	}
	token_advance(&s->at);
}

/* "a . b" is one local part, "a b" is none. */
static bool
is_joined(const struct spec *s)
{
	return s->size == 0 || !s->at.token.follows_space ||
	    s->text[s->size - 1] == '.' || *s->at.token.text.data == '.';
}

static void
read_domain(struct spec *s)
{
	bool is_literal;
	size_t at = s->size;

	put_token(s);
	is_literal = s->at.token.kind == TOKEN_LITERAL;
	if (is_literal)
		put_token(s);
	while (!is_literal && !s->is_bad && s->at.token.kind == TOKEN_WORD) {
		if (s->size > at + 1 && !is_joined(s))
			s->is_bad = true;
		put_token(s);
	}
	if (s->size == at + 1)
		s->is_bad = true;
}

/* addr-spec, or a local part alone. */
static void
read_spec(struct spec *s)
{
	while (!s->is_bad && token_is_text(&s->at)) {
		if (!is_joined(s))
			s->is_bad = true;
		put_token(s);
	}
	if (s->size == 0)
		s->is_bad = true;
	else if (token_is(&s->at, '@'))
		read_domain(s);
}

/* "@a,@b:" in front of an address. */
static void
skip_route(struct spec *s)
{
	while (!token_is(&s->at, ':')) {
		if (s->at.token.kind == TOKEN_END ||
		    s->at.token.kind == TOKEN_BAD ||
		    token_is(&s->at, '>') || token_is(&s->at, '<')) {
			s->is_bad = true;
			return;
		}
		token_advance(&s->at);
	}
	token_advance(&s->at);
}

static void
read_angle(struct spec *s)
{
	while (token_is_text(&s->at) || token_is(&s->at, '@') ||
	    s->at.token.kind == TOKEN_LITERAL)
		token_advance(&s->at);		/* a name, whatever it is */
	if (!token_is(&s->at, '<')) {
		s->is_bad = true;
		return;
	}
	token_advance(&s->at);
	if (token_is(&s->at, '@'))
		skip_route(s);
	if (!s->is_bad)
		read_spec(s);
	if (!token_is(&s->at, '>'))
		s->is_bad = true;
	token_advance(&s->at);
}

/* Past what may stand between mailboxes; false when something else does.
 * A group's name is words and a colon. */
static bool
skip_between(struct token_reader *r)
{
	for (;;) {
		struct token_reader ahead = *r;
		unsigned n_words = 0;

		while (token_is(&ahead, ',') || token_is(&ahead, ';'))
			token_advance(&ahead);
		*r = ahead;
		for (; token_is_text(&ahead); n_words++)
			token_advance(&ahead);
		if (!token_is(&ahead, ':'))
			return true;
		if (n_words == 0)
			return false;
		token_advance(&ahead);
		*r = ahead;
	}
}

void
address_list_start(struct address_list *list, struct slice value)
{
	*list = (struct address_list){ .rest = value,
		.mailbox = slice_first(value, 0) };
}

static enum address_list_step
fail(struct address_list *list, struct slice from)
{
	list->is_bad = true;
	list->mailbox = from;
	return ADDRESS_LIST_BAD;
}

/* A mailbox is read, and the token behind it ends it. */
static bool
is_complete(const struct spec *s)
{
	return !s->is_bad && (s->at.token.kind == TOKEN_END ||
	    token_is(&s->at, ',') || token_is(&s->at, ';'));
}

enum address_list_step
address_list_next(struct address_list *list, struct address *a)
{
	struct spec s = { .at.rest = list->rest };
	struct slice from = list->rest;

	if (list->is_bad)
		return ADDRESS_LIST_BAD;
	token_advance(&s.at);
	if (!skip_between(&s.at))
		return fail(list, from);
	if (s.at.token.kind == TOKEN_END) {
		list->rest = slice_after(from, from.size);
		return ADDRESS_LIST_END;
	}
	if (s.at.token.kind == TOKEN_BAD)
		return fail(list, from);
	from = slice_after(from, (size_t)(s.at.token.text.data - from.data));
	if (token_has_angle(&s.at))
		read_angle(&s);
	else
		read_spec(&s);
	if (!is_complete(&s) || address_parse(a, (struct slice){ s.text,
	    s.size }, ALLOWED) != ADDRESS_OK)
		return fail(list, from);
	list->mailbox = slice_first(from, from.size - s.at.rest.size);
	list->rest = s.at.rest;
	return ADDRESS_LIST_MAILBOX;
}
