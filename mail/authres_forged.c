/* SPDX-License-Identifier: ISC */
/*
 * authres_forged.c - fields that speak in our name; see authres.h.
 *
 * A field is ours if its authserv-id is our host name: bare or quoted, in
 * any case, behind comments, with a final dot, or with a job id behind "/"
 * as some write it. One that is malformed before its first ";" but has our
 * name in it, in pieces or whole, counts too, as nobody knows what its
 * readers make of it (RFC 8601 5 allows to remove more than must be).
 * Received-SPF is of the host that its receiver= names (RFC 7208 9.1); one
 * without is nobody's and stays, as do ARC's fields, which have seals of
 * their own.
 */
#include "address.h"
#include "authres.h"
#include "header.h"
#include "octets.h"

static bool
is_fws(char c)
{
	return is_space(c) || c == '\n' || c == '\r';
}

/* Take white space and comments off the front; false: a comment is open. */
static bool
skip_space(struct slice *s)
{
	size_t size;

	while (s->size > 0 && (is_fws(*s->data) || *s->data == '(')) {
		size = *s->data == '(' ? enclosed_size(*s, '(', ')') : 1;
		if (size == 0)
			return false;
		*s = slice_after(*s, size);
	}
	return true;
}

/* Is it host's name, with a final dot or without? */
static bool
is_host(struct slice name, const char *host)
{
	struct slice want = slice_of(host);

	if (want.size > 0 && want.data[want.size - 1] == '.')
		want.size--;
	if (name.size > 0 && name.data[name.size - 1] == '.')
		name.size--;
	return slice_equals_nocase(name, want);
}

static bool
ends_word(char c)
{
	return is_fws(c) || c == ';' || c == '(' || c == '=';
}

/*
 * Take a word or a quoted string off the front; its text without quotes
 * and backslashes, cut to room, is written to text. False for a quoted
 * string without an end.
 */
static bool
take_word(struct slice *s, char *text, size_t room, size_t *size)
{
	bool is_quoted = s->size > 0 && *s->data == '"';
	size_t i = is_quoted, n = 0;

	for (; i < s->size; i++) {
		if (is_quoted ? s->data[i] == '"' : ends_word(s->data[i]))
			break;
		if (is_quoted && s->data[i] == '\\' && i + 1 < s->size)
			i++;
		if (n < room)
			text[n++] = s->data[i];
	}
	*size = n;
	if (is_quoted && i == s->size)
		return false;
	*s = slice_after(*s, i + is_quoted);
	return true;
}

/*
 * The same once white space, quotes, backslashes and comments are taken out,
 * as readers do that go by tokens (opendmarc): "mx . \"example\".(x)org".
 */
static bool
mentions_in_pieces(struct slice value, struct slice want)
{
	char last[ADDRESS_DOMAIN_MAX];	/* as many octets as want has */
	struct slice seen = { last, 0 };
	unsigned depth = 0;

	if (want.size == 0 || want.size > sizeof(last))
		return want.size == 0;
	for (size_t i = 0; i < value.size; i++) {
		char c = value.data[i];

		depth += c == '(';
		if (depth == 0 && !is_fws(c) && c != '"' && c != '\\') {
			if (seen.size == want.size)
				memmove(last, last + 1, --seen.size);
			last[seen.size++] = c;
			if (slice_equals_nocase(seen, want))
				return true;
		}
		depth -= c == ')' && depth > 0;
	}
	return false;
}

static bool
mentions(struct slice value, const char *host)
{
	struct slice want = slice_of(host), rest = value;

	for (; rest.size >= want.size; rest = slice_after(rest, 1))
		if (slice_starts_nocase(rest, want))
			return true;
	return mentions_in_pieces(value, want);
}

/* Not a word that readers take apart in different ways. */
static bool
is_plain(struct slice word)
{
	return slice_find(word, '\\') == word.size &&
	    slice_find(word, '"') == word.size;
}

bool
authres_names(struct slice value, const char *host)
{
	char text[512];
	struct slice rest = value, id = { text, 0 };

	if (!skip_space(&rest) ||
	    !take_word(&rest, text, sizeof(text), &id.size) ||
	    !is_plain(id) || !skip_space(&rest))
		return mentions(value, host);
	if (is_host(id, host) ||
	    is_host(slice_first(id, slice_find(id, '/')), host))
		return true;
	/* behind a good id stands a version, or ";", or the end */
	while (rest.size > 0 && is_digit(*rest.data))
		rest = slice_after(rest, 1);
	if (!skip_space(&rest) || (rest.size > 0 && *rest.data != ';') ||
	    id.size == 0)
		return mentions(value, host);
	return false;
}

/* result [comment] *(key "=" value ";"), RFC 7208 9.1 */
bool
received_spf_names(struct slice value, const char *host)
{
	char text[512];
	struct slice word = { text, 0 };
	bool is_receiver = false, has_equals = false;

	while (value.size > 0) {
		if (!skip_space(&value))
			return mentions(value, host);
		if (value.size == 0)
			break;
		if (*value.data == ';' || *value.data == '=') {
			has_equals = *value.data == '=';
			value = slice_after(value, 1);
			continue;
		}
		if (!take_word(&value, text, sizeof(text), &word.size))
			return mentions(value, host);
		if (is_receiver && has_equals && is_host(word, host))
			return true;
		is_receiver = slice_equals_nocase(word, SLICE("receiver"));
		has_equals = false;
	}
	return false;
}

static bool
is_forged(const struct header_field *field, const char *host)
{
	if (header_is(field, "Authentication-Results"))
		return authres_names(field->value, host);
	return header_is(field, "Received-SPF") &&
	    received_spf_names(field->value, host);
}

/* False: there was no room, and the last cut now reaches to this field. */
static bool
add_cut(struct judgement *j, const struct header_field *field)
{
	struct judgement_cut *last = j->n_cuts ? &j->cuts[j->n_cuts - 1] :
	    NULL;
	bool is_adjacent = last != NULL &&
	    last->at + last->size == field->offset;

	if (is_adjacent || j->n_cuts == JUDGEMENT_CUTS_MAX) {
		last->size = field->offset + field->size - last->at;
		return is_adjacent;
	}
	j->cuts[j->n_cuts++] = (struct judgement_cut){ field->offset,
	    field->size };
	return true;
}

bool
authres_find_forged(struct slice message, const char *host,
    struct judgement *judgement)
{
	struct header_walk walk;
	struct header_field field;
	enum header_step step;
	bool is_all = true;

	judgement->n_cuts = 0;
	header_walk_start(&walk, message, true);
	while ((step = header_next(&walk, &field)) != HEADER_END) {
		if (step != HEADER_FIELD) {
			struct slice rest = slice_after(message, walk.offset);
			size_t end = slice_find(rest, '\n');

			walk.offset += end < rest.size ? end + 1 : end;
		} else if (is_forged(&field, host))
			is_all &= add_cut(judgement, &field);
	}
	return is_all;
}
