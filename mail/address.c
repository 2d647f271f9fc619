/* SPDX-License-Identifier: ISC */
/*
 * address.c - paths and mailboxes of RFC 5321 4.1.2; see address.h.
 */
#include "address.h"
#include "octets.h"
#include "utf8.h"

static const struct slice postmaster = { "postmaster", 10 };

/* The local part as it is taken apart. */
struct local_reader {
	struct address *address;
	struct slice rest;
	size_t size;
	size_t max;
};

static bool
put_local(struct local_reader *r, char c)
{
	if (r->size == r->max)
		return false;
	r->address->local[r->size++] = c;
	return true;
}

/* Dot-string: atoms with single dots between them. */
static enum address_result
read_dot_string(struct local_reader *r)
{
	char last = '.';

	while (r->rest.size > 0 && *r->rest.data != '@') {
		char c = *r->rest.data;

		if (c == '.' ? last == '.' : is_ascii(c) && !is_atext(c))
			return ADDRESS_BAD_SYNTAX;
		if (!put_local(r, c))
			return ADDRESS_LOCAL_TOO_LONG;
		last = c;
		r->rest = slice_after(r->rest, 1);
	}
	return last == '.' ? ADDRESS_BAD_SYNTAX : ADDRESS_OK;
}

/*
 * Quoted-string, its opening quote already checked. An empty one is good
 * grammar, but no mailbox has that name and the null path must not either.
 */
static enum address_result
read_quoted(struct local_reader *r)
{
	size_t i;

	for (i = 1; i < r->rest.size && r->rest.data[i] != '"'; i++) {
		if (r->rest.data[i] == '\\')
			i++;
		if (i == r->rest.size || is_control(r->rest.data[i]))
			return ADDRESS_BAD_SYNTAX;
		if (!put_local(r, r->rest.data[i]))
			return ADDRESS_LOCAL_TOO_LONG;
	}
	if (i >= r->rest.size || r->size == 0)
		return ADDRESS_BAD_SYNTAX;
	r->rest = slice_after(r->rest, i + 1);
	return ADDRESS_OK;
}

static enum address_result
check_octets(struct address *a, struct slice text, unsigned allow)
{
	if (utf8_is_ascii(text))
		return ADDRESS_OK;
	if (!utf8_is_valid(text))
		return ADDRESS_BAD_UTF8;
	for (size_t i = 0; i < text.size; i++)
		if (utf8_is_c1_control(slice_after(text, i)))
			return ADDRESS_BAD_UTF8;
	if (!(allow & ADDRESS_ALLOW_UTF8))
		return ADDRESS_IS_UTF8;
	a->needs_smtputf8 = true;
	return ADDRESS_OK;
}

/* No "@" follows the local part. */
static enum address_result
finish_bare(struct address *a, struct slice text, unsigned allow)
{
	if ((allow & ADDRESS_ALLOW_POSTMASTER) &&
	    slice_equals_nocase(text, postmaster)) {
		slice_copy(a->local, sizeof(a->local), postmaster);
		a->is_postmaster = true;
		return ADDRESS_OK;
	}
	return allow & ADDRESS_ALLOW_BARE_LOCAL ? ADDRESS_OK :
	    ADDRESS_BAD_SYNTAX;
}

static enum address_result
parse_mailbox(struct address *a, struct slice text, unsigned allow)
{
	struct local_reader r = { .address = a, .rest = text,
		.max = allow & ADDRESS_ALLOW_LONG_LOCAL ?
		ADDRESS_LONG_LOCAL_MAX : ADDRESS_LOCAL_MAX };
	enum address_result result;

	if (!slice_copy(a->text, sizeof(a->text), text))
		return ADDRESS_TOO_LONG;
	result = check_octets(a, text, allow);
	if (result != ADDRESS_OK)
		return result;
	result = text.size > 0 && *text.data == '"' ? read_quoted(&r) :
	    read_dot_string(&r);
	a->local[r.size] = '\0';
	if (result != ADDRESS_OK)
		return result;
	if (r.rest.size == 0)
		return finish_bare(a, text, allow);
	if (*r.rest.data != '@')
		return ADDRESS_BAD_SYNTAX;
	r.rest = slice_after(r.rest, 1);
	a->is_literal = r.rest.size > 0 && *r.rest.data == '[';
	return address_parse_domain(a->domain, r.rest, allow);
}

static void
address_clear(struct address *a)
{
	a->text[0] = a->local[0] = a->domain[0] = '\0';
	a->is_null = a->is_postmaster = false;
	a->is_literal = a->needs_smtputf8 = false;
}

/* A failed parse leaves nothing that could be taken for an address. */
enum address_result
address_parse(struct address *a, struct slice text, unsigned allow)
{
	enum address_result result;

	address_clear(a);
	if (text.size == 0 && (allow & ADDRESS_ALLOW_NULL)) {
		a->is_null = true;
		return ADDRESS_OK;
	}
	result = parse_mailbox(a, text, allow);
	if (result != ADDRESS_OK)
		address_clear(a);
	return result;
}

/* Position of the ">" that ends the path, or path.size. */
static size_t
find_path_end(struct slice path)
{
	bool is_quoted = false;

	for (size_t i = 0; i < path.size; i++) {
		char c = path.data[i];

		if (c == '"')
			is_quoted = !is_quoted;
		else if (c == '\\' && is_quoted)
			i++;
		else if (c == '>' && !is_quoted)
			return i;
	}
	return path.size;
}

/* Size of the domain or literal at the front of a source route. */
static size_t
find_hop_end(struct slice s)
{
	size_t i = 0;

	if (s.size > 0 && *s.data == '[')
		i = slice_find(s, ']');
	while (i < s.size && s.data[i] != ',' && s.data[i] != ':')
		i++;
	return i;
}

/* "@one,@two:" at the front of *s; RFC 5321 4.1.2 A-d-l. */
static enum address_result
skip_source_route(struct slice *s, unsigned allow)
{
	char domain[ADDRESS_DOMAIN_MAX + 1];
	enum address_result result;
	size_t n;
	char end;

	do {
		if (s->size == 0 || *s->data != '@')
			return ADDRESS_BAD_SYNTAX;
		*s = slice_after(*s, 1);
		n = find_hop_end(*s);
		if (n == s->size)
			return ADDRESS_BAD_SYNTAX;
		result = address_parse_domain(domain, slice_first(*s, n),
		    allow);
		if (result != ADDRESS_OK)
			return result;
		end = s->data[n];
		*s = slice_after(*s, n + 1);
	} while (end == ',');
	return ADDRESS_OK;
}

enum address_result
address_parse_path(struct address *a, struct slice *rest, unsigned allow)
{
	struct slice inner;
	enum address_result result;
	size_t end;

	address_clear(a);
	if (rest->size == 0 || *rest->data != '<')
		return ADDRESS_BAD_SYNTAX;
	end = find_path_end(*rest);
	if (end == rest->size)
		return ADDRESS_BAD_SYNTAX;
	inner = (struct slice){ rest->data + 1, end - 1 };
	if (inner.size > 0 && *inner.data == '@') {
		result = skip_source_route(&inner, allow);
		if (result != ADDRESS_OK)
			return result;
		allow &= ~(unsigned)(ADDRESS_ALLOW_NULL |
		    ADDRESS_ALLOW_POSTMASTER);
	}
	result = address_parse(a, inner, allow);
	if (result == ADDRESS_OK)
		*rest = slice_after(*rest, end + 1);
	return result;
}

bool
address_make(struct address *a, struct slice local, struct slice domain)
{
	char text[ADDRESS_TEXT_MAX + 1];

	return address_write(text, sizeof(text), local, domain) &&
	    address_parse(a, slice_of(text), ADDRESS_ALLOW_UTF8 |
	    ADDRESS_ALLOW_LONG_LOCAL) == ADDRESS_OK;
}
