/* SPDX-License-Identifier: ISC */
/*
 * spf_record.c - the grammar of SPF records; see spf_record.h.
 */
#include <arpa/inet.h>
#include <string.h>
#include "spf_macro.h"
#include "spf_record.h"

static bool
is_name_octet(char c, bool is_first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return !is_first && ((c >= '0' && c <= '9') || c == '-' || c == '_' ||
	    c == '.');
}

/*
 * "/" and a number at the end of *s: 0, or no leading zero (RFC 7208 5.6).
 * True and untouched when there is none.
 */
static bool
take_prefix(struct slice *s, unsigned max, uint8_t *prefix)
{
	unsigned long long value;
	size_t at = s->size;
	struct slice digits;

	while (at > 0 && s->data[at - 1] >= '0' && s->data[at - 1] <= '9')
		at--;
	if (at == 0 || s->data[at - 1] != '/')
		return true;
	digits = (struct slice){ s->data + at, s->size - at };
	if (!slice_number(digits, max, &value) ||
	    (digits.size > 1 && digits.data[0] == '0'))
		return false;
	*prefix = (uint8_t)value;
	s->size = at - 1;
	return true;
}

/* dual-cidr-length: [ "/" n4 ] [ "//" n6 ]. */
static bool
take_dual_prefix(struct slice *s, struct spf_term *term)
{
	struct slice before = *s;

	if (!take_prefix(&before, 128, &term->prefix6))
		return false;
	if (before.size < s->size && before.size > 0 &&
	    before.data[before.size - 1] == '/') {
		before.size--;
		*s = before;
	} else {
		term->prefix6 = 128;
	}
	return take_prefix(s, 32, &term->prefix4);
}

static const char *
parse_address(struct spf_term *term, struct slice value)
{
	bool is_ip6 = term->mechanism == SPF_IP6;
	char text[INET6_ADDRSTRLEN];

	if (!take_prefix(&value, is_ip6 ? 128 : 32,
	    is_ip6 ? &term->prefix6 : &term->prefix4))
		return "wrong prefix length";
	if (slice_find(value, '\0') < value.size ||
	    !slice_copy(text, sizeof text, value) ||
	    inet_pton(is_ip6 ? AF_INET6 : AF_INET, text, term->address) != 1)
		return "not an address";
	return NULL;
}

static const struct {
	const char *name;
	enum spf_mechanism mechanism;
	bool may_have_spec, must_have_spec, may_have_prefix;
} mechanisms[] = {
	{ "all", SPF_ALL, false, false, false },
	{ "include", SPF_INCLUDE, true, true, false },
	{ "a", SPF_A, true, false, true },
	{ "mx", SPF_MX, true, false, true },
	{ "ptr", SPF_PTR, true, false, false },
	{ "ip4", SPF_IP4, true, true, false },
	{ "ip6", SPF_IP6, true, true, false },
	{ "exists", SPF_EXISTS, true, true, false },
};
#define N_MECHANISMS (sizeof mechanisms / sizeof *mechanisms)

/* rest is what follows the name: "", ":..." or "/...". */
static const char *
parse_arguments(struct spf_term *term, size_t row, struct slice rest)
{
	if (mechanisms[row].may_have_prefix && !take_dual_prefix(&rest, term))
		return "wrong prefix length";
	if (rest.size == 0)
		return mechanisms[row].must_have_spec ? "no argument" : NULL;
	if (rest.data[0] != ':' || !mechanisms[row].may_have_spec)
		return "unexpected argument";
	term->spec = (struct slice){ rest.data + 1, rest.size - 1 };
	if (term->mechanism == SPF_IP4 || term->mechanism == SPF_IP6)
		return parse_address(term, term->spec);
	if (!spf_macro_is_domain_spec(term->spec))
		return "not a domain-spec";
	return NULL;
}

static const char *
parse_mechanism(struct spf_term *term, struct slice text)
{
	struct slice name;

	term->qualifier = '+';
	if (text.size > 0 && *text.data != '\0' &&
	    strchr("+-~?", *text.data) != NULL) {
		term->qualifier = *text.data++;
		text.size--;
	}
	name = (struct slice){ text.data, 0 };
	while (name.size < text.size && text.data[name.size] != ':' &&
	    text.data[name.size] != '/')
		name.size++;
	text.data += name.size;
	text.size -= name.size;
	for (size_t i = 0; i < N_MECHANISMS; i++) {
		if (!slice_equals_nocase(name, slice_of(mechanisms[i].name)))
			continue;
		term->mechanism = mechanisms[i].mechanism;
		return parse_arguments(term, i, text);
	}
	return "unknown mechanism";
}

static const char *
parse_modifier(struct spf_term *term, struct slice name, struct slice value)
{
	term->mechanism = SPF_MODIFIER;
	term->name = name;
	term->spec = value;
	if (slice_equals_nocase(name, SLICE("redirect")) ||
	    slice_equals_nocase(name, SLICE("exp")))
		return spf_macro_is_domain_spec(value) ? NULL :
		    "not a domain-spec";
	return spf_macro_is_valid(value, SPF_IN_RECORD) ? NULL :
	    "wrong macro";
}

/* A modifier's name is followed by "=" before any ":" or "/" (4.6.1). */
static const char *
parse_term(struct spf_term *term, struct slice text)
{
	size_t n = 0;

	*term = (struct spf_term){ .text = text, .prefix4 = 32,
		.prefix6 = 128 };
	while (n < text.size && is_name_octet(text.data[n], n == 0))
		n++;
	if (n == 0 || n == text.size || text.data[n] != '=')
		return parse_mechanism(term, text);
	return parse_modifier(term, (struct slice){ text.data, n },
	    (struct slice){ text.data + n + 1, text.size - n - 1 });
}

/* The text of the next term, between spaces. */
static bool
next_text(struct slice *terms, struct slice *text)
{
	while (terms->size > 0 && *terms->data == ' ') {
		terms->data++;
		terms->size--;
	}
	*text = (struct slice){ terms->data, slice_find(*terms, ' ') };
	terms->data += text->size;
	terms->size -= text->size;
	return text->size > 0;
}

bool
spf_record_is_one(struct slice text)
{
	struct slice version = SLICE("v=spf1");

	return slice_starts_nocase(text, version) &&
	    (text.size == version.size || text.data[version.size] == ' ');
}

/* redirect and exp may stand once each (6). */
static const char *
note_term(struct spf_record *record, const struct spf_term *term)
{
	struct slice *at;

	if (term->mechanism != SPF_MODIFIER)
		return NULL;
	if (slice_equals_nocase(term->name, SLICE("redirect")))
		at = &record->redirect;
	else if (slice_equals_nocase(term->name, SLICE("exp")))
		at = &record->exp;
	else
		return NULL;
	if (at->size > 0)
		return "modifier given twice";
	*at = term->spec;
	return NULL;
}

const char *
spf_record_check(struct spf_record *record, struct slice text,
    struct slice *where)
{
	const char *problem = NULL;
	struct spf_term term;
	struct slice rest;

	*record = (struct spf_record){ 0 };
	*where = SLICE("");
	if (!spf_record_is_one(text))
		return "not an SPF record";
	if (text.size > SPF_RECORD_MAX)
		return "record too long";
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] < ' ' || text.data[i] > '~')
			return "an octet that is not printable ASCII";
	record->terms = (struct slice){ text.data + strlen("v=spf1"),
		text.size - strlen("v=spf1") };
	rest = record->terms;
	while (problem == NULL && next_text(&rest, where)) {
		problem = parse_term(&term, *where);
		if (problem == NULL)
			problem = note_term(record, &term);
	}
	return problem;
}

bool
spf_record_next(struct slice *terms, struct spf_term *term)
{
	struct slice text;

	return next_text(terms, &text) && parse_term(term, text) == NULL;
}
